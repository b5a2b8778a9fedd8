/* SPDX-License-Identifier: Apache-2.0 */
#include "limits.h"

void weft_limit(int8_t *at, int32_t count, const weft_limits_t *limits)
{
    for (; count >= 4; count -= 4, at += 4) weft_store4(at, weft_limit4(weft_load4(at), limits));
    for (; count > 0; --count, ++at)
        *at = (int8_t)weft_clamp(*at, (int8_t)limits->low, (int8_t)limits->high);
}

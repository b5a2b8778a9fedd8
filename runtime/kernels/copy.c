/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "weft/micro_kernels.h"

void weft_copy_rows(const int8_t *x, int8_t *out, int32_t extent0, int32_t extent1, int32_t extent2,
                    int32_t bytes, int32_t x_stride0, int32_t x_stride1, int32_t x_stride2,
                    int32_t out_stride0, int32_t out_stride1, int32_t out_stride2)
{
    for (int32_t i = 0; i < extent0; ++i) {
        for (int32_t j = 0; j < extent1; ++j) {
            for (int32_t k = 0; k < extent2; ++k) {
                memcpy(out + i * out_stride0 + j * out_stride1 + k * out_stride2,
                       x + i * x_stride0 + j * x_stride1 + k * x_stride2, (size_t)bytes);
            }
        }
    }
}

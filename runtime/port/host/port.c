/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of one process. */
#include "weft/port.h"

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    __atomic_store_n(counter, value, __ATOMIC_RELEASE);
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

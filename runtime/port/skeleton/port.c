/* SPDX-License-Identifier: Apache-2.0 */
/* The port of a PE that is alone, for GCC and Clang: to use as it is, or to copy and complete.
 * weft/port.h says what each function must do. */
#include "weft/port.h"

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    __atomic_store_n(counter, value, __ATOMIC_RELEASE);
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

void weft_port_add(uint32_t *counter, uint32_t amount)
{
    (void)__atomic_add_fetch(counter, amount, __ATOMIC_ACQ_REL);
}

/* There is no other PE to write or talk to. */
weft_status_t weft_port_write(const struct weft_pe *pe, uint32_t to, uint32_t offset,
                              const void *from, uint32_t bytes)
{
    (void)pe, (void)to, (void)offset, (void)from, (void)bytes;
    return WEFT_E_ARGUMENT;
}

weft_status_t weft_port_signal_arrival(const struct weft_pe *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame)
{
    (void)pe, (void)to, (void)slot, (void)producer, (void)frame;
    return WEFT_E_ARGUMENT;
}

weft_status_t weft_port_signal_credit(const struct weft_pe *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed)
{
    (void)pe, (void)to, (void)send, (void)consumed;
    return WEFT_E_ARGUMENT;
}

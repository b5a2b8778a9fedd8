/* SPDX-License-Identifier: Apache-2.0 */
/* ARMv7-M. The core sees its own accesses in order; DMA engines and other PEs need the barriers.
 * The volatile accesses are single 32-bit loads and stores, which ARMv7-M makes atomic. */
#include "weft/port.h"

#include "image.h"

static void barrier(void)
{
    __asm volatile("dmb" ::: "memory");
}

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    barrier();
    *(volatile uint32_t *)counter = value;
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    const uint32_t value = *(const volatile uint32_t *)counter;
    barrier();
    return value;
}

/* WFE and not WFI: an event between the last look at the counters and the sleep is latched, and
 * the sleep ends at once, so no frame is missed. */
void weft_port_wait(void)
{
    __asm volatile("wfe" ::: "memory");
}

void weft_port_notify(void)
{
    __asm volatile("dsb\n\tsev" ::: "memory");
}

/* LDREX and STREX: interrupts and other PEs may change the counter in between. */
void weft_port_add(uint32_t *counter, uint32_t amount)
{
    (void)__atomic_add_fetch(counter, amount, __ATOMIC_ACQ_REL);
}

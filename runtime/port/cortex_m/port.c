/* SPDX-License-Identifier: Apache-2.0 */
/* ARMv7-M. The core sees its own accesses in order; DMA engines and other PEs need the barriers.
 * The volatile accesses are single 32-bit loads and stores, which ARMv7-M makes atomic. */
#include "weft/port.h"

#include "image.h"

/* ARMv7-M Architecture Reference Manual C1.6.5 and C1.8. */
#define DEMCR 0xE000EDFCu
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL 0xE0001000u
#define DWT_CTRL_CYCCNTENA 1u
#define DWT_CYCCNT 0xE0001004u

static volatile uint32_t *reg(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

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

/* The core's cycle counter, switched on by whoever asks first. Without one, it counts how often it was
 * asked, so that every wait ends: then a firmware does better with a timer of its own. */
__attribute__((weak)) uint32_t weft_port_clock(const struct weft_pe *pe)
{
    static uint32_t ticks;
    (void)pe;
    if ((*reg(DWT_CTRL) & DWT_CTRL_CYCCNTENA) == 0u) {
        *reg(DEMCR) |= DEMCR_TRCENA;
        *reg(DWT_CTRL) |= DWT_CTRL_CYCCNTENA;
        if ((*reg(DWT_CTRL) & DWT_CTRL_CYCCNTENA) == 0u) {
            weft_port_add(&ticks, 1u);
            return weft_port_observe(&ticks);
        }
    }
    return *reg(DWT_CYCCNT);
}

/* LDREX and STREX: interrupts and other PEs may change the counter in between. */
void weft_port_add(uint32_t *counter, uint32_t amount)
{
    (void)__atomic_add_fetch(counter, amount, __ATOMIC_ACQ_REL);
}

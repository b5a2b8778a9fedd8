/* SPDX-License-Identifier: Apache-2.0 */
/* The port of a PE that is alone, for GCC and Clang: to use as it is, or to copy and complete.
 * weft/port.h says what each function must do; runtime/cts/port tests whether it does. */
#include "weft/port.h"

#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_4)

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

#else /* Single words are stored and loaded as a whole, and no more: ARMv6-M, RISC-V without A. */

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    *(volatile uint32_t *)counter = value;
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    const uint32_t value = *(const volatile uint32_t *)counter;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return value;
}

#if defined(__arm__)

static uint32_t interrupts_off(void)
{
    uint32_t before;
    __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(before)::"memory");
    return before;
}

static void interrupts_as(uint32_t before)
{
    __asm volatile("msr primask, %0" ::"r"(before) : "memory");
}

#elif defined(__riscv)

/* In machine mode. */
static uint32_t interrupts_off(void)
{
    uint32_t before;
    __asm volatile("csrrci %0, mstatus, 8" : "=r"(before)::"memory");
    return before & 8u;
}

static void interrupts_as(uint32_t before)
{
    __asm volatile("csrs mstatus, %0" ::"r"(before) : "memory");
}

#else
#error "say how this core adds to a word in one step, seen by interrupts and other cores"
#endif

/* Whoever else adds is an interrupt of this core: it has no others beside it. */
void weft_port_add(uint32_t *counter, uint32_t amount)
{
    const uint32_t before = interrupts_off();
    weft_port_publish(counter, weft_port_observe(counter) + amount);
    interrupts_as(before);
}

#endif

/* Counts how often it was asked: enough for every wait to end, and no measure of time. Put a timer
 * in its place, before deadlines mean anything. */
uint32_t weft_port_clock(const struct weft_pe *pe)
{
    static uint32_t ticks;
    (void)pe;
    weft_port_add(&ticks, 1u);
    return weft_port_observe(&ticks);
}

/* There is no other PE to write or talk to. */
weft_status_t weft_port_write(const struct weft_pe *pe, uint32_t to, uint32_t offset,
                              const void *from, uint32_t bytes)
{
    (void)pe, (void)to, (void)offset, (void)from, (void)bytes;
    return WEFT_E_ARGUMENT;
}

weft_status_t weft_port_write_box(const struct weft_pe *pe, uint32_t to, const weft_box_t *box)
{
    return weft_port_write_runs(pe, to, box);
}

weft_status_t weft_port_dram_read(const struct weft_pe *pe, uint32_t offset, void *to,
                                  uint32_t bytes)
{
    (void)pe, (void)offset, (void)to, (void)bytes;
    return WEFT_E_ARGUMENT;
}

weft_status_t weft_port_dram_write(const struct weft_pe *pe, uint32_t offset, const void *from,
                                   uint32_t bytes)
{
    (void)pe, (void)offset, (void)from, (void)bytes;
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

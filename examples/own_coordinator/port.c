/* SPDX-License-Identifier: Apache-2.0 */
/* This machine's implementation of weft/port.h. */
#include "weft/port.h"

#include "firmware.h"
#include "weft/pe.h"

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

void weft_port_add(uint32_t *counter, uint32_t amount)
{
    (void)__atomic_add_fetch(counter, amount, __ATOMIC_ACQ_REL);
}

static weft_status_t ask(const weft_pe_t *pe, uint32_t operation, uint32_t to, uint32_t a,
                         uint32_t b, uint32_t c)
{
    barrier();
    NOC->to = to;
    NOC->epoch = pe->epoch;
    NOC->operands[0] = a;
    NOC->operands[1] = b;
    NOC->operands[2] = c;
    NOC->operation = operation;
    return NOC->operation == 1u ? WEFT_OK : WEFT_E_ARGUMENT;
}

weft_status_t weft_port_write(const weft_pe_t *pe, uint32_t to, uint32_t offset, const void *from,
                              uint32_t bytes)
{
    return ask(pe, NOC_WRITE, to, offset, (uint32_t)(uintptr_t)from, bytes);
}

/* This NoC takes runs of bytes only. */
weft_status_t weft_port_write_box(const weft_pe_t *pe, uint32_t to, const weft_box_t *box)
{
    return weft_port_write_runs(pe, to, box);
}

weft_status_t weft_port_signal_arrival(const weft_pe_t *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame)
{
    return ask(pe, NOC_ARRIVAL, to, slot, producer, frame);
}

weft_status_t weft_port_signal_credit(const weft_pe_t *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed)
{
    return ask(pe, NOC_CREDIT, to, send, consumed, 0u);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance test for ports as a firmware for QEMU's mps2-an386. The timer's interrupt is the
 * other context, and, where there are two PEs, the NoC that serves their mail.
 *
 * PES is 1 or 2; with TAKES_EARLY, the NoC says that a write is done before it is. */
#include <stdbool.h>
#include <string.h>

#include "../../../examples/embedded/semihosting.h"
#include "port_cts.h"

#if PES == 2
#include "image.h"
#include "weft/port.h"
#endif

static weft_port_cts_t contexts[PES];

#if PES == 2
static weft_mail_t mail[PES];

static bool post(weft_mail_ring_t *ring, const weft_message_t *message)
{
    if (ring->posted - ring->taken == WEFT_MAIL_MESSAGES) return false;
    ring->messages[ring->posted % WEFT_MAIL_MESSAGES] = *message;
    ring->posted += 1u;
    return true;
}

/* False if the bytes go nowhere. */
static bool write(uint32_t pe, uint32_t offset, const void *from, uint32_t bytes)
{
    if (pe >= PES || offset > WEFT_PORT_CTS_ARENA) return false;
    if (bytes > WEFT_PORT_CTS_ARENA - offset) return false;
#ifdef TAKES_EARLY
    static uint8_t held[64];
    static uint8_t *held_to;
    static uint32_t held_bytes;
    if (held_to != NULL) memcpy(held_to, held, held_bytes);
    held_to = contexts[pe].arena + offset;
    held_bytes = bytes;
    memcpy(held, from, bytes);
#else
    memcpy(contexts[pe].arena + offset, from, bytes);
#endif
    return true;
}

static bool write_box(uint32_t pe, const weft_box_t *box)
{
    for (uint32_t o = 0; o < box->outer; ++o) {
        for (uint32_t i = 0; i < box->inner; ++i) {
            const uint8_t *from = box->from + o * box->from_outer + i * box->from_inner;
            const uint32_t to = box->to + o * box->to_outer + i * box->to_inner;
            if (!write(pe, to, from, box->bytes)) return false;
        }
    }
    return true;
}

static void carry(uint32_t number)
{
    weft_mail_ring_t *out = &mail[number].out;
    while (out->taken != out->posted) {
        const weft_message_t *message = &out->messages[out->taken % WEFT_MAIL_MESSAGES];
        const weft_message_t refusal = {
            WEFT_MESSAGE_FAIL, number, message->epoch, {WEFT_E_ARGUMENT, 0u, 0u}};
        bool is_good = message->pe < PES;
        if (message->kind == WEFT_MESSAGE_WRITE) {
            const void *from = (const void *)(uintptr_t)message->arguments[1];
            is_good = write(message->pe, message->arguments[0], from, message->arguments[2]);
        } else if (message->kind == WEFT_MESSAGE_BOX) {
            is_good = write_box(message->pe, (const void *)(uintptr_t)message->arguments[0]);
        } else if (is_good && !post(&mail[message->pe].in, message)) {
            return;
        }
        if (!is_good && !post(&mail[number].in, &refusal)) return;
        out->taken += 1u;
    }
}
#endif

static void tick(void)
{
#if PES == 2
    for (uint32_t i = 0; i < PES; ++i) carry(i);
#endif
    weft_port_cts_disturb(&contexts[0]);
}

static void start_ticks(void)
{
    *(volatile uint32_t *)0xE000E014u = 2000u;
    *(volatile uint32_t *)0xE000E018u = 0u;
    *(volatile uint32_t *)0xE000E010u = 7u;
}

static void print(const char *name, uint32_t number)
{
    host_print(name);
    host_print_number((int)number);
}

static void run(void)
{
    for (uint32_t i = 0; i < PES; ++i) {
        void *port = NULL;
#if PES == 2
        mail[i].pe = &contexts[i].pe;
        port = &mail[i];
#endif
        if (weft_port_cts_init(&contexts[i], i, PES, port) != WEFT_OK) host_exit(0);
    }
    start_ticks();
    while (weft_port_cts_result.state == WEFT_PORT_CTS_RUNNING) {
        for (uint32_t i = 0; i < PES; ++i) {
#if PES == 2
            weft_port_poll(&contexts[i].pe);
#endif
            (void)weft_port_cts_step(&contexts[i]);
        }
    }
}

/* --- start-up ---------------------------------------------------------------------------------- */

extern uint32_t bss_start[], bss_end[], stack_top[];

void reset(void);

void reset(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm volatile("dsb\n\tisb" ::: "memory");
    for (volatile uint32_t *to = bss_start; to < bss_end; ++to) *to = 0u;
    run();
    print("", weft_port_cts_result.run);
    print(" run, ", weft_port_cts_result.failed);
    print(" failed, ", weft_port_cts_result.skipped);
    print(" skipped, first ", weft_port_cts_result.first_failed);
    print(" at line ", weft_port_cts_result.line);
    host_print("\n");
    host_exit(weft_port_cts_result.state == WEFT_PORT_CTS_PASSED);
}

static void fault(void)
{
    host_print("a fault\n");
    host_exit(0);
}

typedef void (*vector_t)(void);

static const struct {
    const uint32_t *stack_top;
    vector_t handlers[15];
} vectors __attribute__((section(".vectors"), used)) = {stack_top,
                                                        {reset, fault, fault, fault, fault, fault,
                                                         fault, fault, fault, fault, fault, fault,
                                                         fault, fault, tick}};

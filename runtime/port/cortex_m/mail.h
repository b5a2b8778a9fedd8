/* SPDX-License-Identifier: Apache-2.0 */
/* How a PE talks to its NoC if nothing better is there: two rings of messages in its memory.
 *
 * The PE posts what goes out and the NoC takes it; the NoC posts what comes in and the PE takes it
 * (weft_port_poll). Each ring has two counters, cumulative and wrapping, each written by one side
 * only; message number n lies at n % WEFT_MAIL_MESSAGES. Whoever posts writes the message before
 * the counter; whoever takes reads it before the counter. Both sides signal an event (SEV, or what
 * the machine has) after they have changed a counter, because the PE sleeps with WFE.
 *
 * The NoC carries out what it takes:
 *   - A write, or a box of them: it copies the bytes into the arena of the other PE, without its help. The PE waits
 *     until the message is taken, then uses the bytes again: take it after the last one is read.
 *   - Anything else goes into the other PE's ring, after the writes to that PE that were taken
 *     before, and in their order. While that ring is full it waits, in the NoC.
 *   - What it cannot deliver it answers with WEFT_MESSAGE_FAIL.
 * A PE takes messages while it waits for its own to be taken, so full rings hold up nobody for ever.
 *
 * A driver of a machine's own NoC replaces it: it defines weft_port_write, weft_port_write_box,
 * weft_port_signal_arrival, weft_port_signal_credit and weft_port_poll, which are weak here. */
#ifndef WEFT_MAIL_H
#define WEFT_MAIL_H

#include <stdint.h>

#include "weft/pe.h"

/* Of each ring; a power of two. */
#ifndef WEFT_MAIL_MESSAGES
#define WEFT_MAIL_MESSAGES 8u
#endif
#if (WEFT_MAIL_MESSAGES & (WEFT_MAIL_MESSAGES - 1u)) != 0u
#error "WEFT_MAIL_MESSAGES must be a power of two"
#endif

/* What the arguments of a message are. */
enum {
    WEFT_MESSAGE_WRITE = 0,   /* offset in the other arena, address in this PE's memory, bytes */
    WEFT_MESSAGE_ARRIVAL = 1, /* slot, producer, frame: weft_pe_deliver_arrival */
    WEFT_MESSAGE_CREDIT = 2,  /* send, frames consumed: weft_pe_deliver_credit */
    WEFT_MESSAGE_FAIL = 3,    /* a weft_status_t: weft_pe_fail. Only comes in, from any epoch */
    WEFT_MESSAGE_BOX = 4      /* address of a weft_box_t in this PE's memory: many writes in one */
};

typedef struct weft_message {
    uint32_t kind;
    uint32_t pe;    /* the number of the PE that it goes to */
    uint32_t epoch; /* of the sender */
    uint32_t arguments[3];
} weft_message_t;

typedef struct weft_mail_ring {
    uint32_t posted;
    uint32_t taken;
    weft_message_t messages[WEFT_MAIL_MESSAGES];
} weft_mail_ring_t;

/* What weft_pe_config_t.port points to. Zero but for `pe` at the start. */
typedef struct weft_mail {
    weft_mail_ring_t out;
    weft_mail_ring_t in;
    weft_pe_t *pe; /* whose mail it is */
} weft_mail_t;

/* Delivers to `pe` all that has come in. Before every step. Thread context. */
void weft_port_poll(weft_pe_t *pe);

#endif /* WEFT_MAIL_H */

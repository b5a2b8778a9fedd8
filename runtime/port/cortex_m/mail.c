/* SPDX-License-Identifier: Apache-2.0 */
#include "mail.h"

#include "image.h"
#include "weft/port.h"

#define REPLACEABLE __attribute__((weak))

static weft_message_t *message_at(weft_mail_ring_t *ring, uint32_t number)
{
    return &ring->messages[number & (WEFT_MAIL_MESSAGES - 1u)];
}

/* --- in --------------------------------------------------------------------------------------- */

static weft_status_t deliver(weft_pe_t *pe, const weft_message_t *message)
{
    const uint32_t *arguments = message->arguments;
    switch (message->kind) {
    case WEFT_MESSAGE_ARRIVAL:
        return weft_pe_deliver_arrival(pe, message->epoch, arguments[0], arguments[1],
                                       arguments[2]);
    case WEFT_MESSAGE_CREDIT:
        return weft_pe_deliver_credit(pe, message->epoch, arguments[0], arguments[1]);
    case WEFT_MESSAGE_FAIL: return weft_pe_fail(pe, (weft_status_t)arguments[0]);
    default: return WEFT_E_ARGUMENT;
    }
}

/* The sender has gone on long ago: a message that makes no sense is the receiver's fault to tell. */
REPLACEABLE void weft_port_poll(weft_pe_t *pe)
{
    weft_mail_t *mail = pe->port;
    weft_mail_ring_t *in = &mail->in;
    WEFT_ASSERT(weft_port_observe(&in->posted) - in->taken <= WEFT_MAIL_MESSAGES);
    while (in->taken != weft_port_observe(&in->posted)) {
        const weft_status_t status = deliver(pe, message_at(in, in->taken));
        weft_port_publish(&in->taken, in->taken + 1u);
        if (status != WEFT_OK) (void)weft_pe_fail(pe, status);
    }
}

/* --- out -------------------------------------------------------------------------------------- */

/* Sleeps until at most `left` messages are not taken yet, or until the PE is told to stop. */
static weft_status_t wait_until_taken(weft_mail_t *mail, uint32_t left)
{
    for (;;) {
        const uint32_t under_way = mail->out.posted - weft_port_observe(&mail->out.taken);
        WEFT_ASSERT(under_way <= WEFT_MAIL_MESSAGES);
        if (under_way <= left) return WEFT_OK;
        weft_port_poll(mail->pe);
        const uint32_t fault = weft_port_observe(&mail->pe->told_fault);
        if (fault != (uint32_t)WEFT_OK) return (weft_status_t)fault;
        weft_port_wait();
    }
}

static weft_status_t post(weft_mail_t *mail, weft_message_t message)
{
    weft_mail_ring_t *out = &mail->out;
    WEFT_RETURN_IF_ERROR(wait_until_taken(mail, WEFT_MAIL_MESSAGES - 1u));
    *message_at(out, out->posted) = message;
    weft_port_publish(&out->posted, out->posted + 1u);
    weft_port_notify();
    return WEFT_OK;
}

REPLACEABLE weft_status_t weft_port_write(const weft_pe_t *pe, uint32_t to, uint32_t offset,
                                          const void *from, uint32_t bytes)
{
    const weft_message_t message = {
        WEFT_MESSAGE_WRITE, to, pe->epoch, {offset, (uint32_t)(uintptr_t)from, bytes}};
    WEFT_RETURN_IF_ERROR(post(pe->port, message));
    return wait_until_taken(pe->port, 0u);
}

REPLACEABLE weft_status_t weft_port_write_box(const weft_pe_t *pe, uint32_t to,
                                              const weft_box_t *box)
{
    const weft_message_t message = {
        WEFT_MESSAGE_BOX, to, pe->epoch, {(uint32_t)(uintptr_t)box, 0u, 0u}};
    WEFT_RETURN_IF_ERROR(post(pe->port, message));
    return wait_until_taken(pe->port, 0u);
}

REPLACEABLE weft_status_t weft_port_signal_arrival(const weft_pe_t *pe, uint32_t to, uint32_t slot,
                                                   uint32_t producer, uint32_t frame)
{
    const weft_message_t message = {WEFT_MESSAGE_ARRIVAL, to, pe->epoch, {slot, producer, frame}};
    return post(pe->port, message);
}

REPLACEABLE weft_status_t weft_port_signal_credit(const weft_pe_t *pe, uint32_t to, uint32_t send,
                                                  uint32_t consumed)
{
    const weft_message_t message = {WEFT_MESSAGE_CREDIT, to, pe->epoch, {send, consumed, 0u}};
    return post(pe->port, message);
}

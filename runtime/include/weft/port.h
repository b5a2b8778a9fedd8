/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime asks of the machine below it. One folder under port/ implements it.
 *
 * Data written before a publish must be visible to whoever observes the published value, and data
 * sent before a signal must be there when the signal is delivered. Signals from one PE to another
 * are delivered in the order in which they were given, each at least once. A copy of an older one
 * may come at any time: counters are cumulative. Writes must not come twice, nor after a new start:
 * they carry no epoch. */
#ifndef WEFT_PORT_H
#define WEFT_PORT_H

#include <stdint.h>

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weft_pe;

/* Store `value` with release semantics. Any context. */
void weft_port_publish(uint32_t *counter, uint32_t value);

/* Load with acquire semantics. Any context. */
uint32_t weft_port_observe(const uint32_t *counter);

/* Add `amount` (it may stand for a negative number) as one step, release and acquire. Any
 * context. */
void weft_port_add(uint32_t *counter, uint32_t amount);

/* Ticks of a clock that runs freely and wraps at 2^32, for deadlines and timestamps: the longest that
 * can be told is 2^31 - 1 ticks. What a tick is, is the port's choice; it comes often enough for the
 * deadlines that callers give. `pe` is the one whose clock it is, or null for the port's only one.
 * Any context. */
uint32_t weft_port_clock(const struct weft_pe *pe);

/* Write `bytes` bytes to `offset` in the arena of PE number `to`, another one than `pe`. Returns
 * when `from` may be changed again. WEFT_E_ARGUMENT if there is no such PE, or if the bytes would
 * leave its arena. Thread context.
 *
 * A port that learns of such a refusal later, here and below, calls weft_pe_fail with it. */
weft_status_t weft_port_write(const struct weft_pe *pe, uint32_t to, uint32_t offset,
                              const void *from, uint32_t bytes);

/* A box of bytes: `outer` times `inner` runs of `bytes` bytes each, from this PE's memory into the
 * arena of another. Offsets and distances in bytes; no run overlaps another. */
typedef struct weft_box {
    uint32_t outer, inner, bytes;
    const uint8_t *from;
    uint32_t from_outer, from_inner;
    uint32_t to, to_outer, to_inner;
} weft_box_t;

/* Write a box as weft_port_write writes a run, all of it or, with an error, a part. `box` is the
 * caller's and stays while the call lasts. Thread context. */
weft_status_t weft_port_write_box(const struct weft_pe *pe, uint32_t to, const weft_box_t *box);

/* That for ports whose machine does not move boxes by itself: run after run. */
static inline weft_status_t weft_port_write_runs(const struct weft_pe *pe, uint32_t to,
                                                 const weft_box_t *box)
{
    for (uint32_t o = 0; o < box->outer; ++o) {
        for (uint32_t i = 0; i < box->inner; ++i) {
            const uint8_t *from = box->from + o * box->from_outer + i * box->from_inner;
            const uint32_t offset = box->to + o * box->to_outer + i * box->to_inner;
            WEFT_RETURN_IF_ERROR(weft_port_write(pe, to, offset, from, box->bytes));
        }
    }
    return WEFT_OK;
}

/* Read `bytes` bytes from `offset` of the DRAM that `pe` reaches, or write them there. They return when
 * the bytes are there. WEFT_E_ARGUMENT if there is no DRAM, or if they would leave it. For devices
 * that move data; the executive needs neither. Thread context. */
weft_status_t weft_port_dram_read(const struct weft_pe *pe, uint32_t offset, void *to,
                                  uint32_t bytes);
weft_status_t weft_port_dram_write(const struct weft_pe *pe, uint32_t offset, const void *from,
                                   uint32_t bytes);

/* Have weft_pe_deliver_arrival called on PE number `to`, after what was written before, with the
 * epoch of `pe`. Thread context. What a signal returns becomes the fault of `pe`, if it is one: a
 * port that knows what came of the delivery says so. */
weft_status_t weft_port_signal_arrival(const struct weft_pe *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame);

/* Have weft_pe_deliver_credit called on PE number `to`, with the epoch of `pe`. Any context: the
 * outside gives back the frames of outputs. */
weft_status_t weft_port_signal_credit(const struct weft_pe *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_PORT_H */

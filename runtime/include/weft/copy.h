/* SPDX-License-Identifier: Apache-2.0 */
/* Copies as jobs: the descriptor that every device takes which moves data (weft_device_facts_t.spaces
 * says between which memories), and what fills it in. */
#ifndef WEFT_COPY_H
#define WEFT_COPY_H

#include "weft/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `rows` runs of `row_bytes` bytes each. A place in this PE's memory is a pointer; one in another
 * PE's arena is the PE's number and an offset, one in DRAM an offset, and their pointer is null.
 * Pitches are from the start of a row to that of the next, in bytes. No row of the destination
 * overlaps another, or the source. Pointers, offsets, pitches and row_bytes are multiples of the
 * device's alignment. */
typedef struct weft_copy {
    const void *from;
    void *to;
    uint32_t from_space, to_space; /* weft_space_t */
    uint32_t from_pe, to_pe;       /* 0 if the space is no other PE */
    uint32_t from_offset, to_offset;
    uint32_t rows, row_bytes;
    uint32_t from_pitch, to_pitch;
} weft_copy_t;

/* --- one run; any context ---------------------------------------------------------------------- */

/* Within this PE's memory. */
static inline weft_copy_t weft_copy_local(void *to, const void *from, uint32_t bytes)
{
    const weft_copy_t copy = {.from = from, .to = to, .rows = 1u, .row_bytes = bytes};
    return copy;
}

/* From this PE's memory to `offset` in the arena of PE number `pe`. */
static inline weft_copy_t weft_copy_to_pe(uint32_t pe, uint32_t offset, const void *from,
                                          uint32_t bytes)
{
    const weft_copy_t copy = {.from = from,
                              .to_space = (uint32_t)WEFT_SPACE_PE,
                              .to_pe = pe,
                              .to_offset = offset,
                              .rows = 1u,
                              .row_bytes = bytes};
    return copy;
}

/* From this PE's memory to `offset` in DRAM. */
static inline weft_copy_t weft_copy_to_dram(uint32_t offset, const void *from, uint32_t bytes)
{
    const weft_copy_t copy = {.from = from,
                              .to_space = (uint32_t)WEFT_SPACE_DRAM,
                              .to_offset = offset,
                              .rows = 1u,
                              .row_bytes = bytes};
    return copy;
}

/* From `offset` in DRAM to this PE's memory. */
static inline weft_copy_t weft_copy_from_dram(void *to, uint32_t offset, uint32_t bytes)
{
    const weft_copy_t copy = {.to = to,
                              .from_space = (uint32_t)WEFT_SPACE_DRAM,
                              .from_offset = offset,
                              .rows = 1u,
                              .row_bytes = bytes};
    return copy;
}

/* --- many runs --------------------------------------------------------------------------------- */

/* The same with `rows` rows, each as long as the one of `copy`. Any context. */
static inline weft_copy_t weft_copy_2d(weft_copy_t copy, uint32_t rows, uint32_t from_pitch,
                                       uint32_t to_pitch)
{
    copy.rows = rows;
    copy.from_pitch = from_pitch;
    copy.to_pitch = to_pitch;
    return copy;
}

/* --- the job ----------------------------------------------------------------------------------- */

/* Reserves and submits: see there, also for the context and for what else it may return. `copy` is
 * the caller's again when this returns. WEFT_E_ARGUMENT if the device does not take copies or does
 * not reach the spaces. */
weft_status_t weft_device_copy(weft_device_t *device, const weft_copy_t *copy,
                               const weft_ticket_t *dependencies, uint32_t dependency_count,
                               uint32_t deadline_ticks, uint32_t label, weft_ticket_t *out_ticket);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_COPY_H */

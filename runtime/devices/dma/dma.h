/* SPDX-License-Identifier: Apache-2.0 */
/* A DMA engine: rows of bytes within this PE's memory, from it to the arena of another PE, from it to
 * DRAM and from there back. Its descriptor is weft_copy_t.
 *
 * Pointers, offsets, row_bytes and, where there is more than one row, pitches are multiples of 16;
 * there is at least one row of 16 bytes. Other jobs are refused with WEFT_E_ARGUMENT before a byte
 * is written: those between two memories that are both not this PE's, too. A copy that leaves the
 * other PE's arena, or DRAM, fails with the same status, and a part of it may have been written.
 *
 * It reaches other PEs and DRAM through weft/port.h, with the promises made there: what it wrote is
 * there before a signal that is given after the job is over. */
#ifndef WEFT_DMA_H
#define WEFT_DMA_H

#include "weft/copy.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WEFT_DMA_ALIGNMENT = 16,
    WEFT_DMA_JOBS_IN_FLIGHT = 2 /* the next job is taken while one is under way */
};

/* The driver's context. */
typedef struct weft_dma {
    uint32_t is_moving, moving; /* the sequence number of the job that has the engine */
    uint32_t polls_left;        /* until it is done */
} weft_dma_t;

extern const weft_device_driver_t weft_dma_driver;

#ifdef __cplusplus
}
#endif

#endif /* WEFT_DMA_H */

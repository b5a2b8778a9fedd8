/* SPDX-License-Identifier: Apache-2.0 */
/* The driver, and the core in place of the engine: for hosts, and for targets that have none. The
 * bytes are moved when a job is over and not when it is started: whoever reads them too early gets
 * what was there before. */
#include "dma.h"

#include <stdbool.h>
#include <string.h>

#include "weft/port.h"

#define LOCAL ((uint32_t)WEFT_SPACE_LOCAL)
#define PE ((uint32_t)WEFT_SPACE_PE)
#define DRAM ((uint32_t)WEFT_SPACE_DRAM)

enum { POLLS = 3 /* that a job takes: no engine is done at once */ };

static weft_status_t init(weft_device_t *device)
{
    weft_dma_t *dma = device->config.context;
    dma->is_moving = 0u;
    return WEFT_OK;
}

/* One end of a copy: a pointer here, an offset elsewhere, aligned, with all rows below 2^32. */
static bool is_end(uint32_t space, const void *pointer, uint32_t offset, uint32_t pitch,
                   const weft_copy_t *copy)
{
    const uint32_t mask = WEFT_DMA_ALIGNMENT - 1u;
    if (copy->rows > 1u && (pitch & mask) != 0u) return false;
    if (space == LOCAL) return pointer != NULL && ((uintptr_t)pointer & mask) == 0u;
    const uint64_t last = offset + (uint64_t)(copy->rows - 1u) * pitch;
    return pointer == NULL && (offset & mask) == 0u && last + copy->row_bytes <= UINT32_MAX;
}

static bool is_way(const weft_device_t *device, const weft_copy_t *copy)
{
    if (copy->from_space == LOCAL && copy->to_space == LOCAL) return true;
    if (device->config.pe == NULL) return false; /* what is another one, then? */
    return copy->from_space == LOCAL ? copy->to_space == PE || copy->to_space == DRAM
                                     : copy->from_space == DRAM && copy->to_space == LOCAL;
}

static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    const weft_copy_t *copy = job->descriptor;
    const bool is_good =
        copy->rows > 0u && copy->row_bytes > 0u &&
        (copy->row_bytes & (WEFT_DMA_ALIGNMENT - 1u)) == 0u && is_way(device, copy) &&
        is_end(copy->from_space, copy->from, copy->from_offset, copy->from_pitch, copy) &&
        is_end(copy->to_space, copy->to, copy->to_offset, copy->to_pitch, copy);
    return is_good ? WEFT_PENDING : WEFT_E_ARGUMENT;
}

static weft_status_t write_to_pe(const struct weft_pe *pe, const weft_copy_t *copy)
{
    const weft_box_t box = {
        .outer = 1u,
        .inner = copy->rows,
        .bytes = copy->row_bytes,
        .from = copy->from,
        .from_inner = copy->from_pitch,
        .to = copy->to_offset,
        .to_inner = copy->to_pitch,
    };
    return weft_port_write_box(pe, copy->to_pe, &box);
}

static weft_status_t move_rows(const struct weft_pe *pe, const weft_copy_t *copy)
{
    if (copy->to_space == PE) return write_to_pe(pe, copy);
    for (uint32_t row = 0; row < copy->rows; ++row) {
        const size_t from_step = (size_t)row * copy->from_pitch;
        const size_t to_step = (size_t)row * copy->to_pitch;
        if (copy->from_space == DRAM) {
            WEFT_RETURN_IF_ERROR(weft_port_dram_read(pe, copy->from_offset + (uint32_t)from_step,
                                                     (uint8_t *)copy->to + to_step,
                                                     copy->row_bytes));
        } else if (copy->to_space == DRAM) {
            WEFT_RETURN_IF_ERROR(weft_port_dram_write(pe, copy->to_offset + (uint32_t)to_step,
                                                      (const uint8_t *)copy->from + from_step,
                                                      copy->row_bytes));
        } else {
            memcpy((uint8_t *)copy->to + to_step, (const uint8_t *)copy->from + from_step,
                   copy->row_bytes);
        }
    }
    return WEFT_OK;
}

static weft_status_t poll(weft_device_t *device, const weft_job_t *job)
{
    weft_dma_t *dma = device->config.context;
    if (dma->is_moving == 0u || dma->moving != job->sequence) {
        dma->is_moving = 1u;
        dma->moving = job->sequence;
        dma->polls_left = POLLS;
    }
    if (dma->polls_left > 0u) {
        dma->polls_left -= 1u;
        return WEFT_PENDING;
    }
    dma->is_moving = 0u;
    return move_rows(device->config.pe, job->descriptor);
}

/* Nothing has been written yet. */
static weft_status_t cancel(weft_device_t *device, const weft_job_t *job)
{
    (void)device, (void)job;
    return WEFT_OK;
}

static weft_status_t reset(weft_device_t *device)
{
    return init(device);
}

const weft_device_driver_t weft_dma_driver = {
    .facts =
        {
            .name = "dma",
            .alignment = WEFT_DMA_ALIGNMENT,
            .jobs_in_flight = WEFT_DMA_JOBS_IN_FLIGHT,
            .spaces = 1u << WEFT_SPACE_LOCAL | 1u << WEFT_SPACE_PE | 1u << WEFT_SPACE_DRAM,
            .descriptor_bytes = sizeof(weft_copy_t),
            .context_bytes = sizeof(weft_dma_t),
            .takes_copies = true,
        },
    .init = init,
    .start = start,
    .poll = poll,
    .cancel = cancel,
    .reset = reset,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "null.h"

#include "weft/port.h"

static weft_null_context_t *context_of(const weft_device_t *device)
{
    return device->config.context;
}

/* Yours writes registers and returns. */
static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    const weft_null_job_t *descriptor = job->descriptor;
    if (descriptor->ticks > (uint32_t)INT32_MAX) return WEFT_E_ARGUMENT;
    context_of(device)->started_at = weft_port_clock(device->config.pe);
    return WEFT_PENDING;
}

/* Yours reads a status register. With an interrupt instead, its handler calls weft_device_complete,
 * and there is no poll. */
static weft_status_t poll(weft_device_t *device, const weft_job_t *job)
{
    const weft_null_job_t *descriptor = job->descriptor;
    const uint32_t elapsed = weft_port_clock(device->config.pe) - context_of(device)->started_at;
    return elapsed >= descriptor->ticks ? WEFT_OK : WEFT_PENDING;
}

/* Nothing is under way that would have to be stopped. Yours stops the hardware. */
static weft_status_t cancel(weft_device_t *device, const weft_job_t *job)
{
    (void)device, (void)job;
    return WEFT_OK;
}

static weft_status_t reset(weft_device_t *device)
{
    (void)device;
    return WEFT_OK;
}

const weft_device_driver_t weft_null_driver = {
    .facts = {.name = "null",
              .alignment = 1u,
              .jobs_in_flight = 1u,
              .spaces = 1u << WEFT_SPACE_LOCAL,
              .descriptor_bytes = sizeof(weft_null_job_t),
              .context_bytes = sizeof(weft_null_context_t)},
    .start = start,
    .poll = poll,
    .cancel = cancel,
    .reset = reset,
};

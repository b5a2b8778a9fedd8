/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"

static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    const weft_cpu_job_t *descriptor = job->descriptor;
    (void)device;
    return descriptor->function != NULL ? WEFT_PENDING : WEFT_E_ARGUMENT;
}

/* Here and not in start: who submits has other things to do first. */
static weft_status_t poll(weft_device_t *device, const weft_job_t *job)
{
    const weft_cpu_job_t *descriptor = job->descriptor;
    (void)device;
    return descriptor->function(descriptor->out, descriptor->in, descriptor->arguments);
}

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

const weft_device_driver_t weft_cpu_driver = {
    .facts = {.name = "cpu",
              .alignment = 1u,
              .jobs_in_flight = 1u,
              .spaces = 1u << WEFT_SPACE_LOCAL,
              .descriptor_bytes = sizeof(weft_cpu_job_t)},
    .start = start,
    .poll = poll,
    .cancel = cancel,
    .reset = reset,
};

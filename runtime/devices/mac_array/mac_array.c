/* SPDX-License-Identifier: Apache-2.0 */
/* The driver, with the model in place of the hardware. The model works when a job is over and not
 * when it is started: whoever reads a result too early gets what was there before. */
#include "mac_array.h"

#include <stdbool.h>

enum {
    POLLS = 3, /* that a job takes: no array is done at once */
    WEIGHTS_ALIGNMENT = 16,
    ALL_FLAGS = WEFT_MAC_ARRAY_DEPTHWISE | WEFT_MAC_ARRAY_RELU | WEFT_MAC_ARRAY_X_UNSIGNED |
                WEFT_MAC_ARRAY_WEIGHTS_UNSIGNED
};

static weft_status_t init(weft_device_t *device)
{
    weft_mac_array_t *array = device->config.context;
    const uint32_t *given = device->config.options;
    weft_mac_array_options_t options = {24u, 0u, 0u};
    if (device->config.option_count > 0u) {
        if (device->config.option_count != sizeof options / sizeof *given) return WEFT_E_ARGUMENT;
        options = (weft_mac_array_options_t){given[0], given[1], given[2]};
    }
    const uint32_t bits = options.accumulator_bits;
    if ((bits != 24u && bits != 29u && bits != 32u) || options.saturates > 1u ||
        options.subtracts_zero_points > 1u) {
        return WEFT_E_ARGUMENT;
    }
    array->options = options;
    return WEFT_OK;
}

static bool has_extents(const weft_mac_array_job_t *job)
{
    const bool is_depthwise = (job->flags & WEFT_MAC_ARRAY_DEPTHWISE) != 0;
    return job->out_h > 0 && job->out_w > 0 && job->out_channels > 0 && job->kernel_h > 0 &&
           job->kernel_w > 0 && job->channels > 0 && (!is_depthwise || job->channels == 1);
}

static bool is_aligned(const weft_mac_array_job_t *job)
{
    const uint32_t element = (uint32_t)job->out_bits / 8u;
    const uintptr_t places =
        (uintptr_t)job->out | (uint32_t)job->out_down | (uint32_t)job->out_right;
    return (places & (element - 1u)) == 0u &&
           ((uintptr_t)job->weights & (WEIGHTS_ALIGNMENT - 1u)) == 0u;
}

static bool has_zero_point(const weft_mac_array_job_t *job, const weft_mac_array_options_t *options)
{
    const int32_t low = (job->flags & WEFT_MAC_ARRAY_X_UNSIGNED) != 0 ? 0 : -128;
    if (options->subtracts_zero_points == 0u) return job->x_zero_point == 0;
    return job->x_zero_point >= low && job->x_zero_point <= low + 255;
}

static weft_status_t start(weft_device_t *device, const weft_job_t *queued)
{
    weft_mac_array_t *array = device->config.context;
    const weft_mac_array_job_t *job = queued->descriptor;
    const bool is_good = job->x != NULL && job->weights != NULL && job->out != NULL &&
                         (job->flags & ~(int32_t)ALL_FLAGS) == 0 && has_extents(job) &&
                         job->shift >= 0 && job->shift < 32 &&
                         (job->out_bits == 8 || job->out_bits == 16 || job->out_bits == 32) &&
                         is_aligned(job) && has_zero_point(job, &array->options);
    if (!is_good) return WEFT_E_ARGUMENT;
    array->polls_left = POLLS;
    return WEFT_PENDING;
}

static weft_status_t poll(weft_device_t *device, const weft_job_t *job)
{
    weft_mac_array_t *array = device->config.context;
    if (array->polls_left > 0u) {
        array->polls_left -= 1u;
        return WEFT_PENDING;
    }
    weft_mac_array_model(job->descriptor, &array->options);
    return WEFT_OK;
}

/* Nothing has been written yet. */
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

const weft_device_driver_t weft_mac_array_driver = {
    .facts =
        {
            .name = "mac_array",
            .alignment = WEIGHTS_ALIGNMENT,
            .jobs_in_flight = 1u,
            .spaces = 1u << WEFT_SPACE_LOCAL,
            .accumulator_bits = 24u,
            .descriptor_bytes = sizeof(weft_mac_array_job_t),
            .context_bytes = sizeof(weft_mac_array_t),
        },
    .init = init,
    .start = start,
    .poll = poll,
    .cancel = cancel,
    .reset = reset,
};

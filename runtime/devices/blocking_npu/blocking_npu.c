/* SPDX-License-Identifier: Apache-2.0 */
#include "blocking_npu.h"

/* Done when it returns, or refused: nothing is ever under way, so there is nothing to poll, cancel
 * or reset. */
static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    (void)device;
    return blocking_npu_matmul(job->descriptor) == 0 ? WEFT_OK : WEFT_E_ARGUMENT;
}

const weft_device_driver_t weft_blocking_npu_driver = {
    .facts = {.name = "blocking_npu",
              .alignment = 4u,
              .jobs_in_flight = 1u,
              .spaces = 1u << WEFT_SPACE_LOCAL,
              .accumulator_bits = 32u,
              .descriptor_bytes = sizeof(weft_blocking_npu_job_t),
              .is_blocking = true},
    .start = start,
};

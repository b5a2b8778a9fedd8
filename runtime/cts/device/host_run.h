/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of one device in this process, for tests that call it from outside of C. */
#ifndef WEFT_DEVICE_HOST_RUN_H
#define WEFT_DEVICE_HOST_RUN_H

#include "weft/device.h"

/* Takes a device of that kind into use, submits `job_count` jobs (their descriptors lie one behind
 * the other), waits until all are over, and takes it out of use. `out_states` gets the state of each
 * ticket. At most WEFT_MOST_JOBS jobs. What weft_device_init and the like return. */
weft_status_t weft_host_device_run(const weft_device_driver_t *driver, const uint32_t *options,
                                   uint32_t option_count, const void *descriptors,
                                   uint32_t job_count, uint32_t deadline_ticks,
                                   uint32_t *out_states);

/* What the driver says of itself, in this order: alignment, jobs_in_flight, spaces, accumulator_bits,
 * is_blocking, clock_hz, descriptor_bytes. */
enum { WEFT_HOST_FACTS = 7 };
void weft_host_device_facts(const weft_device_driver_t *driver, uint32_t *out_facts);

#endif /* WEFT_DEVICE_HOST_RUN_H */

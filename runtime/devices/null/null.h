/* SPDX-License-Identifier: Apache-2.0 */
/* A device that does nothing, in its own time: the skeleton to copy, and a stand-in for tests. */
#ifndef WEFT_NULL_H
#define WEFT_NULL_H

#include "weft/device.h"

/* One job. It reads and writes nothing. */
typedef struct weft_null_job {
    uint32_t ticks; /* of weft_port_clock, at most 2^31 - 1, until it is done */
} weft_null_job_t;

/* What the driver keeps of an instance: yours would have the address of its registers. */
typedef struct weft_null_context {
    uint32_t started_at;
} weft_null_context_t;

extern const weft_device_driver_t weft_null_driver;

#endif /* WEFT_NULL_H */

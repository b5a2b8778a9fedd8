/* SPDX-License-Identifier: Apache-2.0 */
/* A device in software: it calls a function. So code that knows jobs only can have any work done,
 * and what runs on a PE without an accelerator can be written as for one that has it. */
#ifndef WEFT_CPU_H
#define WEFT_CPU_H

#include "weft/device.h"

enum { WEFT_CPU_ARGUMENTS = 6 };

/* Called in the context of weft_device_poll: it does its work and returns WEFT_OK or an error. */
typedef weft_status_t (*weft_cpu_function_t)(void *out, const void *const *in,
                                             const uint32_t *arguments);

/* One job: out and in are for the function to understand. */
typedef struct weft_cpu_job {
    weft_cpu_function_t function;
    void *out;
    const void *in[2];
    uint32_t arguments[WEFT_CPU_ARGUMENTS];
} weft_cpu_job_t;

extern const weft_device_driver_t weft_cpu_driver;

#endif /* WEFT_CPU_H */

/* SPDX-License-Identifier: Apache-2.0 */
#include "device_cts.h"
#include "null.h"

static void make(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    weft_null_job_t *job = descriptor;
    (void)inputs, (void)outputs;
    job->ticks = seed % 50u;
}

static void make_bad(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    weft_null_job_t *job = descriptor;
    (void)inputs, (void)outputs;
    job->ticks = seed | 0x80000000u;
}

static void expect(uint32_t seed, const uint8_t *inputs, uint8_t *outputs)
{
    (void)seed, (void)inputs, (void)outputs;
}

const weft_device_cts_adapter_t weft_device_cts_adapter = {
    .driver = &weft_null_driver,
    .deadline_ticks = 10000000u,
    .make = make,
    .expect = expect,
    .make_bad = make_bad,
};

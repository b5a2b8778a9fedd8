/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"
#include "device_cts.h"

enum { BYTES = 48 };

/* out[i] += factor * in[i] + summand: the old outputs count, too. */
static weft_status_t accumulate(void *out, const void *const *in, const uint32_t *arguments)
{
    uint8_t *sums = out;
    const uint8_t *values = in[0];
    if (arguments[2] != 0u) return WEFT_E_DEVICE;
    for (uint32_t i = 0; i < BYTES; ++i) {
        sums[i] = (uint8_t)(sums[i] + values[i] * arguments[0] + arguments[1]);
    }
    return WEFT_OK;
}

static void make(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    const weft_cpu_job_t job = {accumulate, outputs, {inputs, NULL}, {seed >> 24, seed >> 16 | 1u}};
    for (uint32_t i = 0; i < BYTES; ++i) inputs[i] = (uint8_t)(seed >> (i % 4u * 8u));
    *(weft_cpu_job_t *)descriptor = job;
}

static void make_bad(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    weft_cpu_job_t *job = descriptor;
    make(seed, descriptor, inputs, outputs);
    if (seed % 2u == 0u) {
        job->function = NULL;
    } else {
        job->arguments[2] = 1u;
    }
}

static void expect(uint32_t seed, const uint8_t *inputs, uint8_t *outputs)
{
    for (uint32_t i = 0; i < BYTES; ++i) {
        outputs[i] = (uint8_t)(outputs[i] + inputs[i] * (seed >> 24) + (seed >> 16 | 1u));
    }
}

const weft_device_cts_adapter_t weft_device_cts_adapter = {
    .driver = &weft_cpu_driver,
    .input_bytes = BYTES,
    .output_bytes = BYTES,
    .deadline_ticks = 10000000u,
    .make = make,
    .expect = expect,
    .make_bad = make_bad,
};

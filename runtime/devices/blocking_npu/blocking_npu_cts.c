/* SPDX-License-Identifier: Apache-2.0 */
#include "blocking_npu.h"
#include "device_cts.h"

enum { ROWS = 3, COLUMNS = 5, DEPTH = 12, WEIGHTS_AT = ROWS * DEPTH };
enum { INPUTS = (ROWS + COLUMNS) * DEPTH };

static void make(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    weft_blocking_npu_job_t *job = descriptor;
    for (uint32_t i = 0; i < INPUTS; ++i) {
        inputs[i] = (uint8_t)(seed >> (i % 4u * 8u)) ^ (uint8_t)(i * 29u);
    }
    job->x = (const int8_t *)inputs;
    job->weights = (const int8_t *)inputs + WEIGHTS_AT;
    job->out = (int32_t *)(void *)outputs;
    job->rows = ROWS;
    job->columns = COLUMNS;
    job->depth = DEPTH;
}

static void make_bad(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    weft_blocking_npu_job_t *job = descriptor;
    make(seed, descriptor, inputs, outputs);
    if (seed % 2u == 0u) {
        job->depth = 0u;
    } else {
        job->out = NULL;
    }
}

/* By another way than the model's. */
static void expect(uint32_t seed, const uint8_t *inputs, uint8_t *outputs)
{
    int32_t sums[ROWS * COLUMNS] = {0};
    (void)seed;
    for (int k = 0; k < DEPTH; ++k) {
        for (int at = 0; at < ROWS * COLUMNS; ++at) {
            const int x = (int8_t)inputs[at / COLUMNS * DEPTH + k];
            sums[at] += x * (int8_t)inputs[WEIGHTS_AT + at % COLUMNS * DEPTH + k];
        }
    }
    for (int i = 0; i < ROWS * COLUMNS * 4; ++i) outputs[i] = ((const uint8_t *)sums)[i];
}

const weft_device_cts_adapter_t weft_device_cts_adapter = {
    .driver = &weft_blocking_npu_driver,
    .input_bytes = INPUTS,
    .output_bytes = ROWS * COLUMNS * 4,
    .deadline_ticks = 10000000u,
    .make = make,
    .expect = expect,
    .make_bad = make_bad,
};

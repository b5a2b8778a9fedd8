/* Jobs for `weft device test`: 3 pixels, 5 outputs, 8 inputs; and what must come out of them. */
#include "device_cts.h"
#include "my_accelerator.h"

enum { PIXELS = 3, OUTPUTS = 5, INPUTS = 8, X_BYTES = PIXELS * INPUTS };

static void make(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    for (uint32_t i = 0; i < X_BYTES + 8 * INPUTS; ++i) inputs[i] = (uint8_t)(seed * 7u + i * 29u);
    const int8_t *x = (const int8_t *)inputs;
    *(my_accelerator_job_t *)descriptor = (my_accelerator_job_t){
        x, x + X_BYTES, (int32_t *)(void *)outputs, 1, PIXELS, OUTPUTS, INPUTS, X_BYTES, INPUTS};
}

static void make_bad(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    make(seed, descriptor, inputs, outputs);
    ((my_accelerator_job_t *)descriptor)->inputs = seed % 2u == 0u ? 36 : 6;
}

static void expect(uint32_t seed, const uint8_t *inputs, uint8_t *outputs)
{
    (void)seed;
    for (int at = 0; at < PIXELS * OUTPUTS; ++at) {
        int32_t sum = 0; /* bytes like these do not saturate it */
        for (int k = 0; k < INPUTS; ++k) {
            const uint8_t weight = inputs[X_BYTES + k / 4 * 32 + at % OUTPUTS * 4 + k % 4];
            sum += (int8_t)inputs[at / OUTPUTS * INPUTS + k] * (int8_t)weight;
        }
        ((int32_t *)(void *)outputs)[at] = sum;
    }
}

const weft_device_cts_adapter_t weft_device_cts_adapter = {
    .driver = &my_accelerator_driver,
    .input_bytes = X_BYTES + 8 * INPUTS,
    .output_bytes = PIXELS * OUTPUTS * 4,
    .deadline_ticks = 10000000u,
    .make = make,
    .expect = expect,
    .make_bad = make_bad,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of rows within the PE's memory: what is beyond it is a matter of the port. */
#include "device_cts.h"
#include "dma.h"

enum { ROWS = 3, FROM_PITCH = 64, TO_PITCH = 48, WORD = WEFT_DMA_ALIGNMENT };

static uint32_t rows_of(uint32_t seed)
{
    return 1u + (seed >> 8) % ROWS;
}

static uint32_t row_bytes_of(uint32_t seed)
{
    return WORD * (1u + (seed >> 16) % 3u);
}

static void make(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    for (uint32_t i = 0; i < ROWS * FROM_PITCH; ++i)
        inputs[i] = (uint8_t)((seed >> (i % 4u * 8u)) ^ (i * 29u));
    const weft_copy_t row = weft_copy_local(outputs, inputs, row_bytes_of(seed));
    *(weft_copy_t *)descriptor = weft_copy_2d(row, rows_of(seed), FROM_PITCH, TO_PITCH);
}

static void make_bad(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    weft_copy_t *copy = descriptor;
    make(seed, descriptor, inputs, outputs);
    if (seed % 2u == 0u) {
        copy->row_bytes -= 4u;
    } else {
        copy->from = inputs + 1;
    }
}

static void expect(uint32_t seed, const uint8_t *inputs, uint8_t *outputs)
{
    for (uint32_t row = 0; row < rows_of(seed); ++row)
        for (uint32_t i = 0; i < row_bytes_of(seed); ++i)
            outputs[row * TO_PITCH + i] = inputs[row * FROM_PITCH + i];
}

const weft_device_cts_adapter_t weft_device_cts_adapter = {
    .driver = &weft_dma_driver,
    .input_bytes = ROWS * FROM_PITCH,
    .output_bytes = ROWS * TO_PITCH,
    .deadline_ticks = 10000000u,
    .make = make,
    .expect = expect,
    .make_bad = make_bad,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* Small convolutions in all modes. Their sums fit in every accumulator, so that two instances with
 * other options give the same. */
#include "device_cts.h"
#include "mac_array.h"

enum { OUT_H = 2, OUT_W = 3, OUT_CHANNELS = 5, KERNEL = 2, CHANNELS = 3, TAPS = KERNEL * KERNEL };
enum { X_W = OUT_W + 1, X_PIXELS = (OUT_H + 1) * X_W };
enum { WEIGHTS_BYTES = TAPS * CHANNELS * WEFT_MAC_ARRAY_CHANNELS };
enum { INPUTS = WEIGHTS_BYTES + X_PIXELS * OUT_CHANNELS, OUTPUTS = OUT_H * OUT_W * OUT_CHANNELS };

static int32_t flags_of(uint32_t seed)
{
    return (int32_t)(seed >> 28);
}

static bool has(uint32_t seed, int32_t flag)
{
    return (flags_of(seed) & flag) != 0;
}

static int32_t shift_of(uint32_t seed)
{
    return (int32_t)(seed >> 24 & 7u);
}

static int32_t out_bytes_of(uint32_t seed)
{
    return 1 << (seed >> 22 & 3u) % 3u;
}

static void prepare(weft_device_config_t *config, uint32_t instance, uint8_t *memory,
                    uint32_t memory_bytes)
{
    static const uint32_t options[2][3] = {{24u, 0u, 0u}, {29u, 1u, 1u}};
    (void)memory, (void)memory_bytes;
    config->options = options[instance];
    config->option_count = 3u;
}

static void make(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    const int32_t in = has(seed, WEFT_MAC_ARRAY_DEPTHWISE) ? OUT_CHANNELS : CHANNELS;
    const int32_t bytes = out_bytes_of(seed);
    for (uint32_t i = 0; i < INPUTS; ++i)
        inputs[i] = (uint8_t)((seed >> (i % 4u * 8u)) ^ (i * 29u) ^ (i >> 3));
    *(weft_mac_array_job_t *)descriptor = (weft_mac_array_job_t){
        .x = inputs + WEIGHTS_BYTES,
        .weights = inputs,
        .out = outputs,
        .flags = flags_of(seed),
        .out_h = OUT_H,
        .out_w = OUT_W,
        .out_channels = OUT_CHANNELS,
        .kernel_h = KERNEL,
        .kernel_w = KERNEL,
        .channels = has(seed, WEFT_MAC_ARRAY_DEPTHWISE) ? 1 : CHANNELS,
        .x_down = X_W * in,
        .x_right = in,
        .tap_down = X_W * in,
        .tap_right = in,
        .out_down = OUT_W * OUT_CHANNELS * bytes,
        .out_right = OUT_CHANNELS * bytes,
        .shift = shift_of(seed),
        .out_bits = 8 * bytes,
    };
}

static void make_bad(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    weft_mac_array_job_t *job = descriptor;
    make(seed, descriptor, inputs, outputs);
    if (seed % 2u == 0u) {
        job->out_bits = 12;
    } else {
        job->kernel_h = 0;
    }
}

static int32_t number(uint8_t byte, bool is_unsigned)
{
    return is_unsigned ? (int32_t)byte : (int32_t)(int8_t)byte;
}

/* One sum, tap by tap, from the layout that the header describes. */
static int32_t sum_of(uint32_t seed, const uint8_t *inputs, int32_t pixel, int32_t channel)
{
    const bool is_depthwise = has(seed, WEFT_MAC_ARRAY_DEPTHWISE);
    const int32_t each = is_depthwise ? 1 : CHANNELS, in = is_depthwise ? OUT_CHANNELS : CHANNELS;
    const uint8_t *x = inputs + WEIGHTS_BYTES + (is_depthwise ? channel : 0);
    int32_t sum = 0;
    for (int32_t tap = 0; tap < TAPS; ++tap) {
        const int32_t row = pixel / OUT_W + tap / KERNEL, column = pixel % OUT_W + tap % KERNEL;
        for (int32_t c = 0; c < each; ++c) {
            const uint8_t weight = inputs[(tap * each + c) * WEFT_MAC_ARRAY_CHANNELS + channel];
            sum += number(x[(row * X_W + column) * in + c], has(seed, WEFT_MAC_ARRAY_X_UNSIGNED)) *
                   number(weight, has(seed, WEFT_MAC_ARRAY_WEIGHTS_UNSIGNED));
        }
    }
    return sum;
}

static void expect(uint32_t seed, const uint8_t *inputs, uint8_t *outputs)
{
    const int32_t bytes = out_bytes_of(seed);
    for (int32_t i = 0; i < OUTPUTS; ++i) {
        int32_t sum = sum_of(seed, inputs, i / OUT_CHANNELS, i % OUT_CHANNELS);
        if (has(seed, WEFT_MAC_ARRAY_RELU) && sum < 0) sum = 0;
        sum >>= shift_of(seed);
        for (int32_t byte = 0; byte < bytes; ++byte) /* the lowest first */
            *outputs++ = (uint8_t)((uint32_t)sum >> (8 * byte));
    }
}

const weft_device_cts_adapter_t weft_device_cts_adapter = {
    .driver = &weft_mac_array_driver,
    .input_bytes = INPUTS,
    .output_bytes = OUTPUTS * 4,
    .deadline_ticks = 10000000u,
    .prepare = prepare,
    .make = make,
    .expect = expect,
    .make_bad = make_bad,
};

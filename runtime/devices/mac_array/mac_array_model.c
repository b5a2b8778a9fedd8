/* SPDX-License-Identifier: Apache-2.0 */
/* The array in C, pass by pass. Sums that wrap are kept modulo 2^32 and cut to the accumulator's
 * bits at the end, which comes to the same; so are those that cannot reach a limit. The others
 * saturate product by product. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "mac_array.h"

#define CHANNELS WEFT_MAC_ARRAY_CHANNELS
#define PIXELS WEFT_MAC_ARRAY_PIXELS

/* How a byte becomes a number: (byte ^ flip) - offset. */
typedef struct operand {
    int32_t flip, offset;
} operand_t;

/* What all passes share. */
typedef struct setting {
    const weft_mac_array_job_t *job;
    operand_t x, weights;
    int32_t low, high; /* of the accumulator */
    uint32_t bits;
    bool saturates;
} setting_t;

/* 16 channels of four pixels. In a pass with fewer pixels the last one stands for the missing. */
typedef struct pass {
    const uint8_t *x[PIXELS];
    const uint8_t *weights;
    uint32_t sums[PIXELS][CHANNELS];
    int32_t channels; /* that there are */
} pass_t;

static operand_t operand_of(bool is_unsigned, int32_t zero_point)
{
    const int32_t flip = is_unsigned ? 0 : 0x80;
    const operand_t operand = {flip, flip + zero_point};
    return operand;
}

static inline int32_t number(const operand_t *operand, uint8_t byte)
{
    return ((int32_t)byte ^ operand->flip) - operand->offset;
}

static inline int32_t min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t magnitude(int32_t x)
{
    return x < 0 ? -x : x;
}

/* sum + product within the accumulator; no step of it leaves 32 bits. */
static inline int32_t saturating_add(const setting_t *setting, int32_t sum, int32_t product)
{
    if (product >= 0) return min32(sum, setting->high - product) + product;
    const int32_t room = setting->low - product;
    return (sum > room ? sum : room) + product;
}

static int32_t tap_bytes(const weft_mac_array_job_t *job)
{
    return CHANNELS * job->channels;
}

static inline void add_products(uint32_t *sums, int32_t x, const int32_t *weights)
{
    for (int32_t o = 0; o < CHANNELS; ++o) sums[o] += (uint32_t)(x * weights[o]);
}

/* One tap of a convolution: every input channel of a pixel meets its 16 weights. Copies of what the
 * loop needs let compilers keep it in registers. */
static void add_tap(const setting_t *setting, pass_t *pass, ptrdiff_t at)
{
    const uint8_t *x0 = pass->x[0] + at, *x1 = pass->x[1] + at;
    const uint8_t *x2 = pass->x[2] + at, *x3 = pass->x[3] + at;
    const uint8_t *from = pass->weights;
    const operand_t of_x = setting->x, of_weights = setting->weights;
    const int32_t channels = setting->job->channels;
    uint32_t sums[PIXELS][CHANNELS];
    memcpy(sums, pass->sums, sizeof sums);
    for (int32_t c = 0; c < channels; ++c, from += CHANNELS) {
        int32_t weights[CHANNELS];
        for (int32_t o = 0; o < CHANNELS; ++o) weights[o] = number(&of_weights, from[o]);
        add_products(sums[0], number(&of_x, x0[c]), weights);
        add_products(sums[1], number(&of_x, x1[c]), weights);
        add_products(sums[2], number(&of_x, x2[c]), weights);
        add_products(sums[3], number(&of_x, x3[c]), weights);
    }
    memcpy(pass->sums, sums, sizeof sums);
}

static void add_tap_depthwise(const setting_t *setting, pass_t *pass, ptrdiff_t at)
{
    for (int32_t p = 0; p < PIXELS; ++p) {
        const uint8_t *x = pass->x[p] + at;
        uint32_t *sums = pass->sums[p];
        for (int32_t o = 0; o < pass->channels; ++o)
            sums[o] +=
                (uint32_t)(number(&setting->x, x[o]) * number(&setting->weights, pass->weights[o]));
    }
}

static void add_tap_saturating(const setting_t *setting, pass_t *pass, ptrdiff_t at)
{
    const int32_t own = (setting->job->flags & WEFT_MAC_ARRAY_DEPTHWISE) != 0 ? 1 : 0;
    for (int32_t p = 0; p < PIXELS; ++p) {
        for (int32_t o = 0; o < pass->channels; ++o) {
            const uint8_t *x = pass->x[p] + at + own * o, *weights = pass->weights + o;
            int32_t sum = (int32_t)pass->sums[p][o];
            for (int32_t c = 0; c < setting->job->channels; ++c)
                sum = saturating_add(setting, sum,
                                     number(&setting->x, x[c]) *
                                         number(&setting->weights, weights[c * CHANNELS]));
            pass->sums[p][o] = (uint32_t)sum;
        }
    }
}

/* Whether one of a block's sums may meet a limit on its way, by the worst x for each weight. */
static bool can_saturate(const setting_t *setting, const uint8_t *block)
{
    const weft_mac_array_job_t *job = setting->job;
    const int32_t low = magnitude(0 - setting->x.offset);
    const int32_t high = magnitude(255 - setting->x.offset);
    const int32_t limit = setting->high / (low > high ? low : high);
    const int32_t taps = job->kernel_h * job->kernel_w * job->channels;
    for (int32_t o = 0; o < CHANNELS; ++o) {
        int32_t room = limit;
        for (int32_t tap = 0; tap < taps && room >= 0; ++tap)
            room -= magnitude(number(&setting->weights, block[(ptrdiff_t)tap * CHANNELS + o]));
        if (room < 0) return true;
    }
    return false;
}

/* How the products of a pass are added up. */
typedef enum way { WAY_WRAPPING, WAY_DEPTHWISE, WAY_SATURATING } way_t;

static void add_window(const setting_t *setting, pass_t *pass, way_t way)
{
    const weft_mac_array_job_t *job = setting->job;
    for (int32_t i = 0; i < job->kernel_h; ++i) {
        for (int32_t j = 0; j < job->kernel_w; ++j) {
            const ptrdiff_t at = (ptrdiff_t)i * job->tap_down + (ptrdiff_t)j * job->tap_right;
            switch (way) {
            case WAY_WRAPPING: add_tap(setting, pass, at); break;
            case WAY_DEPTHWISE: add_tap_depthwise(setting, pass, at); break;
            case WAY_SATURATING: add_tap_saturating(setting, pass, at); break;
            }
            pass->weights += tap_bytes(job);
        }
    }
}

static void store(const setting_t *setting, uint32_t sum, uint8_t *out, int32_t index)
{
    const weft_mac_array_job_t *job = setting->job;
    const uint32_t unused = 32u - setting->bits;
    int32_t value = (int32_t)(sum << unused) >> unused;
    if ((job->flags & WEFT_MAC_ARRAY_RELU) != 0 && value < 0) value = 0;
    value >>= job->shift;
    if (job->out_bits == 8) {
        out[index] = (uint8_t)value;
    } else if (job->out_bits == 16) {
        const int16_t half = (int16_t)value;
        memcpy(out + 2 * (ptrdiff_t)index, &half, sizeof half);
    } else {
        memcpy(out + 4 * (ptrdiff_t)index, &value, sizeof value);
    }
}

/* All pixels of one block of 16 output channels, the first of which is `first`. */
static void run_block(const setting_t *setting, const uint8_t *weights, int32_t first)
{
    const weft_mac_array_job_t *job = setting->job;
    const bool is_depthwise = (job->flags & WEFT_MAC_ARRAY_DEPTHWISE) != 0;
    const uint8_t *x = (const uint8_t *)job->x + (is_depthwise ? first : 0);
    uint8_t *out = (uint8_t *)job->out + (ptrdiff_t)first * (job->out_bits / 8);
    const bool is_clamped = setting->saturates && can_saturate(setting, weights);
    const way_t way = is_clamped ? WAY_SATURATING : is_depthwise ? WAY_DEPTHWISE : WAY_WRAPPING;
    pass_t pass;
    pass.channels = min32(CHANNELS, job->out_channels - first);
    for (int32_t row = 0; row < job->out_h; ++row) {
        for (int32_t column = 0; column < job->out_w; column += PIXELS) {
            const int32_t pixels = min32(PIXELS, job->out_w - column);
            const uint8_t *at = x + (ptrdiff_t)row * job->x_down + (ptrdiff_t)column * job->x_right;
            uint8_t *to = out + (ptrdiff_t)row * job->out_down + (ptrdiff_t)column * job->out_right;
            pass.weights = weights;
            for (int32_t p = 0; p < PIXELS; ++p) {
                pass.x[p] = at + (ptrdiff_t)min32(p, pixels - 1) * job->x_right;
                for (int32_t o = 0; o < CHANNELS; ++o) pass.sums[p][o] = 0u;
            }
            add_window(setting, &pass, way);
            for (int32_t p = 0; p < pixels; ++p, to += job->out_right)
                for (int32_t o = 0; o < pass.channels; ++o) store(setting, pass.sums[p][o], to, o);
        }
    }
}

void weft_mac_array_model(const weft_mac_array_job_t *job, const weft_mac_array_options_t *options)
{
    const int32_t high = (int32_t)((UINT32_C(1) << (options->accumulator_bits - 1u)) - 1u);
    const setting_t setting = {
        .job = job,
        .x = operand_of((job->flags & WEFT_MAC_ARRAY_X_UNSIGNED) != 0, job->x_zero_point),
        .weights = operand_of((job->flags & WEFT_MAC_ARRAY_WEIGHTS_UNSIGNED) != 0, 0),
        .low = -high - 1,
        .high = high,
        .bits = options->accumulator_bits,
        .saturates = options->saturates != 0u,
    };
    const uint8_t *weights = job->weights;
    const ptrdiff_t block = (ptrdiff_t)job->kernel_h * job->kernel_w * tap_bytes(job);
    for (int32_t first = 0; first < job->out_channels; first += CHANNELS, weights += block)
        run_block(&setting, weights, first);
}

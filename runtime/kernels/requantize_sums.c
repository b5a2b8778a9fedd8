/* SPDX-License-Identifier: Apache-2.0 */
/* What follows an accelerator that gives raw sums: bias, scale and limits, on the core. Sums lie
 * channel by channel without gaps; a channel's three numbers stay in registers for all its pixels.
 */
#include "limits.h"
#include "weft/arith_float.h"
#include "weft/micro_kernels.h"

/* Adds up the sums of several parts of a reduction, in place of the first. */
static void add_parts(int32_t *sums, int32_t parts, int32_t count)
{
    for (int32_t part = 1; part < parts; ++part) {
        const int32_t *more = sums + part * count;
        for (int32_t i = 0; i < count; ++i) sums[i] = weft_add_wrap(sums[i], more[i]);
    }
}

/* One channel of all pixels. Four at a time: the loop's own instructions would be a fourth of it. */
static void scale_channel(const int32_t *sums, int32_t step, int8_t *out, int32_t out_h,
                          int32_t out_w, int32_t out_row, int32_t out_pixel, const int32_t *channel,
                          int32_t zero_point)
{
    const uint32_t bias = (uint32_t)channel[0];
    const int32_t multiplier = channel[1], scale = channel[2];
#define SCALE_ONE()                                                                    \
    do {                                                                               \
        const int32_t doubled = (int32_t)(bias + ((uint32_t)*sums << 1));              \
        *to = (int8_t)weft_requantize_doubled(doubled, multiplier, scale, zero_point); \
        sums += step;                                                                  \
        to += out_pixel;                                                               \
    } while (0)
    for (; out_h > 0; --out_h, out += out_row) {
        int8_t *to = out;
        int32_t count = out_w;
        for (; count >= 4; count -= 4) {
            SCALE_ONE();
            SCALE_ONE();
            SCALE_ONE();
            SCALE_ONE();
        }
        for (; count > 0; --count) SCALE_ONE();
    }
#undef SCALE_ONE
}

void weft_requantize_sums_s8(int32_t *sums, const int32_t *channels, int8_t *out, int32_t parts,
                             int32_t out_h, int32_t out_w, int32_t out_channels, int32_t out_row,
                             int32_t out_pixel, int32_t zero_point, int32_t low, int32_t high)
{
    add_parts(sums, parts, out_h * out_w * out_channels);
    for (int32_t c = 0; c < out_channels; ++c, channels += 3) {
        scale_channel(sums + c, out_channels, out + c, out_h, out_w, out_row, out_pixel, channels,
                      zero_point);
    }
    if (low == -128 && high == 127) return;
    const weft_limits_t limits = weft_limits(low, high);
    for (int32_t y = 0; y < out_h; ++y) {
        for (int32_t x = 0; x < out_w; ++x) {
            weft_limit(out + y * out_row + x * out_pixel, out_channels, &limits);
        }
    }
}

void weft_rescale_sums_s8(int32_t *sums, const int32_t *channels, int8_t *out, int32_t parts,
                          int32_t out_h, int32_t out_w, int32_t out_channels, int32_t out_row,
                          int32_t out_pixel, int32_t is_float, int32_t zero_point, int32_t low,
                          int32_t high)
{
    add_parts(sums, parts, out_h * out_w * out_channels);
    for (int32_t c = 0; c < out_channels; ++c, channels += 3) {
        const int32_t bias = channels[0], multiplier = channels[1], shift = channels[2];
        const int32_t *next = sums + c;
        for (int32_t y = 0; y < out_h; ++y) {
            int8_t *to = out + y * out_row + c;
            for (int32_t x = 0; x < out_w; ++x, next += out_channels, to += out_pixel) {
                const int32_t sum = weft_add_wrap(*next, bias);
                *to = is_float != 0
                          ? weft_rescale_s8(sum, multiplier, shift, zero_point, low, high)
                          : weft_requantize_s8(sum, multiplier, shift, zero_point, low, high);
            }
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution: the windows of two pixels at a time are widened into the workspace, then multiplied
 * with all channels. */
#include <stdbool.h>
#include <string.h>

#include "dot.h"
#include "limits.h"
#include "weft/dsp.h"
#include "weft/micro_kernels.h"

/* Where a window lies and what it consists of. */
typedef struct window {
    int32_t runs_h, runs_w, run, run_row, run_tap;
} window_t;

/* The rest of a run behind its words, one to three bytes: one pair, or those of 0 and 2 and of 1. */
static uint32_t *widen_rest(const int8_t *x, int32_t rest, uint32_t *to, int32_t step)
{
    *to = weft_halves(x[0], rest == 1 ? 0 : x[rest - 1]);
    if (rest < 3) return to + step;
    to[step] = weft_halves(x[1], 0);
    return to + 2 * step;
}

/* Gives the end of what it wrote. */
static uint32_t *widen_one(const int8_t *x, const window_t *window, uint32_t *to)
{
    const int32_t words = window->run >> 2, rest = window->run & 3;
    for (int32_t i = 0; i < window->runs_h; ++i, x += window->run_row) {
        const int8_t *from = x;
        for (int32_t j = 0; j < window->runs_w; ++j, from += window->run_tap) {
            for (int32_t word = 0; word < words; ++word) {
                const uint32_t bytes = weft_load4(from + 4 * word);
                *to++ = weft_even_bytes(bytes);
                *to++ = weft_odd_bytes(bytes);
            }
            if (rest != 0) to = widen_rest(from + 4 * words, rest, to, 1);
        }
    }
    return to;
}

static uint32_t *widen_two(const int8_t *x0, const int8_t *x1, const window_t *window, uint32_t *to)
{
    const int32_t words = window->run >> 2, rest = window->run & 3;
    for (int32_t i = 0; i < window->runs_h; ++i, x0 += window->run_row, x1 += window->run_row) {
        const int8_t *from0 = x0, *from1 = x1;
        for (int32_t j = 0; j < window->runs_w; ++j) {
            to = weft_widen_2(from0, from1, to, words);
            if (rest != 0) {
                (void)widen_rest(from0 + 4 * words, rest, to, 2);
                to = widen_rest(from1 + 4 * words, rest, to + 1, 2) - 1;
            }
            from0 += window->run_tap;
            from1 += window->run_tap;
        }
    }
    return to;
}

/* One or two vectors times the channels from `dot->stream` to `dot->end`. */
static void multiply(const weft_dot_t *dot, int32_t pixels)
{
    if (pixels == 2)
        weft_dot_2x4(dot);
    else
        weft_dot_1x4(dot);
}

void weft_conv2d_packed_s8(const int8_t *x, const int32_t *packed, int32_t *workspace, int8_t *out,
                           int32_t out_h, int32_t out_w, int32_t out_channels, int32_t runs_h,
                           int32_t runs_w, int32_t run, int32_t run_row, int32_t run_tap,
                           int32_t x_down, int32_t x_right, int32_t out_row, int32_t out_pixel,
                           int32_t zero_point, int32_t low, int32_t high)
{
    const window_t window = {runs_h, runs_w, run, run_row, run_tap};
    const int32_t pairs = (runs_h * runs_w * (2 * (run >> 2) + (((run & 3) + 1) >> 1)) + 1) & ~1;
    const int32_t whole = out_channels & ~3, rest = out_channels & 3;
    const uint32_t *stream = (const uint32_t *)packed;
    const uint32_t *last = stream + (whole >> 2) * (12 + 2 * pairs);
    uint32_t *widened = (uint32_t *)workspace;
    const weft_limits_t limits = weft_limits(low, high);
    const bool is_limited = low > -128 || high < 127;
    int32_t row = 0, column = 0;
    for (int32_t left = out_h * out_w; left > 0; left -= 2) {
        const int32_t pixels = left > 1 ? 2 : 1;
        const int8_t *from[2] = {x, x};
        int8_t *to[2] = {out, out};
        for (int32_t i = 0; i < pixels; ++i) {
            from[i] = x + row * x_down + column * x_right;
            to[i] = out + row * out_row + column * out_pixel;
            if (++column == out_w) column = 0, ++row;
        }
        uint32_t *end = pixels == 2 ? widen_two(from[0], from[1], &window, widened)
                                    : widen_one(from[0], &window, widened);
        if (end != widened + pixels * pairs) end[0] = end[pixels - 1] = 0;
        weft_dot_t dot = {widened, stream, last, (uint32_t)pairs, to[0], to[1], zero_point};
        if (whole != 0) multiply(&dot, pixels);
        if (rest != 0) {
            int8_t buffer[8];
            dot.stream = last;
            dot.end = last + 12 + 2 * pairs;
            dot.out0 = buffer;
            dot.out1 = buffer + 4;
            multiply(&dot, pixels);
            for (int32_t i = 0; i < pixels; ++i)
                memcpy(to[i] + whole, buffer + 4 * i, (size_t)rest);
        }
        for (int32_t i = 0; is_limited && i < pixels; ++i) weft_limit(to[i], out_channels, &limits);
    }
}

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
    weft_dot_t dot = {widened, stream, last, (uint32_t)pairs, out, out, zero_point};
    int32_t row = 0, column = 0;
    while (row < out_h) {
        const int8_t *from0 = x + row * x_down + column * x_right, *from1;
        int8_t *const to0 = out + row * out_row + column * out_pixel;
        if (++column == out_w) column = 0, ++row;
        if (row == out_h) { /* a last one, alone */
            uint32_t *end = widen_one(from0, &window, widened);
            if (end != widened + pairs) *end = 0;
            dot.out0 = to0;
            if (whole != 0) weft_dot_1x4(&dot);
            if (rest != 0) {
                int8_t buffer[4];
                const weft_dot_t four = {widened,         last,   last + 12 + 2 * pairs,
                                         (uint32_t)pairs, buffer, buffer,
                                         zero_point};
                weft_dot_1x4(&four);
                memcpy(to0 + whole, buffer, (size_t)rest);
            }
            if (is_limited) weft_limit(to0, out_channels, &limits);
            return;
        }
        from1 = x + row * x_down + column * x_right;
        int8_t *const to1 = out + row * out_row + column * out_pixel;
        if (++column == out_w) column = 0, ++row;
        uint32_t *end = widen_two(from0, from1, &window, widened);
        if (end != widened + 2 * pairs) end[0] = end[1] = 0;
        dot.out0 = to0;
        dot.out1 = to1;
        if (whole != 0) weft_dot_2x4(&dot);
        if (rest != 0) {
            int8_t buffer[8];
            const weft_dot_t four = {widened,         last,   last + 12 + 2 * pairs,
                                     (uint32_t)pairs, buffer, buffer + 4,
                                     zero_point};
            weft_dot_2x4(&four);
            memcpy(to0 + whole, buffer, (size_t)rest);
            memcpy(to1 + whole, buffer + 4, (size_t)rest);
        }
        if (is_limited) {
            weft_limit(to0, out_channels, &limits);
            weft_limit(to1, out_channels, &limits);
        }
    }
}

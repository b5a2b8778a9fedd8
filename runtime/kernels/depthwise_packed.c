/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of any window, one pixel by four channels at a time. */
#include <stdbool.h>

#include "limits.h"
#include "weft/dsp.h"
#include "weft/micro_kernels.h"

/* Words of a quad besides its taps: biases in front, multipliers and scales behind. */
enum { HEAD = 4, TAIL = 8 };

typedef struct sums {
    int32_t of[4];
} sums_t;

static inline void add_tap(sums_t *sums, const int8_t *x, uint32_t weights)
{
    const uint32_t word = weft_load4(x);
    const uint32_t even = weft_even_bytes(word), odd = weft_odd_bytes(word);
    const uint32_t even_weights = weft_even_bytes(weights), odd_weights = weft_odd_bytes(weights);
    sums->of[0] = weft_dot_first(sums->of[0], even, even_weights);
    sums->of[2] = weft_dot_second(sums->of[2], even, even_weights);
    sums->of[1] = weft_dot_first(sums->of[1], odd, odd_weights);
    sums->of[3] = weft_dot_second(sums->of[3], odd, odd_weights);
}

void weft_depthwise_packed_s8(const int8_t *x, const int32_t *packed, int8_t *out, int32_t out_h,
                              int32_t out_w, int32_t channels, int32_t kernel_h, int32_t kernel_w,
                              int32_t x_row, int32_t x_tap, int32_t x_down, int32_t x_right,
                              int32_t out_row, int32_t out_pixel, int32_t zero_point, int32_t low,
                              int32_t high)
{
    const weft_limits_t limits = weft_limits(low, high);
    const bool is_limited = low > -128 || high < 127;
    for (int32_t row = 0; row < out_h; ++row) {
        for (int32_t column = 0; column < out_w; ++column) {
            const int8_t *const from = x + row * x_down + column * x_right;
            int8_t *const to = out + row * out_row + column * out_pixel;
            const uint32_t *stream = (const uint32_t *)packed;
            for (int32_t next = 0; next < channels; next += 4) {
                const int32_t channel = next < channels - 4 ? next : channels - 4;
                const int8_t *at = from + channel;
                sums_t sums;
                for (int i = 0; i < 4; ++i) sums.of[i] = (int32_t)stream[i];
                stream += HEAD;
                for (int32_t i = 0; i < kernel_h; ++i, at += x_row) {
                    const int8_t *tap = at;
                    int32_t left = kernel_w;
                    for (; left >= 3; left -= 3, tap += 3 * x_tap, stream += 3) {
                        add_tap(&sums, tap, stream[0]);
                        add_tap(&sums, tap + x_tap, stream[1]);
                        add_tap(&sums, tap + 2 * x_tap, stream[2]);
                    }
                    for (; left > 0; --left, tap += x_tap) add_tap(&sums, tap, *stream++);
                }
                for (int i = 0; i < 4; ++i) {
                    to[channel + i] = (int8_t)weft_requantize_prepared(
                        sums.of[i], (int32_t)stream[i], (int32_t)stream[4 + i], zero_point);
                }
                stream += TAIL;
            }
            if (is_limited) weft_limit(to, channels, &limits);
        }
    }
}

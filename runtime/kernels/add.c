/* SPDX-License-Identifier: Apache-2.0 */
/* Addition of two tensors of int8. The operand with the larger scale comes to the common grid by a
 * shift alone: its multiplier is exactly one half. */
#include <stdbool.h>

#include "limits.h"
#include "weft/dsp.h"
#include "weft/micro_kernels.h"

typedef struct addition {
    int32_t exact_offset;              /* zero point of the exact operand, on the doubled grid */
    int32_t offset, multiplier;        /* of the other one */
    int32_t half, shift;               /* its right shift, and half of its last place */
    int32_t out_multiplier, out_scale; /* as weft_requantize_doubled wants them */
    int32_t out_zero_point;
} addition_t;

/* Bits that the common grid is finer than the operands' own. */
enum { GRID = 20 };

static inline int32_t add_one(int32_t exact, int32_t other, const addition_t *a, bool both_exact)
{
    const int32_t left = (int32_t)((uint32_t)exact << GRID) - a->exact_offset;
    if (both_exact) {
        const int32_t right = (int32_t)((uint32_t)other << GRID) - a->offset;
        return weft_requantize_doubled(left + right, a->out_multiplier, a->out_scale,
                                       a->out_zero_point);
    }
    const int32_t doubled = (int32_t)((uint32_t)other << (GRID + 1)) - a->offset;
    const int32_t high = weft_high_product(doubled, a->multiplier);
    const int32_t right = (high + weft_sign(high) + a->half) >> a->shift;
    return weft_requantize_doubled(left + 2 * right, a->out_multiplier, a->out_scale,
                                   a->out_zero_point);
}

static inline void add_run(const int8_t *exact, const int8_t *other, int8_t *out, int32_t count,
                           const addition_t *addition, bool both_exact)
{
    for (; count >= 4; count -= 4, exact += 4, other += 4, out += 4) {
        const uint32_t x = weft_load4(exact), y = weft_load4(other);
        out[0] = (int8_t)add_one((int8_t)x, (int8_t)y, addition, both_exact);
        out[1] = (int8_t)add_one((int8_t)(x >> 8), (int8_t)(y >> 8), addition, both_exact);
        out[2] = (int8_t)add_one((int8_t)(x >> 16), (int8_t)(y >> 16), addition, both_exact);
        out[3] = (int8_t)add_one((int8_t)(x >> 24), (int8_t)(y >> 24), addition, both_exact);
    }
    for (; count > 0; --count) *out++ = (int8_t)add_one(*exact++, *other++, addition, both_exact);
}

void weft_add_s8(const int8_t *exact, const int8_t *other, int8_t *out, int32_t extent0,
                 int32_t extent1, int32_t extent2, int32_t extent3, int32_t exact_stride0,
                 int32_t exact_stride1, int32_t exact_stride2, int32_t other_stride0,
                 int32_t other_stride1, int32_t other_stride2, int32_t out_stride0,
                 int32_t out_stride1, int32_t out_stride2, int32_t exact_zero_point,
                 int32_t other_zero_point, int32_t other_multiplier, int32_t other_shift,
                 int32_t out_zero_point, int32_t out_multiplier, int32_t out_shift, int32_t low,
                 int32_t high)
{
    const bool both_exact = other_shift == 0;
    const weft_limits_t limits = weft_limits(low, high);
    const bool is_limited = low > -128 || high < 127;
    const int32_t shift = -other_shift;
    const addition_t addition = {
        .exact_offset = exact_zero_point * (1 << GRID),
        .offset = other_zero_point * (both_exact ? 1 << GRID : 2 << GRID),
        .multiplier = other_multiplier,
        .half = both_exact ? 0 : 1 << (shift - 1),
        .shift = shift,
        .out_multiplier = out_multiplier,
        .out_scale = 1 << (32 + out_shift),
        .out_zero_point = out_zero_point,
    };
    for (int32_t i = 0; i < extent0; ++i) {
        for (int32_t j = 0; j < extent1; ++j) {
            for (int32_t k = 0; k < extent2; ++k) {
                const int8_t *x = exact + i * exact_stride0 + j * exact_stride1 + k * exact_stride2;
                const int8_t *y = other + i * other_stride0 + j * other_stride1 + k * other_stride2;
                int8_t *to = out + i * out_stride0 + j * out_stride1 + k * out_stride2;
                if (both_exact)
                    add_run(x, y, to, extent3, &addition, true);
                else
                    add_run(x, y, to, extent3, &addition, false);
                if (is_limited) weft_limit(to, extent3, &limits);
            }
        }
    }
}

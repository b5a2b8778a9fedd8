/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar arithmetic of generated kernels: wrapping integers, and the fixed-point operations
 * whose rounding is part of the contract with the framework that a model comes from.
 * Conversions to signed types are modulo 2^n on every compiler that Weft supports. */
#ifndef WEFT_ARITH_H
#define WEFT_ARITH_H

#include <stdint.h>

#include "weft/arith_float.h"
#include "weft/float_math.h"

static inline int32_t weft_add_wrap(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t weft_sub_wrap(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

static inline int32_t weft_mul_wrap(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a * (uint32_t)b);
}

static inline int32_t weft_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t weft_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The quotient towards minus infinity, and the remainder that goes with it; b > 0. */
static inline int32_t weft_floor_div(int32_t a, int32_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

static inline int32_t weft_floor_mod(int32_t a, int32_t b)
{
    return a % b < 0 ? a % b + b : a % b;
}

static inline int32_t weft_clamp(int32_t x, int32_t low, int32_t high)
{
    return weft_max(low, weft_min(x, high));
}

/* a * b / 2^31, to nearest, ties up. gemmlowp's SaturatingRoundingDoublingHighMul, whose one
 * saturating case (both INT32_MIN) does not occur: multipliers are never negative. */
static inline int32_t weft_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* x / 2^exponent, to nearest, ties away from zero; 0 <= exponent <= 31. gemmlowp's
 * RoundingDivideByPOT. */
static inline int32_t weft_rounding_shift_right(int32_t x, int32_t exponent)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/* x * multiplier * 2^(shift - 31), rounded twice, with -31 <= shift <= 30: TensorFlow Lite Micro's
 * MultiplyByQuantizedMultiplier. The multiplier is Q31 and not negative. A left shift wraps. */
static inline int32_t weft_requantize(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)x << left);
    return weft_rounding_shift_right(weft_high_mul(shifted, multiplier), right);
}

/* The end of most int8 operators. The zero point is added modulo 2^32, as it happens there. */
static inline int8_t weft_requantize_s8(int32_t x, int32_t multiplier, int32_t shift,
                                        int32_t zero_point, int32_t low, int32_t high)
{
    const int32_t scaled = weft_requantize(x, multiplier, shift);
    return (int8_t)weft_clamp(weft_add_wrap(scaled, zero_point), low, high);
}

/* sum / count to nearest, ties away from zero: average pooling. count > 0. */
static inline int32_t weft_average(int32_t sum, int32_t count)
{
    const int32_t whole = sum / count, rest = sum % count;
    const int32_t magnitude = rest < 0 ? -rest : rest;
    const int32_t away = magnitude >= count - magnitude ? 1 : 0; /* twice the rest: half or more */
    return sum < 0 ? whole - away : whole + away;
}

/* x / scale to nearest, ties away from zero, as an int32 that is exact within +-1024 and stays
 * outside of int8 beyond. Not a number gives 1024. */
static inline int32_t weft_quantize(float x, float scale)
{
    const float ratio = x / scale;
    const float bounded = ratio < 1024.0f ? (ratio > -1024.0f ? ratio : -1024.0f) : 1024.0f;
    const int32_t whole = (int32_t)bounded;
    const float rest = bounded - (float)whole;
    return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

static inline int32_t weft_count_leading_zeros(uint32_t x)
{
    int32_t count = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit != 0u && (x & bit) == 0u; bit >>= 1) ++count;
    return count;
}

static inline int32_t weft_saturating_shift_left(int32_t x, int32_t exponent)
{
    const int32_t limit = (int32_t)((UINT32_C(1) << (31 - exponent)) - 1u);
    if (x > limit) return INT32_MAX;
    if (x < -limit) return INT32_MIN;
    return (int32_t)((uint32_t)x << exponent);
}

/* 1 / (1 + x) for x in [0, 1), both Q31: three Newton-Raphson steps, gemmlowp's
 * one_over_one_plus_x_for_x_in_0_1. Intermediate values are Q29. */
static inline int32_t weft_one_over_one_plus(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t estimate = 1515870810 + weft_high_mul(half_denominator, -1010580540);
    for (int step = 0; step < 3; ++step) {
        const int32_t error = (1 << 29) - weft_high_mul(half_denominator, estimate);
        estimate += weft_saturating_shift_left(weft_high_mul(estimate, error), 2);
    }
    return weft_saturating_shift_left(estimate, 1);
}

/* Softmax divides by the sum of exponentials (Q19, positive): as a factor and a shift. */
static inline int32_t weft_softmax_factor(int32_t sum)
{
    const uint32_t normal = (uint32_t)sum << weft_count_leading_zeros((uint32_t)sum);
    return weft_one_over_one_plus((int32_t)(normal - (UINT32_C(1) << 31)));
}

/* factor * exponential as an int8 share of 1/256 from -128 on. Of a sum over 2^28 (at least 512
 * addends) every share rounds to nothing; TensorFlow Lite Micro aborts there. */
static inline int8_t weft_softmax_share(int32_t factor, int32_t exponential, int32_t sum)
{
    const int32_t shift = 12 - weft_count_leading_zeros((uint32_t)sum) + 31 - 8;
    if (shift > 31) return -128;
    const int32_t share = weft_rounding_shift_right(weft_high_mul(factor, exponential), shift);
    return (int8_t)weft_clamp(share - 128, -128, 127);
}

#endif /* WEFT_ARITH_H */

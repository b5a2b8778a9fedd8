/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of float32 for kernels that compute in floating point: single precision throughout, no C
 * library, the same bits on every FPU. Accuracy is given in relative error against the exact value;
 * tests/python/unit/test_float_math.py measures it. Polynomials are near-minimax fits of our own.
 * Compiled with -ffp-contract=off. */
#ifndef WEFT_FLOAT_MATH_H
#define WEFT_FLOAT_MATH_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/arith_float.h"

#define WEFT_INFINITY __builtin_inff()
#define WEFT_NAN __builtin_nanf("")

static inline uint32_t weft_float_bits(float x)
{
    const union {
        float value;
        uint32_t bits;
    } word = {x};
    return word.bits;
}

static inline float weft_float_of_bits(uint32_t x)
{
    const union {
        uint32_t bits;
        float value;
    } word = {x};
    return word.value;
}

static inline bool weft_is_nan(float x)
{
    return (weft_float_bits(x) & 0x7FFFFFFFu) > 0x7F800000u;
}

static inline float weft_abs_f32(float x)
{
    return weft_float_of_bits(weft_float_bits(x) & 0x7FFFFFFFu);
}

/* |x| with the sign of y. */
static inline float weft_copysign_f32(float x, float y)
{
    return weft_float_of_bits((weft_float_bits(x) & 0x7FFFFFFFu) |
                              (weft_float_bits(y) & 0x80000000u));
}

/* Not a number if one of them is none. */
static inline float weft_max_f32(float a, float b)
{
    return a > b || weft_is_nan(a) ? a : b;
}

static inline float weft_min_f32(float a, float b)
{
    return a < b || weft_is_nan(a) ? a : b;
}

/* Floats of 2^23 and more are whole, and so are infinities; not a number stays so. */
static inline bool weft_is_whole(float x)
{
    return (weft_float_bits(x) & 0x7FFFFFFFu) >= 0x4B000000u;
}

static inline float weft_trunc_f32(float x)
{
    return weft_is_whole(x) ? x : weft_copysign_f32((float)(int32_t)x, x);
}

static inline float weft_floor_f32(float x)
{
    const float whole = weft_trunc_f32(x);
    return whole > x ? whole - 1.0f : whole;
}

static inline float weft_ceil_f32(float x)
{
    const float whole = weft_trunc_f32(x);
    return whole < x ? weft_copysign_f32(whole + 1.0f, x) : whole;
}

/* To nearest, ties to even. */
static inline float weft_round_even_f32(float x)
{
    const float magnitude = weft_abs_f32(x);
    const float shifted = magnitude + 8388608.0f; /* 2^23: what is rounded off is the fraction */
    return weft_is_whole(x) ? x : weft_copysign_f32(shifted - 8388608.0f, x);
}

/* To nearest, ties away from zero. */
static inline float weft_round_away_f32(float x)
{
    const float whole = weft_trunc_f32(x);
    const float rest = weft_abs_f32(x - whole);
    return rest >= 0.5f ? whole + weft_copysign_f32(1.0f, x) : whole;
}

/* The remainder of a / b with the sign of a, exact. Infinite or no numbers give not a number. */
static inline float weft_fmod_f32(float a, float b)
{
    float rest = weft_abs_f32(a);
    const float step = weft_abs_f32(b);
    if (!(step > 0.0f) || !(rest < WEFT_INFINITY)) {
        return WEFT_NAN;
    }
    while (rest >= step) {
        /* The largest step times a power of two that is not more than the rest: the difference of
         * two numbers less than a factor of two apart is exact. */
        float multiple = step;
        while (multiple <= rest * 0.5f) {
            multiple *= 2.0f;
        }
        rest -= multiple;
    }
    return weft_copysign_f32(rest, a);
}

/* Rounded exactly, one bit of the root a turn. */
static inline float weft_sqrt_f32(float x)
{
    uint32_t bits = weft_float_bits(x);
    int32_t exponent = 0;
    if (!(x > 0.0f) || bits >= 0x7F800000u) {
        return x < 0.0f ? WEFT_NAN : x;
    }
    if (bits < 0x00800000u) { /* subnormal */
        bits = weft_float_bits(x * 16777216.0f);
        exponent = -24;
    }
    exponent += (int32_t)(bits >> 23) - 127;
    uint32_t rest = (bits & 0x007FFFFFu) | 0x00800000u;
    if ((exponent & 1) != 0) {
        rest <<= 1;
    }
    rest <<= 1;
    uint32_t root = 0, taken = 0;
    for (uint32_t bit = 0x01000000u; bit != 0u; bit >>= 1) {
        if (taken + bit <= rest) {
            rest -= taken + bit;
            taken += bit << 1;
            root += bit;
        }
        rest <<= 1;
    }
    root += root & (rest != 0u ? 1u : (root >> 1) & 1u); /* the last bit decides the rounding */
    const int32_t half = exponent >= 0 ? exponent / 2 : -((1 - exponent) / 2);
    return weft_float_of_bits((root >> 1) + ((uint32_t)(half + 126) << 23));
}

static inline float weft_rsqrt_f32(float x)
{
    return 1.0f / weft_sqrt_f32(x);
}

/* x * 2^k, -252 <= k <= 254. */
static inline float weft_scaled_f32(float x, int32_t k)
{
    const int32_t first = k / 2;
    return x * weft_float_of_bits((uint32_t)(first + 127) << 23) *
           weft_float_of_bits((uint32_t)(k - first + 127) << 23);
}

/* e^x, to 2e-7. */
static inline float weft_exp_f32(float x)
{
    if (!(x > -104.0f)) {
        return weft_is_nan(x) ? x : 0.0f;
    }
    if (x > 89.0f) {
        return WEFT_INFINITY;
    }
    const float k = weft_round_even_f32(x * 1.44269502f);
    const float r = (x - k * 0.693145752f) - k * 1.42860677e-6f; /* ln 2 in two parts */
    const float q =
        0.49999994f +
        r * (0.16666521f + r * (0.04166839f + r * (0.0083687175f + r * 0.00138145965f)));
    return weft_scaled_f32(1.0f + (r + r * r * q), (int32_t)k);
}

/* x = m * 2^*out_exponent with m from the root of 1/2 to that of 2; x is positive and finite. */
static inline float weft_mantissa_f32(float x, int32_t *out_exponent)
{
    const bool is_subnormal = weft_float_bits(x) < 0x00800000u;
    const uint32_t bits = weft_float_bits(is_subnormal ? x * 8388608.0f : x) - 0x3F3504F3u;
    *out_exponent = ((int32_t)bits >> 23) - (is_subnormal ? 23 : 0);
    return weft_float_of_bits((bits & 0x007FFFFFu) + 0x3F3504F3u);
}

/* ln m for m from the root of 1/2 to that of 2. */
static inline float weft_log_near_one(float m)
{
    const float f = m - 1.0f;
    const float s = f / (2.0f + f);
    const float z = s * s;
    const float r = z * (0.6666667f + z * (0.40000123f + z * (0.2855073f + z * 0.23332559f)));
    /* 2s = f - s * f */
    return f - s * (f - r);
}

/* ln x, to 3e-7. */
static inline float weft_log_f32(float x)
{
    int32_t exponent;
    if (!(x > 0.0f) || x >= WEFT_INFINITY) {
        return x < 0.0f ? WEFT_NAN : (x >= WEFT_INFINITY || weft_is_nan(x) ? x : -WEFT_INFINITY);
    }
    const float near = weft_log_near_one(weft_mantissa_f32(x, &exponent));
    const float whole = (float)exponent;
    return whole * 0.693145752f + (near + whole * 1.42860677e-6f);
}

/* x to a whole power by squaring. */
static inline float weft_whole_power(float x, int32_t y)
{
    float result = 1.0f;
    for (uint32_t n = y < 0 ? 0u - (uint32_t)y : (uint32_t)y; n != 0u; n >>= 1) {
        if ((n & 1u) != 0u) {
            result *= x;
        }
        x *= x;
    }
    return y < 0 ? 1.0f / result : result;
}

/* x^y, to 2e-6 for results from 1e-9 to 1e9, to 1e-5 beyond. */
static inline float weft_pow_f32(float x, float y)
{
    const float magnitude = weft_abs_f32(x);
    const bool is_whole = weft_trunc_f32(y) <= y && weft_trunc_f32(y) >= y;
    const bool is_odd = is_whole && weft_abs_f32(weft_fmod_f32(y, 2.0f)) > 0.5f;
    if ((x >= 1.0f && x <= 1.0f) || weft_abs_f32(y) <= 0.0f) {
        return 1.0f;
    }
    if (weft_is_nan(x) || weft_is_nan(y) || (x < 0.0f && x > -WEFT_INFINITY && !is_whole)) {
        return WEFT_NAN;
    }
    if (is_whole && weft_abs_f32(y) <= 16.0f) {
        return weft_whole_power(x, (int32_t)y);
    }
    if (!(magnitude > 0.0f) || magnitude >= WEFT_INFINITY) {
        const float large = (magnitude > 0.0f) == (y > 0.0f) ? WEFT_INFINITY : 0.0f;
        return is_odd ? weft_copysign_f32(large, x) : large;
    }
    int32_t exponent;
    const float log2 = weft_log_near_one(weft_mantissa_f32(magnitude, &exponent)) * 1.44269502f;
    const float whole = (float)exponent;
    const float bounded = y > 1e30f ? 1e30f : (y < -1e30f ? -1e30f : y);
    const float high = bounded * whole, near = bounded * log2;
    if (weft_abs_f32(high + near) > 300.0f) {
        return high + near > 0.0f ? weft_copysign_f32(WEFT_INFINITY, is_odd ? x : 1.0f) : 0.0f;
    }
    /* What the product was rounded by counts: it is a part of an exponent. */
    const float low = weft_fma(bounded, whole, -high);
    const float k = weft_round_even_f32(high + near);
    const float power = weft_exp_f32(((high - k) + near + low) * 0.693147182f);
    const int32_t scale = (int32_t)(k > 250.0f ? 250.0f : (k < -250.0f ? -250.0f : k));
    const float result = weft_scaled_f32(power, scale);
    return is_odd ? weft_copysign_f32(result, x) : result;
}

/* To 2e-7. */
static inline float weft_sigmoid_f32(float x)
{
    const float e = weft_exp_f32(-weft_abs_f32(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* To 3e-7. */
static inline float weft_tanh_f32(float x)
{
    const float magnitude = weft_abs_f32(x);
    if (magnitude < 0.625f) {
        const float z = x * x;
        const float q =
            -0.33333328f +
            z * (0.13332795f + z * (-0.05385407f + z * (0.021010078f - z * 0.0061131883f)));
        return x + x * z * q;
    }
    const float e = weft_exp_f32(2.0f * (magnitude > 10.0f ? 10.0f : magnitude));
    return weft_is_nan(x) ? x : weft_copysign_f32(1.0f - 2.0f / (e + 1.0f), x);
}

/* To 3e-7. */
static inline float weft_erf_f32(float x)
{
    const float z = x * x, magnitude = weft_abs_f32(x);
    if (magnitude < 1.0f) {
        const float q =
            0.11283600f +
            z * (-0.026854444f + z * (0.0051895347f + z * (-0.00080208335f + z * 7.8890997e-5f)));
        return x * (1.1283791f + z * (-0.37612626f + z * q));
    }
    if (magnitude >= 4.0f) {
        return weft_is_nan(x) ? x : weft_copysign_f32(1.0f, x);
    }
    const float t = 1.0f / (1.0f + 0.5f * magnitude);
    const float g =
        t * (0.2841184f + t * (0.26382986f +
                               t * (0.335907f + t * (-0.08330354f +
                                                     t * (0.54266667f + t * (-0.45970511f +
                                                                             t * 0.11662918f)))))) -
        8.950577e-5f;
    return weft_copysign_f32(1.0f - weft_exp_f32(-z) * g, x);
}

/* The sine of x + quarter * pi / 2; to 3e-7 of 1 for |x| up to 1e4, worse in proportion beyond. */
static inline float weft_sine_of(float x, int32_t quarter)
{
    if (!(weft_abs_f32(x) < 1e9f)) {
        return WEFT_NAN;
    }
    const float k = weft_round_even_f32(x * 0.636619747f);
    /* pi / 2 in three parts, of which the products with k are exact at first. */
    const float r = weft_fma(-k, 7.54978942e-8f, weft_fma(-k, 1.57079625f, x));
    const float z = r * r;
    const int32_t turn = ((int32_t)k + quarter) & 3;
    const float sine = r + r * z * (-0.16666664f + z * (0.008332749f - z * 0.00019587958f));
    const float cosine =
        1.0f - 0.5f * z + z * z * (0.041666664f + z * (-0.0013888304f + z * 2.4547991e-5f));
    const float value = (turn & 1) != 0 ? cosine : sine;
    return (turn & 2) != 0 ? -value : value;
}

static inline float weft_sin_f32(float x)
{
    return weft_sine_of(x, 0);
}

static inline float weft_cos_f32(float x)
{
    return weft_sine_of(x, 1);
}

#endif /* WEFT_FLOAT_MATH_H */

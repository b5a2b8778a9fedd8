/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar arithmetic of kernels whose contract is ONNX Runtime's: integers scaled in float32 and
 * rounded once, ties to even. Every operation is IEEE 754's in single precision, so an FPU of any
 * maker gives the same bytes. Compiled with -ffp-contract=off. */
#ifndef WEFT_ARITH_FLOAT_H
#define WEFT_ARITH_FLOAT_H

#include <stdint.h>

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "floats must be computed as floats: on 32-bit x86, compile with -msse2 -mfpmath=sse"
#endif

/* a * b + c, rounded once, for cores without such an instruction: the sum in double is made odd if
 * it is not exact, so that the second rounding goes the way that the first one alone would have. */
static inline float weft_fma_portable(float a, float b, float c)
{
    const double product = (double)a * (double)b; /* exact */
    const double sum = product + (double)c;
    const double from_c = sum - product;
    const double rest = (product - (sum - from_c)) + ((double)c - from_c);
    union {
        double value;
        uint64_t bits;
    } odd = {sum};
    if ((rest > 0.0 || rest < 0.0) && (odd.bits & 1u) == 0u) {
        const int is_outwards = (rest > 0.0) == (sum > 0.0);
        odd.bits += is_outwards ? UINT64_C(1) : ~UINT64_C(0);
    }
    return (float)odd.value;
}

/* a * b + c, rounded once. Compilers make a call of the C library's function out of their own, so the
 * instruction of a Cortex-M4's FPU is named. */
static inline float weft_fma(float a, float b, float c)
{
#if defined(__arm__) && defined(__ARM_FEATURE_FMA)
    float sum = c;
    __asm__("vfma.f32 %0, %1, %2" : "+t"(sum) : "t"(a), "t"(b));
    return sum;
#else
    return weft_fma_portable(a, b, c);
#endif
}

/* To nearest, ties to even, for |x| of 2^22 at most: beyond 2^23 floats are whole. */
static inline int32_t weft_round(float x)
{
    const float shifted = x + 12582912.0f; /* 1.5 * 2^23 */
    return (int32_t)(shifted - 12582912.0f);
}

/* x rounded, plus the zero point, limited to low..high. Not a number gives high. */
static inline int8_t weft_round_s8(float x, int32_t zero_point, int32_t low, int32_t high)
{
    const float least = (float)(low - zero_point), most = (float)(high - zero_point);
    const float bounded = x < most ? (x > least ? x : least) : most;
    return (int8_t)(weft_round(bounded) + zero_point);
}

/* multiplier * 2^(shift - 31), -95 <= shift <= 127: a float32 that was taken apart, so that the
 * multiplier has 24 significant bits and the product is exact. */
static inline float weft_factor(int32_t multiplier, int32_t shift)
{
    const union {
        uint32_t bits;
        float value;
    } power = {(uint32_t)(shift - 31 + 127) << 23};
    return (float)multiplier * power.value;
}

/* weft_requantize_s8 of this contract: the sum, rounded to a float32, times the factor. */
static inline int8_t weft_rescale_s8(int32_t x, int32_t multiplier, int32_t shift,
                                     int32_t zero_point, int32_t low, int32_t high)
{
    return weft_round_s8((float)x * weft_factor(multiplier, shift), zero_point, low, high);
}

/* a * a_factor + (b * b_factor + fixed), the zero points of operands being part of fixed. */
static inline int8_t weft_float_add_s8(int32_t a, int32_t b, float a_factor, float b_factor,
                                       float fixed, int32_t zero_point, int32_t low, int32_t high)
{
    const float sum = weft_fma((float)a, a_factor, weft_fma((float)b, b_factor, fixed));
    return weft_round_s8(sum, zero_point, low, high);
}

/* a * b * factor + fixed. */
static inline int8_t weft_float_mul_s8(int32_t a, int32_t b, float factor, float fixed,
                                       int32_t zero_point, int32_t low, int32_t high)
{
    const float scaled = (float)(a * b) * factor;
    return weft_round_s8(scaled + fixed, zero_point, low, high);
}

/* (a * a_scale - b * b_scale) / scale. */
static inline int8_t weft_float_sub_s8(int32_t a, int32_t b, float a_scale, float b_scale,
                                       float scale, int32_t zero_point, int32_t low, int32_t high)
{
    const float left = (float)a * a_scale, right = (float)b * b_scale;
    return weft_round_s8((left - right) / scale, zero_point, low, high);
}

/* sum / count / scale + fixed: average pooling of real numbers. */
static inline int8_t weft_float_average_s8(float sum, int32_t count, float scale, float fixed,
                                           int32_t zero_point, int32_t low, int32_t high)
{
    const float mean = sum / (float)count;
    const float scaled = mean / scale;
    return weft_round_s8(scaled + fixed, zero_point, low, high);
}

/* exponential * factor / sum: one share of a softmax. */
static inline int8_t weft_float_share_s8(float exponential, float factor, float sum,
                                         int32_t zero_point)
{
    return weft_round_s8(exponential * factor / sum, zero_point, -128, 127);
}

/* x / scale: a float32 quantised. */
static inline int8_t weft_float_quantize_s8(float x, float scale, int32_t zero_point)
{
    return weft_round_s8(x / scale, zero_point, -128, 127);
}

#endif /* WEFT_ARITH_FLOAT_H */

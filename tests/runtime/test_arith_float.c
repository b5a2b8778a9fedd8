/* SPDX-License-Identifier: Apache-2.0 */
/* The float arithmetic of weft/arith_float.h against the C library and against long double. */
#include <math.h>
#include <string.h>

#include "weft/arith_float.h"
#include "weft_test.h"

enum { ROUNDS = 300000 };

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Any sign and mantissa, with an exponent between the two. */
static float random_float(uint32_t *seed, int least, int most)
{
    const uint32_t exponent =
        (uint32_t)(127 + least) + test_random(seed) % (uint32_t)(most - least);
    const uint32_t rest = test_random(seed);
    return from_bits((rest & 0x80000000u) | exponent << 23 | (rest & 0x7FFFFFu));
}

static void fma_is_right(float a, float b, float c)
{
    NOTE("%.9g * %.9g + %.9g", (double)a, (double)b, (double)c);
    CHECK_EQ(to_bits(weft_fma_portable(a, b, c)), to_bits(fmaf(a, b, c)));
    CHECK_EQ(to_bits(weft_fma(a, b, c)), to_bits(fmaf(a, b, c)));
}

TEST(fma_of_any_numbers)
{
    uint32_t seed = 5u;
    for (int i = 0; i < ROUNDS; ++i) {
        const float a = random_float(&seed, -20, 20), b = random_float(&seed, -20, 20);
        fma_is_right(a, b, random_float(&seed, -60, 60));
    }
}

/* Sums in double that lie between two floats, or nearly: there a second rounding does harm. */
TEST(fma_near_the_middle_of_two_floats)
{
    uint32_t seed = 6u;
    for (int i = 0; i < ROUNDS; ++i) {
        const float c = random_float(&seed, 0, 3);
        const float half = ldexpf(1.0f, (int)(to_bits(c) >> 23 & 0xFFu) - 127 - 24);
        const float tiny = random_float(&seed, -70, -40);
        fma_is_right(1.0f, half, c);
        fma_is_right(from_bits(to_bits(half) + 1u), 1.0f, c);
        fma_is_right(tiny, half, c + 2 * half);
        fma_is_right(-1.0f, half, from_bits(to_bits(c) ^ 1u));
    }
}

TEST(fma_of_zeros)
{
    fma_is_right(0.0f, 3.0f, 2.0f);
    fma_is_right(0.0f, 3.0f, 0.0f);
    fma_is_right(2.0f, 3.0f, -6.0f);
}

TEST(round_goes_to_the_nearest_and_on_ties_to_even)
{
    uint32_t seed = 7u;
    for (int32_t x = -3000; x <= 3000; ++x) {
        NOTE("%d halves", (int)x);
        CHECK_EQ(weft_round((float)x * 0.5f), lrintf((float)x * 0.5f));
    }
    for (int i = 0; i < ROUNDS; ++i) {
        const float x = random_float(&seed, -30, 21);
        NOTE("%.9g", (double)x);
        CHECK_EQ(weft_round(x), lrintf(x));
    }
    CHECK_EQ(weft_round(4194304.0f), 4194304);
    CHECK_EQ(weft_round(-4194304.0f), -4194304);
}

TEST(round_s8_is_limited)
{
    CHECK_EQ(weft_round_s8(1e30f, 3, -128, 127), 127);
    CHECK_EQ(weft_round_s8(-1e30f, 3, -128, 127), -128);
    CHECK_EQ(weft_round_s8((float)HUGE_VAL, -5, -100, 90), 90);
    CHECK_EQ(weft_round_s8(-(float)HUGE_VAL, -5, -100, 90), -100);
    CHECK_EQ(weft_round_s8(from_bits(0x7FC00000u), 0, -128, 100), 100);
    CHECK_EQ(weft_round_s8(2.5f, -128, -128, 127), -126);
    CHECK_EQ(weft_round_s8(-0.0f, 0, -128, 127), 0);
}

/* A factor is a float32 taken apart: its multiplier has 24 bits. */
TEST(rescale_is_one_product_and_one_rounding)
{
    uint32_t seed = 8u;
    for (int i = 0; i < ROUNDS; ++i) {
        const float scale = fabsf(random_float(&seed, -40, 10));
        int exponent = 0;
        const float fraction = frexpf(scale, &exponent);
        const int32_t multiplier = (int32_t)ldexp((double)fraction, 31);
        CHECK_EQ(to_bits(weft_factor(multiplier, exponent)), to_bits(scale));
        const int32_t x = (int32_t)test_random_extreme(&seed);
        const int32_t zero_point = (int32_t)(test_random(&seed) % 256u) - 128;
        const volatile float product = (float)x * scale;
        const float bounded = fminf(fmaxf(product, -1000.0f), 1000.0f);
        const long wanted = lrintf(bounded) + zero_point;
        NOTE("%d * %.9g + %d", (int)x, (double)scale, (int)zero_point);
        CHECK_EQ(weft_rescale_s8(x, multiplier, exponent, zero_point, -128, 127),
                 wanted < -128  ? -128
                 : wanted > 127 ? 127
                                : wanted);
    }
}

/* Every pair of int8, the contract's formula with the C library's functions. */
TEST(sums_and_products_of_every_pair)
{
    const float ratio_a = 0.37f, ratio_b = 1.21f, fixed = -7.3f;
    for (int32_t a = -128; a < 128; ++a) {
        for (int32_t b = -128; b < 128; ++b) {
            const float sum = fmaf((float)a, ratio_a, fmaf((float)b, ratio_b, fixed));
            const volatile float scaled = (float)(a * b) * 0.013f;
            const volatile float difference = (float)a * ratio_a - (float)b * ratio_b;
            const float added = fminf(fmaxf(rintf(sum), -128.0f), 127.0f);
            const float product = fminf(fmaxf(rintf(scaled + 11.0f), -128.0f), 127.0f);
            const float rest = fminf(fmaxf(rintf(difference / 0.9f), -138.0f), 117.0f) + 10.0f;
            NOTE("%d and %d", (int)a, (int)b);
            CHECK_EQ(weft_float_add_s8(a, b, ratio_a, ratio_b, fixed, 0, -128, 127), (int)added);
            CHECK_EQ(weft_float_mul_s8(a, b, 0.013f, 11.0f, 0, -128, 127), (int)product);
            CHECK_EQ(weft_float_sub_s8(a, b, ratio_a, ratio_b, 0.9f, 10, -128, 127), (int)rest);
        }
    }
}

TEST_MAIN(CASE(fma_of_any_numbers), CASE(fma_near_the_middle_of_two_floats), CASE(fma_of_zeros),
          CASE(round_goes_to_the_nearest_and_on_ties_to_even), CASE(round_s8_is_limited),
          CASE(rescale_is_one_product_and_one_rounding), CASE(sums_and_products_of_every_pair))

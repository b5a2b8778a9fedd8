/* SPDX-License-Identifier: Apache-2.0 */
/* Averages, quantisation of floats and the helpers of softmax against real arithmetic. */
#include <float.h>
#include <math.h>

#include "weft/arith.h"
#include "weft_test.h"

enum { ROUNDS = 300000 };

/* sum / count to nearest, ties away from zero. */
static int64_t slow_average(int64_t sum, int64_t count)
{
    const int64_t magnitude = sum < 0 ? -sum : sum;
    const int64_t rounded = (2 * magnitude + count) / (2 * count);
    return sum < 0 ? -rounded : rounded;
}

TEST(average_of_every_small_sum)
{
    for (int32_t count = 1; count <= 70; ++count) {
        for (int32_t sum = -128 * count; sum <= 127 * count; ++sum) {
            NOTE("sum %d, count %d", (int)sum, (int)count);
            CHECK_EQ(weft_average(sum, count), slow_average(sum, count));
        }
    }
}

/* As large as pooling can make them: int8 over any window. */
TEST(average_of_large_windows)
{
    uint32_t seed = 21u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t count = 1 + (int32_t)(test_random_extreme(&seed) % (UINT32_C(1) << 23));
        const int32_t mean = (int32_t)(test_random(&seed) % 256u) - 128;
        const int32_t rest = (int32_t)(test_random(&seed) % (uint32_t)count);
        const int32_t sum = mean * count + (mean < 127 ? rest : 0);
        NOTE("sum %d, count %d", (int)sum, (int)count);
        CHECK_EQ(weft_average(sum, count), slow_average(sum, count));
    }
}

/* The comment above it asks for count > 0 and nothing else. */
TEST(average_of_any_sum)
{
    static const int32_t sums[] = {INT32_MIN, INT32_MIN + 1, INT32_MAX - 1, INT32_MAX};
    static const int32_t counts[] = {1, 2, 3, 1000, INT32_MAX - 1, INT32_MAX};
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; ++i) {
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; ++j) {
            NOTE("sum %d, count %d", (int)sums[i], (int)counts[j]);
            CHECK_EQ(weft_average(sums[i], counts[j]), slow_average(sums[i], counts[j]));
        }
    }
}

/* The float quotient (it is part of the contract that the quotient is a float) to nearest. */
static int32_t slow_quantize(float x, float scale)
{
    const volatile float quotient = x / scale;
    const long double magnitude = floorl(fabsl((long double)quotient) + 0.5L);
    return (int32_t)(quotient < 0.0f ? -magnitude : magnitude);
}

TEST(quantize_within_its_exact_range)
{
    uint32_t seed = 22u;
    for (int i = 0; i < ROUNDS; ++i) {
        const float scale = ldexpf(1.0f + (float)test_random(&seed) / 8589934592.0f,
                                   (int)(test_random(&seed) % 40u) - 30);
        const float wanted = (float)test_random(&seed) / 2147483648.0f * 1023.0f - 1023.0f;
        const float x = wanted * scale;
        NOTE("x %.9g, scale %.9g", (double)x, (double)scale);
        CHECK_EQ(weft_quantize(x, scale), slow_quantize(x, scale));
    }
}

TEST(quantize_takes_ties_away_from_zero)
{
    for (int32_t whole = 0; whole < 1024; ++whole) {
        const float tie = (float)whole + 0.5f;
        NOTE("%d and a half", (int)whole);
        CHECK_EQ(weft_quantize(tie, 1.0f), whole + 1);
        CHECK_EQ(weft_quantize(-tie, 1.0f), -whole - 1);
        CHECK_EQ(weft_quantize(nextafterf(tie, 0.0f), 1.0f), whole);
        CHECK_EQ(weft_quantize(-nextafterf(tie, 0.0f), 1.0f), -whole);
        CHECK_EQ(weft_quantize((float)whole, 1.0f), whole);
        CHECK_EQ(weft_quantize((float)-whole, 1.0f), -whole);
    }
}

TEST(quantize_beyond_its_range_stays_outside_of_int8)
{
    static const float large[] = {1024.0f, 1024.5f, 1e6f, 4294967296.0f, 1e20f, FLT_MAX, INFINITY};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; ++i) {
        NOTE("%.9g", (double)large[i]);
        CHECK(weft_quantize(large[i], 1.0f) > 127);
        CHECK(weft_quantize(-large[i], 1.0f) < -128);
        CHECK(weft_quantize(large[i], FLT_MIN) > 127);
    }
}

TEST(quantize_of_what_is_no_number)
{
    const volatile float zero = 0.0f;
    CHECK_EQ(weft_quantize(NAN, 1.0f), 1024);
    CHECK_EQ(weft_quantize(1.0f, NAN), 1024);
    CHECK_EQ(weft_quantize(zero, zero), 1024);
    CHECK_EQ(weft_quantize(INFINITY, INFINITY), 1024);
}

TEST(quantize_of_the_smallest_numbers)
{
    const float least = nextafterf(0.0f, 1.0f); /* subnormal */
    CHECK_EQ(weft_quantize(0.0f, 1.0f), 0);
    CHECK_EQ(weft_quantize(-0.0f, 1.0f), 0);
    CHECK_EQ(weft_quantize(least, 1.0f), 0);
    CHECK_EQ(weft_quantize(-least, 1.0f), 0);
    CHECK_EQ(weft_quantize(least, least), 1);
    CHECK_EQ(weft_quantize(-100.0f * least, least), -100);
    CHECK_EQ(weft_quantize(1.0f, INFINITY), 0);
}

TEST(leading_zeros)
{
    uint32_t seed = 23u;
    CHECK_EQ(weft_count_leading_zeros(0u), 32);
    for (int32_t bit = 0; bit < 32; ++bit) {
        const uint32_t highest = UINT32_C(1) << bit;
        for (int i = 0; i < 100; ++i) {
            CHECK_EQ(weft_count_leading_zeros(highest | (test_random(&seed) & (highest - 1u))),
                     31 - bit);
        }
    }
}

TEST(saturating_shift_left)
{
    uint32_t seed = 24u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t exponent = (int32_t)(test_random(&seed) % 32u);
        const uint32_t bits = test_random_extreme(&seed);
        int32_t x;
        memcpy(&x, &bits, sizeof x);
        const long double real = ldexpl((long double)x, exponent);
        const long double limited = fminl(fmaxl(real, (long double)INT32_MIN), INT32_MAX);
        NOTE("x %d, exponent %d", (int)x, (int)exponent);
        CHECK_EQ(weft_saturating_shift_left(x, exponent), (int64_t)limited);
    }
}

static long double reciprocal_error(int32_t x)
{
    const long double one = 2147483648.0L;
    const long double real = one / (1.0L + (long double)x / one);
    return fabsl((long double)weft_one_over_one_plus(x) - real);
}

/* Three roundings in Q29 and a result in steps of 2 leave some units of Q31. */
TEST(one_over_one_plus_is_right_to_a_few_units)
{
    uint32_t seed = 25u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t x = (int32_t)(test_random_extreme(&seed) >> 1);
        NOTE("x %d", (int)x);
        CHECK(reciprocal_error(x) <= 8.0L);
    }
    for (int32_t i = 0; i < 4096; ++i) {
        NOTE("%d from an end", (int)i);
        CHECK(reciprocal_error(i) <= 8.0L);
        CHECK(reciprocal_error(INT32_MAX - i) <= 8.0L);
    }
}

TEST(one_over_one_plus_at_its_ends)
{
    CHECK_EQ(weft_one_over_one_plus(0), INT32_MAX);
    CHECK(labs((long)weft_one_over_one_plus(INT32_MAX) - (1L << 30)) <= 8);
}

/* The factor is the reciprocal of the sum's leading bits as a number in [1, 2). */
TEST(softmax_factor_is_a_reciprocal)
{
    uint32_t seed = 26u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t sum = (int32_t)((test_random_extreme(&seed) >> 1) | 1u);
        int exponent = 0;
        const long double real = 2147483648.0L / (2.0L * frexpl((long double)sum, &exponent));
        NOTE("sum %d", (int)sum);
        CHECK(fabsl((long double)weft_softmax_factor(sum) - real) <= 8.0L);
    }
}

/* An exponential (Q31) as a share of the sum (Q19) in 1/256, to nearest. */
static void share_is_right(int32_t exponential, int32_t sum)
{
    const int32_t share = weft_softmax_share(weft_softmax_factor(sum), exponential, sum);
    const long double real =
        256.0L * ((long double)exponential / 2147483648.0L) / ((long double)sum / 524288.0L);
    NOTE("sum %d, exponential %d: %d, not %Lg", (int)sum, (int)exponential, (int)share, real);
    CHECK(fabsl((long double)(share + 128) - fminl(real, 255.0L)) <= 0.5001L);
}

/* The sum is at least 1 in Q19, since the largest element has the exponential 1. */
static void shares_are_right(int32_t least_sum, int32_t sum_range)
{
    uint32_t seed = 27u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t sum = least_sum + (int32_t)(test_random(&seed) % (uint32_t)sum_range);
        share_is_right((int32_t)(test_random(&seed) >> 1), sum);
        share_is_right(INT32_MAX, sum);
    }
}

TEST(softmax_shares_of_few_elements)
{
    shares_are_right(1 << 19, 8 * (1 << 19));
}

TEST(softmax_shares_of_up_to_511_equal_elements)
{
    shares_are_right(1 << 19, 510 * (1 << 19));
}

TEST(softmax_shares_of_512_equal_elements_and_more)
{
    shares_are_right(1 << 28, INT32_MAX - (1 << 28));
}

TEST(softmax_shares_of_equal_elements)
{
    for (int32_t count = 1; count < 4096; ++count) share_is_right(INT32_MAX, count * (1 << 19));
}

TEST_MAIN(CASE(average_of_every_small_sum), CASE(average_of_large_windows),
          CASE(average_of_any_sum), CASE(quantize_within_its_exact_range),
          CASE(quantize_takes_ties_away_from_zero),
          CASE(quantize_beyond_its_range_stays_outside_of_int8),
          CASE(quantize_of_what_is_no_number), CASE(quantize_of_the_smallest_numbers),
          CASE(leading_zeros), CASE(saturating_shift_left),
          CASE(one_over_one_plus_is_right_to_a_few_units), CASE(one_over_one_plus_at_its_ends),
          CASE(softmax_factor_is_a_reciprocal), CASE(softmax_shares_of_few_elements),
          CASE(softmax_shares_of_up_to_511_equal_elements),
          CASE(softmax_shares_of_512_equal_elements_and_more),
          CASE(softmax_shares_of_equal_elements))

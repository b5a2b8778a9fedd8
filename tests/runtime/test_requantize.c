/* SPDX-License-Identifier: Apache-2.0 */
/* Wrapping and requantising arithmetic of weft/arith.h against slow formulations of the same
 * definitions: exact quotients in 64 bits, no shifts of negative numbers, no conversions that wrap. */
#include <math.h>
#include <stdbool.h>

#include "weft/arith.h"
#include "weft_test.h"

enum { ROUNDS = 400000 };

static const int32_t edges[] = {
    INT32_MIN, INT32_MIN + 1, -1073741825, -1073741824, -65536,        -3,       -2, -1, 0, 1, 2,
    3,         65535,         1073741823,  1073741824,  INT32_MAX - 1, INT32_MAX};
enum { EDGES = (int)(sizeof edges / sizeof edges[0]) };

static int32_t random_int(uint32_t *seed)
{
    const uint32_t bits = test_random_extreme(seed);
    int32_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The number in [-2^31, 2^31) that equals `value` modulo 2^32. */
static int64_t modulo_2_32(int64_t value)
{
    const int64_t range = INT64_C(4294967296);
    int64_t rest = value % range;
    if (rest < -range / 2) rest += range;
    if (rest >= range / 2) rest -= range;
    return rest;
}

/* The largest integer not above numerator / denominator. */
static int64_t floor_divide(int64_t numerator, int64_t denominator)
{
    const int64_t quotient = numerator / denominator;
    return numerator % denominator < 0 ? quotient - 1 : quotient;
}

static int64_t power_of_two(int32_t exponent)
{
    int64_t power = 1;
    for (int32_t i = 0; i < exponent; ++i) power *= 2;
    return power;
}

/* a * b / 2^31 to nearest, ties up. */
static int64_t slow_high_mul(int64_t a, int64_t b)
{
    return floor_divide(a * b + power_of_two(30), power_of_two(31));
}

/* x / 2^exponent to nearest, ties away from zero. */
static int64_t slow_rounding_shift_right(int64_t x, int32_t exponent)
{
    const int64_t magnitude = x < 0 ? -x : x;
    const int64_t divisor = power_of_two(exponent);
    const int64_t rounded = (2 * magnitude + divisor) / (2 * divisor);
    return x < 0 ? -rounded : rounded;
}

static int64_t slow_requantize(int64_t x, int64_t multiplier, int32_t shift)
{
    if (shift > 0) return slow_high_mul(modulo_2_32(x * power_of_two(shift)), multiplier);
    return slow_rounding_shift_right(slow_high_mul(x, multiplier), -shift);
}

static int64_t slow_clamp(int64_t x, int64_t low, int64_t high)
{
    if (x < low) return low;
    return x > high ? high : x;
}

TEST(wrapping_arithmetic_is_modulo_2_32)
{
    uint32_t seed = 11u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t a = random_int(&seed), b = random_int(&seed);
        NOTE("a %d, b %d", (int)a, (int)b);
        CHECK_EQ(weft_add_wrap(a, b), modulo_2_32((int64_t)a + b));
        CHECK_EQ(weft_sub_wrap(a, b), modulo_2_32((int64_t)a - b));
        CHECK_EQ(weft_mul_wrap(a, b), modulo_2_32((int64_t)a * b));
    }
}

TEST(wrapping_arithmetic_at_the_edges)
{
    for (int i = 0; i < EDGES; ++i) {
        for (int j = 0; j < EDGES; ++j) {
            const int32_t a = edges[i], b = edges[j];
            NOTE("a %d, b %d", (int)a, (int)b);
            CHECK_EQ(weft_add_wrap(a, b), modulo_2_32((int64_t)a + b));
            CHECK_EQ(weft_sub_wrap(a, b), modulo_2_32((int64_t)a - b));
            CHECK_EQ(weft_mul_wrap(a, b), modulo_2_32((int64_t)a * b));
        }
    }
}

TEST(least_greatest_and_limits)
{
    for (int i = 0; i < EDGES; ++i) {
        for (int j = 0; j < EDGES; ++j) {
            CHECK_EQ(weft_min(edges[i], edges[j]), edges[i < j ? i : j]);
            CHECK_EQ(weft_max(edges[i], edges[j]), edges[i > j ? i : j]);
            CHECK_EQ(weft_clamp(edges[i], -128, 127), slow_clamp(edges[i], -128, 127));
            CHECK_EQ(weft_clamp(edges[i], edges[j], edges[j]), edges[j]);
        }
    }
}

/* The multiplier may be anything but the pair that saturates in gemmlowp. */
TEST(high_mul)
{
    uint32_t seed = 12u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t a = random_int(&seed), b = random_int(&seed);
        if (a == INT32_MIN && b == INT32_MIN) continue;
        NOTE("a %d, b %d", (int)a, (int)b);
        CHECK_EQ(weft_high_mul(a, b), slow_high_mul(a, b));
    }
}

TEST(high_mul_rounds_ties_up)
{
    CHECK_EQ(weft_high_mul(1, 1 << 30), 1);  /* 0.5 */
    CHECK_EQ(weft_high_mul(-1, 1 << 30), 0); /* -0.5 */
    CHECK_EQ(weft_high_mul(3, 1 << 30), 2);
    CHECK_EQ(weft_high_mul(-3, 1 << 30), -1);
    CHECK_EQ(weft_high_mul(1, (1 << 30) - 1), 0);
    CHECK_EQ(weft_high_mul(INT32_MIN, INT32_MAX), -INT32_MAX);
    CHECK_EQ(weft_high_mul(INT32_MAX, INT32_MAX), INT32_MAX - 1);
}

TEST(rounding_shift_right)
{
    uint32_t seed = 13u;
    for (int32_t exponent = 0; exponent <= 31; ++exponent) {
        for (int i = 0; i < ROUNDS / 20; ++i) {
            const int32_t x = i < EDGES ? edges[i] : random_int(&seed);
            NOTE("x %d, exponent %d", (int)x, (int)exponent);
            CHECK_EQ(weft_rounding_shift_right(x, exponent),
                     slow_rounding_shift_right(x, exponent));
        }
    }
}

TEST(rounding_shift_right_takes_ties_away_from_zero)
{
    for (int32_t exponent = 1; exponent <= 30; ++exponent) {
        const int32_t half = (int32_t)power_of_two(exponent - 1);
        NOTE("exponent %d", (int)exponent);
        CHECK_EQ(weft_rounding_shift_right(half, exponent), 1);
        CHECK_EQ(weft_rounding_shift_right(half - 1, exponent), 0);
        CHECK_EQ(weft_rounding_shift_right(-half, exponent), -1);
        CHECK_EQ(weft_rounding_shift_right(-half + 1, exponent), 0);
    }
}

TEST(requantize_at_all_shifts)
{
    uint32_t seed = 14u;
    for (int32_t shift = -31; shift <= 30; ++shift) {
        for (int i = 0; i < ROUNDS / 40; ++i) {
            const int32_t x = i < EDGES ? edges[i] : random_int(&seed);
            const int32_t multiplier = random_int(&seed) & INT32_MAX;
            NOTE("x %d, multiplier %d, shift %d", (int)x, (int)multiplier, (int)shift);
            CHECK_EQ(weft_requantize(x, multiplier, shift), slow_requantize(x, multiplier, shift));
        }
    }
}

TEST(requantize_at_the_edges)
{
    for (int32_t shift = -31; shift <= 30; ++shift) {
        for (int i = 0; i < EDGES; ++i) {
            for (int j = 0; j < EDGES; ++j) {
                if (edges[j] < 0) continue;
                NOTE("x %d, multiplier %d, shift %d", (int)edges[i], (int)edges[j], (int)shift);
                CHECK_EQ(weft_requantize(edges[i], edges[j], shift),
                         slow_requantize(edges[i], edges[j], shift));
            }
        }
    }
}

/* As a real number: two roundings are off by less than one and a half. */
TEST(requantize_is_close_to_the_real_product)
{
    uint32_t seed = 15u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t shift = (int32_t)(test_random(&seed) % 62u) - 31;
        const int32_t multiplier = random_int(&seed) & INT32_MAX;
        const int32_t x = random_int(&seed);
        const long double wide = (long double)x * (long double)power_of_two(shift > 0 ? shift : 0);
        if (wide < (long double)INT32_MIN || wide > (long double)INT32_MAX) continue; /* wraps */
        const long double real = ldexpl((long double)x * (long double)multiplier, shift - 31);
        NOTE("x %d, multiplier %d, shift %d", (int)x, (int)multiplier, (int)shift);
        CHECK(fabsl((long double)weft_requantize(x, multiplier, shift) - real) <= 1.0L);
    }
}

TEST(requantize_s8_adds_the_zero_point_and_limits)
{
    uint32_t seed = 16u;
    for (int i = 0; i < ROUNDS; ++i) {
        const int32_t shift = (int32_t)(test_random(&seed) % 62u) - 31;
        const int32_t multiplier = random_int(&seed) & INT32_MAX;
        const int32_t x = random_int(&seed);
        const int32_t zero_point =
            i % 4 == 0 ? random_int(&seed) : (int32_t)(test_random(&seed) % 256u) - 128;
        const int32_t low = (int32_t)(test_random(&seed) % 256u) - 128;
        const int32_t high = low + (int32_t)(test_random(&seed) % (uint32_t)(128 - low));
        const int64_t sum = modulo_2_32(slow_requantize(x, multiplier, shift) + zero_point);
        NOTE("x %d, multiplier %d, shift %d, zero point %d, limits %d and %d", (int)x,
             (int)multiplier, (int)shift, (int)zero_point, (int)low, (int)high);
        CHECK_EQ(weft_requantize_s8(x, multiplier, shift, zero_point, low, high),
                 slow_clamp(sum, low, high));
    }
}

TEST_MAIN(CASE(wrapping_arithmetic_is_modulo_2_32), CASE(wrapping_arithmetic_at_the_edges),
          CASE(least_greatest_and_limits), CASE(high_mul), CASE(high_mul_rounds_ties_up),
          CASE(rounding_shift_right), CASE(rounding_shift_right_takes_ties_away_from_zero),
          CASE(requantize_at_all_shifts), CASE(requantize_at_the_edges),
          CASE(requantize_is_close_to_the_real_product),
          CASE(requantize_s8_adds_the_zero_point_and_limits))

/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of the DSP extension of ARMv7E-M and ARMv8-M, each with a portable twin that gives
 * the same bits. Hand-written kernels are made of these.
 *
 * WEFT_DSP says that the instructions are there; -DWEFT_DSP=0 takes the twins on every core. A word
 * that holds two halves has the first in its low half, as memory has it on a little-endian core. */
#ifndef WEFT_DSP_H
#define WEFT_DSP_H

#include <stdint.h>
#include <string.h>

#ifndef WEFT_DSP
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && !defined(__ARM_BIG_ENDIAN)
#define WEFT_DSP 1
#else
#define WEFT_DSP 0
#endif
#endif

/* Four bytes from any address: one load where the core can do that. */
static inline uint32_t weft_load4(const int8_t *from)
{
#if WEFT_DSP
    uint32_t word;
    __builtin_memcpy(&word, from, sizeof word); /* inline in freestanding builds, too */
    return word;
#else
    return (uint32_t)(uint8_t)from[0] | (uint32_t)(uint8_t)from[1] << 8 |
           (uint32_t)(uint8_t)from[2] << 16 | (uint32_t)(uint8_t)from[3] << 24;
#endif
}

static inline void weft_store4(int8_t *to, uint32_t word)
{
#if WEFT_DSP
    __builtin_memcpy(to, &word, sizeof word);
#else
    for (int i = 0; i < 4; ++i) to[i] = (int8_t)(word >> (8 * i));
#endif
}

/* Two halves, of which only the low 16 bits count. */
static inline uint32_t weft_halves(int32_t first, int32_t second)
{
    return ((uint32_t)first & 0xFFFFu) | (uint32_t)second << 16;
}

/* The signed bytes 0 and 2 of a word, as halves. */
static inline uint32_t weft_even_bytes(uint32_t word)
{
#if WEFT_DSP
    uint32_t halves;
    __asm("sxtb16 %0, %1" : "=r"(halves) : "r"(word));
    return halves;
#else
    return weft_halves((int8_t)word, (int8_t)(word >> 16));
#endif
}

/* The signed bytes 1 and 3 of a word, as halves. */
static inline uint32_t weft_odd_bytes(uint32_t word)
{
#if WEFT_DSP
    uint32_t halves;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(word));
    return halves;
#else
    return weft_halves((int8_t)(word >> 8), (int8_t)(word >> 24));
#endif
}

/* sum + a.first * b.first + a.second * b.second, modulo 2^32. */
static inline int32_t weft_dot2(int32_t sum, uint32_t a, uint32_t b)
{
#if WEFT_DSP
    int32_t out;
    __asm("smlad %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));
    return out;
#else
    const int32_t first = (int16_t)a * (int16_t)b;
    const int32_t second = (int16_t)(a >> 16) * (int16_t)(b >> 16);
    return (int32_t)((uint32_t)sum + (uint32_t)first + (uint32_t)second);
#endif
}

/* sum + a.first * b.first, modulo 2^32. */
static inline int32_t weft_dot_first(int32_t sum, uint32_t a, uint32_t b)
{
#if WEFT_DSP
    int32_t out;
    __asm("smlabb %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));
    return out;
#else
    return (int32_t)((uint32_t)sum + (uint32_t)((int16_t)a * (int16_t)b));
#endif
}

/* sum + a.second * b.second, modulo 2^32. */
static inline int32_t weft_dot_second(int32_t sum, uint32_t a, uint32_t b)
{
#if WEFT_DSP
    int32_t out;
    __asm("smlatt %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));
    return out;
#else
    return (int32_t)((uint32_t)sum + (uint32_t)((int16_t)(a >> 16) * (int16_t)(b >> 16)));
#endif
}

/* a * b / 2^32, to nearest, ties up. */
static inline int32_t weft_high_product(int32_t a, int32_t b)
{
#if WEFT_DSP
    int32_t out;
    __asm("smmulr %0, %1, %2" : "=r"(out) : "r"(a), "r"(b));
    return out;
#else
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 31)) >> 32);
#endif
}

/* sum + a * b / 2^32, to nearest, ties up, modulo 2^32. */
static inline int32_t weft_add_high_product(int32_t sum, int32_t a, int32_t b)
{
#if WEFT_DSP
    int32_t out;
    __asm("smmlar %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));
    return out;
#else
    return (int32_t)((uint32_t)sum + (uint32_t)weft_high_product(a, b));
#endif
}

/* The nearest int8. */
static inline int32_t weft_saturate8(int32_t x)
{
#if WEFT_DSP
    int32_t out;
    __asm("ssat %0, #8, %1" : "=r"(out) : "r"(x));
    return out;
#else
    return x < -128 ? -128 : x > 127 ? 127 : x;
#endif
}

/* -1 of a negative number, else 0. */
static inline int32_t weft_sign(int32_t x)
{
    return x < 0 ? -1 : 0;
}

/* The second rounding, away from zero, of what the first one gave: `scale` is 2^(32 - n) for a right
 * shift by 2 <= n <= 31, or 0 for a multiplier of 0. Without limits but those of int8. */
static inline int32_t weft_round_again(int32_t high, int32_t scale, int32_t zero_point)
{
    return weft_saturate8(weft_add_high_product(zero_point, high + weft_sign(high), scale));
}

/* Requantises as weft_requantize does, with everything prepared that can be. `less_one` is the
 * multiplier less one, in units of 2^-32: so the first rounding, which goes up at ties, needs the sum
 * itself, and not twice the sum. */
static inline int32_t weft_requantize_prepared(int32_t sum, int32_t less_one, int32_t scale,
                                               int32_t zero_point)
{
    return weft_round_again(weft_add_high_product(sum, sum, less_one), scale, zero_point);
}

/* The same of twice the sum, where that is what there is; `multiplier` is Q31. */
static inline int32_t weft_requantize_doubled(int32_t doubled, int32_t multiplier, int32_t scale,
                                              int32_t zero_point)
{
    return weft_round_again(weft_high_product(doubled, multiplier), scale, zero_point);
}

#endif /* WEFT_DSP_H */

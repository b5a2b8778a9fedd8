/* SPDX-License-Identifier: Apache-2.0 */
/* weft_dot and weft_widen_2 for hosts with AVX2 or AVX-512 VNNI. A vector holds words of several
 * pairs of taps: of two vectors of the caller in turn, and of a stream's two words in turn. */
#ifndef WEFT_KERNELS_DOT_X86_H
#define WEFT_KERNELS_DOT_X86_H

#include <immintrin.h>

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

typedef __m512i words_t;
enum { WORDS = 16 };

static inline words_t load_words(const uint32_t *from, uint32_t count)
{
    const __mmask16 mask = count >= WORDS ? 0xFFFFu : (__mmask16)((1u << count) - 1u);
    return _mm512_maskz_loadu_epi32(mask, from);
}

static inline words_t no_words(void)
{
    return _mm512_setzero_si512();
}

/* sums + what weft_dot2 adds, word by word. */
static inline words_t dot_words(words_t sums, words_t a, words_t b)
{
    return _mm512_dpwssd_epi32(sums, a, b);
}

static inline words_t low_bytes(words_t words)
{
    return _mm512_srai_epi16(_mm512_slli_epi16(words, 8), 8);
}

/* Every two words change places. */
static inline words_t swapped(words_t words)
{
    return _mm512_shuffle_epi32(words, _MM_PERM_CDAB);
}

/* Every first word twice. */
static inline words_t doubled(words_t words)
{
    const __m512i order = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_epi32(order, words);
}

/* The sums of all even words and of all odd words, as the first two of a vector. */
static inline __m128i halved(words_t sums)
{
    const __m256i half =
        _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64(sums, 1));
    const __m128i quarter =
        _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    return _mm_add_epi32(quarter, _mm_unpackhi_epi64(quarter, quarter));
}

#else

typedef __m256i words_t;
enum { WORDS = 8 };

static inline words_t load_words(const uint32_t *from, uint32_t count)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), index);
    return _mm256_maskload_epi32((const int *)from, mask);
}

static inline words_t no_words(void)
{
    return _mm256_setzero_si256();
}

static inline words_t dot_words(words_t sums, words_t a, words_t b)
{
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
}

static inline words_t low_bytes(words_t words)
{
    return _mm256_srai_epi16(_mm256_slli_epi16(words, 8), 8);
}

static inline words_t swapped(words_t words)
{
    return _mm256_shuffle_epi32(words, 0xB1);
}

static inline words_t doubled(words_t words)
{
    return _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

static inline __m128i halved(words_t sums)
{
    const __m128i quarter =
        _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_add_epi32(quarter, _mm_unpackhi_epi64(quarter, quarter));
}

#endif

/* Two bytes of one vector from the sums of a word's two channels. */
static inline void store_two(int32_t together, int32_t even, const uint32_t *tail,
                             int32_t zero_point, int8_t *out)
{
    const int32_t odd = (int32_t)((uint32_t)together - (uint32_t)even) >> 8;
    out[0] = (int8_t)weft_requantize_prepared(even, (int32_t)tail[1], (int32_t)tail[3], zero_point);
    out[1] = (int8_t)weft_requantize_prepared(odd, (int32_t)tail[0], (int32_t)tail[2], zero_point);
}

static inline int32_t plus(int32_t sum, uint32_t start)
{
    return (int32_t)((uint32_t)sum + start);
}

void weft_dot_1x4(const weft_dot_t *dot)
{
    int8_t *out = dot->out0;
    for (const uint32_t *stream = dot->stream; stream != dot->end; out += 4) {
        const uint32_t *const head = stream, *const taps = stream + 4;
        words_t together = no_words(), even = no_words();
        const uint32_t words = 2u * dot->pairs;
        for (uint32_t at = 0; at < words; at += WORDS) {
            const words_t w = load_words(taps + at, words - at);
            const uint32_t count = (words - at) / 2u;
            const words_t x =
                doubled(load_words(dot->x + at / 2u, count < WORDS / 2 ? count : WORDS / 2));
            together = dot_words(together, x, w);
            even = dot_words(even, x, low_bytes(w));
        }
        const __m128i a = halved(together), d = halved(even);
        const uint32_t *const tail = taps + words;
        store_two(plus(_mm_cvtsi128_si32(a), head[0]), plus(_mm_cvtsi128_si32(d), head[1]), tail,
                  dot->zero_point, out);
        store_two(plus(_mm_extract_epi32(a, 1), head[2]), plus(_mm_extract_epi32(d, 1), head[3]),
                  tail + 4, dot->zero_point, out + 2);
        stream = tail + 8;
    }
}

void weft_dot_2x4(const weft_dot_t *dot)
{
    int8_t *out0 = dot->out0, *out1 = dot->out1;
    for (const uint32_t *stream = dot->stream; stream != dot->end; out0 += 4, out1 += 4) {
        const uint32_t *const head = stream, *const taps = stream + 4;
        const uint32_t words = 2u * dot->pairs;
        /* Straight: vector 0 by word 0 and vector 1 by word 1; crossed: the other way. */
        words_t straight = no_words(), crossed = no_words();
        words_t straight_even = no_words(), crossed_even = no_words();
        for (uint32_t at = 0; at < words; at += WORDS) {
            const words_t w = load_words(taps + at, words - at);
            const words_t x = load_words(dot->x + at, words - at);
            const words_t y = swapped(x), low = low_bytes(w);
            straight = dot_words(straight, x, w);
            crossed = dot_words(crossed, y, w);
            straight_even = dot_words(straight_even, x, low);
            crossed_even = dot_words(crossed_even, y, low);
        }
        const __m128i a = halved(straight), b = halved(crossed);
        const __m128i c = halved(straight_even), d = halved(crossed_even);
        const uint32_t *const tail = taps + words;
        store_two(plus(_mm_cvtsi128_si32(a), head[0]), plus(_mm_cvtsi128_si32(c), head[1]), tail,
                  dot->zero_point, out0);
        store_two(plus(_mm_cvtsi128_si32(b), head[0]), plus(_mm_cvtsi128_si32(d), head[1]), tail,
                  dot->zero_point, out1);
        store_two(plus(_mm_extract_epi32(b, 1), head[2]), plus(_mm_extract_epi32(d, 1), head[3]),
                  tail + 4, dot->zero_point, out0 + 2);
        store_two(plus(_mm_extract_epi32(a, 1), head[2]), plus(_mm_extract_epi32(c, 1), head[3]),
                  tail + 4, dot->zero_point, out1 + 2);
        stream = tail + 8;
    }
}

uint32_t *weft_widen_2(const int8_t *x0, const int8_t *x1, uint32_t *to, int32_t words)
{
    for (; words >= 4; words -= 4, x0 += 16, x1 += 16, to += 16) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)x0);
        const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)x1);
        const __m128i a_even = _mm_srai_epi16(_mm_slli_epi16(a, 8), 8),
                      a_odd = _mm_srai_epi16(a, 8);
        const __m128i b_even = _mm_srai_epi16(_mm_slli_epi16(b, 8), 8),
                      b_odd = _mm_srai_epi16(b, 8);
        const __m128i even_low = _mm_unpacklo_epi32(a_even, b_even);
        const __m128i even_high = _mm_unpackhi_epi32(a_even, b_even);
        const __m128i odd_low = _mm_unpacklo_epi32(a_odd, b_odd);
        const __m128i odd_high = _mm_unpackhi_epi32(a_odd, b_odd);
        __m128i *const out = (__m128i *)(void *)to;
        _mm_storeu_si128(out, _mm_unpacklo_epi64(even_low, odd_low));
        _mm_storeu_si128(out + 1, _mm_unpackhi_epi64(even_low, odd_low));
        _mm_storeu_si128(out + 2, _mm_unpacklo_epi64(even_high, odd_high));
        _mm_storeu_si128(out + 3, _mm_unpackhi_epi64(even_high, odd_high));
    }
    for (; words > 0; --words, x0 += 4, x1 += 4) {
        *to++ = weft_even_bytes(weft_load4(x0));
        *to++ = weft_even_bytes(weft_load4(x1));
        *to++ = weft_odd_bytes(weft_load4(x0));
        *to++ = weft_odd_bytes(weft_load4(x1));
    }
    return to;
}

#endif /* WEFT_KERNELS_DOT_X86_H */

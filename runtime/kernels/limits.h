/* SPDX-License-Identifier: Apache-2.0 */
/* Limits other than those of int8, applied to results that lie in memory, four at a time. */
#ifndef WEFT_KERNELS_LIMITS_H
#define WEFT_KERNELS_LIMITS_H

#include <stdint.h>

#include "weft/arith.h"
#include "weft/dsp.h"

/* Each limit in all four bytes of a word. */
typedef struct weft_limits {
    uint32_t low, high;
} weft_limits_t;

static inline weft_limits_t weft_limits(int32_t low, int32_t high)
{
    const weft_limits_t limits = {(uint32_t)(uint8_t)low * 0x01010101u,
                                  (uint32_t)(uint8_t)high * 0x01010101u};
    return limits;
}

/* Every signed byte of `word` within its limits. */
static inline uint32_t weft_limit4(uint32_t word, const weft_limits_t *limits)
{
#if WEFT_DSP
    uint32_t scratch;
    __asm("ssub8 %1, %0, %2\n"
          "sel %0, %0, %2\n"
          "ssub8 %1, %3, %0\n"
          "sel %0, %0, %3\n"
          : "+&r"(word), "=&r"(scratch)
          : "r"(limits->low), "r"(limits->high)
          : "cc");
    return word;
#else
    uint32_t out = 0;
    for (int i = 0; i < 32; i += 8) {
        const int32_t byte = (int8_t)(word >> i);
        const int32_t limited = weft_clamp(byte, (int8_t)limits->low, (int8_t)limits->high);
        out |= (uint32_t)(uint8_t)limited << i;
    }
    return out;
#endif
}

/* `count` bytes at `at`. */
void weft_limit(int8_t *at, int32_t count, const weft_limits_t *limits);

#endif /* WEFT_KERNELS_LIMITS_H */

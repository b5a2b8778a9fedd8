/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of weft/dsp.h over arrays: four words of operands, one of the result. */
#include <stdint.h>

#include "limits.h"
#include "weft/dsp.h"

#define OPERATION(name, result)                                        \
    void name(const uint32_t *in, uint32_t *out, int32_t count);       \
    void name(const uint32_t *in, uint32_t *out, int32_t count)        \
    {                                                                  \
        for (; count > 0; --count, in += 4) {                          \
            const uint32_t a = in[0], b = in[1], c = in[2], d = in[3]; \
            (void)a, (void)b, (void)c, (void)d;                        \
            *out++ = (uint32_t)(result);                               \
        }                                                              \
    }

static uint32_t limit4(uint32_t word, uint32_t low, uint32_t high)
{
    const weft_limits_t limits = weft_limits((int8_t)low, (int8_t)high);
    return weft_limit4(word, &limits);
}

OPERATION(halves, weft_halves((int32_t)a, (int32_t)b))
OPERATION(even_bytes, weft_even_bytes(a))
OPERATION(odd_bytes, weft_odd_bytes(a))
OPERATION(dot2, weft_dot2((int32_t)a, b, c))
OPERATION(dot_first, weft_dot_first((int32_t)a, b, c))
OPERATION(dot_second, weft_dot_second((int32_t)a, b, c))
OPERATION(high_product, weft_high_product((int32_t)a, (int32_t)b))
OPERATION(add_high_product, weft_add_high_product((int32_t)a, (int32_t)b, (int32_t)c))
OPERATION(saturate8, weft_saturate8((int32_t)a))
OPERATION(requantize_prepared,
          weft_requantize_prepared((int32_t)a, (int32_t)b, (int32_t)c, (int32_t)d))
OPERATION(requantize_doubled,
          weft_requantize_doubled((int32_t)a, (int32_t)b, (int32_t)c, (int32_t)d))
OPERATION(limited, limit4(a, b, c))

/* Every four bytes of `in`, wherever they begin, to every fifth of `out`. */
void copy4(const int8_t *in, int8_t *out, int32_t count);
void copy4(const int8_t *in, int8_t *out, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) weft_store4(out + 5 * i, weft_load4(in + i));
}

/* Whether instructions are used. */
int32_t uses_instructions(void);
int32_t uses_instructions(void)
{
    return WEFT_DSP;
}

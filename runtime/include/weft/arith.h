/* SPDX-License-Identifier: Apache-2.0 */
/* Integer arithmetic that C leaves undefined or to the implementation, for generated kernels.
 * The conversions back to signed types are modulo 2^n on every compiler that Weft supports. */
#ifndef WEFT_ARITH_H
#define WEFT_ARITH_H

#include <stdint.h>

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

static inline int32_t weft_shl_wrap(int32_t a, int32_t n)
{
    return (int32_t)((uint32_t)a << n);
}

static inline int64_t weft_shl_wrap64(int64_t a, int64_t n)
{
    return (int64_t)((uint64_t)a << n);
}

static inline int32_t weft_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t weft_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

#endif /* WEFT_ARITH_H */

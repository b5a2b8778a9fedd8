/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of one or two vectors of int8 with four channels at a time, requantised: the core of
 * convolutions and dense layers.
 *
 * Taps come in pairs, a word each: two halves of 16 bits, which the core multiplies and adds in one
 * step. The vectors are widened once. Weights stay at eight bits: a word of a packed stream holds a
 * pair of taps of two channels, each half 256 * w1 + w0. Multiplied as it is it gives
 * A = 256 * sum1 + sum0; its low bytes alone give sum0, and sum1 is (A - sum0) / 256. So one word
 * takes one load and one instruction to unpack instead of two.
 *
 * A packed stream holds for every four channels, in words:
 *
 *   4           256 * b1 + b0, b0 of channels 1 and 0; the same of channels 3 and 2
 *   2 * pairs   for each pair of taps one word of channels 1 and 0, one of channels 3 and 2
 *   8           multipliers of channels 1 and 0, their scales; the same of channels 3 and 2
 *
 * Biases hold what the input's zero point adds, and `sum1` with its bias is less than 2^23 in size.
 * Multipliers and scales are those of weft_requantize_prepared. */
#ifndef WEFT_KERNELS_DOT_H
#define WEFT_KERNELS_DOT_H

#include <stdint.h>

typedef struct weft_dot {
    const uint32_t *x;      /* pairs of taps; of two vectors in turn, for weft_dot_2x4 */
    const uint32_t *stream; /* of the first four channels */
    const uint32_t *end;    /* behind the last four */
    uint32_t pairs;         /* of taps: even, not 0 */
    int8_t *out0, *out1;    /* four results for every four channels; out1 of the second vector */
    int32_t zero_point;     /* of the results */
} weft_dot_t;

/* Each has a version in assembly for cores with DSP instructions, one for hosts with wide vectors,
 * and a portable one. */

/* One vector. `out1` is not used. */
void weft_dot_1x4(const weft_dot_t *dot);

/* Two vectors. */
void weft_dot_2x4(const weft_dot_t *dot);

/* Widens `words` times four bytes of two vectors: for every four taps the pair of taps 0 and 2 of
 * both, then that of taps 1 and 3. Gives the end of what it wrote. */
uint32_t *weft_widen_2(const int8_t *x0, const int8_t *x1, uint32_t *to, int32_t words);

#endif /* WEFT_KERNELS_DOT_H */

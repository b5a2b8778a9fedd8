/* SPDX-License-Identifier: Apache-2.0 */
/* An output-stationary array of 16 x 4 multipliers of eight bits: 16 output channels of 4
 * neighbouring pixels at a time. It computes convolutions, of which a matrix product is one with a
 * window of 1x1, and depthwise convolutions; out come raw sums, without bias.
 *
 * What one result is, bit for bit:
 *   1. An accumulator of `accumulator_bits` starts at 0. The products of the window are added one
 *      by one: rows from above, in a row taps from the left, in a tap input channels in order.
 *      After each addition it wraps, or saturates at its limits, as the options say.
 *   2. With WEFT_MAC_ARRAY_RELU a negative sum becomes 0.
 *   3. The sum is shifted right by `shift` bits, rounding down.
 *   4. Its low `out_bits` bits are written; nothing saturates here.
 *
 * Weights lie in the order of their use: blocks of 16 output channels; in each the taps in the
 * order above, in each tap 16 bytes, one a channel. The last block is filled with zeros. A
 * depthwise convolution has one input channel a tap, that of the output channel itself. */
#ifndef WEFT_MAC_ARRAY_H
#define WEFT_MAC_ARRAY_H

#include <stdint.h>

#include "weft/device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WEFT_MAC_ARRAY_CHANNELS = 16, /* output channels of a pass */
    WEFT_MAC_ARRAY_PIXELS = 4     /* output pixels of a pass, neighbours in a row */
};

/* Flags of a job. Operands are signed unless a flag says otherwise. */
enum {
    WEFT_MAC_ARRAY_DEPTHWISE = 1,
    WEFT_MAC_ARRAY_RELU = 2,
    WEFT_MAC_ARRAY_X_UNSIGNED = 4,
    WEFT_MAC_ARRAY_WEIGHTS_UNSIGNED = 8
};

/* Borders are the caller's: every tap of every window must lie in memory. Distances are in bytes
 * and may be negative; channels of a pixel are neighbours, in `x` and in `out`. The first two pairs
 * hold strides and dilations: for a tensor with rows of `row` bytes and pixels of `pixel` bytes,
 * `x_down` is `stride_h * row` and `tap_right` is `dilation_w * pixel`. */
typedef struct weft_mac_array_job {
    const void *x;                      /* first tap of the first window; any address */
    const void *weights;                /* a multiple of 16 */
    void *out;                          /* a multiple of an element's bytes; overlaps neither */
    int32_t flags;                      /* WEFT_MAC_ARRAY_... */
    int32_t out_h, out_w, out_channels; /* windows down and right, and results of each */
    int32_t kernel_h, kernel_w;         /* taps of a window */
    int32_t channels;                   /* input channels of a tap; depthwise: 1 */
    int32_t x_down, x_right;            /* from window to window */
    int32_t tap_down, tap_right;        /* from tap to tap */
    int32_t out_down, out_right;        /* from pixel to pixel of the result */
    int32_t x_zero_point;               /* subtracted from each x; 0 if the array cannot */
    int32_t shift;                      /* 0 to 31 */
    int32_t out_bits;                   /* 8, 16 or 32 */
} weft_mac_array_job_t;

/* What arrays differ in: the options of an instance, in this order. Without any it is 24, 0, 0. */
typedef struct weft_mac_array_options {
    uint32_t accumulator_bits;      /* 24, 29 or 32 */
    uint32_t saturates;             /* 0: accumulators wrap */
    uint32_t subtracts_zero_points; /* 0: `x_zero_point` must be 0 */
} weft_mac_array_options_t;

/* The driver's context. */
typedef struct weft_mac_array {
    weft_mac_array_options_t options;
    uint32_t polls_left; /* until the job is done */
} weft_mac_array_t;

/* Refuses jobs with an extent below 1, an unknown flag, an address or a distance that is not
 * aligned, or a shift, width or zero point that the array does not have: WEFT_E_ARGUMENT. */
extern const weft_device_driver_t weft_mac_array_driver;

/* What the array computes, in C: it stands in for one that is not there. The job must be one that
 * the driver takes. Any context. */
void weft_mac_array_model(const weft_mac_array_job_t *job, const weft_mac_array_options_t *options);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_MAC_ARRAY_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-written kernels, called by programs as generated ones are. They own nothing, keep nothing,
 * and may be called from any context. Extents and strides count elements; what a pointer leads to
 * is as large as they say. `out` overlaps nothing else. */
#ifndef WEFT_MICRO_KERNELS_H
#define WEFT_MICRO_KERNELS_H

#include <stdint.h>

/* Convolution, also used for dense layers: out[y, x, c] for `out_h` rows of `out_w` pixels of
 * `out_channels` channels.
 *
 * An element's window is `runs_h` times `runs_w` runs of `run` elements, which start `run_row` and
 * `run_tap` apart; from one pixel of the result to the next it moves by `x_right`, from one row to
 * the next by `x_down`. `packed` has what kernels/dot.h says for the channels, filled up to a
 * multiple of four, taps in the order of weft_widen_2. `workspace` has room for a word for
 * each pair of taps of two pixels, or of one if there is one only. */
void weft_conv2d_packed_s8(const int8_t *x, const int32_t *packed, int32_t *workspace, int8_t *out,
                           int32_t out_h, int32_t out_w, int32_t out_channels, int32_t runs_h,
                           int32_t runs_w, int32_t run, int32_t run_row, int32_t run_tap,
                           int32_t x_down, int32_t x_right, int32_t out_row, int32_t out_pixel,
                           int32_t zero_point, int32_t low, int32_t high);

/* Depthwise convolution, at least four channels: out[y, x, c]. A window is `kernel_h` rows, `x_row`
 * apart, of `kernel_w` elements, `x_tap` apart; it moves by `x_right` and `x_down`.
 *
 * `packed` holds for every four channels four biases, for every tap a word of their four weights,
 * then four multipliers and four scales, those of weft_requantize_prepared. The last four may overlap
 * with those before, so that they end with the last channel. */
void weft_depthwise_packed_s8(const int8_t *x, const int32_t *packed, int8_t *out, int32_t out_h,
                              int32_t out_w, int32_t channels, int32_t kernel_h, int32_t kernel_w,
                              int32_t x_row, int32_t x_tap, int32_t x_down, int32_t x_right,
                              int32_t out_row, int32_t out_pixel, int32_t zero_point, int32_t low,
                              int32_t high);

/* The same for a window of 3x3 that moves by one pixel, `x_pixel`; `out_w` is at least 2. `packed`
 * is as kernels/depthwise_3x3.c says. */
void weft_depthwise_3x3_s8(const int8_t *x, const int32_t *packed, int8_t *out, int32_t out_h,
                           int32_t out_w, int32_t channels, int32_t x_row, int32_t x_pixel,
                           int32_t x_down, int32_t out_row, int32_t out_pixel, int32_t zero_point,
                           int32_t low, int32_t high);

/* exact + other, requantised: four axes, the last one without gaps. The multiplier of `exact` is
 * one half; `other_shift` is from -31 to -1, or 0 if its multiplier is one half too; `out_shift` is
 * from -31 to -2. Formula: tensorflow/lite/kernels/internal/reference/add.h. */
void weft_add_s8(const int8_t *exact, const int8_t *other, int8_t *out, int32_t extent0,
                 int32_t extent1, int32_t extent2, int32_t extent3, int32_t exact_stride0,
                 int32_t exact_stride1, int32_t exact_stride2, int32_t other_stride0,
                 int32_t other_stride1, int32_t other_stride2, int32_t out_stride0,
                 int32_t out_stride1, int32_t out_stride2, int32_t exact_zero_point,
                 int32_t other_zero_point, int32_t other_multiplier, int32_t other_shift,
                 int32_t out_zero_point, int32_t out_multiplier, int32_t out_shift, int32_t low,
                 int32_t high);

/* Copies `bytes` bytes for every index of three axes; strides in bytes. Any type of element. */
void weft_copy_rows(const int8_t *x, int8_t *out, int32_t extent0, int32_t extent1, int32_t extent2,
                    int32_t bytes, int32_t x_stride0, int32_t x_stride1, int32_t x_stride2,
                    int32_t out_stride0, int32_t out_stride1, int32_t out_stride2);

/* Raw sums of a device to int8: out[y, x, c]. `sums` are [part, y, x, c] without gaps; the parts are
 * added up, in place of the first one. `channels` has three numbers a channel: the doubled bias, a
 * multiplier (Q31) and a scale 2^(32 - right shift), of 2 to 31. A sum with its bias is less than
 * 2^30 in size. */
void weft_requantize_sums_s8(int32_t *sums, const int32_t *channels, int8_t *out, int32_t parts,
                             int32_t out_h, int32_t out_w, int32_t out_channels, int32_t out_row,
                             int32_t out_pixel, int32_t zero_point, int32_t low, int32_t high);

/* The same for any scale: bias, multiplier and shift of weft_requantize_s8, or of weft_rescale_s8
 * if `is_float`. */
void weft_rescale_sums_s8(int32_t *sums, const int32_t *channels, int8_t *out, int32_t parts,
                          int32_t out_h, int32_t out_w, int32_t out_channels, int32_t out_row,
                          int32_t out_pixel, int32_t is_float, int32_t zero_point, int32_t low,
                          int32_t high);

#endif /* WEFT_MICRO_KERNELS_H */

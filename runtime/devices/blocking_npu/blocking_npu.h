/* SPDX-License-Identifier: Apache-2.0 */
/* An NPU behind a C wrapper that blocks: the wrapper is called and returns when the work is done, as
 * with the drivers of Arm's Ethos-U. Its one operation is a matrix product,
 *
 *     out[r][c] = sum over k of x[r][k] * weights[c][k]
 *
 * of int8, with sums of 32 bits that wrap. */
#ifndef WEFT_BLOCKING_NPU_H
#define WEFT_BLOCKING_NPU_H

#include "weft/device.h"

/* One job. Rows lie one behind the other, without gaps. */
typedef struct weft_blocking_npu_job {
    const int8_t *x;       /* rows * depth */
    const int8_t *weights; /* columns * depth */
    int32_t *out;          /* rows * columns */
    uint32_t rows, columns, depth;
} weft_blocking_npu_job_t;

/* The wrapper. 0 when all of `out` is written, otherwise nothing is: 1 if an extent is 0 or over
 * 65,535, 2 if a pointer is null or not aligned to 4 bytes. Thread context. */
int blocking_npu_matmul(const weft_blocking_npu_job_t *job);

extern const weft_device_driver_t weft_blocking_npu_driver;

#endif /* WEFT_BLOCKING_NPU_H */

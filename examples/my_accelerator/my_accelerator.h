/* A made-up engine. For every pixel of x it computes 8 outputs at a time, each a dot product:
 *
 *     out[row][pixel][output] = sum over inputs of x[row][pixel][input] * weights[output][input]
 *
 * The accumulator has 18 bits and saturates after every product. */
#ifndef MY_ACCELERATOR_H
#define MY_ACCELERATOR_H

#include "weft/device.h"

typedef struct my_accelerator_job {
    const int8_t *x;       /* aligned to 4 bytes */
    const int8_t *weights; /* aligned to 4 bytes; in blocks of 8 outputs: [input / 4][output][4] */
    int32_t *out;          /* without gaps */
    int32_t rows, pixels, outputs;
    int32_t inputs;          /* 4, 8, 12 ... 32 */
    int32_t x_down, x_right; /* bytes from row to row, from pixel to pixel: multiples of 4 */
} my_accelerator_job_t;

/* An instance; with hardware, where its registers are. */
typedef struct my_accelerator {
    int32_t polls_left; /* of the stand-in, until the job is done */
} my_accelerator_t;

extern const weft_device_driver_t my_accelerator_driver;

#endif /* MY_ACCELERATOR_H */

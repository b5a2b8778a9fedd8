/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in for the NPU and its wrapper, byte for byte. */
#include "blocking_npu.h"

#define MOST 65535u

static bool is_extent(uint32_t extent)
{
    return extent - 1u < MOST;
}

static bool is_operand(const void *pointer)
{
    return pointer != NULL && ((uintptr_t)pointer & 3u) == 0u;
}

int blocking_npu_matmul(const weft_blocking_npu_job_t *job)
{
    if (!is_extent(job->rows) || !is_extent(job->columns) || !is_extent(job->depth)) return 1;
    if (!is_operand(job->x) || !is_operand(job->weights) || !is_operand(job->out)) return 2;
    for (uint32_t r = 0; r < job->rows; ++r) {
        for (uint32_t c = 0; c < job->columns; ++c) {
            uint32_t sum = 0u; /* wraps, which signed numbers must not */
            for (uint32_t k = 0; k < job->depth; ++k) {
                const int32_t x = job->x[r * job->depth + k];
                sum += (uint32_t)(x * job->weights[c * job->depth + k]);
            }
            job->out[r * job->columns + c] = (int32_t)sum;
        }
    }
    return 0;
}

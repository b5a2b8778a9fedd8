/* SPDX-License-Identifier: Apache-2.0 */
/* The model of the array for a caller that does not know where its operands lie. */
#include "mac_array.h"

void call_mac_array(const weft_mac_array_job_t *job, const weft_mac_array_options_t *options,
                    const void *x, const void *weights, void *out);

void call_mac_array(const weft_mac_array_job_t *job, const weft_mac_array_options_t *options,
                    const void *x, const void *weights, void *out)
{
    weft_mac_array_job_t placed = *job;
    placed.x = x;
    placed.weights = weights;
    placed.out = out;
    weft_mac_array_model(&placed, options);
}

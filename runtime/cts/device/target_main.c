/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the conformance suite as an image of port/cortex_m: the verdicts are at
 * weft_device_cts_result, and weft_image_status says how it ended. */
#include "device_cts.h"
#include "image.h"

static uint8_t memory[256u << 10] __attribute__((aligned(16)));

weft_device_cts_result_t weft_device_cts_result;
volatile uint32_t weft_image_status;

void weft_image_main(void)
{
    const weft_status_t status = weft_device_cts_run(&weft_device_cts_adapter, memory,
                                                     sizeof memory, &weft_device_cts_result);
    weft_image_status = (uint32_t)status;
    weft_image_stop();
}

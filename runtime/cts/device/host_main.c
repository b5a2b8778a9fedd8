/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the conformance suite on the host. Prints, for each case, verdict, line and name; what is
 * missing at the end crashed or did not come back. Exit status 1 if a case failed. */
#include <stdio.h>

#include "device_cts.h"

static uint8_t memory[1u << 20] __attribute__((aligned(16)));

int main(void)
{
    weft_device_cts_result_t result = {0};
    for (uint32_t i = 0; i < (uint32_t)WEFT_DEVICE_CTS_CASES; ++i) {
        const weft_status_t status =
            weft_device_cts_run_case(&weft_device_cts_adapter, memory, sizeof memory, i, &result);
        if (status != WEFT_OK) {
            fprintf(stderr, "the suite cannot start: %s\n", weft_status_string(status));
            return 2;
        }
        printf("%u %u %s\n", (unsigned)result.verdicts[i], (unsigned)result.lines[i],
               weft_device_cts_case_name(i));
        (void)fflush(stdout);
    }
    return result.failed > 0u ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the conformance suite on the host: a line for each case, exit status 1 if one failed. */
#include <stdio.h>

#include "device_cts.h"

static uint8_t memory[1u << 20] __attribute__((aligned(16)));

int main(void)
{
    static const char *const words[] = {"not run", "ok", "skipped", "FAILED"};
    weft_device_cts_result_t result;
    const weft_status_t status =
        weft_device_cts_run(&weft_device_cts_adapter, memory, sizeof memory, &result);
    if (status != WEFT_OK) {
        fprintf(stderr, "the suite cannot start: %s\n", weft_status_string(status));
        return 2;
    }
    for (uint32_t i = 0; i < (uint32_t)WEFT_DEVICE_CTS_CASES; ++i) {
        printf("%s|%s|%u\n", words[result.verdicts[i]], weft_device_cts_case_name(i),
               (unsigned)result.lines[i]);
    }
    return result.failed > 0u ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the host runs, where it cuts frames up or puts them together: it computes nothing. */
#include "weft/program.h"

static const weft_kernel_t kernels[] = {{0, 0u, 0u, 0u, WEFT_ROLE_COMPUTE}};

extern const weft_program_t gateway_program;
const weft_program_t gateway_program = {"gateway", kernels, 0u, WEFT_TABLES_VERSION, 0};

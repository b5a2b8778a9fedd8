/* SPDX-License-Identifier: Apache-2.0 */
/* In place of the one in a compiled program's folder, for the analysis of what includes it. */
#ifndef WEFT_PES_H
#define WEFT_PES_H

#include <stdint.h>

#include "weft/program.h"

extern const weft_program_t p0_program;
extern const uint32_t weft_pe_tables[];
extern const uint8_t weft_pe_constants[];

#define WEFT_PE 0
#define WEFT_PE_PROGRAM p0_program
#define WEFT_PE_TABLES_BYTES 256
#define WEFT_PE_CONSTANTS_BYTES 64
#define WEFT_PE_ARENA_BYTES 128
#define WEFT_PE_STATE_WORDS 6

#endif /* WEFT_PES_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* The program that the two PEs of the conformance test run: PE 0 passes a frame on, once whole and
 * once in short runs with gaps; PE 1 looks at both and answers. */
#ifndef WEFT_PORT_CTS_PROGRAM_H
#define WEFT_PORT_CTS_PROGRAM_H

#include "port_cts.h"

enum {
    FRAME_BYTES = 64,
    LINE_AT = 62, /* in an answer: the line at which PE 1 found something wrong, 15 bits; or 0 */
    IS_CREDIT = 0x8000, /* beside a line: credit is missing, not bytes */
    SINGLE_FRAMES = 24, /* go one at a time, so that nothing later makes up for what got lost */
    CHANNEL_IN = 0,
    CHANNEL_OUT = 1
};

extern const weft_program_t weft_port_cts_program;

/* Of PE `number`, 0 or 1, with their length in words. */
const uint32_t *weft_port_cts_tables(uint32_t number, uint32_t *out_words);

/* Byte `i` of frame number `frame`. */
static inline uint8_t weft_port_cts_byte(uint32_t frame, uint32_t i)
{
    return (uint8_t)(frame * 37u + i * 7u + (frame >> 5) + 1u);
}

/* What the answer has there. */
static inline uint8_t weft_port_cts_answer_byte(uint32_t frame, uint32_t i)
{
    return (uint8_t)(255u - weft_port_cts_byte(frame, i));
}

enum { UNTOUCHED = 0xEE, GUARDED = 0xA7 }; /* what arenas and guards are full of at the start */

#endif /* WEFT_PORT_CTS_PROGRAM_H */

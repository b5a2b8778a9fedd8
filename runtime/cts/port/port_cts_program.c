/* SPDX-License-Identifier: Apache-2.0 */
#include "port_cts_program.h"

#include "weft/port.h"

#define IN_SLOT(slot) (WEFT_IN_SLOT | ((slot) << WEFT_SLOT_SHIFT))

enum { HEAD = 24, SLOT = 7, SHARD = 7, SEND = 15, RETURN = 2, CHANNEL = 6, TASK = 2, CALL = 2 };

/* Runs within a frame, from where and to where: of an odd length, at odd places. */
enum {
    RUN = 5,
    OUTER = 2,
    INNER = 3,
    FROM_OUTER = 32,
    FROM_INNER = 8,
    TO_OUTER = 24,
    TO_INNER = 6
};
enum { RUNS_AT = 1 };

/* In the arena of PE 0: input, answers. In that of PE 1: runs, whole frames, answer, memory. */
enum { INPUT_AT = 0, ANSWERS_AT = 256, RUNS_SLOT_AT = 0, WHOLE_AT = 256, ANSWER_AT = 384 };
enum { ANSWER_STATE = 11 }; /* the state word of its send */
enum { MEMORY_AT = 448, DEPTH_OF_RUNS = 4, DEPTH_OF_WHOLE = 2, DEPTH_OF_ANSWERS = 2 };

enum { WORDS_0 = HEAD + 2 * SLOT + SHARD + 2 * SEND + RETURN + 2 * CHANNEL };
enum { WORDS_1 = HEAD + 2 * SLOT + SHARD + SEND + 2 * RETURN + TASK + CALL + 4 };

/* docs/formats/tables.md says what each word is. */
static const uint32_t tables_0[WORDS_0] = {
    WEFT_TABLES_MAGIC, WEFT_TABLES_VERSION, WORDS_0, WEFT_PORT_CTS_ARENA, 0u, 13u, 2u, HEAD, 1u,
    HEAD + 2 * SLOT, 2u, HEAD + 2 * SLOT + SHARD, 1u, HEAD + 2 * SLOT + SHARD + 2 * SEND, 2u,
    HEAD + 2 * SLOT + SHARD + 2 * SEND + RETURN, 0u, WORDS_0, 0u, WORDS_0, 0u, WORDS_0, 0u, WORDS_0,
    /* slots */
    INPUT_AT, FRAME_BYTES, 4u, 1u, 0u, 0u, 0u, ANSWERS_AT, FRAME_BYTES, DEPTH_OF_ANSWERS, 1u, 0u,
    1u, 6u,
    /* shard */
    0u, 1u, 0u, 0u, 0u, 2u, 10u,
    /* sends */
    1u, 0u, 0u, DEPTH_OF_RUNS, IN_SLOT(0u), RUNS_SLOT_AT + RUNS_AT, FRAME_BYTES, OUTER, INNER, RUN,
    FROM_OUTER, FROM_INNER, TO_OUTER, TO_INNER, 11u, 1u, 1u, 0u, DEPTH_OF_WHOLE, IN_SLOT(0u),
    WHOLE_AT, FRAME_BYTES, 1u, 1u, FRAME_BYTES, 0u, 0u, 0u, 0u, 12u,
    /* return */
    1u, 0u,
    /* channels */
    WEFT_CHANNEL_IN, 0u, 0u, 1u, FRAME_BYTES, FRAME_BYTES, WEFT_CHANNEL_OUT, 1u, 0u, 1u,
    FRAME_BYTES, FRAME_BYTES};

static const uint32_t tables_1[WORDS_1] = {
    WEFT_TABLES_MAGIC, WEFT_TABLES_VERSION, WORDS_1, WEFT_PORT_CTS_ARENA, 0u, 12u, 2u, HEAD, 1u,
    HEAD + 2 * SLOT, 1u, HEAD + 2 * SLOT + SHARD, 2u, HEAD + 2 * SLOT + SHARD + SEND, 0u,
    HEAD + 2 * SLOT + SHARD + SEND + 2 * RETURN, 1u, HEAD + 2 * SLOT + SHARD + SEND + 2 * RETURN,
    1u, HEAD + 2 * SLOT + SHARD + SEND + 2 * RETURN + TASK, 4u,
    HEAD + 2 * SLOT + SHARD + SEND + 2 * RETURN + TASK + CALL, 0u, WORDS_1,
    /* slots */
    RUNS_SLOT_AT, FRAME_BYTES, DEPTH_OF_RUNS, 1u, 0u, 1u, 0u, WHOLE_AT, FRAME_BYTES, DEPTH_OF_WHOLE,
    1u, 1u, 1u, 6u,
    /* shard */
    0u, 2u, 0u, 1u, 0u, 1u, 10u,
    /* send */
    0u, 1u, 0u, DEPTH_OF_ANSWERS, ANSWER_AT, ANSWERS_AT, FRAME_BYTES, 1u, 1u, FRAME_BYTES, 0u, 0u,
    0u, 0u, ANSWER_STATE,
    /* returns */
    0u, 0u, 0u, 1u,
    /* task, call, arguments */
    0u, 1u, 0u, 0u, IN_SLOT(0u), IN_SLOT(1u), ANSWER_AT, MEMORY_AT};

const uint32_t *weft_port_cts_tables(uint32_t number, uint32_t *out_words)
{
    *out_words = number == 0u ? WORDS_0 : WORDS_1;
    return number == 0u ? tables_0 : tables_1;
}

/* --- what PE 1 computes ------------------------------------------------------------------------ */

/* Where byte `at` of a room of runs comes from; FRAME_BYTES if it lies in a gap. */
static uint32_t source_of(uint32_t at)
{
    for (uint32_t o = 0; o < OUTER; ++o) {
        for (uint32_t i = 0; i < INNER; ++i) {
            const uint32_t first = RUNS_AT + o * TO_OUTER + i * TO_INNER;
            if (at >= first && at < first + RUN) {
                return o * FROM_OUTER + i * FROM_INNER + (at - first);
            }
        }
    }
    return FRAME_BYTES;
}

/* The line at which something is wrong, or 0. */
static uint32_t look(const weft_pe_t *pe, const uint8_t *runs, const uint8_t *whole, uint32_t frame)
{
    for (uint32_t i = 0; i < FRAME_BYTES; ++i) {
        if (whole[i] != weft_port_cts_byte(frame, i)) return __LINE__;
        const uint32_t from = source_of(i);
        if (from < FRAME_BYTES && runs[i] != weft_port_cts_byte(frame, from)) return __LINE__;
        if (from == FRAME_BYTES && runs[i] != UNTOUCHED) return __LINE__;
    }
    const weft_port_cts_t *cts = (const weft_port_cts_t *)(const void *)pe;
    for (uint32_t i = 0; i < WEFT_PORT_CTS_GUARD; ++i) {
        if (cts->guard[i] != GUARDED) return __LINE__;
    }
    /* Credit for the answer before was signalled before this frame was. */
    const uint32_t given_back = weft_port_observe(&cts->state[ANSWER_STATE]);
    if (frame < SINGLE_FRAMES && given_back != frame) return __LINE__ | IS_CREDIT;
    return 0u;
}

static void answer(const weft_pe_t *pe, const uint32_t *args)
{
    const uint8_t *runs = weft_pe_at(pe, args[0]);
    const uint8_t *whole = weft_pe_at(pe, args[1]);
    uint8_t *out = weft_pe_arena_at(pe, args[2]);
    uint32_t *memory = weft_pe_arena_at(pe, args[3]); /* frames so far, the first wrong line */
    const uint32_t line = look(pe, runs, whole, memory[0]);
    if (memory[1] == 0u) memory[1] = line;
    for (uint32_t i = 0; i < LINE_AT; ++i) {
        out[i] = weft_port_cts_answer_byte(memory[0], i);
    }
    out[LINE_AT] = (uint8_t)memory[1];
    out[LINE_AT + 1] = (uint8_t)(memory[1] >> 8);
    memory[0] += 1u;
}

static const weft_kernel_t kernels[] = {{answer, 4u, 4u, 0xCu, WEFT_ROLE_COMPUTE}};

const weft_program_t weft_port_cts_program = {"port_cts", kernels, 1u, WEFT_TABLES_VERSION, NULL};

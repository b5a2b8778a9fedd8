/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200112L

#include "fixture.h"

#include "weft_test.h"

#define K(offset_) (WEFT_IN_CONSTANTS | (offset_))
#define S(slot_, offset_) \
    (WEFT_IN_SLOT | ((uint32_t)(slot_) << WEFT_SLOT_SHIFT) | (uint32_t)(offset_))

/* clang-format off */
const uint32_t fixture_words[FIXTURE_WORDS] = {
    WEFT_TABLES_MAGIC, WEFT_TABLES_VERSION, FIXTURE_WORDS,
    FIXTURE_ARENA_BYTES, FIXTURE_CONSTANTS_BYTES, FIXTURE_STATE_WORDS,
    FIXTURE_SLOTS, AT_SLOTS, FIXTURE_SHARDS, AT_SHARDS, FIXTURE_SENDS, AT_SENDS,
    FIXTURE_RETURNS, AT_RETURNS, FIXTURE_CHANNELS, AT_CHANNELS, FIXTURE_TASKS, AT_TASKS,
    FIXTURE_CALLS, AT_CALLS, FIXTURE_ARGS, AT_ARGS, 0u, FIXTURE_WORDS,
    /* slots: offset, frame bytes, depth, producers, first return, returns, state */
    A_AT, 4u, 1u, 1u, 0u, 0u, 0u,
    B_AT, B_FRAME, 2u, 1u, 0u, 0u, 3u,
    MIDDLE_AT, 4u, 1u, 1u, 0u, 1u, 7u,
    OUT_AT, OUT_FRAME, 2u, 1u, 1u, 1u, 10u,
    /* shards: first slot, slots, first task, tasks, first send, sends, state */
    SLOT_A, 2u, 0u, 3u, 0u, 1u, STATE_FIRST_SHARD,
    SLOT_MIDDLE, 1u, 3u, 1u, 1u, 1u, STATE_SECOND_SHARD,
    /* sends: PE, slot, producer, depth, from, to, frame bytes, outer, inner, bytes,
     * strides from and to: outer, inner; state */
    FIXTURE_NUMBER, SLOT_MIDDLE, 0u, 1u, SUM_AT, MIDDLE_AT, 4u, 1u, 2u, 2u,
        0u, 2u, 0u, 2u, STATE_FIRST_SEND,
    FIXTURE_NUMBER, SLOT_OUT, 0u, 2u, S(SLOT_MIDDLE, 0u), OUT_AT + 1, OUT_FRAME, 2u, 1u, 2u,
        2u, 0u, 4u, 0u, STATE_FIRST_SEND + 1,
    /* returns: PE, send */
    FIXTURE_NUMBER, 0u,
    FIXTURE_NUMBER, 1u,
    /* channels: direction, slot, offset, rows, bytes a row, stride */
    0u, SLOT_A, 0u, 1u, 4u, 4u,
    0u, SLOT_B, 1u, 2u, 2u, 5u,
    1u, SLOT_OUT, 1u, 2u, 2u, 4u,
    /* tasks: first call, calls */
    0u, 2u,
    2u, 0u,
    2u, 2u,
    4u, 1u,
    /* calls: kernel, first argument */
    1u, 0u,
    2u, 5u,
    0u, 6u,
    0u, 10u,
    2u, 14u,
    /* arguments */
    S(SLOT_B, 1u), SCRATCH_AT, 2u, 2u, 5u,
    77u,
    SCRATCH_AT, K(4u), SCRATCH_AT, 4u,
    S(SLOT_A, 0u), SCRATCH_AT, SUM_AT, 4u,
    88u,
};
/* clang-format on */

const uint8_t fixture_constants[FIXTURE_CONSTANTS_BYTES] = {9, 9, 9, 9, 10, 20, 30, 250};

fixture_log_t fixture_log;

static void log_kernel(char kernel)
{
    if (!fixture_log.enabled || fixture_log.count == sizeof fixture_log.kernels) return;
    fixture_log.kernels[fixture_log.count++] = kernel;
}

/* pointers: left, right, out; numbers: count */
static void invoke_add(const weft_pe_t *pe, const uint32_t *args)
{
    const uint8_t *left = weft_pe_at(pe, args[0]);
    const uint8_t *right = weft_pe_at(pe, args[1]);
    uint8_t *out = weft_pe_arena_at(pe, args[2]);
    log_kernel('a');
    for (uint32_t i = 0; i < args[3]; ++i) out[i] = (uint8_t)(left[i] + right[i]);
}

/* pointers: x, out; numbers: rows, bytes a row, stride */
static void invoke_gather(const weft_pe_t *pe, const uint32_t *args)
{
    const uint8_t *x = weft_pe_at(pe, args[0]);
    uint8_t *out = weft_pe_arena_at(pe, args[1]);
    log_kernel('g');
    for (uint32_t i = 0; i < args[2]; ++i) memcpy(out + i * args[3], x + i * args[4], args[3]);
}

/* numbers: any */
static void invoke_mark(const weft_pe_t *pe, const uint32_t *args)
{
    (void)pe;
    log_kernel('m');
    if (fixture_log.enabled) fixture_log.marked = args[0];
}

static const weft_kernel_t kernels[] = {
    {invoke_add, 3u, 4u, 1u << 2, WEFT_ROLE_COMPUTE},
    {invoke_gather, 2u, 5u, 1u << 1, WEFT_ROLE_COMPUTE},
    {invoke_mark, 0u, 1u, 0u, WEFT_ROLE_COMPUTE},
};

const weft_program_t fixture_program = {"fixture", kernels, 3u, WEFT_TABLES_VERSION, NULL};

void *fixture_aligned(size_t size)
{
    void *block = NULL;
    if (posix_memalign(&block, WEFT_ALIGNMENT, size) != 0) abort();
    return block;
}

void fixture_make(fixture_t *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->words = test_exact_copy(fixture_words, sizeof fixture_words);
    fixture->arena = fixture_aligned(FIXTURE_ARENA_BYTES);
    memset(fixture->arena, 0xEE, FIXTURE_ARENA_BYTES);
    fixture->constants = fixture_aligned(FIXTURE_CONSTANTS_BYTES);
    memcpy(fixture->constants, fixture_constants, FIXTURE_CONSTANTS_BYTES);
    fixture->state = calloc(FIXTURE_STATE_WORDS, sizeof *fixture->state);
    CHECK(fixture->state != NULL);
    fixture->config = (weft_pe_config_t){
        .program = &fixture_program,
        .tables = (const weft_tables_t *)fixture->words,
        .table_words = FIXTURE_WORDS,
        .arena = fixture->arena,
        .arena_bytes = FIXTURE_ARENA_BYTES,
        .constants = fixture->constants,
        .constants_bytes = FIXTURE_CONSTANTS_BYTES,
        .state = fixture->state,
        .state_words = FIXTURE_STATE_WORDS,
        .number = FIXTURE_NUMBER,
        .epoch = FIXTURE_EPOCH,
    };
}

void fixture_start(fixture_t *fixture)
{
    fixture_make(fixture);
    CHECK_EQ(weft_pe_init(&fixture->pe, &fixture->config), WEFT_OK);
}

void fixture_free(fixture_t *fixture)
{
    free(fixture->words);
    free(fixture->arena);
    free(fixture->constants);
    free(fixture->state);
}

uint32_t fixture_frames_done(const fixture_t *fixture)
{
    return fixture->state[STATE_SECOND_SHARD];
}

void fixture_preset(fixture_t *fixture, uint32_t count)
{
    for (uint32_t i = 0; i < FIXTURE_SLOTS; ++i) {
        uint32_t *state = fixture->state + fixture->words[in_slot(i, SLOT_STATE)];
        state[0] = count;
        state[1u + fixture->words[in_slot(i, SLOT_DEPTH)]] = count;
    }
    for (uint32_t i = STATE_FIRST_SHARD; i < FIXTURE_STATE_WORDS; ++i) fixture->state[i] = count;
}

void fixture_write_room(const fixture_t *fixture, uint32_t channel, void *room,
                        const uint8_t *frame)
{
    const uint32_t *row = fixture->words + in_channel(channel, 0u);
    for (uint32_t i = 0; i < row[CHANNEL_ROWS]; ++i) {
        memcpy((uint8_t *)room + i * row[CHANNEL_STRIDE], frame + i * row[CHANNEL_BYTES],
               row[CHANNEL_BYTES]);
    }
}

void fixture_read_room(const fixture_t *fixture, uint32_t channel, const void *room, uint8_t *frame)
{
    const uint32_t *row = fixture->words + in_channel(channel, 0u);
    for (uint32_t i = 0; i < row[CHANNEL_ROWS]; ++i) {
        memcpy(frame + i * row[CHANNEL_BYTES], (const uint8_t *)room + i * row[CHANNEL_STRIDE],
               row[CHANNEL_BYTES]);
    }
}

void fixture_feed(fixture_t *fixture, uint32_t channel, const uint8_t *frame)
{
    void *room = NULL;
    CHECK_EQ(weft_pe_channel_acquire(&fixture->pe, channel, &room), WEFT_OK);
    fixture_write_room(fixture, channel, room, frame);
    CHECK_EQ(weft_pe_channel_publish(&fixture->pe, channel), WEFT_OK);
}

void fixture_feed_both(fixture_t *fixture, const uint8_t *a, const uint8_t *b)
{
    fixture_feed(fixture, IN_A, a);
    fixture_feed(fixture, IN_B, b);
}

void fixture_run_frame(fixture_t *fixture)
{
    for (uint32_t i = 0; i < FIXTURE_STEPS; ++i) CHECK_EQ(weft_pe_step(&fixture->pe), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture->pe), WEFT_IDLE);
}

void fixture_fetch(fixture_t *fixture, uint8_t *frame)
{
    const void *room = NULL;
    CHECK_EQ(weft_pe_channel_observe(&fixture->pe, OUT, &room), WEFT_OK);
    fixture_read_room(fixture, OUT, room, frame);
    CHECK_EQ(weft_pe_channel_release(&fixture->pe, OUT), WEFT_OK);
}

void fixture_fetch_sum(fixture_t *fixture, const uint8_t *a, const uint8_t *b)
{
    uint8_t out[FIXTURE_FRAME], expected[FIXTURE_FRAME];
    fixture_fetch(fixture, out);
    fixture_expected(a, b, expected);
    CHECK(memcmp(out, expected, sizeof out) == 0);
}

void fixture_expected(const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    for (uint32_t i = 0; i < FIXTURE_FRAME; ++i) {
        out[i] = (uint8_t)(a[i] + b[i] + fixture_constants[4u + i]);
    }
}

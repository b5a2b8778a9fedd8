/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200112L

#include "fixture.h"

#include "weft_test.h"

#define K(offset_) (WEFT_IN_CONSTANTS | (offset_))

enum { A_AT = 0, B_AT = 9, B_STRIDE = 5, SCRATCH_AT = 32, OUT_AT = 60 };

/* clang-format off */
const uint32_t fixture_words[FIXTURE_WORDS] = {
    WEFT_TABLES_MAGIC, WEFT_TABLES_VERSION, FIXTURE_WORDS,
    FIXTURE_ARENA_BYTES, FIXTURE_CONSTANTS_BYTES,
    FIXTURE_CHANNELS, AT_CHANNELS, FIXTURE_TASKS, AT_TASKS, 4u, AT_CALLS, 14u, AT_ARGS,
    /* channels: direction, offset, rows, bytes a row, stride */
    0u, A_AT, 1u, 4u, 4u,
    0u, B_AT, 2u, 2u, B_STRIDE,
    1u, OUT_AT, 1u, 4u, 4u,
    /* tasks: first call, calls */
    0u, 2u,
    2u, 0u,
    2u, 2u,
    /* calls: kernel, first argument */
    1u, 0u,
    2u, 5u,
    0u, 6u,
    0u, 10u,
    /* arguments */
    B_AT, SCRATCH_AT, 2u, 2u, B_STRIDE,
    77u,
    SCRATCH_AT, K(4u), SCRATCH_AT, 4u,
    A_AT, SCRATCH_AT, OUT_AT, 4u,
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
    {invoke_add, 3u, 4u},
    {invoke_gather, 2u, 5u},
    {invoke_mark, 0u, 1u},
};

const weft_program_t fixture_program = {"fixture", kernels, 3u, WEFT_TABLES_VERSION};

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
    fixture->channels = calloc(FIXTURE_CHANNELS, sizeof *fixture->channels);
    CHECK(fixture->channels != NULL);
    fixture->config = (weft_pe_config_t){
        .program = &fixture_program,
        .tables = (const weft_tables_t *)fixture->words,
        .table_words = FIXTURE_WORDS,
        .arena = fixture->arena,
        .arena_bytes = FIXTURE_ARENA_BYTES,
        .constants = fixture->constants,
        .constants_bytes = FIXTURE_CONSTANTS_BYTES,
        .channels = fixture->channels,
        .channel_capacity = FIXTURE_CHANNELS,
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
    free(fixture->channels);
}

static const uint32_t *channel_row(const fixture_t *fixture, uint32_t channel)
{
    return fixture->words + AT_CHANNELS + channel * ROW_WORDS;
}

void fixture_write_slot(const fixture_t *fixture, uint32_t channel, void *slot,
                        const uint8_t *frame)
{
    const uint32_t *row = channel_row(fixture, channel);
    for (uint32_t i = 0; i < row[ROW_ROWS]; ++i) {
        memcpy((uint8_t *)slot + i * row[ROW_STRIDE], frame + i * row[ROW_BYTES], row[ROW_BYTES]);
    }
}

void fixture_read_slot(const fixture_t *fixture, uint32_t channel, const void *slot, uint8_t *frame)
{
    const uint32_t *row = channel_row(fixture, channel);
    for (uint32_t i = 0; i < row[ROW_ROWS]; ++i) {
        memcpy(frame + i * row[ROW_BYTES], (const uint8_t *)slot + i * row[ROW_STRIDE],
               row[ROW_BYTES]);
    }
}

void fixture_feed(fixture_t *fixture, uint32_t channel, const uint8_t *frame)
{
    void *slot = NULL;
    CHECK_EQ(weft_pe_channel_acquire(&fixture->pe, channel, &slot), WEFT_OK);
    fixture_write_slot(fixture, channel, slot, frame);
    CHECK_EQ(weft_pe_channel_publish(&fixture->pe, channel), WEFT_OK);
}

void fixture_feed_both(fixture_t *fixture, const uint8_t *a, const uint8_t *b)
{
    fixture_feed(fixture, IN_A, a);
    fixture_feed(fixture, IN_B, b);
}

void fixture_fetch(fixture_t *fixture, uint8_t *frame)
{
    const void *slot = NULL;
    CHECK_EQ(weft_pe_channel_observe(&fixture->pe, OUT, &slot), WEFT_OK);
    fixture_read_slot(fixture, OUT, slot, frame);
    CHECK_EQ(weft_pe_channel_release(&fixture->pe, OUT), WEFT_OK);
}

void fixture_expected(const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    for (uint32_t i = 0; i < FIXTURE_FRAME; ++i) {
        out[i] = (uint8_t)(a[i] + b[i] + fixture_constants[4u + i]);
    }
}

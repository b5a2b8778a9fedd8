/* SPDX-License-Identifier: Apache-2.0 */
/* Randomly damaged tables: the check reads nothing outside of them, and what it lets through can
 * be walked and run without leaving tables, arena and constants. */
#include "fixture.h"
#include "weft_test.h"

enum { ROUNDS = 60000, MOST_CHANGES = 4, MOST_STEPS = 64 };

/* Uses every argument and the first byte behind every pointer. */
static uint32_t touched;
static uint32_t steps_done;

static void touch(const weft_pe_t *pe, const uint32_t *args, uint32_t pointers, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) touched += args[i];
    for (uint32_t i = 0; i < pointers; ++i) {
        touched += *(const uint8_t *)weft_pe_at(pe, args[i]);
    }
    if (pointers > 0u) *(uint8_t *)weft_pe_arena_at(pe, args[pointers - 1u]) = 1u;
}

static void touch_add(const weft_pe_t *pe, const uint32_t *args)
{
    touch(pe, args, 3u, 4u);
}

static void touch_gather(const weft_pe_t *pe, const uint32_t *args)
{
    touch(pe, args, 2u, 5u);
}

static void touch_mark(const weft_pe_t *pe, const uint32_t *args)
{
    touch(pe, args, 0u, 1u);
}

static const weft_kernel_t touching_kernels[] = {{touch_add, 3u, 4u, 1u << 2, WEFT_ROLE_COMPUTE},
                                                 {touch_gather, 2u, 5u, 1u << 1, WEFT_ROLE_COMPUTE},
                                                 {touch_mark, 0u, 1u, 0u, WEFT_ROLE_COMPUTE}};

static const weft_program_t touching_program = {"touching", touching_kernels, 3u,
                                                WEFT_TABLES_VERSION, NULL};

static uint32_t mutated(uint32_t word, uint32_t *seed)
{
    switch (test_random(seed) % 4u) {
    case 0: return word ^ (UINT32_C(1) << (test_random(seed) % 32u));
    case 1: return word + test_random(seed) % 9u - 4u;
    case 2: return fixture_words[test_random(seed) % FIXTURE_WORDS];
    default: return test_random_extreme(seed);
    }
}

/* The fixture's tables with some words changed, in a block of exactly *out_words words, which is
 * sometimes shorter than the whole. */
static uint32_t *damaged_tables(uint32_t *seed, uint32_t *out_words)
{
    uint32_t words[FIXTURE_WORDS];
    memcpy(words, fixture_words, sizeof words);
    const uint32_t changes = 1u + test_random(seed) % MOST_CHANGES;
    for (uint32_t i = 0; i < changes; ++i) {
        /* Magic and version would only hide the rest. */
        const uint32_t word = 2u + test_random(seed) % (FIXTURE_WORDS - 2u);
        words[word] = mutated(words[word], seed);
    }
    const bool is_cut = test_random(seed) % 8u == 0u;
    *out_words = is_cut ? test_random(seed) % FIXTURE_WORDS : FIXTURE_WORDS;
    return test_exact_copy(words, *out_words * sizeof words[0]);
}

static void walk_slots(const weft_tables_t *tables)
{
    uint32_t state = 0;
    for (uint32_t i = 0; i < tables->slots.count; ++i) {
        const weft_slot_row_t row = *weft_tables_slot(tables, i);
        CHECK(row.depth > 0u && (row.depth & (row.depth - 1u)) == 0u);
        CHECK(row.offset + (uint64_t)row.depth * row.frame_bytes <= tables->arena_bytes);
        CHECK_EQ(row.state, state);
        state += 1u + row.depth + row.producer_count;
        for (uint32_t k = 0; k < row.return_count; ++k) {
            touched += weft_tables_return(tables, row.first_return + k)->send;
        }
    }
    CHECK(state <= tables->state_words);
    for (uint32_t i = 0; i < tables->channels.count; ++i) {
        const weft_channel_row_t row = *weft_tables_channel(tables, i);
        const uint64_t last = row.offset + (uint64_t)(row.rows - 1u) * row.row_stride;
        CHECK(row.direction <= 1u && row.rows > 0u && row.row_bytes > 0u);
        CHECK(row.row_stride >= row.row_bytes);
        CHECK(last + row.row_bytes <= weft_tables_slot(tables, row.slot)->frame_bytes);
    }
}

static void walk_calls(const weft_tables_t *tables)
{
    for (uint32_t i = 0; i < tables->tasks.count; ++i) {
        const weft_task_row_t row = *weft_tables_task(tables, i);
        CHECK((uint64_t)row.first_call + row.call_count <= tables->calls.count);
    }
    for (uint32_t i = 0; i < tables->calls.count; ++i) {
        const weft_call_row_t row = *weft_tables_call(tables, i);
        CHECK(row.kernel < touching_program.kernel_count);
        const weft_kernel_t *kernel = &touching_program.kernels[row.kernel];
        CHECK((uint64_t)row.first_arg + kernel->arg_count <= tables->args.count);
        for (uint32_t k = 0; k < kernel->arg_count; ++k) {
            touched += weft_tables_args(tables, row.first_arg)[k];
        }
    }
}

/* Reads every row through the accessors and checks it as the header words it. */
static void walk(const weft_tables_t *tables)
{
    walk_slots(tables);
    walk_calls(tables);
    for (uint32_t i = 0; i < tables->shards.count; ++i) {
        const weft_shard_row_t row = *weft_tables_shard(tables, i);
        CHECK((uint64_t)row.first_slot + row.slot_count <= tables->slots.count);
        CHECK((uint64_t)row.first_task + row.task_count <= tables->tasks.count);
        CHECK((uint64_t)row.first_send + row.send_count <= tables->sends.count);
        CHECK(row.state < tables->state_words);
    }
    for (uint32_t i = 0; i < tables->sends.count; ++i) {
        const weft_send_row_t row = *weft_tables_send(tables, i);
        CHECK(row.state < tables->state_words);
        CHECK((uint64_t)row.outer * row.inner <= row.frame_bytes || row.bytes == 0u);
    }
}

/* Whatever another PE, sane or not, may say: nothing is said of what becomes of the frames. */
static void disturb(weft_pe_t *pe, uint32_t *seed)
{
    const uint32_t any = test_random(seed) % 6u, frame = test_random(seed) % 8u;
    (void)weft_pe_deliver_arrival(pe, FIXTURE_EPOCH, any, test_random(seed) % 3u, frame);
    (void)weft_pe_deliver_credit(pe, FIXTURE_EPOCH, any, frame);
}

/* The port of a PE without a mesh refuses what leaves it, which ends the run. */
static void run(fixture_t *fixture, uint32_t *seed)
{
    const weft_tables_t *tables = fixture->config.tables;
    const weft_status_t status = weft_pe_init(&fixture->pe, &fixture->config);
    if (status == WEFT_E_TABLES) {
        CHECK_EQ(weft_tables_check_self(tables, FIXTURE_NUMBER), WEFT_E_TABLES);
        return;
    }
    const bool is_too_large = tables->arena_bytes > FIXTURE_ARENA_BYTES ||
                              tables->constants_bytes > FIXTURE_CONSTANTS_BYTES ||
                              tables->state_words > FIXTURE_STATE_WORDS;
    CHECK_EQ(status, is_too_large ? WEFT_E_STORAGE : WEFT_OK);
    if (is_too_large) return;
    for (uint32_t i = 0; i < MOST_STEPS; ++i) {
        weft_wait_t wait;
        for (uint32_t channel = 0; channel < tables->channels.count; ++channel) {
            void *room = NULL;
            const void *seen = NULL;
            if (weft_pe_channel_acquire(&fixture->pe, channel, &room) == WEFT_OK) {
                *(uint8_t *)room = (uint8_t)i;
                CHECK_EQ(weft_pe_channel_publish(&fixture->pe, channel), WEFT_OK);
            }
            if (weft_pe_channel_observe(&fixture->pe, channel, &seen) == WEFT_OK) {
                touched += *(const uint8_t *)seen;
                (void)weft_pe_channel_release(&fixture->pe, channel);
            }
        }
        if (i % 4u == 3u) disturb(&fixture->pe, seed);
        for (uint32_t shard = 0; shard < tables->shards.count; ++shard) {
            CHECK_EQ(weft_pe_waits_for(&fixture->pe, shard, &wait), WEFT_OK);
        }
        const weft_status_t stepped = weft_pe_step(&fixture->pe);
        if (stepped == WEFT_OK) steps_done += 1u;
        CHECK(stepped == WEFT_OK || stepped == WEFT_IDLE || stepped == WEFT_E_ARGUMENT ||
              stepped == WEFT_E_SEQUENCE);
    }
}

static void many_rounds(uint32_t seed)
{
    uint32_t accepted = 0;
    fixture_t fixture;
    fixture_make(&fixture);
    for (uint32_t i = 0; i < ROUNDS; ++i) {
        uint32_t words = 0;
        NOTE("round %u", (unsigned)i);
        uint32_t *block = damaged_tables(&seed, &words);
        const weft_tables_t *tables = (const weft_tables_t *)block;
        const weft_status_t status = weft_tables_check(tables, words, &touching_program);
        CHECK(status == WEFT_OK || status == WEFT_E_TABLES);
        if (status == WEFT_OK) {
            ++accepted;
            walk(tables);
            fixture.config.program = &touching_program;
            fixture.config.tables = tables;
            fixture.config.table_words = words;
            run(&fixture, &seed);
        }
        free(block);
    }
    fixture_free(&fixture);
    /* Otherwise this test would look at one half of the promise only. */
    CHECK(accepted > ROUNDS / 100 && accepted < ROUNDS);
    CHECK(steps_done > accepted * 4u);
}

TEST(damaged_tables_are_refused_or_harmless_1)
{
    many_rounds(UINT32_C(1));
}

TEST(damaged_tables_are_refused_or_harmless_2)
{
    many_rounds(UINT32_C(0x9E3779B9));
}

/* No structure at all behind magic and version. */
TEST(noise_is_refused_or_harmless)
{
    uint32_t seed = 7u;
    for (uint32_t i = 0; i < ROUNDS; ++i) {
        uint32_t words[FIXTURE_WORDS];
        for (uint32_t k = 0; k < FIXTURE_WORDS; ++k) words[k] = test_random_extreme(&seed);
        words[AT_MAGIC] = WEFT_TABLES_MAGIC;
        words[AT_VERSION] = WEFT_TABLES_VERSION;
        const uint32_t count = test_random(&seed) % (FIXTURE_WORDS + 1u);
        void *block = test_exact_copy(words, count * sizeof words[0]);
        if (weft_tables_check(block, count, &touching_program) == WEFT_OK) walk(block);
        free(block);
    }
}

TEST_MAIN(CASE(damaged_tables_are_refused_or_harmless_1),
          CASE(damaged_tables_are_refused_or_harmless_2), CASE(noise_is_refused_or_harmless))

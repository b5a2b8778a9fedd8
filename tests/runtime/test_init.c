/* SPDX-License-Identifier: Apache-2.0 */
/* weft_pe_init: every documented failure, and the first state. */
#include "fixture.h"
#include "weft_test.h"

static weft_status_t init(fixture_t *fixture)
{
    return weft_pe_init(&fixture->pe, &fixture->config);
}

/* After a failure the context is not usable, and says so. */
static void is_unusable(fixture_t *fixture)
{
    void *room = NULL;
    const void *seen = NULL;
    weft_wait_t wait;
    CHECK_EQ(weft_pe_step(&fixture->pe), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_acquire(&fixture->pe, IN_A, &room), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_publish(&fixture->pe, IN_A), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_observe(&fixture->pe, OUT, &seen), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_release(&fixture->pe, OUT), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_deliver_arrival(&fixture->pe, FIXTURE_EPOCH, SLOT_MIDDLE, 0u, 0u),
             WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_deliver_credit(&fixture->pe, FIXTURE_EPOCH, 0u, 1u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_waits_for(&fixture->pe, 0u, &wait), WEFT_E_ARGUMENT);
}

static void fails(fixture_t *fixture, weft_status_t expected)
{
    CHECK_EQ(init(fixture), expected);
    is_unusable(fixture);
    fixture_free(fixture);
}

TEST(null_context_or_configuration)
{
    fixture_t fixture;
    fixture_make(&fixture);
    CHECK_EQ(weft_pe_init(NULL, &fixture.config), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_init(&fixture.pe, NULL), WEFT_E_ARGUMENT);
    is_unusable(&fixture);
    fixture_free(&fixture);
}

TEST(null_context_in_every_other_call)
{
    void *room = NULL;
    const void *seen = NULL;
    weft_wait_t wait;
    CHECK_EQ(weft_pe_step(NULL), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_acquire(NULL, 0u, &room), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_publish(NULL, 0u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_observe(NULL, 0u, &seen), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_release(NULL, 0u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_deliver_arrival(NULL, 0u, 0u, 0u, 0u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_deliver_credit(NULL, 0u, 0u, 0u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_fail(NULL, WEFT_E_STOPPED), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_waits_for(NULL, 0u, &wait), WEFT_E_ARGUMENT);
}

TEST(null_program)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.program = NULL;
    fails(&fixture, WEFT_E_ARGUMENT);
}

TEST(null_tables)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.tables = NULL;
    fails(&fixture, WEFT_E_ARGUMENT);
}

TEST(null_arena)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.arena = NULL;
    fails(&fixture, WEFT_E_ARGUMENT);
}

TEST(null_constants)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.constants = NULL;
    fails(&fixture, WEFT_E_ARGUMENT);
}

TEST(null_state)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.state = NULL;
    fails(&fixture, WEFT_E_ARGUMENT);
}

TEST(tables_of_another_version)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[AT_VERSION] += 1u;
    fails(&fixture, WEFT_E_VERSION);
}

TEST(damaged_tables)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[AT_MAGIC] += 1u;
    fails(&fixture, WEFT_E_TABLES);
}

TEST(tables_longer_than_what_may_be_read)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.table_words -= 1u;
    fails(&fixture, WEFT_E_TABLES);
}

TEST(arena_too_small)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.arena_bytes -= 1u;
    fails(&fixture, WEFT_E_STORAGE);
}

TEST(constants_too_small)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.constants_bytes -= 1u;
    fails(&fixture, WEFT_E_STORAGE);
}

TEST(too_few_state_words)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.state_words -= 1u;
    fails(&fixture, WEFT_E_STORAGE);
}

/* Larger storage, so that only the alignment is wrong. */
TEST(arena_not_aligned)
{
    uint8_t *storage = fixture_aligned(FIXTURE_ARENA_BYTES + WEFT_ALIGNMENT);
    for (uint32_t shift = 1; shift < WEFT_ALIGNMENT; ++shift) {
        fixture_t fixture;
        NOTE("%u bytes off", (unsigned)shift);
        fixture_make(&fixture);
        fixture.config.arena = storage + shift;
        fails(&fixture, WEFT_E_STORAGE);
    }
    free(storage);
}

TEST(constants_not_aligned)
{
    uint8_t *storage = fixture_aligned(FIXTURE_CONSTANTS_BYTES + WEFT_ALIGNMENT);
    for (uint32_t shift = 1; shift < WEFT_ALIGNMENT; ++shift) {
        fixture_t fixture;
        NOTE("%u bytes off", (unsigned)shift);
        fixture_make(&fixture);
        fixture.config.constants = storage + shift;
        fails(&fixture, WEFT_E_STORAGE);
    }
    free(storage);
}

TEST(more_storage_than_needed_is_no_fault)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.config.arena_bytes = UINT32_MAX; /* a claim: nothing behind the tables' size is used */
    fixture.config.constants_bytes = UINT32_MAX;
    fixture.config.state_words = UINT32_MAX;
    CHECK_EQ(init(&fixture), WEFT_OK);
    fixture_free(&fixture);
}

TEST(no_constants_need_no_pointer)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[AT_CONSTANTS_BYTES] = 0u;
    fixture.words[ARGS_ADD + 1] = SCRATCH_AT; /* the one pointer into them */
    fixture.config.constants = NULL;
    fixture.config.constants_bytes = 0u;
    CHECK_EQ(init(&fixture), WEFT_OK);
    fixture_free(&fixture);
}

/* A PE that has been given nothing to do. */
TEST(empty_tables_need_no_storage)
{
    static const uint32_t counts[] = {AT_SLOT_COUNT,   AT_SHARD_COUNT,    AT_SEND_COUNT,
                                      AT_RETURN_COUNT, AT_CHANNEL_COUNT,  AT_TASK_COUNT,
                                      AT_CALL_COUNT,   AT_ARGS_COUNT,     AT_STATE_WORDS,
                                      AT_ARENA_BYTES,  AT_CONSTANTS_BYTES};
    fixture_t fixture;
    fixture_make(&fixture);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; ++i) fixture.words[counts[i]] = 0u;
    fixture.config.arena = NULL;
    fixture.config.arena_bytes = 0u;
    fixture.config.constants = NULL;
    fixture.config.constants_bytes = 0u;
    fixture.config.state = NULL;
    fixture.config.state_words = 0u;
    CHECK_EQ(init(&fixture), WEFT_OK);
    for (int i = 0; i < 3; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    fixture_free(&fixture);
}

/* The tables of another PE: what they send to themselves would go to a stranger, or come from one. */
TEST(sends_to_itself_must_fit_together)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[in_return(1u, RETURN_SEND)] = 0u;
    fails(&fixture, WEFT_E_TABLES);
}

TEST(the_first_state)
{
    const uint8_t frame[FIXTURE_FRAME] = {0};
    const void *seen = NULL;
    fixture_t fixture;
    fixture_make(&fixture);
    memset(&fixture.pe, 0xA5, sizeof fixture.pe);
    memset(fixture.state, 0xA5, FIXTURE_STATE_WORDS * sizeof *fixture.state);
    CHECK_EQ(init(&fixture), WEFT_OK);
    CHECK_EQ(fixture_frames_done(&fixture), 0);
    for (uint32_t i = 0; i < FIXTURE_STATE_WORDS; ++i) CHECK_EQ(fixture.state[i], 0);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_NO_FRAME);
    fixture_feed_both(&fixture, frame, frame); /* all credits are there */
    fixture_free(&fixture);
}

TEST(init_does_not_touch_arena_constants_or_tables)
{
    fixture_t fixture;
    fixture_start(&fixture);
    for (uint32_t i = 0; i < FIXTURE_ARENA_BYTES; ++i) CHECK_EQ(fixture.arena[i], 0xEE);
    CHECK(memcmp(fixture.constants, fixture_constants, sizeof fixture_constants) == 0);
    CHECK(memcmp(fixture.words, fixture_words, sizeof fixture_words) == 0);
    fixture_free(&fixture);
}

TEST(the_configuration_itself_is_not_kept)
{
    const uint8_t a[FIXTURE_FRAME] = {1, 2, 3, 4}, b[FIXTURE_FRAME] = {5, 6, 7, 8};
    fixture_t fixture;
    fixture_start(&fixture);
    memset(&fixture.config, 0xA5, sizeof fixture.config);
    fixture_feed_both(&fixture, a, b);
    while (weft_pe_step(&fixture.pe) == WEFT_OK) continue;
    fixture_fetch_sum(&fixture, a, b);
    fixture_free(&fixture);
}

/* In the middle of a firing, with a frame on every channel. */
TEST(init_starts_anew)
{
    const uint8_t frame[FIXTURE_FRAME] = {1, 1, 1, 1};
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    fixture_feed_both(&fixture, frame, frame);
    while (weft_pe_step(&fixture.pe) == WEFT_OK) continue;
    fixture_fetch(&fixture, (uint8_t[FIXTURE_FRAME]){0});
    fixture_feed_both(&fixture, frame, frame);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    CHECK_EQ(init(&fixture), WEFT_OK);
    CHECK_EQ(fixture_frames_done(&fixture), 0);
    for (uint32_t i = 0; i < FIXTURE_STATE_WORDS; ++i) CHECK_EQ(fixture.state[i], 0);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_NO_FRAME);
    fixture_feed_both(&fixture, frame, frame);
    fixture_run_frame(&fixture);
    CHECK_EQ(fixture_frames_done(&fixture), 1);
    fixture_free(&fixture);
}

TEST(init_takes_a_fault_away)
{
    fixture_t fixture;
    fixture_start(&fixture);
    CHECK_EQ(weft_pe_fail(&fixture.pe, WEFT_E_STOPPED), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_E_STOPPED);
    CHECK_EQ(init(&fixture), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    fixture_free(&fixture);
}

TEST(a_failed_init_ends_what_ran_before)
{
    fixture_t fixture;
    fixture_start(&fixture);
    fixture.config.arena_bytes = 0u;
    fails(&fixture, WEFT_E_STORAGE);
}

TEST_MAIN(CASE(null_context_or_configuration), CASE(null_context_in_every_other_call),
          CASE(null_program), CASE(null_tables), CASE(null_arena), CASE(null_constants),
          CASE(null_state), CASE(tables_of_another_version), CASE(damaged_tables),
          CASE(tables_longer_than_what_may_be_read), CASE(arena_too_small),
          CASE(constants_too_small), CASE(too_few_state_words), CASE(arena_not_aligned),
          CASE(constants_not_aligned), CASE(more_storage_than_needed_is_no_fault),
          CASE(no_constants_need_no_pointer), CASE(empty_tables_need_no_storage),
          CASE(sends_to_itself_must_fit_together), CASE(the_first_state),
          CASE(init_does_not_touch_arena_constants_or_tables),
          CASE(the_configuration_itself_is_not_kept), CASE(init_starts_anew),
          CASE(init_takes_a_fault_away), CASE(a_failed_init_ends_what_ran_before))

/* SPDX-License-Identifier: Apache-2.0 */
/* The executive: when it fires, what one step does, in which order it announces. This program
 * brings its own port, which writes down every counter that is announced. */
#include "fixture.h"
#include "weft/port.h"
#include "weft_test.h"

static const uint8_t frame_a[FIXTURE_FRAME] = {3, 1, 4, 1};
static const uint8_t frame_b[FIXTURE_FRAME] = {2, 7, 18, 28};

enum { MOST_ANNOUNCED = 64 };

static const uint32_t *announced[MOST_ANNOUNCED];
static uint32_t announced_count;

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    CHECK(announced_count < MOST_ANNOUNCED);
    announced[announced_count++] = counter;
    *counter = value;
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    return *counter;
}

static void start(fixture_t *fixture)
{
    fixture_start(fixture);
    announced_count = 0;
    memset(&fixture_log, 0, sizeof fixture_log);
    fixture_log.enabled = true;
}

static void kernels_ran(const char *expected)
{
    NOTE("kernels: '%.*s', expected '%s'", (int)fixture_log.count, fixture_log.kernels, expected);
    CHECK_EQ(fixture_log.count, strlen(expected));
    CHECK(memcmp(fixture_log.kernels, expected, fixture_log.count) == 0);
}

TEST(idle_until_every_input_has_a_frame)
{
    fixture_t fixture;
    start(&fixture);
    for (int i = 0; i < 3; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    fixture_feed(&fixture, IN_B, frame_b);
    for (int i = 0; i < 3; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    kernels_ran("");
    fixture_feed(&fixture, IN_A, frame_a);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    fixture_free(&fixture);
}

TEST(one_task_a_step_with_all_its_calls)
{
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    kernels_ran("gm");
    CHECK_EQ(fixture_log.marked, 77);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK); /* a task without calls */
    kernels_ran("gm");
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    kernels_ran("gmaa");
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    kernels_ran("gmaa");
    fixture_free(&fixture);
}

TEST(frames_are_counted_when_they_are_done)
{
    uint8_t out[FIXTURE_FRAME];
    fixture_t fixture;
    start(&fixture);
    for (uint32_t frame = 0; frame < 3u; ++frame) {
        fixture_feed_both(&fixture, frame_a, frame_b);
        for (uint32_t step = 0; step < FIXTURE_TASKS; ++step) {
            CHECK_EQ(fixture.pe.frame, frame);
            CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
        }
        CHECK_EQ(fixture.pe.frame, frame + 1u);
        fixture_fetch(&fixture, out);
    }
    fixture_free(&fixture);
}

TEST(no_firing_without_output_credit)
{
    uint8_t out[FIXTURE_FRAME], expected[FIXTURE_FRAME];
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    for (uint32_t i = 0; i < FIXTURE_TASKS; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    fixture_feed_both(&fixture, frame_b, frame_b); /* the next frame; the result is still there */
    fixture_log.count = 0;
    for (int i = 0; i < 3; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    kernels_ran("");
    fixture_fetch(&fixture, out);
    fixture_expected(frame_a, frame_b, expected);
    CHECK(memcmp(out, expected, sizeof out) == 0);
    for (uint32_t i = 0; i < FIXTURE_TASKS; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    fixture_fetch(&fixture, out);
    fixture_expected(frame_b, frame_b, expected);
    CHECK(memcmp(out, expected, sizeof out) == 0);
    fixture_free(&fixture);
}

TEST(outputs_are_announced_before_inputs_are_given_back)
{
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    announced_count = 0;
    for (uint32_t i = 1; i < FIXTURE_TASKS; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    CHECK_EQ(announced_count, 0); /* nothing before the last task is done */
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    CHECK_EQ(announced_count, FIXTURE_CHANNELS);
    CHECK(announced[0] == &fixture.channels[OUT].published);
    CHECK(announced[1] == &fixture.channels[IN_A].released);
    CHECK(announced[2] == &fixture.channels[IN_B].released);
    fixture_free(&fixture);
}

/* Each counter has one writer: else two sides could lose each other's announcements. */
TEST(each_side_writes_its_own_counters)
{
    uint8_t out[FIXTURE_FRAME];
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    CHECK_EQ(announced_count, 2);
    CHECK(announced[0] == &fixture.channels[IN_A].published);
    CHECK(announced[1] == &fixture.channels[IN_B].published);
    for (uint32_t i = 0; i < FIXTURE_TASKS; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    announced_count = 0;
    fixture_fetch(&fixture, out);
    CHECK_EQ(announced_count, 1);
    CHECK(announced[0] == &fixture.channels[OUT].released);
    fixture_free(&fixture);
}

/* Input slots are not written to and gaps between rows are left alone. */
TEST(only_what_the_kernels_write_changes)
{
    uint8_t before[FIXTURE_ARENA_BYTES];
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    memcpy(before, fixture.arena, sizeof before);
    for (uint32_t i = 0; i < FIXTURE_TASKS; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    for (uint32_t i = 0; i < FIXTURE_ARENA_BYTES; ++i) {
        const bool is_scratch = i >= 32u && i < 36u, is_output = i >= 60u;
        NOTE("byte %u", (unsigned)i);
        if (!is_scratch && !is_output) CHECK_EQ(fixture.arena[i], before[i]);
    }
    CHECK(memcmp(fixture.words, fixture_words, sizeof fixture_words) == 0);
    fixture_free(&fixture);
}

TEST(without_channels_it_fires_for_ever)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[AT_CHANNEL_COUNT] = 0u;
    CHECK_EQ(weft_pe_init(&fixture.pe, &fixture.config), WEFT_OK);
    for (uint32_t i = 0; i < 5u * FIXTURE_TASKS; ++i) {
        CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    }
    CHECK_EQ(fixture.pe.frame, 5);
    fixture_free(&fixture);
}

/* A firing of nothing still passes on the credits. */
TEST(without_tasks_a_firing_ends_at_once)
{
    const void *seen = NULL;
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[AT_TASK_COUNT] = 0u;
    CHECK_EQ(weft_pe_init(&fixture.pe, &fixture.config), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    fixture_feed_both(&fixture, frame_a, frame_b);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    CHECK_EQ(fixture.pe.frame, 1);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    fixture_free(&fixture);
}

/* Two PEs with the same program, tables and constants, stepped in turn. */
TEST(two_contexts_are_independent)
{
    uint8_t out[FIXTURE_FRAME], expected[FIXTURE_FRAME];
    fixture_t first, second;
    start(&first);
    start(&second);
    second.config.tables = first.config.tables;
    second.config.constants = first.config.constants;
    CHECK_EQ(weft_pe_init(&second.pe, &second.config), WEFT_OK);
    fixture_feed_both(&first, frame_a, frame_b);
    CHECK_EQ(weft_pe_step(&first.pe), WEFT_OK);
    CHECK_EQ(weft_pe_step(&second.pe), WEFT_IDLE);
    fixture_feed_both(&second, frame_b, frame_b);
    for (uint32_t i = 1; i < FIXTURE_TASKS; ++i) {
        CHECK_EQ(weft_pe_step(&second.pe), WEFT_OK);
        CHECK_EQ(weft_pe_step(&first.pe), WEFT_OK);
    }
    CHECK_EQ(weft_pe_step(&first.pe), WEFT_IDLE);
    CHECK_EQ(first.pe.frame, 1);
    CHECK_EQ(second.pe.frame, 0);
    CHECK_EQ(weft_pe_step(&second.pe), WEFT_OK);
    fixture_fetch(&first, out);
    fixture_expected(frame_a, frame_b, expected);
    CHECK(memcmp(out, expected, sizeof out) == 0);
    fixture_fetch(&second, out);
    fixture_expected(frame_b, frame_b, expected);
    CHECK(memcmp(out, expected, sizeof out) == 0);
    fixture_free(&first);
    fixture_free(&second);
}

TEST(pointer_words_lead_into_arena_and_constants)
{
    fixture_t fixture;
    start(&fixture);
    CHECK(weft_pe_at(&fixture.pe, 0u) == fixture.arena);
    CHECK(weft_pe_at(&fixture.pe, 63u) == fixture.arena + 63);
    CHECK(weft_pe_at(&fixture.pe, WEFT_IN_CONSTANTS) == fixture.constants);
    CHECK(weft_pe_at(&fixture.pe, WEFT_IN_CONSTANTS | 7u) == fixture.constants + 7);
    CHECK(weft_pe_arena_at(&fixture.pe, 13u) == fixture.arena + 13);
    fixture_free(&fixture);
}

TEST_MAIN(CASE(idle_until_every_input_has_a_frame), CASE(one_task_a_step_with_all_its_calls),
          CASE(frames_are_counted_when_they_are_done), CASE(no_firing_without_output_credit),
          CASE(outputs_are_announced_before_inputs_are_given_back),
          CASE(each_side_writes_its_own_counters), CASE(only_what_the_kernels_write_changes),
          CASE(without_channels_it_fires_for_ever), CASE(without_tasks_a_firing_ends_at_once),
          CASE(two_contexts_are_independent), CASE(pointer_words_lead_into_arena_and_constants))

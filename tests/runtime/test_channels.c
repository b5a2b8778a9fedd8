/* SPDX-License-Identifier: Apache-2.0 */
/* The outside's ends of the channels: right and wrong sequences, counters at their end. */
#include "fixture.h"
#include "weft_test.h"

static const uint8_t frame_a[FIXTURE_FRAME] = {1, 20, 100, 255};
static const uint8_t frame_b[FIXTURE_FRAME] = {0, 9, 200, 254};

static void run_until_idle(fixture_t *fixture)
{
    for (uint32_t i = 0; i < FIXTURE_TASKS; ++i) CHECK_EQ(weft_pe_step(&fixture->pe), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture->pe), WEFT_IDLE);
}

static void run_one_frame(fixture_t *fixture, const uint8_t *a, const uint8_t *b)
{
    uint8_t out[FIXTURE_FRAME], expected[FIXTURE_FRAME];
    fixture_feed_both(fixture, a, b);
    run_until_idle(fixture);
    fixture_fetch(fixture, out);
    fixture_expected(a, b, expected);
    CHECK(memcmp(out, expected, sizeof out) == 0);
}

TEST(a_frame_goes_through)
{
    fixture_t fixture;
    fixture_start(&fixture);
    run_one_frame(&fixture, frame_a, frame_b);
    run_one_frame(&fixture, frame_b, frame_a);
    fixture_free(&fixture);
}

TEST(slots_lie_where_the_tables_say)
{
    void *slot = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &slot), WEFT_OK);
    CHECK(slot == fixture.arena + fixture.words[AT_CHANNELS + ROW_OFFSET]);
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_B, &slot), WEFT_OK);
    CHECK(slot == fixture.arena + fixture.words[AT_CHANNELS + ROW_WORDS + ROW_OFFSET]);
    fixture_feed_both(&fixture, frame_a, frame_b);
    run_until_idle(&fixture);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_OK);
    CHECK(seen == fixture.arena + fixture.words[AT_CHANNELS + OUT * ROW_WORDS + ROW_OFFSET]);
    fixture_free(&fixture);
}

/* Nothing is taken by looking: the same slot again and again. */
TEST(acquire_and_observe_may_be_repeated)
{
    void *slot = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &slot), WEFT_OK);
    }
    fixture_feed_both(&fixture, frame_a, frame_b);
    run_until_idle(&fixture);
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_OK);
    }
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, OUT), WEFT_OK);
    fixture_free(&fixture);
}

TEST(an_input_is_the_pes_from_publish_to_the_end_of_the_firing)
{
    void *slot = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    for (uint32_t step = 0; step < FIXTURE_TASKS; ++step) {
        slot = &slot;
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &slot), WEFT_NO_CREDIT);
        CHECK(slot == &slot); /* an output is set on success only */
        CHECK_EQ(weft_pe_channel_publish(&fixture.pe, IN_A), WEFT_E_SEQUENCE);
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_B, &slot), WEFT_NO_CREDIT);
        CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    }
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &slot), WEFT_OK);
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_B, &slot), WEFT_OK);
    fixture_free(&fixture);
}

/* A refused publish must not be counted. */
TEST(publishing_twice_is_out_of_sequence)
{
    fixture_t fixture;
    fixture_start(&fixture);
    fixture_feed(&fixture, IN_A, frame_a);
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(weft_pe_channel_publish(&fixture.pe, IN_A), WEFT_E_SEQUENCE);
    }
    fixture_feed(&fixture, IN_B, frame_b);
    run_until_idle(&fixture);
    CHECK_EQ(fixture.pe.frame, 1);
    fixture_free(&fixture);
}

TEST(releasing_without_a_frame_is_out_of_sequence)
{
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, OUT), WEFT_E_SEQUENCE);
    fixture_feed_both(&fixture, frame_a, frame_b);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, OUT), WEFT_E_SEQUENCE);
    run_until_idle(&fixture);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, OUT), WEFT_OK);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, OUT), WEFT_E_SEQUENCE);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_NO_FRAME);
    run_one_frame(&fixture, frame_b, frame_b);
    fixture_free(&fixture);
}

TEST(an_output_is_not_seen_before_the_firing_ends)
{
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    for (uint32_t step = 0; step < FIXTURE_TASKS; ++step) {
        seen = &seen;
        CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_NO_FRAME);
        CHECK(seen == &seen);
        CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    }
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_OK);
    fixture_free(&fixture);
}

TEST(channels_have_one_direction)
{
    void *slot = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, OUT, &slot), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_publish(&fixture.pe, OUT), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, IN_A, &seen), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, IN_A), WEFT_E_ARGUMENT);
    fixture_feed_both(&fixture, frame_a, frame_b);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, IN_B), WEFT_E_ARGUMENT);
    run_until_idle(&fixture);
    fixture_free(&fixture);
}

TEST(channels_that_are_not_there)
{
    static const uint32_t indices[] = {FIXTURE_CHANNELS, 100u, 0x80000000u, UINT32_MAX};
    void *slot = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; ++i) {
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, indices[i], &slot), WEFT_E_ARGUMENT);
        CHECK_EQ(weft_pe_channel_publish(&fixture.pe, indices[i]), WEFT_E_ARGUMENT);
        CHECK_EQ(weft_pe_channel_observe(&fixture.pe, indices[i], &seen), WEFT_E_ARGUMENT);
        CHECK_EQ(weft_pe_channel_release(&fixture.pe, indices[i]), WEFT_E_ARGUMENT);
    }
    fixture_free(&fixture);
}

TEST(null_results)
{
    fixture_t fixture;
    fixture_start(&fixture);
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, NULL), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, NULL), WEFT_E_ARGUMENT);
    fixture_free(&fixture);
}

/* Counters are cumulative: a long run is imitated by presetting them. */
TEST(counters_wrap_around)
{
    fixture_t fixture;
    fixture_start(&fixture);
    for (uint32_t i = 0; i < FIXTURE_CHANNELS; ++i) {
        fixture.channels[i].published = UINT32_MAX - 2u;
        fixture.channels[i].released = UINT32_MAX - 2u;
    }
    for (uint32_t i = 0; i < 8u; ++i) {
        NOTE("frame %u", (unsigned)i);
        run_one_frame(&fixture, frame_a, frame_b);
    }
    for (uint32_t i = 0; i < FIXTURE_CHANNELS; ++i) {
        CHECK_EQ(fixture.channels[i].published, 5);
        CHECK_EQ(fixture.channels[i].released, 5);
    }
    fixture_free(&fixture);
}

/* A full slot whose two counters lie on both sides of the wrap. */
TEST(a_full_slot_is_full_across_the_wrap)
{
    void *slot = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    for (uint32_t i = 0; i < FIXTURE_CHANNELS; ++i) {
        fixture.channels[i].published = 0u;
        fixture.channels[i].released = UINT32_MAX;
    }
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &slot), WEFT_NO_CREDIT);
    CHECK_EQ(weft_pe_channel_publish(&fixture.pe, IN_A), WEFT_E_SEQUENCE);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE); /* the output is full, too */
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_OK);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, OUT), WEFT_OK);
    run_until_idle(&fixture);
    fixture_free(&fixture);
}

TEST(the_frame_counter_wraps_and_nothing_hangs_on_it)
{
    fixture_t fixture;
    fixture_start(&fixture);
    fixture.pe.frame = UINT32_MAX;
    run_one_frame(&fixture, frame_a, frame_b);
    CHECK_EQ(fixture.pe.frame, 0);
    run_one_frame(&fixture, frame_a, frame_b);
    fixture_free(&fixture);
}

TEST_MAIN(CASE(a_frame_goes_through), CASE(slots_lie_where_the_tables_say),
          CASE(acquire_and_observe_may_be_repeated),
          CASE(an_input_is_the_pes_from_publish_to_the_end_of_the_firing),
          CASE(publishing_twice_is_out_of_sequence),
          CASE(releasing_without_a_frame_is_out_of_sequence),
          CASE(an_output_is_not_seen_before_the_firing_ends), CASE(channels_have_one_direction),
          CASE(channels_that_are_not_there), CASE(null_results), CASE(counters_wrap_around),
          CASE(a_full_slot_is_full_across_the_wrap),
          CASE(the_frame_counter_wraps_and_nothing_hangs_on_it))

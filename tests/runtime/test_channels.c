/* SPDX-License-Identifier: Apache-2.0 */
/* The outside's ends of the channels: right and wrong sequences, counters at their end. */
#include "fixture.h"
#include "weft_test.h"

static const uint8_t frame_a[FIXTURE_FRAME] = {1, 20, 100, 255};
static const uint8_t frame_b[FIXTURE_FRAME] = {0, 9, 200, 254};

static void run_one_frame(fixture_t *fixture, const uint8_t *a, const uint8_t *b)
{
    fixture_feed_both(fixture, a, b);
    fixture_run_frame(fixture);
    fixture_fetch_sum(fixture, a, b);
}

TEST(a_frame_goes_through)
{
    fixture_t fixture;
    fixture_start(&fixture);
    run_one_frame(&fixture, frame_a, frame_b);
    run_one_frame(&fixture, frame_b, frame_a);
    fixture_free(&fixture);
}

/* Frame after frame in the next of a slot's rooms, and after the last in the first again. */
TEST(rooms_lie_where_the_tables_say)
{
    void *room = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    for (uint32_t i = 0; i < 5u; ++i) {
        NOTE("frame %u", (unsigned)i);
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &room), WEFT_OK);
        CHECK(room == fixture.arena + A_AT);
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_B, &room), WEFT_OK);
        CHECK(room == fixture.arena + B_AT + (i % 2u) * B_FRAME + 1u);
        fixture_feed_both(&fixture, frame_a, frame_b);
        fixture_run_frame(&fixture);
        CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_OK);
        CHECK(seen == fixture.arena + OUT_AT + (i % 2u) * OUT_FRAME + 1u);
        CHECK_EQ(weft_pe_channel_release(&fixture.pe, OUT), WEFT_OK);
    }
    fixture_free(&fixture);
}

/* Nothing is taken by looking: the same room again and again. */
TEST(acquire_and_observe_may_be_repeated)
{
    void *room = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &room), WEFT_OK);
    }
    fixture_feed_both(&fixture, frame_a, frame_b);
    fixture_run_frame(&fixture);
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_OK);
    }
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, OUT), WEFT_OK);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_NO_FRAME);
    fixture_free(&fixture);
}

TEST(an_input_is_the_pes_from_publish_to_the_end_of_the_firing)
{
    void *room = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    for (uint32_t step = 0; step < 3u; ++step) { /* the first shard's */
        room = &room;
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &room), WEFT_NO_CREDIT);
        CHECK(room == &room); /* an output is set on success only */
        CHECK_EQ(weft_pe_channel_publish(&fixture.pe, IN_A), WEFT_E_SEQUENCE);
        CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    }
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_A, &room), WEFT_OK);
    fixture_free(&fixture);
}

TEST(a_slot_takes_as_many_frames_as_it_is_deep)
{
    void *room = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    fixture_feed(&fixture, IN_B, frame_a);
    fixture_feed(&fixture, IN_B, frame_b);
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_B, &room), WEFT_NO_CREDIT);
    CHECK_EQ(weft_pe_channel_publish(&fixture.pe, IN_B), WEFT_E_SEQUENCE);
    fixture_feed(&fixture, IN_A, frame_a);
    fixture_run_frame(&fixture);
    fixture_feed(&fixture, IN_B, frame_b); /* one has been consumed */
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, IN_B, &room), WEFT_NO_CREDIT);
    fixture_fetch_sum(&fixture, frame_a, frame_a);
    fixture_feed(&fixture, IN_A, frame_a);
    fixture_run_frame(&fixture);
    fixture_fetch_sum(&fixture, frame_a, frame_b);
    fixture_free(&fixture);
}

/* Published frames come out in order, however many wait. */
TEST(an_output_holds_as_many_frames_as_it_is_deep)
{
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    fixture_run_frame(&fixture);
    fixture_feed_both(&fixture, frame_b, frame_b);
    fixture_run_frame(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_a);
    for (uint32_t i = 0; i < 3u; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE); /* the second shard has no credit */
    fixture_fetch_sum(&fixture, frame_a, frame_b);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    fixture_fetch_sum(&fixture, frame_b, frame_b);
    fixture_fetch_sum(&fixture, frame_a, frame_a);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, OUT, &seen), WEFT_NO_FRAME);
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
    fixture_run_frame(&fixture);
    CHECK_EQ(fixture_frames_done(&fixture), 1);
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
    fixture_run_frame(&fixture);
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
    for (uint32_t step = 0; step < FIXTURE_STEPS; ++step) {
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
    void *room = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, OUT, &room), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_publish(&fixture.pe, OUT), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_observe(&fixture.pe, IN_A, &seen), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, IN_A), WEFT_E_ARGUMENT);
    fixture_feed_both(&fixture, frame_a, frame_b);
    CHECK_EQ(weft_pe_channel_release(&fixture.pe, IN_B), WEFT_E_ARGUMENT);
    fixture_run_frame(&fixture);
    fixture_free(&fixture);
}

TEST(channels_that_are_not_there)
{
    static const uint32_t indices[] = {FIXTURE_CHANNELS, 100u, 0x80000000u, UINT32_MAX};
    void *room = NULL;
    const void *seen = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; ++i) {
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, indices[i], &room), WEFT_E_ARGUMENT);
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
    fixture_preset(&fixture, UINT32_MAX - 2u);
    for (uint32_t i = 0; i < 8u; ++i) {
        NOTE("frame %u", (unsigned)i);
        run_one_frame(&fixture, frame_a, frame_b);
        run_one_frame(&fixture, frame_b, frame_b);
    }
    CHECK_EQ(fixture_frames_done(&fixture), 13);
    fixture_free(&fixture);
}

/* Full slots whose counters lie on both sides of the wrap. */
TEST(a_full_slot_is_full_across_the_wrap)
{
    void *room = NULL;
    fixture_t fixture;
    fixture_start(&fixture);
    fixture_preset(&fixture, UINT32_MAX);
    fixture_feed_both(&fixture, frame_a, frame_b);
    fixture_feed(&fixture, IN_B, frame_a);
    for (uint32_t channel = IN_A; channel <= IN_B; ++channel) {
        CHECK_EQ(weft_pe_channel_acquire(&fixture.pe, channel, &room), WEFT_NO_CREDIT);
        CHECK_EQ(weft_pe_channel_publish(&fixture.pe, channel), WEFT_E_SEQUENCE);
    }
    fixture_run_frame(&fixture);
    fixture_feed(&fixture, IN_A, frame_a);
    fixture_run_frame(&fixture);
    fixture_feed_both(&fixture, frame_b, frame_b);
    for (uint32_t i = 0; i < 3u; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE); /* the output is full, too */
    fixture_fetch_sum(&fixture, frame_a, frame_b);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_OK);
    fixture_fetch_sum(&fixture, frame_a, frame_a);
    fixture_fetch_sum(&fixture, frame_b, frame_b);
    fixture_free(&fixture);
}

TEST_MAIN(CASE(a_frame_goes_through), CASE(rooms_lie_where_the_tables_say),
          CASE(acquire_and_observe_may_be_repeated),
          CASE(an_input_is_the_pes_from_publish_to_the_end_of_the_firing),
          CASE(a_slot_takes_as_many_frames_as_it_is_deep),
          CASE(an_output_holds_as_many_frames_as_it_is_deep),
          CASE(publishing_twice_is_out_of_sequence),
          CASE(releasing_without_a_frame_is_out_of_sequence),
          CASE(an_output_is_not_seen_before_the_firing_ends), CASE(channels_have_one_direction),
          CASE(channels_that_are_not_there), CASE(null_results), CASE(counters_wrap_around),
          CASE(a_full_slot_is_full_across_the_wrap))

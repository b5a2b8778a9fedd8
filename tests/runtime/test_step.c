/* SPDX-License-Identifier: Apache-2.0 */
/* The executive: when it fires, what one step does, in which order it announces. This program
 * brings its own port, which writes down every counter that changes and every message. */
#include "fixture.h"
#include "weft/port.h"
#include "weft_test.h"

static const uint8_t frame_a[FIXTURE_FRAME] = {3, 1, 4, 1};
static const uint8_t frame_b[FIXTURE_FRAME] = {2, 7, 18, 28};

enum { MOST_CHANGES = 64, MOST_MESSAGES = 64, AWAY = 7 };

static const uint32_t *changed[MOST_CHANGES];
static uint32_t changed_count;

/* 'w' a write, 'a' an arrival, 'c' a credit; `end` is the offset, the slot or the send. */
typedef struct message {
    char kind;
    uint32_t to, end, value;
} message_t;

static message_t messages[MOST_MESSAGES];
static uint32_t message_count;
static weft_status_t port_status = WEFT_OK;

static void note_change(const uint32_t *counter)
{
    CHECK(changed_count < MOST_CHANGES);
    changed[changed_count++] = counter;
}

static weft_status_t note_message(char kind, uint32_t to, uint32_t end, uint32_t value)
{
    CHECK(message_count < MOST_MESSAGES);
    messages[message_count++] = (message_t){kind, to, end, value};
    return port_status;
}

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    note_change(counter);
    *counter = value;
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    return *counter;
}

void weft_port_add(uint32_t *counter, uint32_t amount)
{
    note_change(counter);
    *counter += amount;
}

weft_status_t weft_port_write(const weft_pe_t *pe, uint32_t to, uint32_t offset, const void *from,
                              uint32_t bytes)
{
    (void)pe;
    (void)from;
    return note_message('w', to, offset, bytes);
}

weft_status_t weft_port_write_box(const weft_pe_t *pe, uint32_t to, const weft_box_t *box)
{
    return weft_port_write_runs(pe, to, box);
}

weft_status_t weft_port_signal_arrival(const weft_pe_t *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame)
{
    (void)pe;
    CHECK_EQ(producer, 0);
    return note_message('a', to, slot, frame);
}

weft_status_t weft_port_signal_credit(const weft_pe_t *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed)
{
    (void)pe;
    return note_message('c', to, send, consumed);
}

static void forget(void)
{
    changed_count = 0;
    message_count = 0;
    memset(&fixture_log, 0, sizeof fixture_log);
    fixture_log.enabled = true;
}

static void start(fixture_t *fixture)
{
    fixture_start(fixture);
    forget();
}

static void steps(fixture_t *fixture, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) CHECK_EQ(weft_pe_step(&fixture->pe), WEFT_OK);
}

static void kernels_ran(const char *expected)
{
    NOTE("kernels: '%.*s', expected '%s'", (int)fixture_log.count, fixture_log.kernels, expected);
    CHECK_EQ(fixture_log.count, strlen(expected));
    CHECK(memcmp(fixture_log.kernels, expected, fixture_log.count) == 0);
}

static void state_changed(const fixture_t *fixture, const uint32_t *words, size_t count)
{
    CHECK_EQ(changed_count, count);
    for (size_t i = 0; i < count; ++i) {
        NOTE("change %zu", i);
        CHECK_EQ(changed[i] - fixture->state, words[i]);
    }
}

static void messages_are(const message_t *expected, size_t count)
{
    CHECK_EQ(message_count, count);
    for (size_t i = 0; i < count; ++i) {
        NOTE("message %zu", i);
        CHECK_EQ(messages[i].kind, expected[i].kind);
        CHECK_EQ(messages[i].to, expected[i].to);
        CHECK_EQ(messages[i].end, expected[i].end);
        CHECK_EQ(messages[i].value, expected[i].value);
    }
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
    steps(&fixture, 1u);
    kernels_ran("gm");
    CHECK_EQ(fixture_log.marked, 77);
    steps(&fixture, 1u); /* a task without calls */
    kernels_ran("gm");
    steps(&fixture, 1u);
    kernels_ran("gmaa");
    steps(&fixture, 1u); /* the second shard */
    kernels_ran("gmaam");
    CHECK_EQ(fixture_log.marked, 88);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    kernels_ran("gmaam");
    fixture_fetch_sum(&fixture, frame_a, frame_b);
    fixture_free(&fixture);
}

TEST(firings_are_counted_when_they_are_done)
{
    fixture_t fixture;
    start(&fixture);
    for (uint32_t frame = 0; frame < 3u; ++frame) {
        forget();
        fixture_feed_both(&fixture, frame_a, frame_b);
        for (uint32_t step = 0; step < 3u; ++step) {
            CHECK_EQ(fixture.state[STATE_FIRST_SHARD], frame);
            steps(&fixture, 1u);
        }
        CHECK_EQ(fixture.state[STATE_FIRST_SHARD], frame + 1u);
        CHECK_EQ(fixture.state[STATE_SECOND_SHARD], frame);
        steps(&fixture, 1u);
        CHECK_EQ(fixture.state[STATE_SECOND_SHARD], frame + 1u);
        fixture_fetch_sum(&fixture, frame_a, frame_b);
    }
    fixture_free(&fixture);
}

/* All three rooms on the way to the output are taken. */
TEST(no_firing_without_credit)
{
    fixture_t fixture;
    start(&fixture);
    for (uint32_t frame = 0; frame < 2u; ++frame) {
        fixture_feed_both(&fixture, frame_a, frame_b);
        fixture_run_frame(&fixture);
    }
    forget();
    fixture_feed_both(&fixture, frame_b, frame_b);
    steps(&fixture, 3u);
    forget();
    fixture_feed_both(&fixture, frame_b, frame_a);
    for (int i = 0; i < 3; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    kernels_ran("");
    fixture_fetch_sum(&fixture, frame_a, frame_b);
    steps(&fixture, 1u);
    kernels_ran("m"); /* the second shard; the first had no credit until now */
    fixture_fetch_sum(&fixture, frame_a, frame_b);
    fixture_run_frame(&fixture);
    fixture_fetch_sum(&fixture, frame_b, frame_b);
    fixture_fetch_sum(&fixture, frame_b, frame_a);
    fixture_free(&fixture);
}

TEST(results_are_announced_before_inputs_are_given_back)
{
    /* middle slot: frames of the producer, arrivals; inputs: arrivals, consumed; firings */
    static const uint32_t first[] = {9u, 8u, 1u, 0u, 4u, 3u, STATE_FIRST_SHARD};
    /* out: producer, arrivals; middle: arrivals, consumed; credit of the first send; firings */
    static const uint32_t second[] = {13u, 11u, 8u, 7u, STATE_FIRST_SEND, STATE_SECOND_SHARD};
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    forget();
    steps(&fixture, 2u);
    CHECK_EQ(changed_count, 0); /* nothing before the last task is done */
    steps(&fixture, 1u);
    state_changed(&fixture, first, sizeof first / sizeof first[0]);
    forget();
    steps(&fixture, 1u);
    state_changed(&fixture, second, sizeof second / sizeof second[0]);
    CHECK_EQ(message_count, 0); /* the port has no part in what stays on the PE */
    fixture_free(&fixture);
}

TEST(the_outside_changes_its_own_counters)
{
    static const uint32_t fed[] = {2u, 1u, 6u, 4u}; /* of each input: frames, arrivals */
    static const uint32_t fetched[] = {11u, 10u, STATE_FIRST_SEND + 1};
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    state_changed(&fixture, fed, sizeof fed / sizeof fed[0]);
    steps(&fixture, FIXTURE_STEPS);
    forget();
    fixture_fetch_sum(&fixture, frame_a, frame_b);
    state_changed(&fixture, fetched, sizeof fetched / sizeof fetched[0]);
    fixture_free(&fixture);
}

/* The second send and the credit for the middle slot lead to another PE: runs, then the arrival,
 * then the credit. */
TEST(what_leaves_the_pe_goes_through_the_port)
{
    static const message_t first[] = {
        {'w', AWAY, 101u, 2u}, {'w', AWAY, 105u, 2u}, {'a', AWAY, 3u, 0u}, {'c', AWAY, 40u, 1u}};
    static const message_t second[] = {
        {'w', AWAY, 109u, 2u}, {'w', AWAY, 113u, 2u}, {'a', AWAY, 3u, 1u}, {'c', AWAY, 40u, 2u}};
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[in_send(1u, SEND_PE)] = AWAY;
    fixture.words[in_send(1u, SEND_TO)] = 101u;
    fixture.words[in_send(0u, SEND_PE)] = AWAY + 1;
    fixture.words[in_return(0u, RETURN_PE)] = AWAY;
    fixture.words[in_return(0u, RETURN_SEND)] = 40u;
    fixture.words[in_return(1u, RETURN_PE)] = AWAY;
    CHECK_EQ(weft_pe_init(&fixture.pe, &fixture.config), WEFT_OK);
    for (uint32_t frame = 0; frame < 2u; ++frame) {
        forget();
        CHECK_EQ(weft_pe_deliver_arrival(&fixture.pe, FIXTURE_EPOCH, SLOT_MIDDLE, 0u, frame),
                 WEFT_OK);
        steps(&fixture, 1u);
        messages_are(frame == 0u ? first : second, 4u);
    }
    fixture_free(&fixture);
}

TEST(what_the_port_refuses_becomes_the_fault)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[in_send(0u, SEND_PE)] = AWAY;
    fixture.words[in_return(0u, RETURN_PE)] = AWAY;
    CHECK_EQ(weft_pe_init(&fixture.pe, &fixture.config), WEFT_OK);
    forget();
    fixture_feed_both(&fixture, frame_a, frame_b);
    steps(&fixture, 2u);
    port_status = WEFT_E_STORAGE;
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_E_STORAGE);
    port_status = WEFT_OK;
    CHECK_EQ(message_count, 1); /* the first run */
    for (int i = 0; i < 3; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_E_STORAGE);
    CHECK_EQ(message_count, 1);
    fixture_free(&fixture);
}

/* Slots are not written to by their readers, and gaps between rows are left alone. */
TEST(only_what_kernels_and_sends_write_changes)
{
    uint8_t before[FIXTURE_ARENA_BYTES];
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    memcpy(before, fixture.arena, sizeof before);
    steps(&fixture, FIXTURE_STEPS);
    for (uint32_t i = 0; i < FIXTURE_ARENA_BYTES; ++i) {
        const bool is_result = i >= SCRATCH_AT && i < MIDDLE_AT + FIXTURE_FRAME;
        const bool is_output = i == 49u || i == 50u || i == 53u || i == 54u;
        NOTE("byte %u", (unsigned)i);
        if (!is_result && !is_output) CHECK_EQ(fixture.arena[i], before[i]);
    }
    CHECK(memcmp(fixture.words, fixture_words, sizeof fixture_words) == 0);
    fixture_free(&fixture);
}

TEST(without_tasks_a_firing_ends_at_once)
{
    fixture_t fixture;
    fixture_make(&fixture);
    fixture.words[AT_TASK_COUNT] = 0u;
    fixture.words[in_shard(0u, SHARD_TASKS)] = 0u;
    fixture.words[in_shard(1u, SHARD_FIRST_TASK)] = 0u;
    fixture.words[in_shard(1u, SHARD_TASKS)] = 0u;
    CHECK_EQ(weft_pe_init(&fixture.pe, &fixture.config), WEFT_OK);
    forget();
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    fixture_feed_both(&fixture, frame_a, frame_b);
    steps(&fixture, 2u);
    CHECK_EQ(fixture_frames_done(&fixture), 1);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    fixture_free(&fixture);
}

/* The middle slot has room for one frame: its reader fires before its writer fires again. */
TEST(shards_fire_in_the_order_of_their_frames)
{
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    steps(&fixture, 3u);
    fixture_feed_both(&fixture, frame_a, frame_b);
    for (uint32_t frame = 1; frame < 6u; ++frame) {
        forget();
        steps(&fixture, 1u);
        kernels_ran("m"); /* the second shard; the first has input, and credit from now on */
        steps(&fixture, 3u);
        kernels_ran("mgmaa");
        fixture_feed_both(&fixture, frame_a, frame_b);
        fixture_fetch_sum(&fixture, frame_a, frame_b);
    }
    fixture_free(&fixture);
}

/* Two PEs with the same program, tables and constants, stepped in turn. */
TEST(two_contexts_are_independent)
{
    fixture_t first, second;
    start(&first);
    start(&second);
    second.config.tables = first.config.tables;
    second.config.constants = first.config.constants;
    CHECK_EQ(weft_pe_init(&second.pe, &second.config), WEFT_OK);
    fixture_feed_both(&first, frame_a, frame_b);
    steps(&first, 1u);
    CHECK_EQ(weft_pe_step(&second.pe), WEFT_IDLE);
    forget();
    fixture_feed_both(&second, frame_b, frame_b);
    for (uint32_t i = 1; i < FIXTURE_STEPS; ++i) {
        steps(&second, 1u);
        steps(&first, 1u);
    }
    CHECK_EQ(weft_pe_step(&first.pe), WEFT_IDLE);
    CHECK_EQ(fixture_frames_done(&first), 1);
    CHECK_EQ(fixture_frames_done(&second), 0);
    steps(&second, 1u);
    fixture_fetch_sum(&first, frame_a, frame_b);
    fixture_fetch_sum(&second, frame_b, frame_b);
    fixture_free(&first);
    fixture_free(&second);
}

TEST(a_told_fault_is_sticky_and_the_first_is_kept)
{
    fixture_t fixture;
    start(&fixture);
    fixture_feed_both(&fixture, frame_a, frame_b);
    steps(&fixture, 1u);
    CHECK_EQ(weft_pe_fail(&fixture.pe, WEFT_E_STORAGE), WEFT_OK);
    CHECK_EQ(weft_pe_fail(&fixture.pe, WEFT_E_STOPPED), WEFT_OK);
    forget();
    for (int i = 0; i < 3; ++i) CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_E_STORAGE);
    kernels_ran("");
    CHECK_EQ(changed_count, 0);
    CHECK_EQ(weft_pe_fail(&fixture.pe, WEFT_E_STOPPED), WEFT_OK);
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_E_STORAGE);
    fixture_free(&fixture);
}

TEST(only_errors_are_faults)
{
    fixture_t fixture;
    start(&fixture);
    for (int status = WEFT_OK; status <= WEFT_E_CANCELLED; ++status) {
        if (weft_status_is_error((weft_status_t)status)) continue;
        CHECK_EQ(weft_pe_fail(&fixture.pe, (weft_status_t)status), WEFT_E_ARGUMENT);
    }
    CHECK_EQ(weft_pe_step(&fixture.pe), WEFT_IDLE);
    fixture_free(&fixture);
}

TEST(pointer_words_lead_into_arena_constants_and_the_frame_of_a_slot)
{
    const uint32_t in_b = WEFT_IN_SLOT | (uint32_t)SLOT_B << WEFT_SLOT_SHIFT;
    fixture_t fixture;
    start(&fixture);
    CHECK(weft_pe_at(&fixture.pe, 0u) == fixture.arena);
    CHECK(weft_pe_at(&fixture.pe, 63u) == fixture.arena + 63);
    CHECK(weft_pe_at(&fixture.pe, WEFT_IN_CONSTANTS) == fixture.constants);
    CHECK(weft_pe_at(&fixture.pe, WEFT_IN_CONSTANTS | 7u) == fixture.constants + 7);
    CHECK(weft_pe_arena_at(&fixture.pe, 13u) == fixture.arena + 13);
    for (uint32_t frame = 0; frame < 3u; ++frame) {
        const uint8_t *room = fixture.arena + B_AT + (frame % 2u) * B_FRAME;
        CHECK(weft_pe_at(&fixture.pe, in_b) == room);
        CHECK(weft_pe_arena_at(&fixture.pe, in_b | 8u) == room + 8);
        forget();
        fixture_feed_both(&fixture, frame_a, frame_b);
        fixture_run_frame(&fixture);
        fixture_fetch_sum(&fixture, frame_a, frame_b);
    }
    fixture_free(&fixture);
}

TEST_MAIN(CASE(idle_until_every_input_has_a_frame), CASE(one_task_a_step_with_all_its_calls),
          CASE(firings_are_counted_when_they_are_done), CASE(no_firing_without_credit),
          CASE(results_are_announced_before_inputs_are_given_back),
          CASE(the_outside_changes_its_own_counters),
          CASE(what_leaves_the_pe_goes_through_the_port),
          CASE(what_the_port_refuses_becomes_the_fault),
          CASE(only_what_kernels_and_sends_write_changes),
          CASE(without_tasks_a_firing_ends_at_once), CASE(shards_fire_in_the_order_of_their_frames),
          CASE(two_contexts_are_independent), CASE(a_told_fault_is_sticky_and_the_first_is_kept),
          CASE(only_errors_are_faults),
          CASE(pointer_words_lead_into_arena_constants_and_the_frame_of_a_slot))

/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, cancelling, reset, and what a device remembers of failures. */
#include "scripted.h"
#include "weft_test.h"

static scripted_t one, two;

static void state_is(weft_ticket_t ticket, weft_status_t status)
{
    CHECK_EQ(weft_ticket_state(&ticket), status);
}

static void poll_at(scripted_t *scripted, uint32_t ticks, weft_status_t expected)
{
    scripted_clock = ticks;
    CHECK_EQ(weft_device_poll(&scripted->device), expected);
}

TEST(a_job_that_takes_too_long_is_stopped_and_the_next_has_its_own_time)
{
    scripted_clock = UINT32_MAX - 50u; /* across the wrap */
    scripted_start(&one, &scripted_driver, 2u);
    const weft_ticket_t slow = scripted_submit(&one, 1u, NULL, 0u);
    const weft_ticket_t next = scripted_submit(&one, 2u, NULL, 0u);
    poll_at(&one, 49u, WEFT_IDLE);
    poll_at(&one, 50u, WEFT_OK);
    state_is(slow, WEFT_E_DEADLINE);
    state_is(next, WEFT_PENDING);
    CHECK_EQ(one.cancels, 1u);
    poll_at(&one, 150u, WEFT_IDLE);
    one.poll_answer = WEFT_OK;
    poll_at(&one, 200u, WEFT_OK); /* late, but it is done before it is looked at */
    state_is(next, WEFT_OK);
    weft_device_error_t error;
    CHECK_EQ(weft_device_last_error(&one.device, &error), WEFT_OK);
    CHECK_EQ(error.status, WEFT_E_DEADLINE);
    CHECK_EQ(error.label, 1u);
}

TEST(a_deadline_of_its_own_counts_for_one_job)
{
    scripted_clock = 0u;
    scripted_start(&one, &scripted_driver, 1u);
    void *room = NULL;
    weft_ticket_t ticket = {0};
    CHECK_EQ(weft_device_reserve(&one.device, &room), WEFT_OK);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 5u, 9u, &ticket), WEFT_OK);
    const weft_ticket_t next = scripted_submit(&one, 2u, NULL, 0u);
    poll_at(&one, 5u, WEFT_IDLE);
    poll_at(&one, 6u, WEFT_OK);
    state_is(ticket, WEFT_E_DEADLINE);
    poll_at(&one, 106u, WEFT_IDLE);
    poll_at(&one, 107u, WEFT_OK);
    state_is(next, WEFT_E_DEADLINE);
}

/* A wedged device: nobody can stop it, so nothing runs before a reset. */
static void wedge(const weft_device_driver_t *driver, weft_status_t cancel_answer)
{
    scripted_clock = 0u;
    scripted_start(&one, driver, 2u);
    scripted_start(&two, &scripted_driver, 1u);
    one.cancel_answer = cancel_answer;
    const weft_ticket_t stuck = scripted_submit(&one, 1u, NULL, 0u);
    const weft_ticket_t behind = scripted_submit(&one, 2u, NULL, 0u);
    const weft_ticket_t last = scripted_submit(&one, 3u, NULL, 0u);
    const weft_ticket_t elsewhere = scripted_submit(&two, 4u, &last, 1u);
    poll_at(&one, 101u, WEFT_OK);
    state_is(stuck, WEFT_E_DEADLINE);
    state_is(behind, WEFT_E_DEADLINE);
    state_is(last, WEFT_E_DEADLINE);
    CHECK_EQ(weft_device_poll(&two.device), WEFT_OK);
    state_is(elsewhere, WEFT_E_DEADLINE);
    CHECK_EQ(one.start_count, 2u);
    weft_device_error_t error;
    CHECK_EQ(weft_device_last_error(&one.device, &error), WEFT_OK);
    CHECK_EQ(error.label, 1u);
    void *room = NULL;
    weft_ticket_t ticket = {0};
    CHECK_EQ(weft_device_reserve(&one.device, &room), WEFT_OK);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0u, 0u, &ticket), WEFT_E_DEADLINE);
    one.life_answer = WEFT_E_DEVICE;
    CHECK_EQ(weft_device_reset(&one.device), WEFT_E_DEVICE);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0u, 0u, &ticket), WEFT_E_DEVICE);
    one.life_answer = WEFT_OK;
    CHECK_EQ(weft_device_reset(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0u, 0u, &ticket), WEFT_OK);
    one.poll_answer = WEFT_OK;
    CHECK_EQ(weft_device_wait(&one.device, 0u, 10u), WEFT_OK);
    state_is(ticket, WEFT_OK);
    state_is(stuck, WEFT_E_DEADLINE);
}

TEST(a_wedged_device_is_told_and_reset_mends_it)
{
    wedge(&scripted_driver, WEFT_E_DEVICE);
    wedge(&scripted_without_cancel, WEFT_OK);
}

TEST(jobs_are_cancelled_before_and_while_they_run)
{
    scripted_start(&one, &scripted_driver, 2u);
    weft_ticket_t tickets[4];
    for (uint32_t i = 0; i < 4u; ++i) tickets[i] = scripted_submit(&one, i, NULL, 0u);
    CHECK_EQ(weft_device_cancel(&tickets[2]), WEFT_OK);
    CHECK_EQ(weft_device_cancel(&tickets[2]), WEFT_IDLE);
    CHECK_EQ(one.cancels, 0u);
    state_is(tickets[2], WEFT_PENDING); /* until its turn */
    CHECK_EQ(weft_device_cancel(&tickets[1]), WEFT_OK);
    CHECK_EQ(one.cancels, 1u);
    one.cancel_answer = WEFT_E_DEVICE;
    CHECK_EQ(weft_device_cancel(&tickets[0]), WEFT_PENDING);
    one.poll_answer = WEFT_OK;
    CHECK_EQ(weft_device_wait(&one.device, 0u, 10u), WEFT_OK);
    state_is(tickets[0], WEFT_OK);
    state_is(tickets[1], WEFT_E_CANCELLED);
    state_is(tickets[2], WEFT_E_CANCELLED);
    state_is(tickets[3], WEFT_OK);
    CHECK_EQ(weft_device_cancel(&tickets[3]), WEFT_IDLE);
    CHECK_EQ(one.start_count, 3u);
    weft_device_error_t error;
    CHECK_EQ(weft_device_last_error(&one.device, &error), WEFT_IDLE);
}

TEST(what_was_told_before_is_not_cancelled)
{
    scripted_start(&one, &scripted_without_poll, 1u);
    const weft_ticket_t ticket = scripted_submit(&one, 1u, NULL, 0u);
    CHECK_EQ(weft_device_complete(&one.device, ticket.sequence, WEFT_OK), WEFT_OK);
    CHECK_EQ(weft_device_cancel(&ticket), WEFT_IDLE);
    state_is(ticket, WEFT_OK);
}

TEST(reset_ends_every_job)
{
    scripted_start(&one, &scripted_without_poll, 2u);
    weft_ticket_t tickets[4];
    for (uint32_t i = 0; i < 4u; ++i) tickets[i] = scripted_submit(&one, i, NULL, 0u);
    CHECK_EQ(weft_device_complete(&one.device, tickets[0].sequence, WEFT_OK), WEFT_OK);
    CHECK_EQ(weft_device_cancel(&tickets[3]), WEFT_OK);
    CHECK_EQ(weft_device_reset(&one.device), WEFT_OK);
    CHECK_EQ(one.resets, 1u);
    CHECK_EQ(weft_device_left(&one.device), 0u);
    state_is(tickets[0], WEFT_OK);
    for (uint32_t i = 1; i < 4u; ++i) state_is(tickets[i], WEFT_E_CANCELLED);
    CHECK_EQ(weft_device_complete(&one.device, tickets[1].sequence, WEFT_OK), WEFT_E_SEQUENCE);
    const weft_ticket_t next = scripted_submit(&one, 9u, NULL, 0u);
    CHECK_EQ(weft_device_complete(&one.device, next.sequence, WEFT_OK), WEFT_OK);
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    state_is(next, WEFT_OK);
    state_is(tickets[2], WEFT_E_CANCELLED);
}

/* Of any pattern of failures: no failed job ever counts as done, what the queue holds is exact, and
 * jobs before the first failure and after the last are done. */
TEST(failures_are_never_forgotten)
{
    uint32_t random = 7u;
    for (uint32_t round = 0; round < 200u; ++round) {
        bool has_failed[40];
        uint32_t first = UINT32_MAX, last = 0u;
        scripted_start(&one, &scripted_driver, 1u);
        for (uint32_t i = 0; i < 40u; ++i) {
            has_failed[i] = test_random(&random) % 8u == 0u;
            one.start_answer = has_failed[i] ? WEFT_E_DEVICE : WEFT_OK;
            (void)scripted_submit(&one, i, NULL, 0u);
            if (has_failed[i] && first == UINT32_MAX) first = i;
            if (has_failed[i]) last = i;
            for (uint32_t k = 0; k <= i; ++k) {
                const weft_ticket_t ticket = {&one.device, k};
                const weft_status_t state = weft_ticket_state(&ticket);
                NOTE("round %u, job %u of %u", (unsigned)round, (unsigned)k, (unsigned)i);
                if (has_failed[k]) CHECK_EQ(state, WEFT_E_DEVICE);
                if (!has_failed[k] && (i - k < 4u || k < first || k > last)) {
                    CHECK_EQ(state, WEFT_OK);
                }
            }
        }
    }
}

/* 2^31 jobs later a failure is forgotten, before it would look like a new one. */
TEST(old_failures_do_not_come_back)
{
    scripted_start(&one, &scripted_driver, 1u);
    one.start_answer = WEFT_E_DEVICE;
    (void)scripted_submit(&one, 0u, NULL, 0u);
    one.start_answer = WEFT_OK;
    for (uint32_t i = 0; i < 8u; ++i) (void)scripted_submit(&one, i, NULL, 0u);
    state_is((weft_ticket_t){&one.device, 0u}, WEFT_E_DEVICE);
    for (uint32_t k = 1; k <= 4u; ++k) {
        one.device.submitted = one.device.started = one.device.done = k << 30;
        for (uint32_t i = 0; i < 9u; ++i) (void)scripted_submit(&one, i, NULL, 0u);
    }
    state_is((weft_ticket_t){&one.device, 0u}, WEFT_OK);
}

TEST(waiting_ends_at_its_deadline)
{
    scripted_clock = 0u;
    scripted_start(&one, &scripted_driver, 1u);
    one.config.deadline_ticks = 1000u;
    one.config.pe = NULL; /* the host's own clock */
    scripted_init(&one);
    const weft_ticket_t ticket = scripted_submit(&one, 1u, NULL, 0u);
    CHECK_EQ(weft_device_wait(&one.device, 0u, 10u), WEFT_E_DEADLINE);
    CHECK_EQ(weft_device_wait(&one.device, 1u, 10u), WEFT_OK);
    CHECK_EQ(weft_device_wait(&one.device, 0u, 1000000u), WEFT_OK);
    state_is(ticket, WEFT_E_DEADLINE);
}

/* --- observe ----------------------------------------------------------------------------------- */

static weft_job_event_t events[4];
static uint32_t event_count;

static void note_event(void *context, const weft_device_t *device, const weft_job_event_t *event)
{
    CHECK(context == &events && device == &one.device && event_count < 4u);
    events[event_count++] = *event;
}

TEST(the_trace_has_every_job_with_its_times)
{
    scripted_prepare(&one, &scripted_driver, 1u);
    one.config.trace = note_event;
    one.config.trace_context = &events;
    scripted_init(&one);
    event_count = 0u;
    scripted_clock = 10u;
    const weft_ticket_t first = scripted_submit(&one, 1u, NULL, 0u);
    scripted_clock = 12u;
    const weft_ticket_t second = scripted_submit(&one, 2u, NULL, 0u);
    scripted_clock = 15u;
    CHECK_EQ(weft_device_complete(&one.device, first.sequence, WEFT_OK), WEFT_OK);
    poll_at(&one, 20u, WEFT_OK);
    one.poll_answer = WEFT_E_DEVICE;
    poll_at(&one, 30u, WEFT_OK);
    (void)scripted_submit(&one, 3u, &second, 1u);
    CHECK_EQ(event_count, 3u);
    const weft_job_event_t expected[] = {
        {0u, 1u, WEFT_OK, 10u, 10u, 15u},
        {1u, 2u, WEFT_E_DEVICE, 12u, 20u, 30u},
        {2u, 3u, WEFT_E_DEVICE, 30u, 30u, 30u},
    };
    for (uint32_t i = 0; i < 3u; ++i) {
        CHECK_EQ(events[i].sequence, expected[i].sequence);
        CHECK_EQ(events[i].label, expected[i].label);
        CHECK_EQ(events[i].status, expected[i].status);
        CHECK_EQ(events[i].submitted_at, expected[i].submitted_at);
        CHECK_EQ(events[i].started_at, expected[i].started_at);
        CHECK_EQ(events[i].done_at, expected[i].done_at);
    }
}

/* --- copies ------------------------------------------------------------------------------------ */

static weft_status_t copies(const weft_copy_t *copy, weft_ticket_t *out_ticket)
{
    return weft_device_copy(&one.device, copy, NULL, 0u, 0u, 5u, out_ticket);
}

TEST(copies_are_jobs_of_devices_that_take_them)
{
    weft_ticket_t ticket = {0};
    const uint8_t from[4] = {1u, 2u, 3u, 4u};
    const weft_copy_t copy = weft_copy_2d(weft_copy_to_dram(64u, from, 2u), 2u, 2u, 8u);
    scripted_start(&one, &scripted_driver, 1u);
    CHECK_EQ(copies(&copy, &ticket), WEFT_E_ARGUMENT);
    scripted_prepare(&one, &scripted_driver, 1u);
    one.facts.takes_copies = true;
    one.facts.descriptor_bytes = sizeof copy;
    scripted_init(&one);
    CHECK_EQ(copies(&copy, &ticket), WEFT_E_ARGUMENT); /* it does not reach DRAM */
    one.facts.spaces |= 1u << WEFT_SPACE_DRAM;
    CHECK_EQ(copies(&copy, &ticket), WEFT_OK);
    const weft_copy_t *seen = (const weft_copy_t *)(const void *)one.rooms;
    CHECK(seen->from == from && seen->to == NULL);
    CHECK_EQ(seen->to_space, WEFT_SPACE_DRAM);
    CHECK_EQ(seen->to_offset, 64u);
    CHECK_EQ(seen->rows * 1000u + seen->row_bytes * 100u + seen->from_pitch * 10u + seen->to_pitch,
             2228u);
    const weft_copy_t back = weft_copy_from_dram(NULL, 3u, 4u),
                      out = weft_copy_to_pe(7u, 8u, from, 4u);
    CHECK_EQ(back.from_space * 100u + back.from_offset * 10u + back.row_bytes, 234u);
    CHECK_EQ(out.to_space * 1000u + out.to_pe * 100u + out.to_offset * 10u + out.rows, 1781u);
    weft_copy_t odd = weft_copy_local(NULL, from, 4u);
    odd.to_space = 3u;
    CHECK_EQ(copies(&odd, &ticket), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_device_copy(NULL, &copy, NULL, 0u, 0u, 0u, &ticket), WEFT_E_ARGUMENT);
}

TEST_MAIN(CASE(a_job_that_takes_too_long_is_stopped_and_the_next_has_its_own_time),
          CASE(a_deadline_of_its_own_counts_for_one_job),
          CASE(a_wedged_device_is_told_and_reset_mends_it),
          CASE(jobs_are_cancelled_before_and_while_they_run),
          CASE(what_was_told_before_is_not_cancelled), CASE(reset_ends_every_job),
          CASE(failures_are_never_forgotten), CASE(old_failures_do_not_come_back),
          CASE(waiting_ends_at_its_deadline), CASE(the_trace_has_every_job_with_its_times),
          CASE(copies_are_jobs_of_devices_that_take_them))

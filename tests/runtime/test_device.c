/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a device and the order of its queue. */
#include "scripted.h"
#include "weft_test.h"

static scripted_t one, two;

static void state_is(weft_ticket_t ticket, weft_status_t status)
{
    CHECK_EQ(weft_ticket_state(&ticket), status);
}

/* --- life -------------------------------------------------------------------------------------- */

static void is_refused(weft_status_t status)
{
    void *room = NULL;
    CHECK_EQ(weft_device_init(&one.device, &one.config), status);
    CHECK_EQ(weft_device_activate(&one.device), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_device_reserve(&one.device, &room), WEFT_E_ARGUMENT);
    CHECK(weft_device_facts(&one.device) == NULL);
    scripted_prepare(&one, &scripted_driver, 1u);
}

TEST(wrong_configurations_are_refused)
{
    scripted_prepare(&one, &scripted_driver, 1u);
    CHECK_EQ(weft_device_init(NULL, &one.config), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_device_init(&one.device, NULL), WEFT_E_ARGUMENT);
    one.config.driver = NULL;
    is_refused(WEFT_E_ARGUMENT);
    one.config.jobs = NULL;
    is_refused(WEFT_E_ARGUMENT);
    one.config.descriptors = NULL;
    is_refused(WEFT_E_ARGUMENT);
    one.config.job_count = 0u;
    is_refused(WEFT_E_ARGUMENT);
    one.config.job_count = 3u;
    is_refused(WEFT_E_ARGUMENT);
    one.config.job_count = 2u * (uint32_t)WEFT_MOST_JOBS;
    is_refused(WEFT_E_ARGUMENT);
    one.config.deadline_ticks = 0u;
    is_refused(WEFT_E_ARGUMENT);
    one.config.deadline_ticks = 0x80000000u;
    is_refused(WEFT_E_ARGUMENT);
    one.facts.jobs_in_flight = 5u;
    is_refused(WEFT_E_STORAGE);
    one.facts.descriptor_bytes = sizeof one.rooms / 4u + 1u;
    is_refused(WEFT_E_STORAGE);
    one.facts.context_bytes += 1u;
    is_refused(WEFT_E_STORAGE);
    one.config.descriptors = one.rooms + 4;
    is_refused(WEFT_E_STORAGE);
    one.life_answer = WEFT_E_DEVICE;
    is_refused(WEFT_E_DEVICE);
    scripted_init(&one);
}

TEST(facts_are_the_instances_or_the_drivers)
{
    scripted_start(&one, &scripted_driver, 1u);
    CHECK(weft_device_facts(&one.device) == &one.facts);
    weft_device_driver_t driver = scripted_driver;
    driver.facts = one.facts;
    scripted_prepare(&one, &driver, 1u);
    one.config.facts = NULL;
    scripted_init(&one);
    CHECK(weft_device_facts(&one.device) == &driver.facts);
    CHECK(weft_device_facts(NULL) == NULL);
}

TEST(activations_are_counted)
{
    scripted_start(&one, &scripted_driver, 1u);
    CHECK_EQ(weft_device_activate(&one.device), WEFT_OK);
    CHECK_EQ(one.activations, 1u);
    CHECK_EQ(weft_device_deactivate(&one.device), WEFT_OK);
    CHECK_EQ(one.deactivations, 0u);
    const weft_ticket_t ticket = scripted_submit(&one, 1u, NULL, 0u);
    CHECK_EQ(weft_device_deactivate(&one.device), WEFT_PENDING);
    CHECK_EQ(weft_device_deinit(&one.device), WEFT_PENDING);
    one.poll_answer = WEFT_OK;
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    state_is(ticket, WEFT_OK);
    CHECK_EQ(weft_device_deinit(&one.device), WEFT_E_SEQUENCE);
    one.life_answer = WEFT_E_DEVICE;
    CHECK_EQ(weft_device_deactivate(&one.device), WEFT_E_DEVICE);
    one.life_answer = WEFT_OK;
    CHECK_EQ(weft_device_deactivate(&one.device), WEFT_OK);
    CHECK_EQ(one.deactivations, 2u);
    CHECK_EQ(weft_device_deactivate(&one.device), WEFT_E_SEQUENCE);
    one.life_answer = WEFT_E_DEVICE;
    CHECK_EQ(weft_device_activate(&one.device), WEFT_E_DEVICE);
    CHECK_EQ(weft_device_deinit(&one.device), WEFT_E_DEVICE);
    one.life_answer = WEFT_OK;
    CHECK_EQ(weft_device_deinit(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_deinit(&one.device), WEFT_E_ARGUMENT);
    state_is(ticket, WEFT_E_ARGUMENT);
}

TEST(the_lock_has_one_owner)
{
    scripted_start(&one, &scripted_driver, 1u);
    CHECK_EQ(weft_device_close(&one.device), WEFT_E_SEQUENCE);
    CHECK_EQ(weft_device_open(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_open(&one.device), WEFT_NO_CREDIT);
    CHECK_EQ(weft_device_deactivate(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_deinit(&one.device), WEFT_E_SEQUENCE);
    CHECK_EQ(weft_device_close(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_deinit(&one.device), WEFT_OK);
}

/* --- the queue --------------------------------------------------------------------------------- */

TEST(jobs_are_started_in_order_as_many_as_fit)
{
    scripted_start(&one, &scripted_driver, 2u);
    weft_ticket_t tickets[4];
    for (uint32_t i = 0; i < 4u; ++i) tickets[i] = scripted_submit(&one, i, NULL, 0u);
    void *room = NULL;
    CHECK_EQ(weft_device_reserve(&one.device, &room), WEFT_NO_CREDIT);
    CHECK_EQ(one.start_count, 2u);
    CHECK_EQ(weft_device_left(&one.device), 4u);
    CHECK_EQ(weft_device_poll(&one.device), WEFT_IDLE);
    one.poll_answer = WEFT_OK;
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_left(&one.device), 2u); /* what was just started is not asked about */
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_left(&one.device), 0u);
    for (uint32_t i = 0; i < 4u; ++i) {
        CHECK_EQ(one.started[i], i);
        state_is(tickets[i], WEFT_OK);
    }
}

TEST(a_blocking_device_is_done_at_once)
{
    scripted_start(&one, &scripted_without_poll, 1u);
    one.start_answer = WEFT_OK;
    for (uint32_t i = 0; i < 9u; ++i) {
        state_is(scripted_submit(&one, i, NULL, 0u), WEFT_OK);
        CHECK_EQ(one.start_count, i + 1u);
    }
}

TEST(completions_count_in_the_order_of_the_queue)
{
    scripted_start(&one, &scripted_without_poll, 2u);
    const weft_ticket_t first = scripted_submit(&one, 1u, NULL, 0u);
    const weft_ticket_t second = scripted_submit(&one, 2u, NULL, 0u);
    CHECK_EQ(weft_device_complete(&one.device, second.sequence, WEFT_OK), WEFT_OK);
    CHECK_EQ(weft_device_poll(&one.device), WEFT_IDLE);
    state_is(second, WEFT_PENDING);
    CHECK_EQ(weft_device_complete(&one.device, first.sequence, WEFT_E_DEVICE), WEFT_OK);
    state_is(first, WEFT_PENDING);
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    state_is(first, WEFT_E_DEVICE);
    state_is(second, WEFT_OK);
    CHECK_EQ(weft_device_strays(&one.device), 0u);
}

TEST(completions_of_no_job_are_refused_and_counted)
{
    scripted_start(&one, &scripted_without_poll, 1u);
    CHECK_EQ(weft_device_complete(&one.device, 0u, WEFT_OK), WEFT_E_SEQUENCE);
    const weft_ticket_t first = scripted_submit(&one, 1u, NULL, 0u);
    const weft_ticket_t second = scripted_submit(&one, 2u, NULL, 0u);
    CHECK_EQ(weft_device_complete(&one.device, second.sequence, WEFT_OK), WEFT_E_SEQUENCE);
    CHECK_EQ(weft_device_complete(&one.device, first.sequence, WEFT_OK), WEFT_OK);
    CHECK_EQ(weft_device_complete(&one.device, first.sequence, WEFT_E_DEVICE), WEFT_E_SEQUENCE);
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_complete(&one.device, first.sequence, WEFT_OK), WEFT_E_SEQUENCE);
    state_is(first, WEFT_OK);
    state_is(second, WEFT_PENDING);
    CHECK_EQ(weft_device_strays(&one.device), 4u);
}

TEST(a_status_that_is_none_is_a_failure)
{
    scripted_start(&one, &scripted_driver, 1u);
    one.start_answer = WEFT_IDLE;
    state_is(scripted_submit(&one, 1u, NULL, 0u), WEFT_E_DEVICE);
    one.start_answer = WEFT_PENDING;
    const weft_ticket_t ticket = scripted_submit(&one, 2u, NULL, 0u);
    CHECK_EQ(weft_device_complete(&one.device, ticket.sequence, WEFT_PENDING), WEFT_OK);
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    state_is(ticket, WEFT_E_DEVICE);
}

TEST(submit_wants_a_reservation)
{
    scripted_start(&one, &scripted_driver, 1u);
    weft_ticket_t ticket = {0}, many[5] = {{0}};
    void *room = NULL, *again = NULL;
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0u, 0u, &ticket), WEFT_E_SEQUENCE);
    CHECK_EQ(weft_device_reserve(&one.device, &room), WEFT_OK);
    CHECK_EQ(weft_device_reserve(&one.device, &again), WEFT_OK);
    CHECK(room == again);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 1u, 0u, 0u, &ticket), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_device_submit(&one.device, many, 5u, 0u, 0u, &ticket), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0x80000000u, 0u, &ticket), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0u, 0u, NULL), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0u, 0u, &ticket), WEFT_OK);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0u, 0u, &ticket), WEFT_E_SEQUENCE);
    one.poll_answer = WEFT_OK;
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_reserve(&one.device, &room), WEFT_OK);
    CHECK_EQ(weft_device_deactivate(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_submit(&one.device, NULL, 0u, 0u, 0u, &ticket), WEFT_E_SEQUENCE);
    CHECK_EQ(weft_device_reserve(&one.device, &room), WEFT_E_SEQUENCE);
}

TEST(tickets_of_no_job_are_told)
{
    scripted_start(&one, &scripted_driver, 1u);
    const weft_ticket_t early = {&one.device, 0u}, nowhere = {NULL, 0u};
    state_is(early, WEFT_E_ARGUMENT);
    state_is(nowhere, WEFT_E_ARGUMENT);
    CHECK_EQ(weft_ticket_state(NULL), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_device_cancel(&early), WEFT_E_ARGUMENT);
    (void)scripted_submit(&one, 0u, NULL, 0u);
    state_is(early, WEFT_PENDING);
    state_is(scripted_submit(&one, 0u, &nowhere, 1u), WEFT_PENDING);
    one.poll_answer = WEFT_OK;
    (void)weft_device_poll(&one.device);
    (void)weft_device_poll(&one.device);
    state_is((weft_ticket_t){&one.device, 1u}, WEFT_E_ARGUMENT); /* what it depended on */
    CHECK_EQ(one.start_count, 1u);
}

/* The counters start just before their wrap. */
TEST(across_the_wrap)
{
    scripted_start(&one, &scripted_driver, 2u);
    one.device.submitted = one.device.started = one.device.done = UINT32_MAX - 5u;
    one.poll_answer = WEFT_OK;
    for (uint32_t i = 0; i < 12u; ++i) {
        one.start_answer = i == 3u ? WEFT_E_DEVICE : WEFT_PENDING;
        const weft_ticket_t ticket = scripted_submit(&one, i, NULL, 0u);
        (void)weft_device_poll(&one.device);
        CHECK_EQ(ticket.sequence, UINT32_MAX - 5u + i);
        state_is(ticket, i == 3u ? WEFT_E_DEVICE : WEFT_OK);
        for (uint32_t k = 0; k <= i; ++k) {
            const weft_ticket_t older = {&one.device, UINT32_MAX - 5u + k};
            state_is(older, k == 3u ? WEFT_E_DEVICE : WEFT_OK);
        }
    }
}

/* --- dependencies ------------------------------------------------------------------------------ */

TEST(a_job_waits_for_jobs_of_other_devices)
{
    scripted_start(&one, &scripted_driver, 1u);
    scripted_start(&two, &scripted_driver, 1u);
    const weft_ticket_t first = scripted_submit(&one, 1u, NULL, 0u);
    const weft_ticket_t second = scripted_submit(&two, 2u, &first, 1u);
    CHECK_EQ(two.start_count, 0u);
    one.poll_answer = WEFT_OK;
    CHECK_EQ(weft_device_poll(&two.device), WEFT_IDLE);
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    CHECK_EQ(weft_device_poll(&two.device), WEFT_OK);
    CHECK_EQ(two.start_count, 1u);
    state_is(second, WEFT_PENDING);
}

TEST(an_error_travels_to_every_dependant_and_to_nobody_else)
{
    scripted_start(&one, &scripted_driver, 2u);
    scripted_start(&two, &scripted_driver, 1u);
    const weft_ticket_t bad = scripted_submit(&one, 1u, NULL, 0u);
    const weft_ticket_t apart = scripted_submit(&one, 2u, NULL, 0u);
    const weft_ticket_t both[] = {apart, bad};
    const weft_ticket_t next = scripted_submit(&two, 3u, both, 2u);
    const weft_ticket_t last = scripted_submit(&one, 4u, &next, 1u);
    const weft_ticket_t free = scripted_submit(&two, 5u, &apart, 1u);
    one.poll_answer = WEFT_OK;
    CHECK_EQ(weft_device_complete(&one.device, bad.sequence, WEFT_E_DEVICE), WEFT_OK);
    CHECK_EQ(weft_device_poll(&one.device), WEFT_OK);
    state_is(bad, WEFT_E_DEVICE);
    state_is(apart, WEFT_OK);
    two.poll_answer = WEFT_OK;
    for (uint32_t i = 0; i < 3u; ++i) {
        (void)weft_device_poll(&two.device);
        (void)weft_device_poll(&one.device);
    }
    state_is(next, WEFT_E_DEVICE);
    state_is(last, WEFT_E_DEVICE);
    state_is(free, WEFT_OK);
    CHECK_EQ(two.start_count, 1u);
    CHECK_EQ(one.start_count, 2u);
    weft_device_error_t error;
    CHECK_EQ(weft_device_last_error(&two.device, &error), WEFT_IDLE); /* it only inherited */
    CHECK_EQ(weft_device_last_error(&one.device, &error), WEFT_OK);
    CHECK_EQ(error.label, 1u);
    CHECK_EQ(error.sequence, bad.sequence);
    CHECK_EQ(error.status, WEFT_E_DEVICE);
}

/* Device by device, to and fro. */
TEST(wait_polls_what_holds_it_up)
{
    scripted_start(&one, &scripted_driver, 1u);
    scripted_start(&two, &scripted_driver, 1u);
    weft_ticket_t ticket = scripted_submit(&one, 0u, NULL, 0u);
    for (uint32_t i = 1; i < 8u; ++i) {
        ticket = scripted_submit(i % 2u == 0u ? &one : &two, i, &ticket, 1u);
    }
    one.poll_answer = two.poll_answer = WEFT_OK;
    CHECK_EQ(weft_device_wait(&two.device, 2u, 10u), WEFT_OK);
    CHECK(weft_device_left(&two.device) <= 2u);
    CHECK_EQ(weft_device_wait(&two.device, 0u, 10u), WEFT_OK);
    state_is(ticket, WEFT_OK);
    CHECK_EQ(weft_device_left(&one.device), 0u);
    CHECK_EQ(weft_device_wait(&two.device, 0u, 0u), WEFT_E_ARGUMENT);
}

TEST_MAIN(CASE(wrong_configurations_are_refused), CASE(facts_are_the_instances_or_the_drivers),
          CASE(activations_are_counted), CASE(the_lock_has_one_owner),
          CASE(jobs_are_started_in_order_as_many_as_fit), CASE(a_blocking_device_is_done_at_once),
          CASE(completions_count_in_the_order_of_the_queue),
          CASE(completions_of_no_job_are_refused_and_counted),
          CASE(a_status_that_is_none_is_a_failure), CASE(submit_wants_a_reservation),
          CASE(tickets_of_no_job_are_told), CASE(across_the_wrap),
          CASE(a_job_waits_for_jobs_of_other_devices),
          CASE(an_error_travels_to_every_dependant_and_to_nobody_else),
          CASE(wait_polls_what_holds_it_up))

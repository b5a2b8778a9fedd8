/* SPDX-License-Identifier: Apache-2.0 */
/* The executive with devices: when tasks run, whose turn it is, what comes of jobs that fail, and
 * starting anew. */
#include "offload.h"
#include "weft_test.h"

static offload_t offload;

static void steps_to(weft_status_t status, uint32_t steps)
{
    uint32_t done = 0;
    CHECK_EQ(offload_run(&offload, &done), status);
    CHECK_EQ(done, steps);
}

static void ends_with(weft_status_t status)
{
    uint32_t steps = 0;
    CHECK_EQ(offload_run(&offload, &steps), status);
}

static void end_one_job(uint32_t device)
{
    offload_jobs_end(&offload, device, true);
    CHECK_EQ(weft_device_poll(&offload.scripts[device].device), WEFT_OK);
    offload_jobs_end(&offload, device, false);
}

/* --- order ------------------------------------------------------------------------------------- */

TEST(a_task_runs_when_its_job_is_done_and_not_before)
{
    offload_start(&offload, "A");
    CHECK_EQ(weft_pe_step(&offload.pe), WEFT_IDLE);
    offload_feed(&offload, 0u, 0u);
    steps_to(WEFT_PENDING, 1u);
    offload_ran("00");
    CHECK_EQ(weft_device_left(offload.devices[0]), OFFLOAD_JOBS);
    for (int i = 0; i < 5; ++i) CHECK_EQ(weft_pe_step(&offload.pe), WEFT_PENDING);
    offload_ran("");
    end_one_job(0u);
    steps_to(WEFT_PENDING, 1u);
    offload_ran("01");
    CHECK(!offload_fetch(&offload, 0u, 0u));
    end_one_job(0u);
    steps_to(WEFT_IDLE, 1u);
    offload_ran("02");
    CHECK(offload_fetch(&offload, 0u, 0u));
    CHECK_EQ(weft_device_left(offload.devices[0]), 0);
}

/* Its step polls: nobody else needs to. */
TEST(the_executive_moves_the_devices_on)
{
    offload_start(&offload, "A");
    for (uint32_t frame = 0; frame < 9u; ++frame) {
        offload_feed(&offload, 0u, frame);
        offload_jobs_end(&offload, 0u, false);
        steps_to(WEFT_PENDING, 1u);
        offload_jobs_end(&offload, 0u, true);
        steps_to(WEFT_IDLE, 2u);
        CHECK(offload_fetch(&offload, 0u, frame));
    }
}

TEST(what_is_done_at_once_is_not_waited_for)
{
    offload_start(&offload, "A");
    offload.scripts[0].start_answer = WEFT_OK;
    offload_feed(&offload, 0u, 0u);
    steps_to(WEFT_IDLE, OFFLOAD_TASKS);
    CHECK(offload_fetch(&offload, 0u, 0u));
}

/* The second job, on a device of its own, is done long before the first. */
TEST(tasks_keep_their_order_whichever_job_is_first)
{
    offload_make(&offload, "A", &offload_driver);
    offload.device_of[0][1] = 1u;
    offload_write_tables(&offload);
    offload_init(&offload);
    offload_feed(&offload, 0u, 0u);
    offload_jobs_end(&offload, 1u, true);
    steps_to(WEFT_PENDING, 1u);
    CHECK_EQ(weft_device_left(offload.devices[1]), 0);
    offload_ran("00");
    end_one_job(0u);
    steps_to(WEFT_IDLE, 2u);
    offload_ran("01 02");
    CHECK(offload_fetch(&offload, 0u, 0u));
}

TEST(without_lanes_all_shards_wait)
{
    offload_make(&offload, "AA", &offload_driver);
    offload.words[AT_LANE_COUNT] = 0u;
    offload.words[AT_STATE_WORDS] += WEFT_LANE_WORDS; /* no row names them now */
    offload_init(&offload);
    offload_feed(&offload, 0u, 0u);
    offload_feed(&offload, 1u, 0u);
    steps_to(WEFT_PENDING, 1u);
    offload_jobs_end(&offload, 0u, true);
    steps_to(WEFT_IDLE, 5u);
    offload_ran("00 01 02 10 11 12");
    CHECK(offload_fetch(&offload, 0u, 0u));
    CHECK(offload_fetch(&offload, 1u, 0u));
}

/* --- lanes ------------------------------------------------------------------------------------- */

TEST(another_lanes_shard_runs_meanwhile)
{
    offload_start(&offload, "AB");
    offload_jobs_end(&offload, 1u, true);
    offload_feed(&offload, 0u, 0u);
    steps_to(WEFT_PENDING, 1u);
    offload_ran("00");
    for (uint32_t frame = 0; frame < 4u; ++frame) {
        offload_feed(&offload, 1u, frame);
        steps_to(WEFT_PENDING, OFFLOAD_TASKS);
        offload_ran("10 11 12");
        CHECK(offload_fetch(&offload, 1u, frame));
    }
    end_one_job(0u);
    end_one_job(0u);
    steps_to(WEFT_IDLE, 2u);
    CHECK(offload_fetch(&offload, 0u, 0u));
}

TEST(lanes_take_turns)
{
    offload_start(&offload, "AB");
    offload.scripts[0].start_answer = offload.scripts[1].start_answer = WEFT_OK;
    for (uint32_t frame = 0; frame < OFFLOAD_DEPTH; ++frame) {
        offload_feed(&offload, 0u, frame);
        offload_feed(&offload, 1u, frame);
    }
    steps_to(WEFT_IDLE, 2u * OFFLOAD_DEPTH * OFFLOAD_TASKS);
    offload_ran("00 10 01 11 02 12 00 10 01 11 02 12");
}

/* They share memory: the second would overwrite what the first's jobs write. */
TEST(the_shards_of_a_lane_never_fire_at_once)
{
    offload_start(&offload, "AAB");
    for (uint32_t shard = 0; shard < 3u; ++shard) offload_feed(&offload, shard, 0u);
    steps_to(WEFT_PENDING, 2u);
    offload_ran("00 20");
    end_one_job(0u);
    end_one_job(1u);
    steps_to(WEFT_PENDING, 2u);
    offload_ran("01 21");
    end_one_job(0u);
    steps_to(WEFT_PENDING, 2u);
    offload_ran("02 10");
    offload_jobs_end(&offload, 0u, true);
    offload_jobs_end(&offload, 1u, true);
    ends_with(WEFT_IDLE);
    for (uint32_t shard = 0; shard < 3u; ++shard) CHECK(offload_fetch(&offload, shard, 0u));
}

TEST(the_shards_of_a_lane_take_turns)
{
    offload_start(&offload, "AAB");
    offload_jobs_end(&offload, 0u, true);
    for (uint32_t frame = 0; frame < OFFLOAD_DEPTH; ++frame) {
        offload_feed(&offload, 0u, frame);
        offload_feed(&offload, 1u, frame);
    }
    steps_to(WEFT_IDLE, 2u * OFFLOAD_DEPTH * OFFLOAD_TASKS);
    offload_ran("00 01 02 10 11 12 00 01 02 10 11 12");
}

/* Idle only if no lane has anything under way. */
TEST(pending_wins_over_idle)
{
    offload_start(&offload, "AB");
    for (uint32_t shard = 0; shard < 2u; ++shard) {
        offload_feed(&offload, shard, 0u);
        steps_to(WEFT_PENDING, 1u);
        for (int i = 0; i < 4; ++i) CHECK_EQ(weft_pe_step(&offload.pe), WEFT_PENDING);
        offload_jobs_end(&offload, shard, true);
        steps_to(WEFT_IDLE, 2u);
    }
}

/* Any order of frames, jobs and steps: every frame is right. */
TEST(random_orders)
{
    enum { EVENTS = 60000 };
    static const char *const lanes[] = {"A", "AB", "AAB", "ABB", "ABC"};
    uint32_t seed = 11u;
    for (uint32_t shape = 0; shape < sizeof lanes / sizeof lanes[0]; ++shape) {
        uint32_t fed[OFFLOAD_SHARDS] = {0}, fetched[OFFLOAD_SHARDS] = {0}, pending = 0;
        offload_start(&offload, lanes[shape]);
        for (uint32_t i = 0; i < EVENTS; ++i) {
            NOTE("event %u with lanes %s", (unsigned)i, lanes[shape]);
            const uint32_t shard = test_random(&seed) % offload.shard_count;
            offload_log.count = 0;
            offload.scripts[0].start_count = offload.scripts[1].start_count = 0;
            switch (test_random(&seed) % 4u) {
            case 0:
                if (fed[shard] - fetched[shard] == OFFLOAD_DEPTH) break;
                offload_feed(&offload, shard, fed[shard]++);
                break;
            case 1:
                fetched[shard] += offload_fetch(&offload, shard, fetched[shard]) ? 1u : 0u;
                break;
            case 2: {
                const uint32_t device = test_random(&seed) % OFFLOAD_DEVICES;
                offload_jobs_end(&offload, device, true);
                (void)weft_device_poll(offload.devices[device]);
                offload_jobs_end(&offload, device, false);
                break;
            }
            default: {
                const weft_status_t status = weft_pe_step(&offload.pe);
                CHECK(!weft_status_is_error(status));
                pending += status == WEFT_PENDING ? 1u : 0u;
            }
            }
        }
        for (uint32_t shard = 0; shard < offload.shard_count; ++shard) {
            CHECK(fetched[shard] > EVENTS / 200u);
        }
        CHECK(pending > EVENTS / 50u);
    }
}

/* Tickets count jobs, and wrap. */
TEST(across_the_wrap_of_job_numbers)
{
    offload_start(&offload, "A");
    weft_device_t *device = offload.devices[0];
    device->submitted = device->started = device->done = UINT32_MAX - 4u;
    offload_jobs_end(&offload, 0u, true);
    for (uint32_t frame = 0; frame < 6u; ++frame) {
        offload_feed(&offload, 0u, frame);
        ends_with(WEFT_IDLE);
        CHECK(offload_fetch(&offload, 0u, frame));
    }
    CHECK(device->done < 16u);
}

/* --- failures ---------------------------------------------------------------------------------- */

static void is_at(uint32_t shard, uint32_t task, uint32_t frame)
{
    weft_where_t where;
    CHECK_EQ(weft_pe_where(&offload.pe, &where), WEFT_OK);
    CHECK_EQ(where.shard, shard);
    CHECK_EQ(where.task, task);
    CHECK_EQ(where.frame, frame);
}

static void failed_is(uint32_t device, weft_status_t status, uint32_t label)
{
    weft_device_error_t error = {0};
    CHECK_EQ(weft_device_last_error(offload.devices[device], &error), WEFT_OK);
    CHECK_EQ(error.status, status);
    CHECK_EQ(error.label, label);
}

static void is_sticky(weft_status_t status)
{
    offload_log.count = 0;
    offload_jobs_end(&offload, 0u, true);
    offload_jobs_end(&offload, 1u, true);
    for (int i = 0; i < 5; ++i) CHECK_EQ(weft_pe_step(&offload.pe), status);
    offload_ran("");
}

/* Both lanes have frames; frame 0 of shard 2 is through, its frame 1 has launched its jobs. */
static void up_to_the_second_frame(void)
{
    offload_start(&offload, "AAB");
    offload_feed(&offload, 2u, 0u);
    offload_jobs_end(&offload, 1u, true);
    ends_with(WEFT_IDLE);
    CHECK(offload_fetch(&offload, 2u, 0u));
    offload_jobs_end(&offload, 1u, false);
    offload_feed(&offload, 0u, 0u);
    offload_feed(&offload, 2u, 1u);
    ends_with(WEFT_PENDING);
}

static void start_anew(void)
{
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) {
        CHECK_EQ(weft_device_reset(offload.devices[i]), WEFT_OK);
        CHECK_EQ(weft_device_left(offload.devices[i]), 0);
        offload_jobs_end(&offload, i, true);
    }
    offload.config.epoch += 1u;
    CHECK_EQ(weft_pe_init(&offload.pe, &offload.config), WEFT_OK);
    for (uint32_t frame = 7; frame < 10u; ++frame) {
        for (uint32_t shard = 0; shard < offload.shard_count; ++shard) {
            offload_feed(&offload, shard, frame);
        }
        ends_with(WEFT_IDLE);
        for (uint32_t shard = 0; shard < offload.shard_count; ++shard) {
            CHECK(offload_fetch(&offload, shard, frame));
        }
    }
}

TEST(a_job_that_fails_ends_the_pe_where_it_was_awaited)
{
    for (uint32_t job = 0; job < OFFLOAD_JOBS; ++job) {
        up_to_the_second_frame();
        if (job > 0u) {
            end_one_job(1u);
            steps_to(WEFT_PENDING, 1u);
        }
        offload.scripts[1].poll_answer = WEFT_E_DEVICE;
        ends_with(WEFT_E_DEVICE);
        is_at(2u, 1u + job, 1u);
        failed_is(1u, WEFT_E_DEVICE, offload_label(2u, job));
        is_sticky(WEFT_E_DEVICE);
        is_at(2u, 1u + job, 1u);
        CHECK(!offload_fetch(&offload, 2u, 1u));
        start_anew();
    }
}

TEST(a_job_that_is_refused_ends_the_pe_too)
{
    offload_start(&offload, "A");
    offload.scripts[0].start_answer = WEFT_E_ARGUMENT;
    offload_feed(&offload, 0u, 0u);
    steps_to(WEFT_E_ARGUMENT, 1u);
    is_at(0u, 1u, 0u);
    failed_is(0u, WEFT_E_ARGUMENT, offload_label(0u, 1u)); /* the last; both were refused */
    is_sticky(WEFT_E_ARGUMENT);
    offload.scripts[0].start_answer = WEFT_PENDING;
    start_anew();
}

TEST(a_job_past_its_deadline_ends_the_pe)
{
    up_to_the_second_frame();
    scripted_clock += SCRIPTED_DEADLINE;
    CHECK_EQ(weft_pe_step(&offload.pe), WEFT_PENDING);
    offload_jobs_end(&offload, 0u, true); /* lane A's are in time */
    steps_to(WEFT_PENDING, 2u);
    scripted_clock += 1u;
    ends_with(WEFT_E_DEADLINE);
    is_at(2u, 1u, 1u);
    failed_is(1u, WEFT_E_DEADLINE, offload_label(2u, 0u));
    is_sticky(WEFT_E_DEADLINE);
    start_anew();
}

/* A wedged device, which cannot even be stopped. */
TEST(a_device_that_cannot_be_stopped_is_fit_after_a_reset)
{
    up_to_the_second_frame();
    offload.scripts[1].cancel_answer = WEFT_PENDING;
    scripted_clock += SCRIPTED_DEADLINE + 1u;
    offload_jobs_end(&offload, 0u, true);
    ends_with(WEFT_E_DEADLINE);
    CHECK_EQ(offload.scripts[1].cancels, 1);
    start_anew();
    CHECK_EQ(offload.scripts[1].resets, 1);
}

TEST(a_reset_under_way_ends_the_pe)
{
    up_to_the_second_frame();
    CHECK_EQ(weft_device_reset(offload.devices[1]), WEFT_OK);
    ends_with(WEFT_E_CANCELLED);
    is_at(2u, 1u, 1u);
    is_sticky(WEFT_E_CANCELLED);
    start_anew();
}

/* Somebody else has filled the queue: there is no room for the first job, and nothing is written. */
TEST(a_job_that_finds_no_room_ends_the_pe)
{
    offload_start(&offload, "AB");
    static uint8_t x[OFFLOAD_FRAME], out[OFFLOAD_FRAME];
    for (uint32_t i = 0; i < offload.scripts[0].config.job_count; ++i) {
        void *room = NULL;
        weft_ticket_t ticket;
        CHECK_EQ(weft_device_reserve(offload.devices[0], &room), WEFT_OK);
        *(offload_job_t *)room = (offload_job_t){.x = x, .out = out};
        CHECK_EQ(weft_device_submit(offload.devices[0], NULL, 0u, 0u, 1u, &ticket), WEFT_OK);
    }
    offload_feed(&offload, 0u, 0u);
    ends_with(WEFT_E_SEQUENCE);
    is_at(0u, 0u, 0u);
    is_sticky(WEFT_E_SEQUENCE);
    CHECK(!offload_fetch(&offload, 0u, 0u));
    start_anew();
}

/* The device is at fault already: jobs are not taken any more. */
TEST(a_device_at_fault_takes_no_jobs)
{
    offload_start(&offload, "AB");
    offload.scripts[0].cancel_answer = WEFT_PENDING;
    offload_feed(&offload, 0u, 0u);
    ends_with(WEFT_PENDING);
    scripted_clock += SCRIPTED_DEADLINE + 1u;
    CHECK_EQ(weft_device_poll(offload.devices[0]), WEFT_OK);
    offload.config.epoch += 1u;
    CHECK_EQ(weft_pe_init(&offload.pe, &offload.config), WEFT_OK); /* and no reset */
    offload_feed(&offload, 0u, 0u);
    ends_with(WEFT_E_DEADLINE);
    is_at(0u, 0u, 0u);
    start_anew();
}

TEST(a_told_fault_ends_the_wait)
{
    up_to_the_second_frame();
    CHECK_EQ(weft_pe_fail(&offload.pe, WEFT_E_STOPPED), WEFT_OK);
    is_sticky(WEFT_E_STOPPED);
    start_anew();
}

/* --- init -------------------------------------------------------------------------------------- */

static void is_refused(void)
{
    CHECK_EQ(weft_pe_init(&offload.pe, &offload.config), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_step(&offload.pe), WEFT_E_ARGUMENT);
}

TEST(missing_and_other_devices_are_refused)
{
    offload_start(&offload, "AB");
    offload.config.device_count = 0u;
    is_refused();
    offload.config.device_count = 1u;
    is_refused();
    offload.config.device_count = OFFLOAD_DEVICES;
    offload.config.devices = NULL;
    is_refused();
    offload.config.devices = offload.devices;
    weft_device_t *const second = offload.devices[1];
    offload.devices[1] = NULL;
    is_refused();
    offload.devices[1] = offload.devices[0]; /* other facts */
    is_refused();
    offload.devices[1] = second;
    static scripted_t other;
    scripted_start(&other, &offload_driver, 1u);
    offload.devices[0] = &other.device;
    is_refused();
    offload.devices[0] = &offload.scripts[0].device;
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) {
        CHECK_EQ(weft_device_deactivate(offload.devices[i]), WEFT_OK);
    }
    CHECK_EQ(weft_device_deinit(offload.devices[1]), WEFT_OK);
    is_refused();
    scripted_init(&offload.scripts[1]);
    CHECK_EQ(weft_device_activate(offload.devices[0]), WEFT_OK);
    CHECK_EQ(weft_pe_init(&offload.pe, &offload.config), WEFT_OK);
    weft_device_t *more[] = {offload.devices[0], offload.devices[1], &other.device};
    offload.config.devices = more;
    offload.config.device_count = 3u;
    CHECK_EQ(weft_pe_init(&offload.pe, &offload.config), WEFT_OK);
}

/* The driver's facts, where the program has none of the instance. */
TEST(devices_without_facts_of_their_own)
{
    offload_make(&offload, "A", &offload_driver);
    static weft_device_driver_t driver;
    driver = offload_driver;
    driver.facts = offload.scripts[0].facts;
    offload.setups[0].driver = &driver;
    offload.setups[0].facts = NULL;
    offload.scripts[0].config.driver = &driver;
    offload.scripts[0].config.facts = NULL;
    offload_init(&offload);
    offload.setups[0].driver = &offload_driver;
    is_refused();
}

TEST_MAIN(CASE(a_task_runs_when_its_job_is_done_and_not_before),
          CASE(the_executive_moves_the_devices_on), CASE(what_is_done_at_once_is_not_waited_for),
          CASE(tasks_keep_their_order_whichever_job_is_first), CASE(without_lanes_all_shards_wait),
          CASE(another_lanes_shard_runs_meanwhile), CASE(lanes_take_turns),
          CASE(the_shards_of_a_lane_never_fire_at_once), CASE(the_shards_of_a_lane_take_turns),
          CASE(pending_wins_over_idle), CASE(random_orders), CASE(across_the_wrap_of_job_numbers),
          CASE(a_job_that_fails_ends_the_pe_where_it_was_awaited),
          CASE(a_job_that_is_refused_ends_the_pe_too), CASE(a_job_past_its_deadline_ends_the_pe),
          CASE(a_device_that_cannot_be_stopped_is_fit_after_a_reset),
          CASE(a_reset_under_way_ends_the_pe), CASE(a_job_that_finds_no_room_ends_the_pe),
          CASE(a_device_at_fault_takes_no_jobs), CASE(a_told_fault_ends_the_wait),
          CASE(missing_and_other_devices_are_refused), CASE(devices_without_facts_of_their_own))

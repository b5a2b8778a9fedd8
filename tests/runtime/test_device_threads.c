/* SPDX-License-Identifier: Apache-2.0 */
/* Completion by another thread, and tickets that a third one asks: what an interrupt or another core
 * does on a target. */
#define _POSIX_C_SOURCE 200112L

#include <pthread.h>
#include <sched.h>

#include "weft/device.h"
#include "weft/port.h"
#include "weft_test.h"

enum { JOBS = 4000, QUEUE = 4, IN_FLIGHT = 2, FAILS_EACH = 7, DEADLINE_US = 60000000 };

/* What a job does: the hardware writes `value` to `out`. */
typedef struct thread_job {
    uint32_t *out;
    uint32_t value;
} thread_job_t;

/* A mailbox: the driver gives jobs, the hardware's thread does them in order. */
static thread_job_t given[IN_FLIGHT];
static uint32_t sequences[IN_FLIGHT];
static uint32_t given_count, done_count, is_over;

static weft_device_t device;
static uint32_t results[JOBS];

static weft_status_t start(weft_device_t *owner, const weft_job_t *job)
{
    (void)owner;
    const uint32_t at = given_count % IN_FLIGHT;
    CHECK(given_count - weft_port_observe(&done_count) < (uint32_t)IN_FLIGHT);
    given[at] = *(const thread_job_t *)job->descriptor;
    sequences[at] = job->sequence;
    weft_port_publish(&given_count, given_count + 1u);
    return WEFT_PENDING;
}

static weft_status_t reset(weft_device_t *owner)
{
    (void)owner;
    return WEFT_OK;
}

static const weft_device_driver_t driver = {
    .facts = {.name = "thread",
              .alignment = 4u,
              .jobs_in_flight = IN_FLIGHT,
              .descriptor_bytes = sizeof(thread_job_t)},
    .start = start,
    .reset = reset,
};

static void *hardware(void *unused)
{
    (void)unused;
    while (weft_port_observe(&is_over) == 0u) {
        if (weft_port_observe(&given_count) == done_count) {
            sched_yield();
            continue;
        }
        const thread_job_t job = given[done_count % IN_FLIGHT];
        const uint32_t sequence = sequences[done_count % IN_FLIGHT];
        const bool fails = sequence % FAILS_EACH == 0u;
        if (!fails) *job.out = job.value;
        weft_port_publish(&done_count, done_count + 1u);
        CHECK_EQ(weft_device_complete(&device, sequence, fails ? WEFT_E_DEVICE : WEFT_OK), WEFT_OK);
        CHECK_EQ(weft_device_complete(&device, sequence, WEFT_OK), WEFT_E_SEQUENCE);
    }
    return NULL;
}

/* Whatever it is told of a job is true, its bytes included. */
static void *onlooker(void *unused)
{
    (void)unused;
    uint32_t sequence = 0;
    while (weft_port_observe(&is_over) == 0u && sequence < (uint32_t)JOBS) {
        const weft_ticket_t ticket = {&device, sequence};
        const weft_status_t state = weft_ticket_state(&ticket);
        if (state == WEFT_E_ARGUMENT || state == WEFT_PENDING) {
            sched_yield();
            continue;
        }
        if (state == WEFT_OK) {
            CHECK(sequence % FAILS_EACH != 0u);
            CHECK_EQ(results[sequence], sequence + 1u);
        } else {
            CHECK_EQ(state, WEFT_E_DEVICE);
        }
        sequence += 1u;
    }
    return NULL;
}

TEST(jobs_are_completed_by_another_thread)
{
    static weft_job_t jobs[QUEUE];
    static uint64_t rooms[QUEUE * WEFT_DESCRIPTOR_STRIDE(sizeof(thread_job_t)) / sizeof(uint64_t)];
    const weft_device_config_t config = {
        .driver = &driver,
        .jobs = jobs,
        .job_count = QUEUE,
        .descriptors = rooms,
        .descriptors_bytes = sizeof rooms,
        .deadline_ticks = DEADLINE_US,
    };
    CHECK_EQ(weft_device_init(&device, &config), WEFT_OK);
    CHECK_EQ(weft_device_activate(&device), WEFT_OK);
    pthread_t threads[2];
    CHECK_EQ(pthread_create(&threads[0], NULL, hardware, NULL), 0);
    CHECK_EQ(pthread_create(&threads[1], NULL, onlooker, NULL), 0);
    for (uint32_t i = 0; i < (uint32_t)JOBS; ++i) {
        void *room = NULL;
        weft_ticket_t ticket;
        while (weft_device_reserve(&device, &room) == WEFT_NO_CREDIT) {
            if (weft_device_poll(&device) == WEFT_IDLE) sched_yield();
        }
        *(thread_job_t *)room = (thread_job_t){&results[i], i + 1u};
        CHECK_EQ(weft_device_submit(&device, NULL, 0u, 0u, i, &ticket), WEFT_OK);
    }
    CHECK_EQ(weft_device_wait(&device, 0u, DEADLINE_US), WEFT_OK);
    weft_port_publish(&is_over, 1u);
    for (uint32_t i = 0; i < 2u; ++i) CHECK_EQ(pthread_join(threads[i], NULL), 0);
    for (uint32_t i = 0; i < (uint32_t)JOBS; ++i) {
        CHECK_EQ(results[i], i % FAILS_EACH == 0u ? 0u : i + 1u);
    }
    CHECK_EQ(weft_device_strays(&device), JOBS);
}

TEST_MAIN(CASE(jobs_are_completed_by_another_thread))

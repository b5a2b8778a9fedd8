/* SPDX-License-Identifier: Apache-2.0 */
/* One thread steps, others feed and read: built with a thread sanitizer, and without. */
#define _POSIX_C_SOURCE 200112L

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "fixture.h"
#include "weft_test.h"

enum { FRAMES = 4000, DEADLINE_SECONDS = 60 };

/* Nothing may hang: a lost frame ends the process. */
static void set_deadline(void)
{
    (void)alarm(DEADLINE_SECONDS);
}

static void frame_of(uint32_t number, uint32_t channel, uint8_t *frame)
{
    for (uint32_t i = 0; i < FIXTURE_FRAME; ++i) {
        frame[i] = (uint8_t)(number * 7u + channel * 31u + i * 3u + (number >> 8));
    }
}

static void feed(fixture_t *fixture, uint32_t channel, uint32_t number)
{
    uint8_t frame[FIXTURE_FRAME];
    void *room = NULL;
    weft_status_t status;
    frame_of(number, channel, frame);
    while ((status = weft_pe_channel_acquire(&fixture->pe, channel, &room)) == WEFT_NO_CREDIT) {
        sched_yield();
    }
    CHECK_EQ(status, WEFT_OK);
    fixture_write_room(fixture, channel, room, frame);
    CHECK_EQ(weft_pe_channel_publish(&fixture->pe, channel), WEFT_OK);
}

static void fetch_and_compare(fixture_t *fixture, uint32_t number)
{
    uint8_t a[FIXTURE_FRAME], b[FIXTURE_FRAME], out[FIXTURE_FRAME], expected[FIXTURE_FRAME];
    const void *room = NULL;
    weft_status_t status;
    while ((status = weft_pe_channel_observe(&fixture->pe, OUT, &room)) == WEFT_NO_FRAME) {
        sched_yield();
    }
    CHECK_EQ(status, WEFT_OK);
    fixture_read_room(fixture, OUT, room, out);
    frame_of(number, IN_A, a);
    frame_of(number, IN_B, b);
    fixture_expected(a, b, expected);
    CHECK(memcmp(out, expected, sizeof out) == 0);
    CHECK_EQ(weft_pe_channel_release(&fixture->pe, OUT), WEFT_OK);
}

static void *feed_all(void *fixture)
{
    for (uint32_t i = 0; i < FRAMES; ++i) {
        feed(fixture, IN_A, i);
        feed(fixture, IN_B, i);
    }
    return NULL;
}

static void *fetch_all(void *fixture)
{
    for (uint32_t i = 0; i < FRAMES; ++i) fetch_and_compare(fixture, i);
    return NULL;
}

/* A frame ahead, so that feeding, running and reading overlap. */
static void *feed_and_fetch_all(void *fixture)
{
    for (uint32_t i = 0; i < FRAMES; ++i) {
        feed(fixture, IN_A, i);
        feed(fixture, IN_B, i);
        if (i > 0u) fetch_and_compare(fixture, i - 1u);
    }
    fetch_and_compare(fixture, FRAMES - 1u);
    return NULL;
}

static void *step_all(void *argument)
{
    fixture_t *fixture = argument;
    while (fixture_frames_done(fixture) < FRAMES) {
        const weft_status_t status = weft_pe_step(&fixture->pe);
        CHECK(status == WEFT_OK || status == WEFT_IDLE);
        if (status == WEFT_IDLE) sched_yield();
    }
    return NULL;
}

static pthread_t start_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0) abort();
    return thread;
}

TEST(one_thread_steps_and_one_feeds_and_reads)
{
    fixture_t fixture;
    set_deadline();
    fixture_start(&fixture);
    const pthread_t outside = start_thread(feed_and_fetch_all, &fixture);
    step_all(&fixture);
    CHECK_EQ(pthread_join(outside, NULL), 0);
    fixture_free(&fixture);
}

TEST(one_thread_steps_one_feeds_and_one_reads)
{
    fixture_t fixture;
    set_deadline();
    fixture_start(&fixture);
    const pthread_t feeder = start_thread(feed_all, &fixture);
    const pthread_t reader = start_thread(fetch_all, &fixture);
    step_all(&fixture);
    CHECK_EQ(pthread_join(feeder, NULL), 0);
    CHECK_EQ(pthread_join(reader, NULL), 0);
    fixture_free(&fixture);
}

static void *alone(void *argument)
{
    fixture_t *fixture = argument;
    for (uint32_t i = 0; i < FRAMES; ++i) {
        feed(fixture, IN_A, i);
        feed(fixture, IN_B, i);
        for (uint32_t step = 0; step < FIXTURE_STEPS; ++step) {
            CHECK_EQ(weft_pe_step(&fixture->pe), WEFT_OK);
        }
        fetch_and_compare(fixture, i);
    }
    return NULL;
}

/* There are no globals: program, tables and constants are shared and only read. */
TEST(two_contexts_run_in_two_threads)
{
    fixture_t first, second;
    set_deadline();
    fixture_start(&first);
    fixture_make(&second);
    second.config.tables = first.config.tables;
    second.config.constants = first.config.constants;
    CHECK_EQ(weft_pe_init(&second.pe, &second.config), WEFT_OK);
    const pthread_t other = start_thread(alone, &second);
    alone(&first);
    CHECK_EQ(pthread_join(other, NULL), 0);
    fixture_free(&first);
    fixture_free(&second);
}

TEST_MAIN(CASE(one_thread_steps_and_one_feeds_and_reads),
          CASE(one_thread_steps_one_feeds_and_one_reads), CASE(two_contexts_run_in_two_threads))

/* SPDX-License-Identifier: Apache-2.0 */
#include "device_bench.h"

#include <string.h>

enum { JOBS = 24, ROUNDS = 6, TRIES = 8, SKIPPED = -1 };

/* Leaves a case with the line of what does not hold. */
#define EXPECT(condition)                  \
    do {                                   \
        if (!(condition)) return __LINE__; \
    } while (0)

static weft_status_t state_of(const bench_t *bench, uint32_t room)
{
    return weft_ticket_state(&bench->rooms[room].ticket);
}

static uint32_t queue_of(const bench_t *bench)
{
    const uint32_t jobs = bench->configs[0].job_count;
    return jobs < (uint32_t)BENCH_ROOMS ? jobs : (uint32_t)BENCH_ROOMS;
}

/* --- cases: 0, the line of a failure, or SKIPPED ----------------------------------------------- */

static int check_facts(bench_t *bench)
{
    const weft_device_driver_t *driver = bench->adapter->driver;
    const weft_device_facts_t *facts = weft_device_facts(&bench->devices[0]);
    EXPECT(facts != NULL && facts->name != NULL && facts->name[0] != '\0');
    EXPECT(facts->alignment != 0u && (facts->alignment & (facts->alignment - 1u)) == 0u);
    EXPECT(facts->jobs_in_flight > 0u && facts->descriptor_bytes > 0u);
    EXPECT(driver->start != NULL);
    EXPECT(facts->is_blocking || driver->reset != NULL);
    EXPECT(!facts->is_blocking || facts->jobs_in_flight == 1u);
    return 0;
}

static int check_life(bench_t *bench)
{
    weft_device_t *device = &bench->devices[0];
    for (uint32_t i = 0; i < ROUNDS; ++i) {
        EXPECT(bench_do(bench, 0u, i % (uint32_t)BENCH_ROOMS));
        EXPECT(weft_device_deactivate(device) == WEFT_OK);
        if (i % 2u == 0u) {
            EXPECT(weft_device_deinit(device) == WEFT_OK);
            EXPECT(weft_device_init(device, &bench->configs[0]) == WEFT_OK);
        }
        EXPECT(weft_device_activate(device) == WEFT_OK);
    }
    return 0;
}

static int check_bytes(bench_t *bench)
{
    for (uint32_t i = 0; i < JOBS; ++i) {
        const uint32_t room = i % (uint32_t)BENCH_ROOMS;
        EXPECT(bench_submit(bench, 0u, room, NULL, false));
        EXPECT(bench_finish(bench, room) == WEFT_OK);
        EXPECT(bench_is_right(bench, room));
    }
    return 0;
}

static int check_blocking(bench_t *bench)
{
    EXPECT(bench_submit(bench, 0u, 0u, NULL, false));
    const bool is_done = state_of(bench, 0u) == WEFT_OK;
    EXPECT(is_done || !weft_device_facts(&bench->devices[0])->is_blocking);
    EXPECT(bench_finish(bench, 0u) == WEFT_OK);
    return 0;
}

/* Whoever is done has its bytes, and nobody is done before who came before. */
static int look_at_queue(bench_t *bench, uint32_t jobs, uint32_t *out_done)
{
    bool is_over = false;
    *out_done = 0u;
    for (uint32_t i = jobs; i > 0u; --i) {
        const weft_status_t state = state_of(bench, i - 1u);
        EXPECT(state == WEFT_OK || state == WEFT_PENDING);
        EXPECT(state == WEFT_OK || !is_over);
        is_over = state == WEFT_OK;
        if (!is_over) continue;
        EXPECT(bench_is_right(bench, i - 1u));
        *out_done += 1u;
    }
    return 0;
}

static int check_queue(bench_t *bench)
{
    const uint32_t jobs = queue_of(bench);
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        uint32_t done = 0;
        for (uint32_t i = 0; i < jobs; ++i) EXPECT(bench_submit(bench, 0u, i, NULL, false));
        for (uint32_t polls = 0; done < jobs; ++polls) {
            EXPECT(polls < WEFT_DEVICE_CTS_PATIENCE);
            const uint32_t before = weft_device_left(&bench->devices[0]);
            (void)weft_device_poll(&bench->devices[0]);
            if (polls > 0u && weft_device_left(&bench->devices[0]) == before) continue;
            const int line = look_at_queue(bench, jobs, &done);
            if (line != 0) return line;
        }
    }
    return 0;
}

static int check_order(bench_t *bench)
{
    const uint32_t jobs = queue_of(bench);
    uint8_t *outputs = bench->rooms[0].outputs;
    for (uint32_t i = 0; i < jobs; ++i) {
        bench->rooms[i].outputs = outputs;
        bench->rooms[i].before = i > 0u ? bench->rooms[i - 1u].expected : NULL;
    }
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        for (uint32_t i = 0; i < jobs; ++i) EXPECT(bench_submit(bench, 0u, i, NULL, false));
        for (uint32_t i = 0; i < jobs; ++i) EXPECT(bench_finish(bench, i) == WEFT_OK);
        EXPECT(bench_is_right(bench, jobs - 1u));
    }
    return 0;
}

static int check_dependent(bench_t *bench)
{
    const weft_ticket_t gate = bench_close_gate(bench);
    const uint8_t *expected = bench->rooms[0].expected;
    const uint32_t bytes = bench->adapter->output_bytes;
    EXPECT(bench_submit(bench, 0u, 0u, &gate, false));
    EXPECT(bench_submit(bench, 0u, 1u, &bench->rooms[0].ticket, false));
    EXPECT(bench_pass_time(bench, 1u, 0u));
    (void)weft_device_poll(&bench->devices[0]);
    EXPECT(state_of(bench, 0u) == WEFT_PENDING);
    EXPECT(bytes == 0u || !bench_is_same(bench->rooms[0].outputs, expected, bytes));
    bench_open_gate(bench, WEFT_OK);
    EXPECT(bench_finish(bench, 0u) == WEFT_OK);
    EXPECT(bench_is_right(bench, 0u));
    return 0;
}

static int check_inherited(bench_t *bench)
{
    const weft_ticket_t gate = bench_close_gate(bench);
    EXPECT(bench_submit(bench, 0u, 0u, &gate, false));
    EXPECT(bench_submit(bench, 0u, 1u, &bench->rooms[0].ticket, false));
    bench_expect_no_change(bench, 0u);
    bench_expect_no_change(bench, 1u);
    bench_open_gate(bench, WEFT_E_STOPPED);
    EXPECT(bench_finish(bench, 0u) == WEFT_E_STOPPED);
    EXPECT(bench_finish(bench, 1u) == WEFT_E_STOPPED);
    EXPECT(bench_is_right(bench, 0u));
    EXPECT(bench_is_right(bench, 1u));
    EXPECT(bench_do(bench, 0u, 2u));
    return 0;
}

static int check_refused(bench_t *bench)
{
    if (bench->adapter->make_bad == NULL) return SKIPPED;
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        weft_device_error_t error;
        EXPECT(bench_do(bench, 0u, 1u));
        EXPECT(bench_submit(bench, 0u, 0u, NULL, true));
        const uint32_t label = bench->seeds;
        const weft_status_t status = bench_finish(bench, 0u);
        EXPECT(weft_status_is_error(status) && status != WEFT_E_DEADLINE);
        EXPECT(bench_is_right(bench, 0u));
        EXPECT(weft_device_last_error(&bench->devices[0], &error) == WEFT_OK);
        EXPECT(error.status == status && error.label == label);
        EXPECT(bench_submit(bench, 0u, 1u, &bench->rooms[0].ticket, false));
        bench_expect_no_change(bench, 1u);
        EXPECT(bench_finish(bench, 1u) == status);
        EXPECT(bench_is_right(bench, 1u));
        EXPECT(bench_pass_time(bench, 0u, 0u));
        EXPECT(state_of(bench, 0u) == status);
    }
    return 0;
}

static int check_cancelled_queued(bench_t *bench)
{
    const weft_ticket_t gate = bench_close_gate(bench);
    for (uint32_t i = 0; i < 3u; ++i) EXPECT(bench_submit(bench, 0u, i, &gate, false));
    bench_expect_no_change(bench, 1u);
    EXPECT(weft_device_cancel(&bench->rooms[1].ticket) == WEFT_OK);
    bench_open_gate(bench, WEFT_OK);
    EXPECT(bench_finish(bench, 0u) == WEFT_OK);
    EXPECT(bench_finish(bench, 1u) == WEFT_E_CANCELLED);
    EXPECT(bench_finish(bench, 2u) == WEFT_OK);
    for (uint32_t i = 0; i < 3u; ++i) EXPECT(bench_is_right(bench, i));
    return 0;
}

static int check_cancelled_running(bench_t *bench)
{
    uint32_t stopped = 0;
    for (uint32_t i = 0; i < TRIES; ++i) {
        EXPECT(bench_submit(bench, 0u, 0u, NULL, false));
        const weft_status_t answer = weft_device_cancel(&bench->rooms[0].ticket);
        if (answer != WEFT_OK) { /* it was over, or goes on */
            EXPECT(answer == WEFT_IDLE || answer == WEFT_PENDING);
            EXPECT(bench_finish(bench, 0u) == WEFT_OK);
            EXPECT(bench_is_right(bench, 0u));
            continue;
        }
        stopped += 1u;
        EXPECT(bench_finish(bench, 0u) == WEFT_E_CANCELLED);
        bench_expect_no_change(bench, 0u);
        EXPECT(bench_pass_time(bench, 0u, 0u));
        EXPECT(bench_is_right(bench, 0u));
    }
    return stopped > 0u ? 0 : (int)SKIPPED;
}

static int check_reset(bench_t *bench)
{
    const uint32_t jobs = queue_of(bench);
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        for (uint32_t i = 0; i < jobs; ++i) EXPECT(bench_submit(bench, 0u, i, NULL, false));
        EXPECT(weft_device_reset(&bench->devices[0]) == WEFT_OK);
        for (uint32_t i = 0; i < jobs; ++i) {
            const weft_status_t state = state_of(bench, i);
            EXPECT(state == WEFT_OK || state == WEFT_E_CANCELLED);
            EXPECT(state != WEFT_OK || bench_is_right(bench, i));
        }
        const uint32_t watched = round % jobs;
        bench_expect_no_change(bench, watched);
        EXPECT(bench_pass_time(bench, 0u, watched));
        EXPECT(bench_is_right(bench, watched));
    }
    return 0;
}

static int check_instances(bench_t *bench)
{
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        for (uint32_t i = 0; i < 4u; ++i) EXPECT(bench_submit(bench, i % 2u, i, NULL, false));
        for (uint32_t i = 0; i < 4u; ++i) EXPECT(bench_finish(bench, i ^ 1u) == WEFT_OK);
        for (uint32_t i = 0; i < 4u; ++i) EXPECT(bench_is_right(bench, i));
    }
    return 0;
}

/* --- the suite --------------------------------------------------------------------------------- */

typedef struct cts_case {
    const char *name;
    int (*check)(bench_t *bench);
} cts_case_t;

static const cts_case_t cases[WEFT_DEVICE_CTS_CASES] = {
    [WEFT_DEVICE_CTS_FACTS] = {"driver and facts make sense", check_facts},
    [WEFT_DEVICE_CTS_LIFE] = {"can be taken into use again and again", check_life},
    [WEFT_DEVICE_CTS_BYTES] = {"writes the right bytes and no others, in time", check_bytes},
    [WEFT_DEVICE_CTS_BLOCKING] = {"blocks if the facts say so", check_blocking},
    [WEFT_DEVICE_CTS_QUEUE] = {"has a job's bytes there when its ticket is done", check_queue},
    [WEFT_DEVICE_CTS_ORDER] = {"keeps jobs in order", check_order},
    [WEFT_DEVICE_CTS_DEPENDENT] = {"waits for what a job depends on", check_dependent},
    [WEFT_DEVICE_CTS_INHERITED] = {"does no job that inherits an error", check_inherited},
    [WEFT_DEVICE_CTS_REFUSED] = {"reports a bad job, and that alone", check_refused},
    [WEFT_DEVICE_CTS_CANCELLED_QUEUED] = {"does no job that was cancelled", check_cancelled_queued},
    [WEFT_DEVICE_CTS_CANCELLED_RUNNING] = {"stops a job that is under way",
                                           check_cancelled_running},
    [WEFT_DEVICE_CTS_RESET] = {"is still after a reset, and then fit for use", check_reset},
    [WEFT_DEVICE_CTS_INSTANCES] = {"two of them do not know each other", check_instances},
};

const char *weft_device_cts_case_name(uint32_t which)
{
    return which < (uint32_t)WEFT_DEVICE_CTS_CASES ? cases[which].name : NULL;
}

static void judge(weft_device_cts_result_t *result, uint32_t which, int line)
{
    weft_device_cts_verdict_t verdict = WEFT_DEVICE_CTS_PASSED;
    if (line == SKIPPED) verdict = WEFT_DEVICE_CTS_SKIPPED;
    if (line > 0) {
        verdict = WEFT_DEVICE_CTS_FAILED;
        result->lines[which] = (uint32_t)line;
        result->failed += 1u;
    }
    result->verdicts[which] = (uint32_t)verdict;
}

weft_status_t weft_device_cts_run_case(const weft_device_cts_adapter_t *adapter, uint8_t *memory,
                                       uint32_t memory_bytes, uint32_t which,
                                       weft_device_cts_result_t *result)
{
    bench_t bench;
    if (which >= (uint32_t)WEFT_DEVICE_CTS_CASES) return WEFT_E_ARGUMENT;
    const weft_status_t status = bench_set_up(&bench, adapter, memory, memory_bytes);
    if (status == WEFT_E_STORAGE) return status;
    judge(result, which, status == WEFT_OK ? cases[which].check(&bench) : __LINE__);
    return WEFT_OK;
}

weft_status_t weft_device_cts_run(const weft_device_cts_adapter_t *adapter, uint8_t *memory,
                                  uint32_t memory_bytes, weft_device_cts_result_t *out_result)
{
    memset(out_result, 0, sizeof *out_result);
    for (uint32_t which = 0; which < (uint32_t)WEFT_DEVICE_CTS_CASES; ++which) {
        WEFT_RETURN_IF_ERROR(
            weft_device_cts_run_case(adapter, memory, memory_bytes, which, out_result));
    }
    out_result->is_complete = 1u;
    return WEFT_OK;
}

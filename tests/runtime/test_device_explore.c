/* SPDX-License-Identifier: Apache-2.0 */
/* Every order of events at the queue of a small device, an interrupt at every point of every call.
 *
 * A depth-first search takes, in every state, every event that can follow: submit, poll, cancel,
 * reset, the end of the oldest job in the hardware, the passing of a deadline. Each call of the
 * thread is also made with each interrupt before each operation of the port and of the driver. What
 * must hold is looked at in every state, from within interrupts, too. */
#include "weft/device.h"
#include "weft/port.h"
#include "weft_test.h"

enum { MOST_JOBS = 4, QUEUE = 2, DEADLINE = 100, NOBODY = 99 };
enum { TABLE_BITS = 20, MOST_EVENTS = 32 };

typedef enum event_kind {
    SUBMIT,           /* a job alone */
    SUBMIT_DEPENDENT, /* on the one before */
    POLL,
    CANCEL,
    RESET,
    /* Interrupts. */
    DONE,
    FAILED,
    TIME,
    LOOK
} event_kind_t;

typedef struct event {
    event_kind_t kind;
    uint32_t job;
} event_t;

typedef struct options {
    uint32_t jobs, in_flight, times, base;
    bool can_cancel;
} options_t;

typedef struct state {
    weft_device_t device;
    weft_job_t jobs[QUEUE];
    uint64_t rooms[QUEUE];
    uint32_t clock, times;
    uint32_t hardware[2], hardware_count; /* jobs that are under way, by number */
    /* Of each job, by number. */
    uint32_t submitted, depends[MOST_JOBS], starts[MOST_JOBS], ends[MOST_JOBS], seen[MOST_JOBS];
    uint32_t resets;
} state_t;

static state_t now;
static options_t options;
static const char *violation;
static uint32_t operations, interrupted_at;
static event_t interruption;
static weft_device_facts_t facts;

static void take(event_t event);

static void complain(const char *text)
{
    if (violation == NULL) violation = text;
}

static weft_ticket_t ticket_of(uint32_t job)
{
    const weft_ticket_t ticket = {&now.device, options.base + job};
    return ticket;
}

static weft_status_t state_of(uint32_t job)
{
    const weft_ticket_t ticket = ticket_of(job);
    return weft_ticket_state(&ticket);
}

/* --- port and driver: where interrupts come ---------------------------------------------------- */

static void operation(void)
{
    operations += 1u;
    if (operations == interrupted_at) take(interruption);
}

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    operation();
    *counter = value;
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    operation();
    return *counter;
}

uint32_t weft_port_clock(const struct weft_pe *pe)
{
    (void)pe;
    operation();
    return now.clock;
}

static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    const uint32_t number = job->sequence - options.base;
    operation();
    if (now.hardware_count == device->config.facts->jobs_in_flight) {
        complain("more under way than fit");
        return WEFT_E_DEVICE;
    }
    now.starts[number] += 1u;
    if (now.starts[number] > 1u) complain("started twice");
    for (uint32_t i = number + 1u; i < MOST_JOBS; ++i) {
        if (now.starts[i] > 0u) complain("started out of order");
    }
    if (now.depends[number] != 0u && now.ends[number - 1u] != DONE) {
        complain("started before what it depends on was done");
    }
    now.hardware[now.hardware_count++] = number;
    operation();
    return WEFT_PENDING;
}

static void leave_hardware(uint32_t number)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < now.hardware_count; ++i) {
        if (now.hardware[i] != number) now.hardware[kept++] = now.hardware[i];
    }
    for (uint32_t i = kept; i < 2u; ++i) now.hardware[i] = NOBODY;
    now.hardware_count = kept;
}

static weft_status_t cancel(weft_device_t *device, const weft_job_t *job)
{
    (void)device;
    operation();
    if (!options.can_cancel) return WEFT_E_DEVICE;
    leave_hardware(job->sequence - options.base);
    operation();
    return WEFT_OK;
}

static weft_status_t reset(weft_device_t *device)
{
    (void)device;
    operation();
    now.hardware_count = 0u;
    now.hardware[0] = now.hardware[1] = NOBODY;
    operation();
    return WEFT_OK;
}

static const weft_device_driver_t driver = {.start = start, .cancel = cancel, .reset = reset};

/* --- what must hold ---------------------------------------------------------------------------- */

/* From the thread and from interrupts: what was said of a job stays true. */
static void look(void)
{
    bool is_over = true;
    const uint32_t submitted = now.device.submitted - options.base;
    for (uint32_t i = 0; i < submitted; ++i) {
        const weft_status_t state = state_of(i);
        const weft_status_t before = (weft_status_t)now.seen[i];
        if (state == WEFT_E_ARGUMENT) complain("a ticket was forgotten");
        if (state != WEFT_PENDING && !is_over) complain("over before an older job");
        is_over = state != WEFT_PENDING;
        if (before != WEFT_PENDING && state == WEFT_PENDING) complain("under way again");
        if (weft_status_is_error(before) && !weft_status_is_error(state)) {
            complain("a failure was forgotten");
        }
        if (state == WEFT_OK && now.ends[i] != DONE) complain("done, and the hardware never was");
        now.seen[i] = (uint32_t)state;
    }
}

/* The hardware says that its oldest job has ended. */
static void end_oldest(event_kind_t how)
{
    if (now.hardware_count == 0u) return;
    const uint32_t number = now.hardware[0];
    leave_hardware(number);
    now.ends[number] = how;
    if (weft_device_complete(&now.device, options.base + number,
                             how == DONE ? WEFT_OK : WEFT_E_DEVICE) != WEFT_OK &&
        now.device.fault == WEFT_OK) { /* a wedged device may come too late */
        complain("a completion was refused");
    }
}

/* When the hardware has nothing and no call moves anything, nothing may be left. */
static void look_for_the_lost(void)
{
    const state_t saved = now;
    uint32_t polls = 0;
    while (weft_device_poll(&now.device) == WEFT_OK) polls += 1u;
    if (polls > 2u * MOST_JOBS) complain("polling never ends");
    if (now.hardware_count == 0u && weft_device_left(&now.device) > 0u) complain("a job got lost");
    for (uint32_t i = 0; i < now.submitted; ++i) {
        if (now.ends[i] == FAILED && state_of(i) == WEFT_OK) complain("a failure became a success");
    }
    now = saved;
}

static void is_expected(weft_status_t status, weft_status_t a, weft_status_t b, weft_status_t c)
{
    if (status != a && status != b && status != c) complain("an answer that makes no sense");
}

static void submit(bool depends)
{
    void *room = NULL;
    weft_ticket_t ticket;
    const uint32_t number = now.submitted;
    if (number == options.jobs || (depends && number == 0u)) return;
    if (weft_device_reserve(&now.device, &room) != WEFT_OK) return;
    const weft_ticket_t before = ticket_of(number - 1u);
    now.depends[number] = depends ? 1u : 0u;
    now.submitted += 1u;
    const weft_status_t status =
        weft_device_submit(&now.device, &before, depends ? 1u : 0u, 0u, number, &ticket);
    if (status == WEFT_OK) {
        if (ticket.sequence != options.base + number) complain("another number");
    } else {
        is_expected(status, WEFT_E_DEADLINE, WEFT_E_DEADLINE, WEFT_E_DEADLINE);
        now.submitted -= 1u;
        now.depends[number] = 0u;
    }
}

static void take(event_t event)
{
    weft_ticket_t ticket = ticket_of(event.job);
    switch (event.kind) {
    case SUBMIT: submit(false); break;
    case SUBMIT_DEPENDENT: submit(true); break;
    case POLL: (void)weft_device_poll(&now.device); break;
    case CANCEL: is_expected(weft_device_cancel(&ticket), WEFT_OK, WEFT_IDLE, WEFT_PENDING); break;
    case RESET:
        if (now.resets == 1u) return;
        now.resets += 1u;
        is_expected(weft_device_reset(&now.device), WEFT_OK, WEFT_OK, WEFT_OK);
        if (weft_device_left(&now.device) > 0u) complain("left after a reset");
        break;
    case DONE:
    case FAILED: end_oldest(event.kind); break;
    case TIME:
        if (now.times == options.times) return;
        now.times += 1u;
        now.clock += DEADLINE + 1u;
        break;
    case LOOK: look(); break;
    }
}

/* --- the search -------------------------------------------------------------------------------- */

static uint64_t *seen_states;
static uint64_t state_count, event_count;

static uint64_t hash_of_state(void)
{
    uint64_t hash = 1u;
    for (size_t i = 0; i + sizeof(uint32_t) <= sizeof now; i += sizeof(uint32_t)) {
        uint32_t word = 0;
        memcpy(&word, (const uint8_t *)&now + i, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash > 0u ? hash : 1u;
}

static bool is_new(uint64_t hash)
{
    const uint64_t mask = (UINT64_C(1) << TABLE_BITS) - 1u;
    uint64_t at = hash & mask;
    while (seen_states[at] != 0u && seen_states[at] != hash) at = (at + 1u) & mask;
    if (seen_states[at] == hash) return false;
    seen_states[at] = hash;
    state_count += 1u;
    CHECK(state_count < mask / 2u);
    return true;
}

static void explore(void);

static void follow(const state_t *saved, event_t event)
{
    now = *saved;
    operations = 0u;
    event_count += 1u;
    take(event);
    interrupted_at = 0u;
    look();
    if (violation == NULL) look_for_the_lost();
    if (violation == NULL && is_new(hash_of_state())) explore();
}

static void follow_interrupted(const state_t *saved, event_t event)
{
    static const event_kind_t kinds[] = {DONE, FAILED, TIME, LOOK};
    now = *saved;
    operations = 0u;
    take(event);
    const uint32_t count = operations;
    for (uint32_t at = 1; at <= count; ++at) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0] && violation == NULL; ++k) {
            interruption = (event_t){kinds[k], 0u};
            interrupted_at = at;
            follow(saved, event);
        }
    }
}

static void explore(void)
{
    const state_t saved = now;
    event_t events[MOST_EVENTS];
    uint32_t count = 0;
    for (event_kind_t kind = SUBMIT; kind < LOOK; ++kind) {
        if (kind != CANCEL) events[count++] = (event_t){kind, 0u};
    }
    for (uint32_t job = 0; job < now.submitted; ++job) events[count++] = (event_t){CANCEL, job};
    for (uint32_t i = 0; i < count && violation == NULL; ++i) {
        follow(&saved, events[i]);
        if (violation == NULL && events[i].kind < DONE) follow_interrupted(&saved, events[i]);
    }
    now = saved;
}

static void search(options_t what, uint64_t least_states)
{
    memset(&now, 0, sizeof now);
    options = what;
    violation = NULL;
    state_count = event_count = 0u;
    facts = (weft_device_facts_t){
        .alignment = 1u, .jobs_in_flight = what.in_flight, .descriptor_bytes = 8u};
    const weft_device_config_t config = {
        .driver = &driver,
        .facts = &facts,
        .jobs = now.jobs,
        .job_count = QUEUE,
        .descriptors = now.rooms,
        .descriptors_bytes = sizeof now.rooms,
        .deadline_ticks = DEADLINE,
    };
    CHECK_EQ(weft_device_init(&now.device, &config), WEFT_OK);
    CHECK_EQ(weft_device_activate(&now.device), WEFT_OK);
    now.device.submitted = now.device.started = now.device.done = what.base;
    now.hardware[0] = now.hardware[1] = NOBODY;
    for (uint32_t i = 0; i < MOST_JOBS; ++i) now.seen[i] = (uint32_t)WEFT_PENDING;
    seen_states = calloc((size_t)1 << TABLE_BITS, sizeof *seen_states);
    CHECK(seen_states != NULL);
    (void)is_new(hash_of_state());
    explore();
    free(seen_states);
    fprintf(stderr, "%llu states, %llu events\n", (unsigned long long)state_count,
            (unsigned long long)event_count);
    NOTE("%llu states, %llu events: %s", (unsigned long long)state_count,
         (unsigned long long)event_count, violation != NULL ? violation : "no violation");
    CHECK(violation == NULL);
    CHECK(state_count >= least_states); /* else it could pass because it did not look */
}

TEST(one_job_at_a_time)
{
    search((options_t){.jobs = 3u, .in_flight = 1u, .times = 1u, .can_cancel = true}, 300u);
}

TEST(two_jobs_at_once)
{
    search((options_t){.jobs = 3u, .in_flight = 2u, .times = 1u, .can_cancel = true}, 300u);
}

TEST(jobs_that_cannot_be_stopped)
{
    search((options_t){.jobs = 3u, .in_flight = 2u, .times = 1u}, 300u);
}

TEST(across_the_wrap)
{
    for (uint32_t base = UINT32_MAX - 2u; base != 1u; ++base) {
        search((options_t){.jobs = 3u, .in_flight = 2u, .base = base, .can_cancel = true}, 100u);
    }
}

TEST_MAIN(CASE(one_job_at_a_time), CASE(two_jobs_at_once), CASE(jobs_that_cannot_be_stopped),
          CASE(across_the_wrap))

/* SPDX-License-Identifier: Apache-2.0 */
/* Every order of steps, frames and ends of jobs, the latter also at every point of a step, as an
 * interrupt: in small programs with devices, from state to state. Brings its own port, whose every
 * operation is such a point. */
#include "offload.h"
#include "weft/port.h"
#include "weft_test.h"

enum { MOST_STATES = 1 << 18, MOST_WAITING = 1 << 12 };

typedef enum event_kind { STEP, FEED, FETCH, TELL, WORK } event_kind_t;

/* Of a shard or a device. A step may be interrupted by other events before one or two of the port's
 * operations, counted from 1. */
typedef struct event {
    event_kind_t kind;
    uint32_t index;
    struct {
        uint32_t at, device;
    } interrupts[2];
} event_t;

/* All that changes. `late` are jobs of a bad device, which tells first and writes then. */
typedef struct state {
    offload_t offload;
    uint32_t fed[OFFLOAD_SHARDS], fetched[OFFLOAD_SHARDS];
    weft_job_t late[OFFLOAD_DEVICES];
    bool is_late[OFFLOAD_DEVICES];
} state_t;

typedef struct options {
    uint32_t frames;
    bool interrupts, writes_late;
} options_t;

static state_t now;
static options_t options;
static event_t taken;
static uint32_t operations;
static const char *violation;

/* --- the port ---------------------------------------------------------------------------------- */

static void take(event_t event);

static void operation(void)
{
    if (operations == 0u) return; /* within an interrupt, or outside of a step */
    const uint32_t at = operations++;
    for (uint32_t i = 0; i < 2u; ++i) {
        if (taken.interrupts[i].at != at) continue;
        const uint32_t resumed = operations;
        operations = 0u;
        take((event_t){.kind = TELL, .index = taken.interrupts[i].device});
        operations = resumed;
    }
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

void weft_port_add(uint32_t *counter, uint32_t amount)
{
    operation();
    *counter += amount;
}

uint32_t weft_port_clock(const weft_pe_t *pe)
{
    (void)pe;
    operation();
    return 0u;
}

weft_status_t weft_port_write_box(const weft_pe_t *pe, uint32_t to, const weft_box_t *box)
{
    (void)pe, (void)to, (void)box;
    return WEFT_E_ARGUMENT;
}

weft_status_t weft_port_signal_arrival(const weft_pe_t *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame)
{
    (void)pe, (void)to, (void)slot, (void)producer, (void)frame;
    return WEFT_E_ARGUMENT;
}

weft_status_t weft_port_signal_credit(const weft_pe_t *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed)
{
    (void)pe, (void)to, (void)send, (void)consumed;
    return WEFT_E_ARGUMENT;
}

/* --- events ------------------------------------------------------------------------------------ */

static void step(void)
{
    operations = 1u;
    const weft_status_t status = weft_pe_step(&now.offload.pe);
    operations = 0u;
    if (weft_status_is_error(status)) violation = "a fault";
}

static void feed(uint32_t shard)
{
    const uint32_t on_their_way = now.fed[shard] - now.fetched[shard];
    if (now.fed[shard] == options.frames || on_their_way == OFFLOAD_DEPTH) return;
    offload_feed(&now.offload, shard, now.fed[shard]++);
}

static void fetch(uint32_t shard)
{
    const void *room = NULL;
    const uint32_t channel = now.offload.shard_count + shard;
    if (weft_pe_channel_observe(&now.offload.pe, channel, &room) != WEFT_OK) return;
    if (!offload_is_right(shard, now.fetched[shard], room)) violation = "a wrong frame";
    CHECK_EQ(weft_pe_channel_release(&now.offload.pe, channel), WEFT_OK);
    now.fetched[shard] += 1u;
}

static void tell(uint32_t device)
{
    scripted_t *script = &now.offload.scripts[device];
    const weft_job_t *job = offload_under_way(script);
    if (job == NULL || now.is_late[device]) return;
    if (options.writes_late) {
        now.late[device] = *job;
        now.is_late[device] = true;
    } else {
        offload_work(job);
    }
    CHECK_EQ(weft_device_complete(&script->device, job->sequence, WEFT_OK), WEFT_OK);
}

static void work(uint32_t device)
{
    if (now.is_late[device]) offload_work(&now.late[device]);
    now.is_late[device] = false;
    memset(&now.late[device], 0, sizeof now.late[device]);
}

static void take(event_t event)
{
    switch (event.kind) {
    case STEP: step(); break;
    case FEED: feed(event.index); break;
    case FETCH: fetch(event.index); break;
    case TELL: tell(event.index); break;
    default: work(event.index); break;
    }
}

/* --- the search -------------------------------------------------------------------------------- */

static uint64_t *seen;
static state_t *waiting;
static uint32_t waiting_count, states, ends;

static uint64_t hash_of_state(void)
{
    uint64_t hash = 1u;
    offload_log.count = 0;
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) { /* statistics */
        scripted_t *script = &now.offload.scripts[i];
        memset(script->started, 0, sizeof script->started);
        script->start_count = script->polls = 0u;
    }
    for (size_t i = 0; i + sizeof(uint64_t) <= sizeof now; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)&now + i, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    return hash > 0u ? hash : 1u;
}

static bool is_new(uint64_t hash)
{
    uint32_t at = (uint32_t)hash % (uint32_t)MOST_STATES;
    while (seen[at] != 0u && seen[at] != hash) at = (at + 1u) % (uint32_t)MOST_STATES;
    if (seen[at] == hash) return false;
    seen[at] = hash;
    states += 1u;
    CHECK(states < (uint32_t)MOST_STATES / 2u);
    return true;
}

/* Lets the event happen in `from`; true if anything changed. */
static bool follow(const state_t *from, uint64_t hash, event_t event)
{
    now = *from;
    taken = event;
    take(event);
    const uint64_t next = hash_of_state();
    if (next == hash) return false;
    if (violation == NULL && is_new(next)) {
        CHECK(waiting_count < MOST_WAITING);
        waiting[waiting_count++] = now;
    }
    return true;
}

/* How many operations a step has that these interrupts are in the middle of. */
static uint32_t operations_of(const state_t *from, event_t event)
{
    now = *from;
    taken = event;
    operations = 1u;
    (void)weft_pe_step(&now.offload.pe);
    const uint32_t count = operations;
    operations = 0u;
    return count;
}

/* At every point, every device; and again behind it. */
static void follow_interrupted(const state_t *from, uint64_t hash)
{
    event_t event = {.kind = STEP};
    const uint32_t count = operations_of(from, event);
    for (uint32_t first = 1; first < count && violation == NULL; ++first) {
        for (uint32_t device = 0; device < OFFLOAD_DEVICES; ++device) {
            event.interrupts[0].at = first;
            event.interrupts[0].device = device;
            event.interrupts[1].at = 0u;
            (void)follow(from, hash, event);
            const uint32_t more = operations_of(from, event);
            for (uint32_t second = first + 1u; second < more && violation == NULL; ++second) {
                for (uint32_t other = 0; other < OFFLOAD_DEVICES; ++other) {
                    event.interrupts[1].at = second;
                    event.interrupts[1].device = other;
                    (void)follow(from, hash, event);
                }
            }
        }
    }
}

static void follow_all(const state_t *from)
{
    now = *from;
    const uint64_t hash = hash_of_state();
    bool moves = follow(from, hash, (event_t){.kind = STEP});
    for (uint32_t i = 0; i < from->offload.shard_count; ++i) {
        moves = follow(from, hash, (event_t){.kind = FEED, .index = i}) || moves;
        moves = follow(from, hash, (event_t){.kind = FETCH, .index = i}) || moves;
    }
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) {
        moves = follow(from, hash, (event_t){.kind = TELL, .index = i}) || moves;
        moves = follow(from, hash, (event_t){.kind = WORK, .index = i}) || moves;
    }
    if (options.interrupts) follow_interrupted(from, hash);
    if (moves || violation != NULL) return;
    ends += 1u;
    for (uint32_t i = 0; i < from->offload.shard_count; ++i) {
        if (from->fetched[i] != options.frames) violation = "nothing moves, and frames are missing";
    }
}

/* From what is in `now`. The number of states. */
static uint32_t search(options_t what)
{
    static state_t from;
    options = what;
    violation = NULL;
    states = ends = waiting_count = 0u;
    seen = calloc(MOST_STATES, sizeof *seen);
    waiting = malloc(MOST_WAITING * sizeof *waiting);
    CHECK(seen != NULL && waiting != NULL);
    (void)is_new(hash_of_state());
    waiting[waiting_count++] = now;
    while (waiting_count > 0u && violation == NULL) {
        from = waiting[--waiting_count];
        follow_all(&from);
    }
    free(seen);
    free(waiting);
    NOTE("%u states: %s", (unsigned)states, violation != NULL ? violation : "no violation");
    return states;
}

static void start(const char *lanes)
{
    memset(&now, 0, sizeof now);
    offload_make(&now.offload, lanes, &offload_driver_told);
    offload_init(&now.offload);
}

/* With interrupts there are more states: a step may have seen the end of one job and not of another.
 * `least_states`: else a search could be small because it did not look. */
static void is_sound(const char *lanes, uint32_t frames, uint32_t least_states)
{
    options_t what = {.frames = frames};
    start(lanes);
    const uint32_t without = search(what);
    CHECK(violation == NULL && ends > 0u && without >= least_states);
    what.interrupts = true;
    start(lanes);
    const uint32_t with = search(what);
    CHECK(violation == NULL && ends > 0u && with > without);
}

TEST(one_shard)
{
    is_sound("A", 3u, 40u);
}

TEST(two_shards_of_one_lane)
{
    is_sound("AA", 2u, 600u);
}

TEST(two_lanes_with_a_device_each)
{
    is_sound("AB", 1u, 100u);
}

TEST(a_device_that_tells_before_it_has_written_is_found)
{
    start("A");
    (void)search((options_t){.frames = 2u, .writes_late = true});
    CHECK(violation != NULL);
}

/* The call that is to wait does something else. */
TEST(a_missing_await_is_found)
{
    for (uint32_t task = 1; task < OFFLOAD_TASKS; ++task) {
        start("A");
        const uint32_t call = now.offload.words[now.offload.tasks_at + 2u * task];
        now.offload.words[now.offload.calls_at + 2u * call] = OFFLOAD_NOTE;
        CHECK_EQ(weft_pe_init(&now.offload.pe, &now.offload.config), WEFT_OK);
        (void)search((options_t){.frames = 2u});
        CHECK(violation != NULL);
    }
}

TEST_MAIN(CASE(one_shard), CASE(two_shards_of_one_lane), CASE(two_lanes_with_a_device_each),
          CASE(a_device_that_tells_before_it_has_written_is_found), CASE(a_missing_await_is_found))

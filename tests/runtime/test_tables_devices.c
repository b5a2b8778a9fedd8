/* SPDX-License-Identifier: Apache-2.0 */
/* weft_tables_check against single, deliberate corruptions of what tables say of lanes and devices,
 * and against random ones. */
#include "corruption.h"
#include "offload.h"

static offload_t offload;

static weft_status_t check(void)
{
    const uint32_t count = offload.config.table_words;
    void *block = test_exact_copy(offload.words, count * sizeof offload.words[0]);
    const weft_status_t status = weft_tables_check(block, count, &offload.program);
    free(block);
    return status;
}

/* Each word alone, in tables for "AAB". */
static void each_gives(weft_status_t expected, const corruption_t *corruptions, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        offload_make(&offload, "AAB", &offload_driver);
        CHECK_EQ(check(), WEFT_OK);
        offload.words[corruptions[i].word] = corruptions[i].value;
        NOTE("%u: word %u replaced by 0x%x", (unsigned)i, (unsigned)corruptions[i].word,
             (unsigned)corruptions[i].value);
        CHECK_EQ(check(), expected);
    }
}

#define EACH_IS_MALFORMED(...)                           \
    do {                                                 \
        const corruption_t bad_[] = {__VA_ARGS__};       \
        each_gives(WEFT_E_TABLES, bad_, COUNT_OF(bad_)); \
    } while (0)

#define EACH_IS_FINE(...)                            \
    do {                                             \
        const corruption_t good_[] = {__VA_ARGS__};  \
        each_gives(WEFT_OK, good_, COUNT_OF(good_)); \
    } while (0)

static uint32_t in_lane(uint32_t lane, uint32_t field)
{
    return offload.lanes_at + lane * LANE_ROW_WORDS + field;
}

TEST(the_section_of_lanes_lies_in_the_tables)
{
    offload_make(&offload, "AAB", &offload_driver);
    const uint32_t total = offload.words[AT_WORD_COUNT];
    EACH_IS_MALFORMED({AT_LANES_AT, 0u}, {AT_LANES_AT, HEAD_WORDS - 1u}, {AT_LANES_AT, total},
                      {AT_LANES_AT, total - 1u}, {AT_LANES_AT, total + 1u},
                      {AT_LANES_AT, UINT32_MAX}, {AT_LANES_AT, 0x80000000u}, {AT_LANE_COUNT, 3u},
                      {AT_LANE_COUNT, total}, {AT_LANE_COUNT, UINT32_MAX},
                      {AT_LANE_COUNT, 0x55555556u}, {AT_LANE_COUNT, 0x55555558u});
}

/* One lane after the other, none empty, to the last shard. */
TEST(lanes_name_all_shards_in_order)
{
    offload_make(&offload, "AAB", &offload_driver);
    EACH_IS_MALFORMED({in_lane(0u, LANE_FIRST_SHARD), 1u},
                      {in_lane(0u, LANE_FIRST_SHARD), UINT32_MAX}, {in_lane(0u, LANE_SHARDS), 0u},
                      {in_lane(0u, LANE_SHARDS), 1u}, {in_lane(0u, LANE_SHARDS), 3u},
                      {in_lane(0u, LANE_SHARDS), 4u}, {in_lane(0u, LANE_SHARDS), UINT32_MAX},
                      {in_lane(1u, LANE_FIRST_SHARD), 0u}, {in_lane(1u, LANE_FIRST_SHARD), 1u},
                      {in_lane(1u, LANE_FIRST_SHARD), 3u}, {in_lane(1u, LANE_SHARDS), 0u},
                      {in_lane(1u, LANE_SHARDS), 2u}, {in_lane(1u, LANE_SHARDS), UINT32_MAX},
                      {AT_LANE_COUNT, 1u},
                      /* and the last shard would never fire */);
    offload_make(&offload, "AAB", &offload_driver);
    offload.words[in_lane(0u, LANE_SHARDS)] = 3u; /* the last lane has none */
    offload.words[in_lane(1u, LANE_FIRST_SHARD)] = 3u;
    offload.words[in_lane(1u, LANE_SHARDS)] = 0u;
    CHECK_EQ(check(), WEFT_E_TABLES);
}

/* No lanes at all are fine, and a word less of state is not. */
TEST(lanes_have_state_words_of_their_own)
{
    offload_make(&offload, "AAB", &offload_driver);
    const uint32_t first = offload.words[in_lane(0u, LANE_STATE)];
    const uint32_t second = first + WEFT_LANE_WORDS;
    EACH_IS_MALFORMED({in_lane(0u, LANE_STATE), first - 1u}, {in_lane(0u, LANE_STATE), first + 1u},
                      {in_lane(0u, LANE_STATE), 0u}, {in_lane(0u, LANE_STATE), UINT32_MAX},
                      {in_lane(1u, LANE_STATE), first}, {in_lane(1u, LANE_STATE), second - 1u},
                      {in_lane(1u, LANE_STATE), second + 1u},
                      {in_lane(1u, LANE_STATE), offload.words[AT_STATE_WORDS]},
                      {AT_STATE_WORDS, second + WEFT_LANE_WORDS - 1u});
    EACH_IS_FINE({AT_LANE_COUNT, 0u});
}

TEST(launches_and_awaits_name_devices_that_are_there)
{
    offload_make(&offload, "AAB", &offload_driver);
    for (uint32_t shard = 0; shard < offload.shard_count; ++shard) {
        for (uint32_t job = 0; job < OFFLOAD_JOBS; ++job) {
            const uint32_t launch = offload.launch_args[shard][job] + LAUNCH_DEVICE;
            const uint32_t awaited = offload.await_args[shard][job] + AWAIT_DEVICE;
            EACH_IS_MALFORMED({launch, OFFLOAD_DEVICES}, {launch, UINT32_MAX},
                              {awaited, OFFLOAD_DEVICES}, {awaited, UINT32_MAX});
            EACH_IS_FINE({launch, 0u}, {launch, 1u}, {awaited, 0u}, {awaited, 1u});
        }
    }
}

/* Behind all words that rows name: a ticket would overwrite a counter. */
TEST(tickets_have_state_words_of_their_own)
{
    offload_make(&offload, "AAB", &offload_driver);
    const uint32_t end = offload.words[AT_STATE_WORDS], first = offload.first_ticket;
    for (uint32_t shard = 0; shard < offload.shard_count; ++shard) {
        for (uint32_t job = 0; job < OFFLOAD_JOBS; ++job) {
            const uint32_t words[] = {offload.launch_args[shard][job] + LAUNCH_TICKET,
                                      offload.await_args[shard][job] + AWAIT_TICKET};
            for (uint32_t i = 0; i < 2u; ++i) {
                EACH_IS_MALFORMED({words[i], 0u}, {words[i], first - 1u}, {words[i], end},
                                  {words[i], UINT32_MAX});
                EACH_IS_FINE({words[i], first}, {words[i], end - 1u});
            }
        }
    }
    EACH_IS_MALFORMED({AT_STATE_WORDS, end - 1u}, {AT_STATE_WORDS, first});
}

static void swap_calls(uint32_t call)
{
    uint32_t *row = offload.words + offload.calls_at + 2u * call;
    const uint32_t first[] = {row[0], row[1]};
    memmove(row, row + 2, sizeof first);
    memcpy(row + 2, first, sizeof first);
}

/* Calls of a shard: note, launch, launch; await, note, add; await, note, add. */
TEST(awaits_come_before_all_other_calls)
{
    for (uint32_t task = 1; task < OFFLOAD_TASKS; ++task) {
        offload_make(&offload, "A", &offload_driver);
        const uint32_t first = offload.words[offload.tasks_at + 2u * task];
        swap_calls(first);
        CHECK_EQ(check(), WEFT_E_TABLES);
        swap_calls(first + 1u); /* the very last */
        CHECK_EQ(check(), WEFT_E_TABLES);
        swap_calls(first + 1u);
        swap_calls(first);
        CHECK_EQ(check(), WEFT_OK);
    }
    /* One task that begins with an await and has another in its middle. */
    offload_make(&offload, "A", &offload_driver);
    offload.words[offload.tasks_at + 2u + 1u] = 6u;
    CHECK_EQ(check(), WEFT_E_TABLES);
    /* A launch counts as a call: whoever awaits it in its own task would wait for ever. */
    offload_make(&offload, "A", &offload_driver);
    offload.words[offload.tasks_at + 1u] = 4u;
    CHECK_EQ(check(), WEFT_E_TABLES);
    offload.words[offload.tasks_at] = 3u; /* but several awaits may begin a task */
    offload.words[offload.tasks_at + 1u] = 1u;
    memcpy(offload.words + offload.calls_at + 8u, offload.words + offload.calls_at + 6u,
           2u * sizeof offload.words[0]);
    CHECK_EQ(check(), WEFT_OK);
}

/* Only calls that launch and await may touch devices, and they need some. */
TEST(a_program_without_devices_has_no_calls_for_them)
{
    for (uint32_t role = WEFT_ROLE_LAUNCH; role <= WEFT_ROLE_AWAIT; ++role) {
        offload_make(&offload, "A", &offload_driver);
        offload.program.devices = NULL;
        CHECK_EQ(check(), WEFT_E_TABLES);
        const uint32_t other = role == WEFT_ROLE_LAUNCH ? OFFLOAD_AWAIT : OFFLOAD_LAUNCH;
        offload.kernels[other].role = WEFT_ROLE_COMPUTE;
        offload.kernels[other].invoke = offload.kernels[OFFLOAD_NOTE].invoke;
        CHECK_EQ(check(), WEFT_E_TABLES);
        offload.kernels[OFFLOAD_LAUNCH + OFFLOAD_AWAIT - other].role = WEFT_ROLE_COMPUTE;
        offload.kernels[OFFLOAD_AWAIT].invoke = offload.kernels[OFFLOAD_NOTE].invoke;
        CHECK_EQ(check(), WEFT_OK);
    }
}

TEST(kernels_have_one_of_three_roles)
{
    static const uint32_t bad[] = {WEFT_ROLE_AWAIT + 1u, 256u, 0x10001u, UINT32_MAX};
    for (uint32_t kernel = 0; kernel < OFFLOAD_KERNELS; ++kernel) {
        for (size_t i = 0; i < COUNT_OF(bad); ++i) {
            offload_make(&offload, "AAB", &offload_driver);
            offload.kernels[kernel].role = bad[i];
            NOTE("kernel %u with role 0x%x", (unsigned)kernel, (unsigned)bad[i]);
            CHECK_EQ(check(), WEFT_E_TABLES);
        }
    }
}

TEST(launches_have_code_and_room_for_their_words)
{
    offload_make(&offload, "AAB", &offload_driver);
    offload.kernels[OFFLOAD_LAUNCH].invoke = NULL;
    CHECK_EQ(check(), WEFT_E_TABLES);
    /* Words that would do for a device and a ticket, the first of which is a pointer. */
    offload_make(&offload, "A", &offload_driver);
    for (uint32_t job = 0; job < OFFLOAD_JOBS; ++job) {
        offload.words[offload.launch_args[0][job] + LAUNCH_OUT] = 0u;
        offload.words[offload.launch_args[0][job] + LAUNCH_FACTOR] = offload.first_ticket;
    }
    CHECK_EQ(check(), WEFT_OK);
    offload.kernels[OFFLOAD_LAUNCH].arg_count = LAUNCH_FACTOR + 1u;
    CHECK_EQ(check(), WEFT_E_TABLES);
    for (uint32_t kernel = OFFLOAD_LAUNCH; kernel <= OFFLOAD_AWAIT; ++kernel) {
        offload_make(&offload, "AAB", &offload_driver);
        weft_kernel_t *row = &offload.kernels[kernel];
        row->arg_count = (uint16_t)(row->pointer_count + WEFT_DEVICE_WORDS - 1u);
        CHECK_EQ(check(), WEFT_E_TABLES); /* a pointer would count as a device */
        row->arg_count = row->pointer_count;
        CHECK_EQ(check(), WEFT_E_TABLES);
        row->arg_count = UINT16_MAX;
        CHECK_EQ(check(), WEFT_E_TABLES);
    }
}

/* Pointers of launches are looked at as those of kernels. */
TEST(jobs_do_not_write_constants)
{
    offload_make(&offload, "AAB", &offload_driver);
    const uint32_t args = offload.launch_args[1][0];
    EACH_IS_MALFORMED({args + LAUNCH_OUT, WEFT_IN_CONSTANTS},
                      {args + LAUNCH_X, WEFT_IN_CONSTANTS}, /* there are none */
                      {args + LAUNCH_X, sizeof offload.arena}, {args + LAUNCH_OUT, UINT32_MAX});
}

/* --- random damage ----------------------------------------------------------------------------- */

/* Touches the first byte behind each pointer, and nothing else. */
static void launch_a_byte(const weft_pe_t *pe, const uint32_t *args)
{
    offload_job_t *job = weft_pe_descriptor(pe, args[LAUNCH_DEVICE]);
    if (job == NULL) return;
    *job = (offload_job_t){.x = weft_pe_at(pe, args[LAUNCH_X])};
    job->out = weft_pe_arena_at(pe, args[LAUNCH_OUT]);
    *job->out = *job->x;
    job->x = job->out = pe->arena; /* where there is room for the whole of a job */
    weft_pe_launch(pe, args[LAUNCH_LABEL], args[LAUNCH_DEVICE], args[LAUNCH_TICKET]);
}

static void add_a_byte(const weft_pe_t *pe, const uint32_t *args)
{
    const uint8_t *left = weft_pe_at(pe, args[0]), *right = weft_pe_at(pe, args[1]);
    uint8_t *out = weft_pe_arena_at(pe, args[2]);
    *out = (uint8_t)(*left + *right);
}

static void note_nothing(const weft_pe_t *pe, const uint32_t *args)
{
    (void)pe, (void)args;
}

static void damage(uint32_t *seed)
{
    const uint32_t count = offload.config.table_words;
    for (uint32_t i = 1u + test_random(seed) % 3u; i > 0u; --i) {
        const uint32_t kind = test_random(seed) % 4u;
        uint32_t word = 2u + test_random(seed) % (count - 2u);
        if (kind == 0u) word = in_lane(test_random(seed) % 2u, test_random(seed) % 3u);
        const uint32_t any = offload.words[test_random(seed) % count];
        offload.words[word] = kind == 1u   ? any
                              : kind == 2u ? offload.words[word] + test_random(seed) % 9u - 4u
                                           : test_random_extreme(seed);
    }
}

static void feed_and_fetch_all(void)
{
    const weft_tables_t *tables = offload.config.tables;
    for (uint32_t i = 0; i < tables->channels.count; ++i) {
        void *room = NULL;
        const void *seen = NULL;
        if (weft_pe_channel_acquire(&offload.pe, i, &room) == WEFT_OK) {
            CHECK_EQ(weft_pe_channel_publish(&offload.pe, i), WEFT_OK);
        }
        if (weft_pe_channel_observe(&offload.pe, i, &seen) == WEFT_OK) {
            (void)weft_pe_channel_release(&offload.pe, i);
        }
    }
}

/* What the check lets through runs in its own memory, and leaves lanes and devices alone. */
TEST(damaged_tables_are_refused_or_harmless)
{
    enum { ROUNDS = 20000, STEPS = 48 };
    uint32_t seed = 5u, accepted = 0, ran = 0, waited = 0;
    uint8_t *arena = fixture_aligned(sizeof offload.arena);
    uint32_t *state = test_exact_copy(offload.state, sizeof offload.state);
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        offload_make(&offload, "AAB", &offload_driver);
        offload.kernels[OFFLOAD_NOTE].invoke = note_nothing;
        offload.kernels[OFFLOAD_ADD].invoke = add_a_byte;
        offload.kernels[OFFLOAD_LAUNCH].invoke = launch_a_byte;
        offload.config.arena = arena;
        offload.config.state = state;
        damage(&seed);
        NOTE("round %u", (unsigned)round);
        const weft_status_t status = check();
        CHECK(status == WEFT_OK || status == WEFT_E_TABLES || status == WEFT_E_VERSION);
        for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) scripted_init(&offload.scripts[i]);
        if (weft_pe_init(&offload.pe, &offload.config) != WEFT_OK) continue;
        accepted += 1u;
        for (uint32_t i = 0; i < STEPS; ++i) {
            feed_and_fetch_all();
            offload_jobs_end(&offload, 0u, test_random(&seed) % 2u == 0u);
            offload_jobs_end(&offload, 1u, test_random(&seed) % 2u == 0u);
            offload.scripts[0].start_count = offload.scripts[1].start_count = 0;
            const weft_status_t stepped = weft_pe_step(&offload.pe);
            ran += stepped == WEFT_OK ? 1u : 0u;
            waited += stepped == WEFT_PENDING ? 1u : 0u;
            CHECK(offload.pe.shard < offload.shard_count);
            CHECK(offload.pe.lane < offload.lane_count);
        }
    }
    free(arena);
    free(state);
    CHECK(accepted > ROUNDS / 100u && accepted < ROUNDS);
    CHECK(ran > 10u * accepted && waited > accepted);
}

TEST_MAIN(CASE(the_section_of_lanes_lies_in_the_tables), CASE(lanes_name_all_shards_in_order),
          CASE(lanes_have_state_words_of_their_own),
          CASE(launches_and_awaits_name_devices_that_are_there),
          CASE(tickets_have_state_words_of_their_own), CASE(awaits_come_before_all_other_calls),
          CASE(a_program_without_devices_has_no_calls_for_them),
          CASE(kernels_have_one_of_three_roles), CASE(launches_have_code_and_room_for_their_words),
          CASE(jobs_do_not_write_constants), CASE(damaged_tables_are_refused_or_harmless))

/* SPDX-License-Identifier: Apache-2.0 */
#include "offload.h"

#include "weft_test.h"

offload_log_t offload_log;

/* --- the device ------------------------------------------------------------------------------- */

void offload_work(const weft_job_t *job)
{
    const offload_job_t *todo = job->descriptor;
    for (uint32_t i = 0; i < OFFLOAD_FRAME; ++i)
        todo->out[i] = (uint8_t)(todo->x[i] * todo->factor);
}

static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    const weft_status_t status = scripted_driver.start(device, job);
    if (status == WEFT_OK) offload_work(job);
    return status;
}

static weft_status_t poll(weft_device_t *device, const weft_job_t *job)
{
    const weft_status_t status = scripted_driver.poll(device, job);
    if (status == WEFT_OK) offload_work(job);
    return status;
}

static weft_status_t cancel(weft_device_t *device, const weft_job_t *job)
{
    return scripted_driver.cancel(device, job);
}

static weft_status_t reset(weft_device_t *device)
{
    return scripted_driver.reset(device);
}

const weft_device_driver_t offload_driver = {
    .start = start,
    .poll = poll,
    .cancel = cancel,
    .reset = reset,
};

const weft_device_driver_t offload_driver_told = {
    .start = start,
    .cancel = cancel,
    .reset = reset,
};

const weft_job_t *offload_under_way(const scripted_t *script)
{
    const weft_device_t *device = &script->device;
    for (uint32_t i = device->done; i != device->started; ++i) {
        const weft_job_t *job = &script->jobs[i & (device->config.job_count - 1u)];
        const bool is_told = (job->told ^ job->sequence << 8) <= 0xFFu;
        if (!is_told && job->outcome == (uint32_t)WEFT_PENDING) return job;
    }
    return NULL;
}

void offload_jobs_end(offload_t *offload, uint32_t device, bool they_do)
{
    offload->scripts[device].poll_answer = they_do ? WEFT_OK : WEFT_PENDING;
}

/* --- kernels ---------------------------------------------------------------------------------- */

static void invoke_note(const weft_pe_t *pe, const uint32_t *args)
{
    (void)pe;
    CHECK(offload_log.count < OFFLOAD_LOG);
    offload_log.tasks[offload_log.count++] = args[0] * 10u + args[1];
}

static void invoke_add(const weft_pe_t *pe, const uint32_t *args)
{
    const uint8_t *left = weft_pe_at(pe, args[0]), *right = weft_pe_at(pe, args[1]);
    uint8_t *out = weft_pe_arena_at(pe, args[2]);
    for (uint32_t i = 0; i < OFFLOAD_FRAME; ++i) out[i] = (uint8_t)(left[i] + right[i]);
}

/* As generated code does it. */
static void invoke_launch(const weft_pe_t *pe, const uint32_t *args)
{
    offload_job_t *job = weft_pe_descriptor(pe, args[LAUNCH_DEVICE]);
    if (job == NULL) return;
    job->value = args[LAUNCH_LABEL];
    job->factor = args[LAUNCH_FACTOR];
    job->x = weft_pe_at(pe, args[LAUNCH_X]);
    job->out = weft_pe_arena_at(pe, args[LAUNCH_OUT]);
    weft_pe_launch(pe, args[LAUNCH_LABEL], args[LAUNCH_DEVICE], args[LAUNCH_TICKET]);
}

static const weft_kernel_t kernels[OFFLOAD_KERNELS] = {
    {invoke_note, 0u, 2u, 0u, WEFT_ROLE_COMPUTE},
    {invoke_add, 3u, 3u, 1u << 2, WEFT_ROLE_COMPUTE},
    {invoke_launch, 2u, 6u, 1u << 1, WEFT_ROLE_LAUNCH},
    {NULL, 0u, 2u, 0u, WEFT_ROLE_AWAIT},
};

/* --- tables ----------------------------------------------------------------------------------- */

enum { ROOM = OFFLOAD_FRAME * OFFLOAD_DEPTH, SLOT_STATES = 1 + OFFLOAD_DEPTH + 1 };

/* Where a lane keeps first, second and result. */
static uint32_t scratch_of(const offload_t *offload, uint32_t shard)
{
    return 2u * offload->shard_count * ROOM + offload->lane_of[shard] * 3u * OFFLOAD_FRAME;
}

typedef struct writer {
    offload_t *offload;
    uint32_t calls, args, tasks; /* so far, of the sections */
    uint32_t args_at;
} writer_t;

static uint32_t *put_call(writer_t *writer, uint32_t kernel)
{
    uint32_t *words = writer->offload->words;
    uint32_t *row = words + writer->offload->calls_at + 2u * writer->calls++;
    row[0] = kernel;
    row[1] = writer->args;
    uint32_t *args = words + writer->args_at + writer->args;
    writer->args += kernels[kernel].arg_count;
    return args;
}

static void begin_task(writer_t *writer)
{
    writer->offload->words[writer->offload->tasks_at + 2u * writer->tasks++] = writer->calls;
}

static void end_task(writer_t *writer)
{
    uint32_t *row = writer->offload->words + writer->offload->tasks_at + 2u * (writer->tasks - 1u);
    row[1] = writer->calls - row[0];
}

static uint32_t ticket_of(const offload_t *offload, uint32_t shard, uint32_t job)
{
    return offload->first_ticket + shard * OFFLOAD_JOBS + job;
}

static void put_note(writer_t *writer, uint32_t shard, uint32_t task)
{
    memcpy(put_call(writer, OFFLOAD_NOTE), (const uint32_t[]){shard, task}, 2u * sizeof(uint32_t));
}

static void put_launch(writer_t *writer, uint32_t shard, uint32_t job)
{
    offload_t *offload = writer->offload;
    uint32_t *args = put_call(writer, OFFLOAD_LAUNCH);
    offload->launch_args[shard][job] = (uint32_t)(args - offload->words);
    args[LAUNCH_X] = WEFT_IN_SLOT | shard << WEFT_SLOT_SHIFT;
    args[LAUNCH_OUT] = scratch_of(offload, shard) + job * OFFLOAD_FRAME;
    args[LAUNCH_FACTOR] = job == 0u ? OFFLOAD_FACTOR + shard : 5u;
    args[LAUNCH_LABEL] = offload_label(shard, job);
    args[LAUNCH_DEVICE] = offload->device_of[shard][job];
    args[LAUNCH_TICKET] = ticket_of(offload, shard, job);
}

static void put_second_half(writer_t *writer, uint32_t shard, uint32_t job)
{
    offload_t *offload = writer->offload;
    const uint32_t scratch = scratch_of(offload, shard), result = scratch + 2u * OFFLOAD_FRAME;
    begin_task(writer);
    uint32_t *args = put_call(writer, OFFLOAD_AWAIT);
    offload->await_args[shard][job] = (uint32_t)(args - offload->words);
    args[AWAIT_DEVICE] = offload->device_of[shard][job];
    args[AWAIT_TICKET] = ticket_of(offload, shard, job);
    put_note(writer, shard, job + 1u);
    args = put_call(writer, OFFLOAD_ADD);
    args[0] = scratch + job * OFFLOAD_FRAME;
    args[1] = job == 0u ? WEFT_IN_SLOT | shard << WEFT_SLOT_SHIFT : result;
    args[2] = result;
    end_task(writer);
}

static void put_work(writer_t *writer, uint32_t shard)
{
    begin_task(writer);
    put_note(writer, shard, 0u);
    for (uint32_t job = 0; job < OFFLOAD_JOBS; ++job) put_launch(writer, shard, job);
    end_task(writer);
    for (uint32_t job = 0; job < OFFLOAD_JOBS; ++job) put_second_half(writer, shard, job);
}

#define PUT(cursor_, ...)                          \
    do {                                           \
        const uint32_t row_[] = {__VA_ARGS__};     \
        memcpy((cursor_), row_, sizeof row_);      \
        (cursor_) += sizeof row_ / sizeof row_[0]; \
    } while (0)

static void put_ends(const offload_t *offload, uint32_t *slots, uint32_t *returns,
                     uint32_t *channels)
{
    const uint32_t count = offload->shard_count;
    for (uint32_t i = 0; i < 2u * count; ++i) {
        const bool is_output = i >= count;
        PUT(slots, i * ROOM, OFFLOAD_FRAME, OFFLOAD_DEPTH, 1u, is_output ? i - count : 0u,
            is_output ? 1u : 0u, i * SLOT_STATES);
        PUT(channels, is_output ? WEFT_CHANNEL_OUT : WEFT_CHANNEL_IN, i, 0u, 1u, OFFLOAD_FRAME,
            OFFLOAD_FRAME);
        if (is_output) PUT(returns, OFFLOAD_NUMBER, i - count);
    }
}

static void put_shards(const offload_t *offload, uint32_t *shards, uint32_t *sends)
{
    const uint32_t count = offload->shard_count, states = 2u * count * SLOT_STATES;
    for (uint32_t i = 0; i < count; ++i) {
        PUT(shards, i, 1u, i * OFFLOAD_TASKS, OFFLOAD_TASKS, i, 1u, states + i);
        PUT(sends, OFFLOAD_NUMBER, count + i, 0u, OFFLOAD_DEPTH,
            scratch_of(offload, i) + 2u * OFFLOAD_FRAME, (count + i) * ROOM, OFFLOAD_FRAME, 1u, 1u,
            OFFLOAD_FRAME, 0u, 0u, 0u, 0u, states + count + i);
    }
}

static void put_lanes(const offload_t *offload, uint32_t *lanes, uint32_t state)
{
    uint32_t first = 0;
    for (uint32_t lane = 0; lane < offload->lane_count; ++lane) {
        uint32_t end = first;
        while (end < offload->shard_count && offload->lane_of[end] == lane) ++end;
        PUT(lanes, first, end - first, state + lane * WEFT_LANE_WORDS);
        first = end;
    }
}

void offload_write_tables(offload_t *offload)
{
    const uint32_t n = offload->shard_count, notes = OFFLOAD_TASKS * 2u;
    const uint32_t args = n * (notes + OFFLOAD_JOBS * (6u + 2u + 3u));
    const uint32_t counts[] = {
        2u * n, n, n, n, 2u * n, n * OFFLOAD_TASKS, n * 9u, args, offload->lane_count};
    static const uint32_t sizes[] = {SLOT_WORDS,    SHARD_WORDS, SEND_WORDS, RETURN_WORDS,
                                     CHANNEL_WORDS, 2u,          2u,         1u,
                                     LANE_ROW_WORDS};
    uint32_t *words = offload->words, at[9], total = HEAD_WORDS;
    for (uint32_t i = 0; i < 9u; ++i) {
        at[i] = total;
        words[AT_SLOT_COUNT + 2u * i] = counts[i];
        words[AT_SLOTS_AT + 2u * i] = total;
        total += counts[i] * sizes[i];
    }
    CHECK(total <= sizeof offload->words / sizeof offload->words[0]);
    const uint32_t lanes_state = 2u * n * SLOT_STATES + 2u * n;
    offload->first_ticket = lanes_state + offload->lane_count * WEFT_LANE_WORDS;
    const uint32_t head[] = {WEFT_TABLES_MAGIC,
                             WEFT_TABLES_VERSION,
                             total,
                             sizeof offload->arena,
                             0u,
                             offload->first_ticket + n * OFFLOAD_JOBS};
    memcpy(words, head, sizeof head);
    offload->lanes_at = at[8];
    offload->tasks_at = at[5];
    offload->calls_at = at[6];
    put_ends(offload, words + at[0], words + at[3], words + at[4]);
    put_shards(offload, words + at[1], words + at[2]);
    put_lanes(offload, words + at[8], lanes_state);
    writer_t writer = {.offload = offload, .args_at = at[7]};
    for (uint32_t shard = 0; shard < n; ++shard) put_work(&writer, shard);
    CHECK_EQ(writer.args, args);
    CHECK_EQ(writer.calls, n * 9u);
}

/* --- life ------------------------------------------------------------------------------------- */

static void prepare_devices(offload_t *offload, const weft_device_driver_t *driver)
{
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) {
        scripted_t *script = &offload->scripts[i];
        scripted_prepare(script, driver, 1u);
        script->facts.descriptor_bytes = sizeof(offload_job_t);
        offload->devices[i] = &script->device;
        offload->setups[i] = (weft_device_setup_t){
            .driver = driver, .facts = &script->facts, .descriptor_bytes = sizeof(offload_job_t)};
    }
}

void offload_make(offload_t *offload, const char *lanes, const weft_device_driver_t *driver)
{
    memset(offload, 0, sizeof *offload);
    memset(offload->arena, 0xEE, sizeof offload->arena);
    memset(&offload_log, 0, sizeof offload_log);
    memcpy(offload->kernels, kernels, sizeof kernels);
    offload->shard_count = (uint32_t)strlen(lanes);
    CHECK(offload->shard_count <= OFFLOAD_SHARDS);
    for (uint32_t i = 0; i < offload->shard_count; ++i) {
        offload->lane_of[i] = (uint32_t)(lanes[i] - 'A');
        offload->lane_count = offload->lane_of[i] + 1u;
    }
    for (uint32_t i = 0; offload->lane_count > 1u && i < offload->shard_count; ++i) {
        const bool is_last = offload->lane_of[i] + 1u == offload->lane_count;
        for (uint32_t job = 0; job < OFFLOAD_JOBS; ++job) {
            offload->device_of[i][job] = is_last ? 1u : 0u;
        }
    }
    prepare_devices(offload, driver);
    offload->served = (weft_program_devices_t){.count = OFFLOAD_DEVICES,
                                               .setups = offload->setups,
                                               .tables_are_valid = weft_device_tables_are_valid,
                                               .check = weft_pe_check_devices,
                                               .await = weft_pe_await};
    offload->program = (weft_program_t){"offload", offload->kernels, OFFLOAD_KERNELS,
                                        WEFT_TABLES_VERSION, &offload->served};
    offload_write_tables(offload);
    offload->config = (weft_pe_config_t){
        .program = &offload->program,
        .tables = (const weft_tables_t *)offload->words,
        .table_words = offload->words[AT_WORD_COUNT],
        .arena = offload->arena,
        .arena_bytes = sizeof offload->arena,
        .state = offload->state,
        .state_words = sizeof offload->state / sizeof offload->state[0],
        .number = OFFLOAD_NUMBER,
        .epoch = FIXTURE_EPOCH,
        .devices = offload->devices,
        .device_count = OFFLOAD_DEVICES,
    };
}

void offload_init(offload_t *offload)
{
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) scripted_init(&offload->scripts[i]);
    CHECK_EQ(weft_pe_init(&offload->pe, &offload->config), WEFT_OK);
}

void offload_start(offload_t *offload, const char *lanes)
{
    offload_make(offload, lanes, &offload_driver);
    offload_init(offload);
}

uint32_t offload_label(uint32_t shard, uint32_t job)
{
    return 100u + shard * 10u + job;
}

/* --- running ---------------------------------------------------------------------------------- */

static uint8_t byte_of(uint32_t shard, uint32_t number, uint32_t index)
{
    return (uint8_t)(1u + shard * 67u + number * 29u + index * 7u);
}

void offload_feed(offload_t *offload, uint32_t shard, uint32_t number)
{
    void *room = NULL;
    CHECK_EQ(weft_pe_channel_acquire(&offload->pe, shard, &room), WEFT_OK);
    uint8_t *bytes = room;
    for (uint32_t i = 0; i < OFFLOAD_FRAME; ++i) bytes[i] = byte_of(shard, number, i);
    CHECK_EQ(weft_pe_channel_publish(&offload->pe, shard), WEFT_OK);
}

bool offload_is_right(uint32_t shard, uint32_t number, const uint8_t *bytes)
{
    const uint32_t factor = OFFLOAD_FACTOR + shard + 1u + 5u;
    for (uint32_t i = 0; i < OFFLOAD_FRAME; ++i) {
        if (bytes[i] != (uint8_t)(byte_of(shard, number, i) * factor)) return false;
    }
    return true;
}

bool offload_fetch(offload_t *offload, uint32_t shard, uint32_t number)
{
    const void *room = NULL;
    const uint32_t channel = offload->shard_count + shard;
    const weft_status_t status = weft_pe_channel_observe(&offload->pe, channel, &room);
    if (status == WEFT_NO_FRAME) return false;
    CHECK_EQ(status, WEFT_OK);
    CHECK(offload_is_right(shard, number, room));
    CHECK_EQ(weft_pe_channel_release(&offload->pe, channel), WEFT_OK);
    return true;
}

weft_status_t offload_run(offload_t *offload, uint32_t *out_steps)
{
    weft_status_t status = WEFT_OK;
    for (*out_steps = 0; *out_steps < 1000u; ++*out_steps) {
        status = weft_pe_step(&offload->pe);
        if (status != WEFT_OK) return status;
    }
    CHECK_EQ(status, WEFT_IDLE); /* it never stops */
    return status;
}

void offload_ran(const char *expected)
{
    char text[OFFLOAD_LOG * 3 + 1] = "";
    for (uint32_t i = 0; i < offload_log.count; ++i) {
        (void)snprintf(text + 3u * i, 4u, "%02u ", (unsigned)offload_log.tasks[i]);
    }
    if (offload_log.count > 0u) text[3u * offload_log.count - 1u] = '\0';
    NOTE("ran '%.60s', expected '%.60s'", text, expected);
    CHECK(strcmp(text, expected) == 0);
    offload_log.count = 0;
}

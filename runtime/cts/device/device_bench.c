/* SPDX-License-Identifier: Apache-2.0 */
#include "device_bench.h"

#include <string.h>

#define SPREAD 2654435761u /* odd: seeds stay apart */

enum { GUARDED = 0xA7, UNTOUCHED = 0x5E, LATE_POLLS = 2000 };

/* --- memory ------------------------------------------------------------------------------------ */

/* A block with guards around it, or null. */
static uint8_t *take(bench_t *bench, uint32_t bytes, uint32_t alignment)
{
    const uintptr_t start = (uintptr_t)bench->memory;
    const uintptr_t wanted = start + bench->used + BENCH_GUARD;
    const uint32_t offset =
        (uint32_t)(((wanted + alignment - 1u) & ~((uintptr_t)alignment - 1u)) - start);
    if (offset > bench->memory_bytes || bytes + BENCH_GUARD > bench->memory_bytes - offset) {
        return NULL;
    }
    if (bench->block_count == (uint32_t)BENCH_BLOCKS) return NULL;
    bench->blocks[bench->block_count++] = (bench_block_t){bench->memory + offset, bytes};
    bench->used = offset + bytes; /* the guard behind is the one before the next */
    memset(bench->memory + offset, UNTOUCHED, bytes);
    return bench->memory + offset;
}

static bool is_guarded(const uint8_t *guard)
{
    for (uint32_t i = 0; i < BENCH_GUARD; ++i) {
        if (guard[i] != GUARDED) return false;
    }
    return true;
}

static bool are_guards_whole(const bench_t *bench)
{
    for (uint32_t i = 0; i < bench->block_count; ++i) {
        const bench_block_t *block = &bench->blocks[i];
        if (!is_guarded(block->at - BENCH_GUARD) || !is_guarded(block->at + block->bytes)) {
            return false;
        }
    }
    return true;
}

/* --- the gate ---------------------------------------------------------------------------------- */

static weft_status_t start_gate(weft_device_t *device, const weft_job_t *job)
{
    (void)device, (void)job;
    return WEFT_PENDING;
}

static weft_status_t reset_gate(weft_device_t *device)
{
    (void)device;
    return WEFT_OK;
}

static const weft_device_driver_t gate_driver = {
    .facts = {.name = "gate",
              .alignment = 1u,
              .jobs_in_flight = 1u,
              .descriptor_bytes = sizeof(uint32_t)},
    .start = start_gate,
    .reset = reset_gate,
};

static weft_status_t set_up_gate(bench_t *bench)
{
    const weft_device_config_t config = {
        .driver = &gate_driver,
        .pe = bench->configs[0].pe,
        .jobs = &bench->gate_job,
        .job_count = 1u,
        .descriptors = &bench->gate_descriptor,
        .descriptors_bytes = sizeof bench->gate_descriptor,
        .deadline_ticks = INT32_MAX,
    };
    WEFT_RETURN_IF_ERROR(weft_device_init(&bench->gate, &config));
    return weft_device_activate(&bench->gate);
}

weft_ticket_t bench_close_gate(bench_t *bench)
{
    weft_ticket_t ticket = {NULL, 0u};
    void *descriptor = NULL;
    (void)weft_device_reserve(&bench->gate, &descriptor);
    (void)weft_device_submit(&bench->gate, NULL, 0u, 0u, 0u, &ticket);
    return ticket;
}

void bench_open_gate(bench_t *bench, weft_status_t status)
{
    (void)weft_device_complete(&bench->gate, bench->gate.submitted - 1u, status);
    (void)weft_device_poll(&bench->gate);
}

/* --- setting up -------------------------------------------------------------------------------- */

static uint32_t jobs_for(const weft_device_facts_t *facts)
{
    uint32_t jobs = BENCH_JOBS;
    while (jobs < facts->jobs_in_flight && jobs < (uint32_t)WEFT_MOST_JOBS) jobs *= 2u;
    return jobs;
}

static weft_status_t set_up_device(bench_t *bench, uint32_t instance)
{
    const weft_device_cts_adapter_t *adapter = bench->adapter;
    weft_device_config_t *config = &bench->configs[instance];
    *config = (weft_device_config_t){.driver = adapter->driver,
                                     .facts = &adapter->driver->facts,
                                     .deadline_ticks = adapter->deadline_ticks};
    if (adapter->prepare != NULL) {
        adapter->prepare(config, instance, bench->memory, bench->memory_bytes);
    }
    const weft_device_facts_t *facts = config->facts;
    config->job_count = jobs_for(facts);
    config->context_bytes = facts->context_bytes;
    config->descriptors_bytes =
        (uint32_t)WEFT_DESCRIPTORS_BYTES(facts->descriptor_bytes, config->job_count);
    config->context = take(bench, facts->context_bytes, 16u);
    config->descriptors = take(bench, config->descriptors_bytes, 16u);
    config->jobs =
        (weft_job_t *)(void *)take(bench, config->job_count * (uint32_t)sizeof(weft_job_t), 16u);
    if (config->context == NULL || config->descriptors == NULL || config->jobs == NULL) {
        return WEFT_E_STORAGE;
    }
    WEFT_RETURN_IF_ERROR(weft_device_init(&bench->devices[instance], config));
    return weft_device_activate(&bench->devices[instance]);
}

weft_status_t bench_set_up(bench_t *bench, const weft_device_cts_adapter_t *adapter,
                           uint8_t *memory, uint32_t memory_bytes)
{
    memset(bench, 0, sizeof *bench);
    memset(memory, GUARDED, memory_bytes);
    bench->adapter = adapter;
    bench->memory = memory;
    bench->memory_bytes = memory_bytes;
    for (uint32_t i = 0; i < BENCH_INSTANCES; ++i) {
        WEFT_RETURN_IF_ERROR(set_up_device(bench, i));
    }
    const uint32_t own = bench->configs[0].facts->alignment;
    const uint32_t alignment = own > 16u ? own : 16u;
    for (uint32_t i = 0; i < BENCH_ROOMS; ++i) {
        bench_room_t *room = &bench->rooms[i];
        room->inputs = take(bench, adapter->input_bytes, alignment);
        room->outputs = take(bench, adapter->output_bytes, alignment);
        room->expected = take(bench, adapter->output_bytes, alignment);
        if (room->inputs == NULL || room->outputs == NULL || room->expected == NULL) {
            return WEFT_E_STORAGE;
        }
    }
    return set_up_gate(bench);
}

/* --- jobs -------------------------------------------------------------------------------------- */

bool bench_submit(bench_t *bench, uint32_t instance, uint32_t room, const weft_ticket_t *on,
                  bool is_bad)
{
    const weft_device_cts_adapter_t *adapter = bench->adapter;
    weft_device_t *device = &bench->devices[instance];
    bench_room_t *at = &bench->rooms[room];
    void *descriptor = NULL;
    if (weft_device_reserve(device, &descriptor) != WEFT_OK) return false;
    bench->seeds += 1u;
    const uint32_t seed = bench->seeds * SPREAD;
    (is_bad ? adapter->make_bad : adapter->make)(seed, descriptor, at->inputs, at->outputs);
    memcpy(at->expected, at->before != NULL ? at->before : at->outputs, adapter->output_bytes);
    if (!is_bad) adapter->expect(seed, at->inputs, at->expected);
    const uint32_t count = on != NULL ? 1u : 0u;
    return weft_device_submit(device, on, count, 0u, bench->seeds, &at->ticket) == WEFT_OK;
}

weft_status_t bench_finish(bench_t *bench, uint32_t room)
{
    const weft_ticket_t *ticket = &bench->rooms[room].ticket;
    for (uint32_t i = 0; i < WEFT_DEVICE_CTS_PATIENCE; ++i) {
        const weft_status_t state = weft_ticket_state(ticket);
        if (state != WEFT_PENDING) return state;
        (void)weft_device_poll(ticket->device);
    }
    return WEFT_PENDING;
}

bool bench_is_same(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; ++i) {
        if (a[i] != b[i]) return false;
    }
    return true;
}

bool bench_is_right(bench_t *bench, uint32_t room)
{
    const bench_room_t *at = &bench->rooms[room];
    for (uint32_t i = 0; i < BENCH_INSTANCES; ++i) {
        if (weft_device_strays(&bench->devices[i]) != 0u) return false;
    }
    return bench_is_same(at->outputs, at->expected, bench->adapter->output_bytes) &&
           are_guards_whole(bench);
}

bool bench_do(bench_t *bench, uint32_t instance, uint32_t room)
{
    return bench_submit(bench, instance, room, NULL, false) &&
           bench_finish(bench, room) == WEFT_OK && bench_is_right(bench, room);
}

void bench_expect_no_change(bench_t *bench, uint32_t room)
{
    const bench_room_t *at = &bench->rooms[room];
    memcpy(at->expected, at->outputs, bench->adapter->output_bytes);
}

bool bench_pass_time(bench_t *bench, uint32_t instance, uint32_t room)
{
    for (uint32_t other = 0; other < BENCH_ROOMS; ++other) {
        if (other != room && !bench_do(bench, instance, other)) return false;
    }
    for (uint32_t i = 0; i < LATE_POLLS; ++i) (void)weft_device_poll(&bench->devices[instance]);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "host_run.h"

#include <stdlib.h>
#include <string.h>

static uint32_t queue_for(const weft_device_facts_t *facts, uint32_t job_count)
{
    uint32_t jobs = 1u;
    while ((jobs < facts->jobs_in_flight || jobs < job_count) && jobs < (uint32_t)WEFT_MOST_JOBS) {
        jobs *= 2u;
    }
    return jobs;
}

static weft_status_t run(weft_device_t *device, const uint8_t *descriptors, uint32_t job_count,
                         uint32_t *out_states)
{
    const uint32_t bytes = weft_device_facts(device)->descriptor_bytes;
    weft_ticket_t ticket = {device, 0u};
    WEFT_RETURN_IF_ERROR(weft_device_activate(device));
    for (uint32_t i = 0; i < job_count; ++i) {
        void *room = NULL;
        WEFT_RETURN_IF_ERROR(weft_device_reserve(device, &room));
        memcpy(room, descriptors + (size_t)i * bytes, bytes);
        WEFT_RETURN_IF_ERROR(weft_device_submit(device, NULL, 0u, 0u, i, &ticket));
    }
    /* Each job has its deadline, so this ends. */
    while (weft_device_left(device) > 0u) (void)weft_device_poll(device);
    for (uint32_t i = 0; i < job_count; ++i) {
        ticket.sequence = i;
        out_states[i] = (uint32_t)weft_ticket_state(&ticket);
    }
    (void)weft_device_reset(device); /* whatever is wedged must not write later */
    WEFT_RETURN_IF_ERROR(weft_device_deactivate(device));
    return weft_device_deinit(device);
}

weft_status_t weft_host_device_run(const weft_device_driver_t *driver, const uint32_t *options,
                                   uint32_t option_count, const void *descriptors,
                                   uint32_t job_count, uint32_t deadline_ticks,
                                   uint32_t *out_states)
{
    const weft_device_facts_t *facts = &driver->facts;
    const uint32_t queue = queue_for(facts, job_count);
    const size_t rooms = WEFT_DESCRIPTORS_BYTES(facts->descriptor_bytes, queue);
    weft_device_t device;
    const weft_device_config_t config = {
        .driver = driver,
        .context = calloc(1u, facts->context_bytes + 1u),
        .context_bytes = facts->context_bytes,
        .options = options,
        .option_count = option_count,
        .jobs = calloc(queue, sizeof(weft_job_t)),
        .job_count = queue,
        .descriptors = calloc(1u, rooms),
        .descriptors_bytes = (uint32_t)rooms,
        .deadline_ticks = deadline_ticks,
    };
    weft_status_t status = weft_device_init(&device, &config);
    if (status == WEFT_OK) status = run(&device, descriptors, job_count, out_states);
    free(config.context);
    free(config.jobs);
    free(config.descriptors);
    return status;
}

void weft_host_device_facts(const weft_device_driver_t *driver, uint32_t *out_facts)
{
    const weft_device_facts_t *facts = &driver->facts;
    const uint32_t words[WEFT_HOST_FACTS] = {
        facts->alignment,   facts->jobs_in_flight, facts->spaces,          facts->accumulator_bits,
        facts->is_blocking, facts->clock_hz,       facts->descriptor_bytes};
    memcpy(out_facts, words, sizeof words);
}

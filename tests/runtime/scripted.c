/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted.h"

#include "mesh.h"
#include "weft_test.h"

uint32_t scripted_clock;

static uint32_t read_clock(void *context, uint32_t pe)
{
    (void)context, (void)pe;
    return scripted_clock;
}

static weft_host_mesh_t mesh = {.clock = read_clock};
static const weft_pe_t pe = {.port = &mesh};

static scripted_t *script_of(const weft_device_t *device)
{
    return device->config.context;
}

static weft_status_t init(weft_device_t *device)
{
    script_of(device)->inits += 1u;
    return script_of(device)->life_answer;
}

static weft_status_t deinit(weft_device_t *device)
{
    script_of(device)->deinits += 1u;
    return script_of(device)->life_answer;
}

static weft_status_t activate(weft_device_t *device)
{
    script_of(device)->activations += 1u;
    return script_of(device)->life_answer;
}

static weft_status_t deactivate(weft_device_t *device)
{
    script_of(device)->deactivations += 1u;
    return script_of(device)->life_answer;
}

static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    scripted_t *scripted = script_of(device);
    const scripted_job_t *descriptor = job->descriptor;
    CHECK(scripted->start_count < sizeof scripted->started / sizeof scripted->started[0]);
    scripted->started[scripted->start_count++] = descriptor->value;
    return scripted->start_answer;
}

static weft_status_t poll(weft_device_t *device, const weft_job_t *job)
{
    (void)job;
    script_of(device)->polls += 1u;
    return script_of(device)->poll_answer;
}

static weft_status_t cancel(weft_device_t *device, const weft_job_t *job)
{
    (void)job;
    script_of(device)->cancels += 1u;
    return script_of(device)->cancel_answer;
}

static weft_status_t reset(weft_device_t *device)
{
    script_of(device)->resets += 1u;
    return script_of(device)->life_answer;
}

const weft_device_driver_t scripted_driver = {
    .init = init,
    .deinit = deinit,
    .activate = activate,
    .deactivate = deactivate,
    .start = start,
    .poll = poll,
    .cancel = cancel,
    .reset = reset,
};

const weft_device_driver_t scripted_without_poll = {
    .start = start,
    .cancel = cancel,
    .reset = reset,
};

const weft_device_driver_t scripted_without_cancel = {
    .start = start,
    .poll = poll,
    .reset = reset,
};

void scripted_prepare(scripted_t *scripted, const weft_device_driver_t *driver, uint32_t in_flight)
{
    memset(scripted, 0, sizeof *scripted);
    scripted->facts = (weft_device_facts_t){
        .name = "scripted",
        .alignment = 4u,
        .jobs_in_flight = in_flight,
        .spaces = 1u << WEFT_SPACE_LOCAL,
        .descriptor_bytes = sizeof(scripted_job_t),
        .context_bytes = sizeof *scripted,
    };
    scripted->config = (weft_device_config_t){
        .driver = driver,
        .facts = &scripted->facts,
        .pe = &pe,
        .context = scripted,
        .context_bytes = sizeof *scripted,
        .jobs = scripted->jobs,
        .job_count = 4u,
        .descriptors = scripted->rooms,
        .descriptors_bytes = sizeof scripted->rooms,
        .deadline_ticks = SCRIPTED_DEADLINE,
    };
    scripted->start_answer = scripted->poll_answer = WEFT_PENDING;
}

void scripted_init(scripted_t *scripted)
{
    CHECK_EQ(weft_device_init(&scripted->device, &scripted->config), WEFT_OK);
    CHECK_EQ(weft_device_activate(&scripted->device), WEFT_OK);
}

void scripted_start(scripted_t *scripted, const weft_device_driver_t *driver, uint32_t in_flight)
{
    scripted_prepare(scripted, driver, in_flight);
    scripted_init(scripted);
}

weft_ticket_t scripted_submit(scripted_t *scripted, uint32_t value, const weft_ticket_t *on,
                              uint32_t on_count)
{
    weft_ticket_t ticket = {0};
    void *room = NULL;
    CHECK_EQ(weft_device_reserve(&scripted->device, &room), WEFT_OK);
    *(scripted_job_t *)room = (scripted_job_t){.value = value};
    CHECK_EQ(weft_device_submit(&scripted->device, on, on_count, 0u, value, &ticket), WEFT_OK);
    return ticket;
}

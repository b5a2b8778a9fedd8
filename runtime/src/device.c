/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of a device. Three counters of jobs say where each stands: done <= started <= submitted.
 * They, and the outcome of a job, are written by the device's thread alone, and by nobody else. Other
 * contexts write `told` of a job: which job they mean, and how it ended, in one word. So nothing is
 * written from two sides, except for `told` of a job before it is started. */
#include "weft/device.h"

#include <string.h>

#include "weft/port.h"

#define LONGEST ((uint32_t)INT32_MAX)

static bool is_ready(const weft_device_t *device)
{
    return device != NULL && device->is_ready;
}

static weft_status_t call(weft_status_t (*function)(weft_device_t *), weft_device_t *device)
{
    return function != NULL ? function(device) : WEFT_OK;
}

static weft_job_t *job_at(const weft_device_t *device, uint32_t sequence)
{
    return &device->config.jobs[sequence & (device->config.job_count - 1u)];
}

static uint32_t now(const weft_device_t *device)
{
    return weft_port_clock(device->config.pe);
}

/* For the device's thread, which alone writes it. */
static weft_status_t outcome_of(const weft_job_t *job)
{
    return (weft_status_t)job->outcome;
}

static void set_outcome(weft_job_t *job, weft_status_t outcome)
{
    weft_port_publish(&job->outcome, (uint32_t)outcome);
}

/* --- life -------------------------------------------------------------------------------------- */

static bool is_deadline(uint32_t ticks)
{
    return ticks - 1u < LONGEST;
}

static size_t stride_of(const weft_device_config_t *config)
{
    return WEFT_DESCRIPTOR_STRIDE(config->facts->descriptor_bytes);
}

static bool has_room(const weft_device_config_t *config)
{
    const uintptr_t places = (uintptr_t)config->context | (uintptr_t)config->descriptors;
    return config->job_count >= config->facts->jobs_in_flight &&
           config->context_bytes >= config->facts->context_bytes &&
           config->descriptors_bytes / config->job_count >= stride_of(config) &&
           (places & (WEFT_DESCRIPTOR_ALIGNMENT - 1u)) == 0u;
}

weft_status_t weft_device_init(weft_device_t *device, const weft_device_config_t *config)
{
    if (device == NULL) return WEFT_E_ARGUMENT;
    memset(device, 0, sizeof *device);
    if (config == NULL || config->driver == NULL || config->jobs == NULL ||
        config->descriptors == NULL) {
        return WEFT_E_ARGUMENT;
    }
    const uint32_t count = config->job_count;
    if (count - 1u >= (uint32_t)WEFT_MOST_JOBS || (count & (count - 1u)) != 0u ||
        !is_deadline(config->deadline_ticks)) {
        return WEFT_E_ARGUMENT;
    }
    device->config = *config;
    if (config->facts == NULL) device->config.facts = &config->driver->facts;
    if (!has_room(&device->config)) return WEFT_E_STORAGE;
    memset(config->jobs, 0, count * sizeof *config->jobs);
    WEFT_RETURN_IF_ERROR(call(config->driver->init, device));
    device->is_ready = true;
    return WEFT_OK;
}

weft_status_t weft_device_deinit(weft_device_t *device)
{
    if (!is_ready(device)) return WEFT_E_ARGUMENT;
    if (device->done != device->submitted) return WEFT_PENDING;
    if (device->activations > 0u || device->is_open) return WEFT_E_SEQUENCE;
    WEFT_RETURN_IF_ERROR(call(device->config.driver->deinit, device));
    device->is_ready = false;
    return WEFT_OK;
}

weft_status_t weft_device_activate(weft_device_t *device)
{
    if (!is_ready(device)) return WEFT_E_ARGUMENT;
    if (device->activations == 0u) {
        WEFT_RETURN_IF_ERROR(call(device->config.driver->activate, device));
    }
    device->activations += 1u;
    return WEFT_OK;
}

weft_status_t weft_device_deactivate(weft_device_t *device)
{
    if (!is_ready(device)) return WEFT_E_ARGUMENT;
    if (device->activations == 0u) return WEFT_E_SEQUENCE;
    if (device->activations == 1u) {
        if (device->done != device->submitted) return WEFT_PENDING;
        WEFT_RETURN_IF_ERROR(call(device->config.driver->deactivate, device));
        device->is_reserved = false;
    }
    device->activations -= 1u;
    return WEFT_OK;
}

/* --- tickets ----------------------------------------------------------------------------------- */

/* Whether `sequence` comes before `count`, of jobs so far. */
static bool is_before(uint32_t sequence, uint32_t count)
{
    return count - sequence - 1u < LONGEST;
}

static bool is_job(const weft_ticket_t *ticket)
{
    return ticket != NULL && is_ready(ticket->device) &&
           is_before(ticket->sequence, weft_port_observe(&ticket->device->submitted));
}

static bool is_over(const weft_ticket_t *ticket)
{
    return is_before(ticket->sequence, weft_port_observe(&ticket->device->done));
}

weft_status_t weft_ticket_state(const weft_ticket_t *ticket)
{
    if (!is_job(ticket)) return WEFT_E_ARGUMENT;
    if (!is_over(ticket)) return WEFT_PENDING;
    const weft_device_t *device = ticket->device;
    const weft_job_t *job = job_at(device, ticket->sequence);
    const weft_status_t outcome = (weft_status_t)weft_port_observe(&job->outcome);
    /* Asked afterwards: if it is still that job's record, it was its outcome. */
    if (weft_port_observe(&job->sequence) == ticket->sequence) return outcome;
    const weft_status_t failed = (weft_status_t)weft_port_observe(&device->failed_status);
    const uint32_t first = weft_port_observe(&device->failed_first);
    const uint32_t last = weft_port_observe(&device->failed_last);
    return ticket->sequence - first <= last - first ? failed : WEFT_OK;
}

/* A record is used again: what failed is remembered. */
static void remember_failure(weft_device_t *device, const weft_job_t *job)
{
    const weft_status_t outcome = outcome_of(job);
    /* Before old failures would look like new ones. */
    if (device->failed_status != 0u && !is_before(device->failed_last, device->submitted)) {
        weft_port_publish(&device->failed_status, 0u);
    }
    if (!weft_status_is_error(outcome)) return;
    if (device->failed_status == 0u) {
        weft_port_publish(&device->failed_first, job->sequence);
    }
    weft_port_publish(&device->failed_last, job->sequence);
    weft_port_publish(&device->failed_status, (uint32_t)outcome);
}

/* --- from job to job --------------------------------------------------------------------------- */

/* What the device itself says of a job, kept if it is a failure. */
static weft_status_t hear(weft_device_t *device, const weft_job_t *job, weft_status_t status)
{
    if (status == WEFT_OK || status == WEFT_PENDING) return status;
    if (!weft_status_is_error(status)) status = WEFT_E_DEVICE;
    device->error = (weft_device_error_t){status, job->label, job->sequence};
    return status;
}

/* How job `sequence` ended by the word in its record, WEFT_PENDING if that means another. */
static weft_status_t told_of(const weft_job_t *job, uint32_t sequence)
{
    const uint32_t difference = weft_port_observe(&job->told) ^ sequence << 8;
    return difference <= 0xFFu ? (weft_status_t)difference : WEFT_PENDING;
}

static bool stop(weft_device_t *device, const weft_job_t *job)
{
    return device->config.driver->cancel != NULL &&
           device->config.driver->cancel(device, job) == WEFT_OK;
}

/* How the oldest job under way ended; WEFT_PENDING if it did not, or if only the device knows and is
 * not asked. */
static weft_status_t judge(weft_device_t *device, const weft_job_t *job, bool asks)
{
    weft_status_t status = outcome_of(job);
    if (status != WEFT_PENDING) return status;
    status = told_of(job, job->sequence);
    if (status == WEFT_PENDING && device->fault != WEFT_OK) return device->fault;
    if (status == WEFT_PENDING && !asks) return status;
    if (status == WEFT_PENDING && device->config.driver->poll != NULL) {
        status = device->config.driver->poll(device, job);
    }
    if (status == WEFT_PENDING && now(device) - device->turn_at > job->deadline_ticks) {
        if (!stop(device, job)) device->fault = WEFT_E_DEADLINE;
        status = WEFT_E_DEADLINE;
    }
    return hear(device, job, status);
}

#if WEFT_TRACE
static void trace(const weft_device_t *device, weft_job_t *job, weft_status_t status)
{
    if (told_of(job, job->sequence) == WEFT_PENDING) job->told_at = now(device);
    if (device->config.trace == NULL) return;
    const weft_job_event_t event = {job->sequence,     job->label,      status,
                                    job->submitted_at, job->started_at, job->told_at};
    device->config.trace(device->config.trace_context, device, &event);
}
#endif

/* The oldest job is over. */
static void finish(weft_device_t *device, weft_job_t *job, weft_status_t status)
{
    set_outcome(job, status);
    weft_port_publish(&device->done, device->done + 1u);
    device->turn_at = now(device);
#if WEFT_TRACE
    trace(device, job, status);
#endif
}

static void collect(weft_device_t *device, bool asks)
{
    while (device->done != device->started) {
        weft_job_t *job = job_at(device, device->done);
        const weft_status_t status = judge(device, job, asks);
        if (status == WEFT_PENDING) break;
        finish(device, job, status);
    }
}

/* The first failure among what a job depends on, otherwise WEFT_PENDING if something is. */
static weft_status_t dependencies_of(const weft_job_t *job)
{
    weft_status_t all = WEFT_OK;
    for (uint32_t i = 0; i < job->dependency_count; ++i) {
        const weft_status_t one = weft_ticket_state(&job->dependencies[i]);
        if (weft_status_is_error(one)) return one;
        if (one == WEFT_PENDING) all = one;
    }
    return all;
}

/* Counts a job as started; from here on the device may complete it. */
static void take(weft_device_t *device, weft_job_t *job)
{
#if WEFT_TRACE
    job->started_at = now(device);
#endif
    if (device->started == device->done) device->turn_at = now(device);
    weft_port_publish(&job->told, ~job->sequence << 8);
    weft_port_publish(&device->started, device->started + 1u);
}

static void start(weft_device_t *device)
{
    while (device->started != device->submitted &&
           device->started - device->done < device->config.facts->jobs_in_flight) {
        weft_job_t *job = job_at(device, device->started);
        weft_status_t status = outcome_of(job); /* it may have been cancelled */
        if (status == WEFT_PENDING) {
            status = device->fault != WEFT_OK ? device->fault : dependencies_of(job);
            if (status == WEFT_PENDING) break;
        }
        take(device, job);
        if (status == WEFT_OK) {
            status = hear(device, job, device->config.driver->start(device, job));
        }
        set_outcome(job, status);
    }
}

/* What was just started is not asked about: it cannot be done yet, or, where the core does the work,
 * the caller has other things to do first. */
static weft_status_t advance(weft_device_t *device, bool asks)
{
    const uint32_t first = device->started + device->done;
    uint32_t before;
    do {
        before = device->started + device->done;
        collect(device, asks);
        start(device);
        asks = false;
    } while (device->started + device->done != before);
    return before != first ? WEFT_OK : WEFT_IDLE;
}

weft_status_t weft_device_poll(weft_device_t *device)
{
    return is_ready(device) ? advance(device, true) : WEFT_E_ARGUMENT;
}

/* --- work -------------------------------------------------------------------------------------- */

weft_status_t weft_device_reserve(weft_device_t *device, void **out_descriptor)
{
    if (!is_ready(device) || out_descriptor == NULL) return WEFT_E_ARGUMENT;
    if (device->activations == 0u) return WEFT_E_SEQUENCE;
    const uint32_t count = device->config.job_count;
    if (device->submitted - device->done == count) return WEFT_NO_CREDIT;
    device->is_reserved = true;
    uint8_t *rooms = device->config.descriptors;
    weft_job_t *job = job_at(device, device->submitted);
    job->descriptor = rooms + (device->submitted & (count - 1u)) * stride_of(&device->config);
    *out_descriptor = job->descriptor;
    return WEFT_OK;
}

weft_status_t weft_device_submit(weft_device_t *device, const weft_ticket_t *dependencies,
                                 uint32_t dependency_count, uint32_t deadline_ticks, uint32_t label,
                                 weft_ticket_t *out_ticket)
{
    if (!is_ready(device) || dependency_count > (uint32_t)WEFT_DEVICE_DEPENDENCIES ||
        (dependencies == NULL && dependency_count > 0u) || deadline_ticks > LONGEST ||
        out_ticket == NULL) {
        return WEFT_E_ARGUMENT;
    }
    if (!device->is_reserved) return WEFT_E_SEQUENCE;
    if (device->fault != WEFT_OK) return device->fault;
    const uint32_t sequence = device->submitted;
    weft_job_t *job = job_at(device, sequence);
    remember_failure(device, job);
    weft_port_publish(&job->sequence, sequence);
    set_outcome(job, WEFT_PENDING);
    job->label = label;
    job->deadline_ticks = deadline_ticks > 0u ? deadline_ticks : device->config.deadline_ticks;
    job->dependency_count = dependency_count;
    for (uint32_t i = 0; i < dependency_count; ++i) job->dependencies[i] = dependencies[i];
#if WEFT_TRACE
    job->submitted_at = now(device);
#endif
    device->is_reserved = false;
    *out_ticket = (weft_ticket_t){device, sequence};
    weft_port_publish(&device->submitted, sequence + 1u);
    (void)advance(device, false);
    return WEFT_OK;
}

/* --- order ------------------------------------------------------------------------------------- */

uint32_t weft_device_left(const weft_device_t *device)
{
    if (!is_ready(device)) return 0u;
    /* In this order: otherwise more could be done than were submitted. */
    const uint32_t done = weft_port_observe(&device->done);
    return weft_port_observe(&device->submitted) - done;
}

/* A device that the next job to be started waits for; null if there is none. */
static weft_device_t *holds_up(const weft_device_t *device)
{
    if (device->started == device->submitted) return NULL;
    const weft_job_t *job = job_at(device, device->started);
    for (uint32_t i = 0; i < job->dependency_count; ++i) {
        const weft_ticket_t *ticket = &job->dependencies[i];
        if (weft_ticket_state(ticket) == WEFT_PENDING) return ticket->device;
    }
    return NULL;
}

weft_status_t weft_device_wait(weft_device_t *device, uint32_t at_most_left,
                               uint32_t deadline_ticks)
{
    if (!is_ready(device) || !is_deadline(deadline_ticks)) return WEFT_E_ARGUMENT;
    const uint32_t since = now(device);
    weft_device_t *polled = device;
    for (;;) {
        (void)weft_device_poll(polled);
        if (weft_device_left(device) <= at_most_left) return WEFT_OK;
        if (now(device) - since > deadline_ticks) return WEFT_E_DEADLINE;
        /* From device to device, in a loop: calls of its own would need stack for each. */
        polled = holds_up(polled);
        if (polled == NULL) polled = device;
    }
}

/* --- completion -------------------------------------------------------------------------------- */

weft_status_t weft_device_complete(weft_device_t *device, uint32_t sequence, weft_status_t status)
{
    if (!is_ready(device)) return WEFT_E_ARGUMENT;
    if (status != WEFT_OK && !weft_status_is_error(status)) status = WEFT_E_DEVICE;
    const uint32_t done = weft_port_observe(&device->done);
    const uint32_t started = weft_port_observe(&device->started);
    weft_job_t *job = job_at(device, sequence);
    if (sequence - done >= started - done || told_of(job, sequence) != WEFT_PENDING) {
        weft_port_publish(&device->strays, device->strays + 1u);
        return WEFT_E_SEQUENCE;
    }
#if WEFT_TRACE
    job->told_at = now(device);
#endif
    weft_port_publish(&job->told, sequence << 8 | (uint32_t)status);
    return WEFT_OK;
}

/* --- recovery ---------------------------------------------------------------------------------- */

weft_status_t weft_device_cancel(const weft_ticket_t *ticket)
{
    if (!is_job(ticket)) return WEFT_E_ARGUMENT;
    weft_device_t *device = ticket->device;
    collect(device, false);
    weft_job_t *job = job_at(device, ticket->sequence);
    if (is_over(ticket) || outcome_of(job) != WEFT_PENDING) return WEFT_IDLE;
    if (is_before(ticket->sequence, device->started) && !stop(device, job)) return WEFT_PENDING;
    set_outcome(job, WEFT_E_CANCELLED);
    (void)advance(device, false);
    return WEFT_OK;
}

weft_status_t weft_device_reset(weft_device_t *device)
{
    if (!is_ready(device)) return WEFT_E_ARGUMENT;
    collect(device, false);
    device->fault = call(device->config.driver->reset, device);
    while (device->started != device->submitted) take(device, job_at(device, device->started));
    while (device->done != device->submitted) {
        weft_job_t *job = job_at(device, device->done);
        const weft_status_t outcome = outcome_of(job);
        finish(device, job, outcome == WEFT_PENDING ? WEFT_E_CANCELLED : outcome);
    }
    return device->fault;
}

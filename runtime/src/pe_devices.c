/* SPDX-License-Identifier: Apache-2.0 */
#include "weft/pe_devices.h"

#include <string.h>

/* Takes `bytes` bytes of what is left of the storage. */
static uint8_t *take(uint8_t **rest, uint32_t bytes)
{
    uint8_t *taken = *rest;
    *rest += WEFT_STORAGE_ROOM(bytes);
    return taken;
}

static weft_status_t set_up(const weft_device_setup_t *setup, const weft_pe_t *pe,
                            uint32_t deadline_ticks, uint8_t **rest, weft_device_t **out_device)
{
    weft_device_config_t config = {
        .driver = setup->driver,
        .facts = setup->facts,
        .pe = pe,
        .context_bytes = setup->context_bytes,
        .options = setup->options,
        .option_count = setup->option_count,
        .job_count = setup->job_count,
        .descriptors_bytes =
            (uint32_t)WEFT_DESCRIPTORS_BYTES(setup->descriptor_bytes, setup->job_count),
        .deadline_ticks = deadline_ticks,
    };
    *out_device = (weft_device_t *)(void *)take(rest, sizeof(weft_device_t));
    config.context = take(rest, config.context_bytes);
    config.jobs = (weft_job_t *)(void *)take(rest, setup->job_count * (uint32_t)sizeof(weft_job_t));
    config.descriptors = take(rest, config.descriptors_bytes);
    WEFT_RETURN_IF_ERROR(weft_device_init(*out_device, &config));
    return weft_device_activate(*out_device);
}

weft_status_t weft_pe_devices_init(const weft_program_t *program, const weft_pe_t *pe,
                                   void *storage, uint32_t storage_bytes, uint32_t deadline_ticks,
                                   weft_pe_devices_t *out_devices)
{
    if (program == NULL || program->devices == NULL || storage == NULL || out_devices == NULL) {
        return WEFT_E_ARGUMENT;
    }
    const weft_program_devices_t *devices = program->devices;
    if (storage_bytes < devices->storage_bytes ||
        ((uintptr_t)storage & (WEFT_DESCRIPTOR_ALIGNMENT - 1u)) != 0u) {
        return WEFT_E_STORAGE;
    }
    uint8_t *rest = storage;
    const uint32_t count = devices->count;
    weft_device_t **made =
        (weft_device_t **)(void *)take(&rest, count * (uint32_t)sizeof(weft_device_t *));
    for (uint32_t i = 0; i < count; ++i) {
        WEFT_RETURN_IF_ERROR(set_up(&devices->setups[i], pe, deadline_ticks, &rest, &made[i]));
    }
    out_devices->devices = made;
    out_devices->count = count;
    return WEFT_OK;
}

/* The device is there, and the ticket lies in the state words that no row names. */
static bool names_device(const weft_tables_t *tables, const weft_call_row_t *call,
                         const weft_program_t *program, uint32_t first_ticket)
{
    const weft_kernel_t *kernel = &program->kernels[call->kernel];
    if (kernel->role > (uint32_t)WEFT_ROLE_AWAIT) return false;
    if (kernel->arg_count - kernel->pointer_count < WEFT_DEVICE_WORDS) return false;
    const uint32_t *last =
        weft_tables_args(tables, call->first_arg) + kernel->arg_count - WEFT_DEVICE_WORDS;
    return last[0] < program->devices->count && last[1] >= first_ticket &&
           last[1] < tables->state_words;
}

/* The executive looks for awaits at the start of a task only. */
static bool awaits_come_first(const weft_tables_t *tables, const weft_task_row_t *task,
                              const weft_program_t *program)
{
    bool has_started = false;
    for (uint32_t c = 0; c < task->call_count; ++c) {
        const weft_call_row_t *call = weft_tables_call(tables, task->first_call + c);
        const bool is_await = program->kernels[call->kernel].role == (uint32_t)WEFT_ROLE_AWAIT;
        if (is_await && has_started) return false;
        has_started = has_started || !is_await;
    }
    return true;
}

bool weft_device_tables_are_valid(const weft_tables_t *tables, const weft_program_t *program,
                                  uint32_t first_ticket)
{
    for (uint32_t i = 0; i < tables->calls.count; ++i) {
        const weft_call_row_t *call = weft_tables_call(tables, i);
        if (program->kernels[call->kernel].role == (uint32_t)WEFT_ROLE_COMPUTE) continue;
        if (!names_device(tables, call, program, first_ticket)) return false;
    }
    for (uint32_t i = 0; i < tables->tasks.count; ++i) {
        if (!awaits_come_first(tables, weft_tables_task(tables, i), program)) return false;
    }
    return true;
}

weft_status_t weft_pe_check_devices(const weft_pe_t *pe)
{
    const weft_program_devices_t *wanted = pe->program->devices;
    if (pe->device_count < wanted->count || pe->devices == NULL) return WEFT_E_ARGUMENT;
    for (uint32_t i = 0; i < wanted->count; ++i) {
        const weft_device_facts_t *facts = weft_device_facts(pe->devices[i]);
        const weft_device_setup_t *setup = &wanted->setups[i];
        if (facts != (setup->facts != NULL ? setup->facts : &setup->driver->facts)) {
            return WEFT_E_ARGUMENT;
        }
    }
    return WEFT_OK;
}

/* Kernels do not change the PE that they are called with; a launch that fails does. */
static void fail(const weft_pe_t *pe, weft_status_t status)
{
    (void)weft_pe_fail((weft_pe_t *)pe, status);
}

void *weft_pe_descriptor(const weft_pe_t *pe, uint32_t device)
{
    void *descriptor = NULL;
    weft_status_t status = weft_device_reserve(pe->devices[device], &descriptor);
    if (status == WEFT_NO_CREDIT) {
        (void)weft_device_poll(pe->devices[device]); /* what is over may still be in the queue */
        status = weft_device_reserve(pe->devices[device], &descriptor);
    }
    if (status == WEFT_OK) return descriptor;
    fail(pe, weft_status_is_error(status) ? status : WEFT_E_SEQUENCE);
    return NULL;
}

void weft_pe_launch(const weft_pe_t *pe, uint32_t label, uint32_t device, uint32_t ticket)
{
    weft_ticket_t submitted;
    const weft_status_t status =
        weft_device_submit(pe->devices[device], NULL, 0u, 0u, label, &submitted);
    if (status == WEFT_OK) {
        pe->state[ticket] = submitted.sequence;
    } else {
        fail(pe, status);
    }
}

/* All devices move on when one is waited for: the job may depend on another device's. */
weft_status_t weft_pe_await(const weft_pe_t *pe, uint32_t device, uint32_t ticket)
{
    const weft_ticket_t awaited = {.device = pe->devices[device], .sequence = ticket};
    const weft_status_t status = weft_ticket_state(&awaited);
    if (status != WEFT_PENDING) return status;
    for (uint32_t i = 0; i < pe->program->devices->count; ++i) {
        (void)weft_device_poll(pe->devices[i]);
    }
    return weft_ticket_state(&awaited);
}

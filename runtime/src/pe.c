/* SPDX-License-Identifier: Apache-2.0 */
#include "weft/pe.h"

#include <string.h>

#include "weft/port.h"

static bool is_aligned(const void *pointer)
{
    return ((uintptr_t)pointer & (WEFT_ALIGNMENT - 1u)) == 0u;
}

weft_status_t weft_pe_init(weft_pe_t *pe, const weft_pe_config_t *config)
{
    if (pe == NULL || config == NULL) return WEFT_E_ARGUMENT;
    memset(pe, 0, sizeof *pe);
    WEFT_RETURN_IF_ERROR(weft_tables_check(config->tables, config->table_words, config->program));
    const weft_tables_t *tables = config->tables;
    if (config->arena_bytes < tables->arena_bytes || !is_aligned(config->arena) ||
        config->constants_bytes < tables->constants_bytes || !is_aligned(config->constants) ||
        config->channel_capacity < tables->channel_count) {
        return WEFT_E_STORAGE;
    }
    if ((config->arena == NULL && tables->arena_bytes > 0u) ||
        (config->constants == NULL && tables->constants_bytes > 0u) ||
        (config->channels == NULL && tables->channel_count > 0u)) {
        return WEFT_E_ARGUMENT;
    }
    pe->program = config->program;
    pe->tables = tables;
    pe->arena = config->arena;
    pe->constants = config->constants;
    pe->channels = config->channels;
    for (uint32_t i = 0; i < tables->channel_count; ++i) {
        weft_port_publish(&pe->channels[i].published, 0u);
        weft_port_publish(&pe->channels[i].released, 0u);
    }
    return WEFT_OK;
}

/* Every slot has depth one: it is full when one more frame was published than released. */
static bool slot_is_full(const weft_channel_t *channel)
{
    return weft_port_observe(&channel->published) != weft_port_observe(&channel->released);
}

static bool can_fire(const weft_pe_t *pe)
{
    for (uint32_t i = 0; i < pe->tables->channel_count; ++i) {
        const bool is_input =
            weft_tables_channel(pe->tables, i)->direction == (uint32_t)WEFT_CHANNEL_IN;
        if (slot_is_full(&pe->channels[i]) != is_input) return false;
    }
    return true;
}

/* Outputs are announced before inputs are given back: whoever sees the credit sees the result. */
static void finish_firing(weft_pe_t *pe)
{
    for (uint32_t pass = 0; pass < 2u; ++pass) {
        const uint32_t direction =
            pass == 0u ? (uint32_t)WEFT_CHANNEL_OUT : (uint32_t)WEFT_CHANNEL_IN;
        for (uint32_t i = 0; i < pe->tables->channel_count; ++i) {
            if (weft_tables_channel(pe->tables, i)->direction != direction) continue;
            weft_channel_t *channel = &pe->channels[i];
            uint32_t *counter = pass == 0u ? &channel->published : &channel->released;
            weft_port_publish(counter, *counter + 1u);
        }
    }
    pe->frame += 1u;
    pe->next_task = 0u;
    pe->firing = false;
}

static void run_task(const weft_pe_t *pe, const weft_task_row_t *task)
{
    for (uint32_t i = 0; i < task->call_count; ++i) {
        const weft_call_row_t *call = weft_tables_call(pe->tables, task->first_call + i);
        pe->program->kernels[call->kernel].invoke(pe,
                                                  weft_tables_args(pe->tables, call->first_arg));
    }
}

weft_status_t weft_pe_step(weft_pe_t *pe)
{
    if (pe == NULL || pe->tables == NULL) return WEFT_E_ARGUMENT;
    if (!pe->firing) {
        if (!can_fire(pe)) return WEFT_IDLE;
        pe->firing = true;
    }
    if (pe->next_task < pe->tables->task_count) {
        run_task(pe, weft_tables_task(pe->tables, pe->next_task));
        pe->next_task += 1u;
    }
    if (pe->next_task >= pe->tables->task_count) finish_firing(pe);
    return WEFT_OK;
}

static weft_status_t channel_of(const weft_pe_t *pe, uint32_t index, uint32_t direction,
                                const weft_channel_row_t **out_row)
{
    if (pe == NULL || pe->tables == NULL || index >= pe->tables->channel_count) {
        return WEFT_E_ARGUMENT;
    }
    *out_row = weft_tables_channel(pe->tables, index);
    return (*out_row)->direction == direction ? WEFT_OK : WEFT_E_ARGUMENT;
}

weft_status_t weft_pe_channel_acquire(weft_pe_t *pe, uint32_t channel, void **out_slot)
{
    const weft_channel_row_t *row = NULL;
    if (out_slot == NULL) return WEFT_E_ARGUMENT;
    WEFT_RETURN_IF_ERROR(channel_of(pe, channel, WEFT_CHANNEL_IN, &row));
    if (slot_is_full(&pe->channels[channel])) return WEFT_NO_CREDIT;
    *out_slot = pe->arena + row->offset;
    return WEFT_OK;
}

weft_status_t weft_pe_channel_publish(weft_pe_t *pe, uint32_t channel)
{
    const weft_channel_row_t *row = NULL;
    WEFT_RETURN_IF_ERROR(channel_of(pe, channel, WEFT_CHANNEL_IN, &row));
    weft_channel_t *end = &pe->channels[channel];
    if (slot_is_full(end)) return WEFT_E_SEQUENCE;
    weft_port_publish(&end->published, end->published + 1u);
    return WEFT_OK;
}

weft_status_t weft_pe_channel_observe(weft_pe_t *pe, uint32_t channel, const void **out_slot)
{
    const weft_channel_row_t *row = NULL;
    if (out_slot == NULL) return WEFT_E_ARGUMENT;
    WEFT_RETURN_IF_ERROR(channel_of(pe, channel, WEFT_CHANNEL_OUT, &row));
    if (!slot_is_full(&pe->channels[channel])) return WEFT_NO_FRAME;
    *out_slot = pe->arena + row->offset;
    return WEFT_OK;
}

weft_status_t weft_pe_channel_release(weft_pe_t *pe, uint32_t channel)
{
    const weft_channel_row_t *row = NULL;
    WEFT_RETURN_IF_ERROR(channel_of(pe, channel, WEFT_CHANNEL_OUT, &row));
    weft_channel_t *end = &pe->channels[channel];
    if (!slot_is_full(end)) return WEFT_E_SEQUENCE;
    weft_port_publish(&end->released, end->released + 1u);
    return WEFT_OK;
}

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
    WEFT_RETURN_IF_ERROR(weft_tables_check_self(config->tables, config->number));
    const weft_tables_t *tables = config->tables;
    if (config->arena_bytes < tables->arena_bytes || !is_aligned(config->arena) ||
        config->constants_bytes < tables->constants_bytes || !is_aligned(config->constants) ||
        config->state_words < tables->state_words) {
        return WEFT_E_STORAGE;
    }
    if ((config->arena == NULL && tables->arena_bytes > 0u) ||
        (config->constants == NULL && tables->constants_bytes > 0u) ||
        (config->state == NULL && tables->state_words > 0u)) {
        return WEFT_E_ARGUMENT;
    }
    pe->program = config->program;
    pe->arena = config->arena;
    pe->constants = config->constants;
    pe->state = config->state;
    pe->port = config->port;
    pe->devices = config->devices;
    pe->device_count = config->device_count;
    pe->number = config->number;
    pe->epoch = config->epoch;
    if (pe->program->devices != NULL) WEFT_RETURN_IF_ERROR(pe->program->devices->check(pe));
    pe->tables = tables;
    for (uint32_t i = 0; i < tables->state_words; ++i) weft_port_publish(&pe->state[i], 0u);
    for (uint32_t i = 0; i < tables->lanes.count; ++i) {
        const weft_lane_row_t *lane = weft_tables_lane(tables, i);
        pe->state[lane->state] = lane->first_shard;
    }
    return WEFT_OK;
}

/* --- slots -------------------------------------------------------------------------------------
 * State words of a slot: frames consumed; then arrivals for each frame's room, less those of the
 * frames that were consumed from it; then for each producer how many frames it has delivered. */

static uint32_t *consumed_of(const weft_pe_t *pe, const weft_slot_row_t *slot)
{
    return &pe->state[slot->state];
}

static uint32_t *arrivals_of(const weft_pe_t *pe, const weft_slot_row_t *slot, uint32_t frame)
{
    return &pe->state[slot->state + 1u + (frame & (slot->depth - 1u))];
}

static uint32_t *delivered_of(const weft_pe_t *pe, const weft_slot_row_t *slot, uint32_t producer)
{
    return &pe->state[slot->state + 1u + slot->depth + producer];
}

static bool has_frame(const weft_pe_t *pe, const weft_slot_row_t *slot)
{
    const uint32_t frame = weft_port_observe(consumed_of(pe, slot));
    return weft_port_observe(arrivals_of(pe, slot, frame)) >= slot->producer_count;
}

/* Only the next frame of a producer counts: all others are repetitions. */
static weft_status_t arrive(weft_pe_t *pe, const weft_slot_row_t *slot, uint32_t producer,
                            uint32_t frame)
{
    uint32_t *delivered = delivered_of(pe, slot, producer);
    if (weft_port_observe(delivered) != frame) return WEFT_OK;
    if (frame - weft_port_observe(consumed_of(pe, slot)) >= slot->depth) return WEFT_E_SEQUENCE;
    weft_port_publish(delivered, frame + 1u);
    weft_port_add(arrivals_of(pe, slot, frame), 1u);
    return WEFT_OK;
}

weft_status_t weft_pe_deliver_arrival(weft_pe_t *pe, uint32_t epoch, uint32_t slot,
                                      uint32_t producer, uint32_t frame)
{
    if (pe == NULL || pe->tables == NULL || slot >= pe->tables->slots.count) {
        return WEFT_E_ARGUMENT;
    }
    if (epoch != pe->epoch) return WEFT_OK;
    const weft_slot_row_t *row = weft_tables_slot(pe->tables, slot);
    /* Every producer of a slot has a return; what the outside fills has none. */
    if (producer >= row->return_count) return WEFT_E_ARGUMENT;
    return arrive(pe, row, producer, frame);
}

weft_status_t weft_pe_deliver_credit(weft_pe_t *pe, uint32_t epoch, uint32_t send,
                                     uint32_t consumed)
{
    if (pe == NULL || pe->tables == NULL || send >= pe->tables->sends.count) {
        return WEFT_E_ARGUMENT;
    }
    if (epoch != pe->epoch) return WEFT_OK;
    const weft_send_row_t *row = weft_tables_send(pe->tables, send);
    uint32_t *known = &pe->state[row->state];
    /* No more than `depth` frames are on their way, so whatever is newer is close; across a wrap,
     * too. */
    const uint32_t news = consumed - weft_port_observe(known);
    if (news > 0u && news <= row->depth) weft_port_publish(known, consumed);
    return WEFT_OK;
}

/* Takes the frame out of a slot and tells its producers. */
static weft_status_t consume(weft_pe_t *pe, const weft_slot_row_t *slot)
{
    const uint32_t frame = *consumed_of(pe, slot);
    weft_port_add(arrivals_of(pe, slot, frame), 0u - slot->producer_count);
    weft_port_publish(consumed_of(pe, slot), frame + 1u);
    for (uint32_t i = 0; i < slot->return_count; ++i) {
        const weft_return_row_t *row = weft_tables_return(pe->tables, slot->first_return + i);
        if (row->pe == pe->number) {
            WEFT_RETURN_IF_ERROR(weft_pe_deliver_credit(pe, pe->epoch, row->send, frame + 1u));
        } else {
            WEFT_RETURN_IF_ERROR(weft_port_signal_credit(pe, row->pe, row->send, frame + 1u));
        }
    }
    return WEFT_OK;
}

/* --- shards ------------------------------------------------------------------------------------ */

static bool has_credit(const weft_pe_t *pe, const weft_send_row_t *send, uint32_t frame)
{
    return frame - weft_port_observe(&pe->state[send->state]) < send->depth;
}

/* The first thing that keeps a shard from firing. */
static weft_wait_kind_t find_obstacle(const weft_pe_t *pe, const weft_shard_row_t *shard,
                                      uint32_t *out_index)
{
    for (uint32_t i = 0; i < shard->slot_count; ++i) {
        *out_index = shard->first_slot + i;
        if (!has_frame(pe, weft_tables_slot(pe->tables, *out_index))) return WEFT_WAITS_FOR_FRAME;
    }
    const uint32_t frame = weft_port_observe(&pe->state[shard->state]);
    for (uint32_t i = 0; i < shard->send_count; ++i) {
        *out_index = shard->first_send + i;
        if (!has_credit(pe, weft_tables_send(pe->tables, *out_index), frame)) {
            return WEFT_WAITS_FOR_CREDIT;
        }
    }
    return WEFT_WAITS_FOR_NOTHING;
}

/* A producer that has not delivered the slot's next frame; producer_count if all have. */
static uint32_t missing_producer(const weft_pe_t *pe, const weft_slot_row_t *slot)
{
    const uint32_t frame = weft_port_observe(consumed_of(pe, slot));
    uint32_t producer = 0;
    while (producer < slot->producer_count &&
           weft_port_observe(delivered_of(pe, slot, producer)) != frame) {
        producer += 1u;
    }
    return producer;
}

weft_status_t weft_pe_waits_for(const weft_pe_t *pe, uint32_t shard, weft_wait_t *out_wait)
{
    if (pe == NULL || pe->tables == NULL || out_wait == NULL) return WEFT_E_ARGUMENT;
    if (shard >= pe->tables->shards.count) return WEFT_E_ARGUMENT;
    const weft_shard_row_t *row = weft_tables_shard(pe->tables, shard);
    uint32_t index = 0;
    out_wait->kind = find_obstacle(pe, row, &index);
    out_wait->frame = weft_port_observe(&pe->state[row->state]);
    out_wait->index = index;
    out_wait->peer = pe->number;
    out_wait->peer_index = index;
    if (out_wait->kind == WEFT_WAITS_FOR_CREDIT) {
        const weft_send_row_t *send = weft_tables_send(pe->tables, index);
        out_wait->peer = send->pe;
        out_wait->peer_index = send->slot;
    } else if (out_wait->kind == WEFT_WAITS_FOR_FRAME) {
        const weft_slot_row_t *slot = weft_tables_slot(pe->tables, index);
        const uint32_t producer = missing_producer(pe, slot);
        if (slot->return_count == 0u) {
            out_wait->kind = WEFT_WAITS_FOR_INPUT;
        } else if (producer < slot->return_count) {
            const weft_return_row_t *credit =
                weft_tables_return(pe->tables, slot->first_return + producer);
            out_wait->peer = credit->pe;
            out_wait->peer_index = credit->send;
        } else {
            out_wait->kind = WEFT_WAITS_FOR_NOTHING; /* the last one came meanwhile */
        }
    }
    return WEFT_OK;
}

static uint8_t *slot_at(const weft_pe_t *pe, uint32_t slot, uint32_t offset)
{
    const weft_slot_row_t *row = weft_tables_slot(pe->tables, slot);
    const uint32_t frame = pe->state[row->state] & (row->depth - 1u);
    return pe->arena + row->offset + frame * row->frame_bytes + offset;
}

void *weft_pe_arena_at(const weft_pe_t *pe, uint32_t word)
{
    if ((word & WEFT_IN_SLOT) == 0u) return pe->arena + word;
    return slot_at(pe, (word & ~WEFT_PLACE_MASK) >> WEFT_SLOT_SHIFT, word & WEFT_SLOT_OFFSET_MASK);
}

const void *weft_pe_at(const weft_pe_t *pe, uint32_t word)
{
    if ((word & WEFT_IN_CONSTANTS) != 0u) return pe->constants + (word & ~WEFT_PLACE_MASK);
    return weft_pe_arena_at(pe, word);
}

/* As a port does it for other PEs: what is written stays in the arena. */
static weft_status_t write_to_itself(const weft_pe_t *pe, const weft_box_t *box)
{
    const uint32_t size = pe->tables->arena_bytes;
    for (uint32_t o = 0; o < box->outer; ++o) {
        for (uint32_t i = 0; i < box->inner; ++i) {
            const uint32_t to = box->to + o * box->to_outer + i * box->to_inner;
            if (to > size || box->bytes > size - to) return WEFT_E_ARGUMENT;
            memmove(pe->arena + to, box->from + o * box->from_outer + i * box->from_inner,
                    box->bytes);
        }
    }
    return WEFT_OK;
}

static weft_status_t send_frame(weft_pe_t *pe, const weft_send_row_t *send, uint32_t frame)
{
    const bool is_own = send->pe == pe->number;
    if (send->bytes > 0u) {
        const weft_box_t box = {
            .outer = send->outer,
            .inner = send->inner,
            .bytes = send->bytes,
            .from = weft_pe_arena_at(pe, send->from),
            .from_outer = send->from_outer,
            .from_inner = send->from_inner,
            .to = send->to + (frame & (send->depth - 1u)) * send->frame_bytes,
            .to_outer = send->to_outer,
            .to_inner = send->to_inner,
        };
        if (is_own)
            WEFT_RETURN_IF_ERROR(write_to_itself(pe, &box));
        else
            WEFT_RETURN_IF_ERROR(weft_port_write_box(pe, send->pe, &box));
    }
    if (is_own) return weft_pe_deliver_arrival(pe, pe->epoch, send->slot, send->producer, frame);
    return weft_port_signal_arrival(pe, send->pe, send->slot, send->producer, frame);
}

/* Results are announced before inputs are given back: whoever sees the credit sees the result. */
static weft_status_t finish_firing(weft_pe_t *pe, const weft_shard_row_t *shard)
{
    const uint32_t frame = pe->state[shard->state];
    for (uint32_t i = 0; i < shard->send_count; ++i) {
        const weft_send_row_t *send = weft_tables_send(pe->tables, shard->first_send + i);
        WEFT_RETURN_IF_ERROR(send_frame(pe, send, frame));
    }
    for (uint32_t i = 0; i < shard->slot_count; ++i) {
        const weft_slot_row_t *slot = weft_tables_slot(pe->tables, shard->first_slot + i);
        WEFT_RETURN_IF_ERROR(consume(pe, slot));
    }
    weft_port_publish(&pe->state[shard->state], frame + 1u);
    return WEFT_OK;
}

static weft_status_t told_fault(const weft_pe_t *pe)
{
    return (weft_status_t)weft_port_observe(&pe->told_fault);
}

static const weft_kernel_t *kernel_of(const weft_pe_t *pe, const weft_call_row_t *call)
{
    return &pe->program->kernels[call->kernel];
}

/* WEFT_OK if the jobs that the task waits for are done; WEFT_PENDING, or what one failed with. */
static weft_status_t await_jobs(const weft_pe_t *pe, const weft_task_row_t *task)
{
    for (uint32_t i = 0; i < task->call_count; ++i) {
        const weft_call_row_t *call = weft_tables_call(pe->tables, task->first_call + i);
        const weft_kernel_t *kernel = kernel_of(pe, call);
        if (kernel->role != (uint32_t)WEFT_ROLE_AWAIT) break;
        const uint32_t *args = weft_tables_args(pe->tables, call->first_arg);
        WEFT_RETURN_IF_ERROR(pe->program->devices->await(pe, args[0], pe->state[args[1]]));
    }
    return WEFT_OK;
}

/* Ends behind a launch that fails, which tells the PE so: its job would be awaited in vain. */
static weft_status_t run_task(const weft_pe_t *pe, const weft_task_row_t *task)
{
    for (uint32_t i = 0; i < task->call_count; ++i) {
        const weft_call_row_t *call = weft_tables_call(pe->tables, task->first_call + i);
        const weft_kernel_t *kernel = kernel_of(pe, call);
        if (kernel->role == (uint32_t)WEFT_ROLE_AWAIT) continue;
        kernel->invoke(pe, weft_tables_args(pe->tables, call->first_arg));
        if (kernel->role == (uint32_t)WEFT_ROLE_LAUNCH) WEFT_RETURN_IF_ERROR(told_fault(pe));
    }
    return WEFT_OK;
}

/* --- lanes ------------------------------------------------------------------------------------- */

/* The shards of the lane that runs. */
static weft_lane_row_t lane_of(const weft_pe_t *pe)
{
    if (pe->tables->lanes.count > 0u) return *weft_tables_lane(pe->tables, pe->lane);
    const weft_lane_row_t all = {.first_shard = 0u, .shard_count = pe->tables->shards.count};
    return all;
}

/* Keeps where the lane is in its work, and takes up another. */
static void switch_to(weft_pe_t *pe, uint32_t lane)
{
    uint32_t *words = &pe->state[weft_tables_lane(pe->tables, pe->lane)->state];
    words[0] = pe->shard;
    words[1] = pe->next_task;
    words[2] = pe->firing ? 1u : 0u;
    words = &pe->state[weft_tables_lane(pe->tables, lane)->state];
    pe->lane = lane;
    pe->shard = words[0];
    pe->next_task = words[1];
    pe->firing = words[2] != 0u;
}

static uint32_t shard_after(const weft_lane_row_t *lane, uint32_t shard)
{
    return shard + 1u < lane->first_shard + lane->shard_count ? shard + 1u : lane->first_shard;
}

/* The next shard of a lane that can fire, round-robin; false if none can. */
static bool find_ready(weft_pe_t *pe, const weft_lane_row_t *lane)
{
    uint32_t candidate = pe->shard;
    for (uint32_t i = 0; i < lane->shard_count; ++i) {
        uint32_t obstacle = 0;
        const weft_shard_row_t *shard = weft_tables_shard(pe->tables, candidate);
        if (find_obstacle(pe, shard, &obstacle) == WEFT_WAITS_FOR_NOTHING) {
            pe->shard = candidate;
            return true;
        }
        candidate = shard_after(lane, candidate);
    }
    return false;
}

/* Runs a task of the lane, if one can run. */
static weft_status_t step_lane(weft_pe_t *pe)
{
    const weft_lane_row_t lane = lane_of(pe);
    if (!pe->firing) {
        if (!find_ready(pe, &lane)) return WEFT_IDLE;
        pe->firing = true;
        pe->next_task = 0u;
    }
    const weft_shard_row_t *shard = weft_tables_shard(pe->tables, pe->shard);
    if (pe->next_task < shard->task_count) {
        const weft_task_row_t *task =
            weft_tables_task(pe->tables, shard->first_task + pe->next_task);
        if (pe->program->devices != NULL) WEFT_RETURN_IF_ERROR(await_jobs(pe, task));
        WEFT_RETURN_IF_ERROR(run_task(pe, task));
        pe->next_task += 1u;
    }
    if (pe->next_task >= shard->task_count) {
        WEFT_RETURN_IF_ERROR(finish_firing(pe, shard));
        pe->firing = false;
        pe->shard = shard_after(&lane, pe->shard);
    }
    return WEFT_OK;
}

/* The lanes in turn until a task of one has run or failed. The one behind it is next, so that a
 * device is given its next job soon after its last, whatever the other lanes have to do. */
static weft_status_t step_lanes(weft_pe_t *pe)
{
    const uint32_t count = pe->tables->lanes.count;
    weft_status_t status = WEFT_IDLE;
    for (uint32_t i = 0; i < count; ++i) {
        const weft_status_t found = step_lane(pe);
        if (weft_status_is_error(found)) return found; /* where it happened stays to be seen */
        if (found != WEFT_IDLE) status = found;
        switch_to(pe, pe->lane + 1u < count ? pe->lane + 1u : 0u);
        if (found == WEFT_OK) break;
    }
    return status;
}

weft_status_t weft_pe_step(weft_pe_t *pe)
{
    if (pe == NULL || pe->tables == NULL) return WEFT_E_ARGUMENT;
    if (pe->fault == WEFT_OK) pe->fault = told_fault(pe);
    if (pe->fault != WEFT_OK) return pe->fault;
    const weft_status_t status = pe->tables->lanes.count > 0u ? step_lanes(pe) : step_lane(pe);
    if (weft_status_is_error(status)) pe->fault = status;
    return status;
}

weft_status_t weft_pe_where(const weft_pe_t *pe, weft_where_t *out_where)
{
    if (pe == NULL || pe->tables == NULL || out_where == NULL) return WEFT_E_ARGUMENT;
    if (pe->tables->shards.count == 0u) return WEFT_E_ARGUMENT;
    const weft_shard_row_t *shard = weft_tables_shard(pe->tables, pe->shard);
    out_where->shard = pe->shard;
    out_where->task = pe->firing ? pe->next_task : 0u;
    out_where->frame = weft_port_observe(&pe->state[shard->state]);
    return WEFT_OK;
}

weft_status_t weft_pe_fail(weft_pe_t *pe, weft_status_t fault)
{
    if (pe == NULL || !weft_status_is_error(fault)) return WEFT_E_ARGUMENT;
    if (weft_port_observe(&pe->told_fault) == 0u) {
        weft_port_publish(&pe->told_fault, (uint32_t)fault);
    }
    return WEFT_OK;
}

/* --- channels ---------------------------------------------------------------------------------- */

static weft_status_t channel_of(const weft_pe_t *pe, uint32_t index, uint32_t direction,
                                const weft_channel_row_t **out_row)
{
    if (pe == NULL || pe->tables == NULL || index >= pe->tables->channels.count) {
        return WEFT_E_ARGUMENT;
    }
    *out_row = weft_tables_channel(pe->tables, index);
    return (*out_row)->direction == direction ? WEFT_OK : WEFT_E_ARGUMENT;
}

static void *room_of(const weft_pe_t *pe, const weft_channel_row_t *channel, uint32_t frame)
{
    const weft_slot_row_t *slot = weft_tables_slot(pe->tables, channel->slot);
    const uint32_t room = (frame & (slot->depth - 1u)) * slot->frame_bytes;
    return pe->arena + slot->offset + room + channel->offset;
}

/* The outside is the only producer of an input's slot. */
static bool has_room(const weft_pe_t *pe, const weft_slot_row_t *slot, uint32_t *out_frame)
{
    *out_frame = weft_port_observe(delivered_of(pe, slot, 0u));
    return *out_frame - weft_port_observe(consumed_of(pe, slot)) < slot->depth;
}

weft_status_t weft_pe_channel_acquire(weft_pe_t *pe, uint32_t channel, void **out_room)
{
    const weft_channel_row_t *row = NULL;
    uint32_t frame = 0;
    if (out_room == NULL) return WEFT_E_ARGUMENT;
    WEFT_RETURN_IF_ERROR(channel_of(pe, channel, WEFT_CHANNEL_IN, &row));
    if (!has_room(pe, weft_tables_slot(pe->tables, row->slot), &frame)) return WEFT_NO_CREDIT;
    *out_room = room_of(pe, row, frame);
    return WEFT_OK;
}

weft_status_t weft_pe_channel_publish(weft_pe_t *pe, uint32_t channel)
{
    const weft_channel_row_t *row = NULL;
    uint32_t frame = 0;
    WEFT_RETURN_IF_ERROR(channel_of(pe, channel, WEFT_CHANNEL_IN, &row));
    if (!has_room(pe, weft_tables_slot(pe->tables, row->slot), &frame)) return WEFT_E_SEQUENCE;
    return arrive(pe, weft_tables_slot(pe->tables, row->slot), 0u, frame);
}

weft_status_t weft_pe_channel_observe(weft_pe_t *pe, uint32_t channel, const void **out_room)
{
    const weft_channel_row_t *row = NULL;
    if (out_room == NULL) return WEFT_E_ARGUMENT;
    WEFT_RETURN_IF_ERROR(channel_of(pe, channel, WEFT_CHANNEL_OUT, &row));
    const weft_slot_row_t *slot = weft_tables_slot(pe->tables, row->slot);
    if (!has_frame(pe, slot)) return WEFT_NO_FRAME;
    *out_room = room_of(pe, row, weft_port_observe(consumed_of(pe, slot)));
    return WEFT_OK;
}

weft_status_t weft_pe_channel_release(weft_pe_t *pe, uint32_t channel)
{
    const weft_channel_row_t *row = NULL;
    WEFT_RETURN_IF_ERROR(channel_of(pe, channel, WEFT_CHANNEL_OUT, &row));
    const weft_slot_row_t *slot = weft_tables_slot(pe->tables, row->slot);
    if (!has_frame(pe, slot)) return WEFT_E_SEQUENCE;
    return consume(pe, slot);
}

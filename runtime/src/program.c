/* SPDX-License-Identifier: Apache-2.0 */
#include "weft/program.h"

#include <stdbool.h>
#include <stddef.h>

static const uint32_t *words_of(const weft_tables_t *tables)
{
    return (const uint32_t *)tables;
}

const weft_slot_row_t *weft_tables_slot(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_slot_row_t *)(words_of(tables) + tables->slots.at) + index;
}

const weft_shard_row_t *weft_tables_shard(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_shard_row_t *)(words_of(tables) + tables->shards.at) + index;
}

const weft_send_row_t *weft_tables_send(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_send_row_t *)(words_of(tables) + tables->sends.at) + index;
}

const weft_return_row_t *weft_tables_return(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_return_row_t *)(words_of(tables) + tables->returns.at) + index;
}

const weft_channel_row_t *weft_tables_channel(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_channel_row_t *)(words_of(tables) + tables->channels.at) + index;
}

const weft_task_row_t *weft_tables_task(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_task_row_t *)(words_of(tables) + tables->tasks.at) + index;
}

const weft_call_row_t *weft_tables_call(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_call_row_t *)(words_of(tables) + tables->calls.at) + index;
}

const uint32_t *weft_tables_args(const weft_tables_t *tables, uint32_t index)
{
    return words_of(tables) + tables->args.at + index;
}

const weft_lane_row_t *weft_tables_lane(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_lane_row_t *)(words_of(tables) + tables->lanes.at) + index;
}

/* Words of a row, in the order of the sections in the head. */
#define WORDS_OF(type) ((uint8_t)(sizeof(type) / sizeof(uint32_t)))
static const uint8_t ROW_WORDS[] = {
    WORDS_OF(weft_slot_row_t),   WORDS_OF(weft_shard_row_t),   WORDS_OF(weft_send_row_t),
    WORDS_OF(weft_return_row_t), WORDS_OF(weft_channel_row_t), WORDS_OF(weft_task_row_t),
    WORDS_OF(weft_call_row_t),   WORDS_OF(uint32_t),           WORDS_OF(weft_lane_row_t),
};

/* The rows of every section lie between the head and the end. */
static bool sections_fit(const weft_tables_t *tables)
{
    const uint32_t head_words = (uint32_t)(sizeof(weft_tables_t) / sizeof(uint32_t));
    const weft_section_t *sections =
        (const weft_section_t *)(words_of(tables) +
                                 offsetof(weft_tables_t, slots) / sizeof(uint32_t));
    for (uint32_t i = 0; i < sizeof ROW_WORDS; ++i) {
        const weft_section_t section = sections[i];
        if (section.at < head_words || section.at > tables->word_count) return false;
        if (section.count > (tables->word_count - section.at) / ROW_WORDS[i]) return false;
    }
    return true;
}

static bool range_fits(uint32_t first, uint32_t count, uint32_t limit)
{
    return first <= limit && count <= limit - first;
}

static bool bytes_fit(uint32_t offset, uint64_t bytes, uint32_t limit)
{
    return bytes <= limit && offset <= limit - (uint32_t)bytes;
}

/* Rows name their state words, and shards their rows, in order and without gaps: so none is shared,
 * and one look at each row is enough. The first of what has not been named yet: */
typedef struct weft_cursor {
    uint32_t state, slot, task, send;
} weft_cursor_t;

static bool takes(uint32_t *next, uint32_t first, uint32_t count, uint32_t limit)
{
    if (first != *next || !range_fits(first, count, limit)) return false;
    *next = first + count;
    return true;
}

static bool depth_is_valid(uint32_t depth)
{
    return depth > 0u && depth <= 1u << 16 && (depth & (depth - 1u)) == 0u;
}

static bool slot_is_valid(const weft_tables_t *tables, const weft_slot_row_t *slot,
                          weft_cursor_t *next)
{
    if (!depth_is_valid(slot->depth) || slot->frame_bytes == 0u) return false;
    /* Credits go to all producers, or to none: the outside looks for itself. */
    if (slot->return_count > 0u ? slot->return_count != slot->producer_count
                                : slot->producer_count != 1u) {
        return false;
    }
    if (!range_fits(slot->first_return, slot->return_count, tables->returns.count)) return false;
    /* No wrap: there are no more producers than return rows. */
    const uint32_t words = 1u + slot->depth + slot->producer_count;
    return bytes_fit(slot->offset, (uint64_t)slot->depth * slot->frame_bytes,
                     tables->arena_bytes) &&
           takes(&next->state, slot->state, words, tables->state_words);
}

static bool shard_is_valid(const weft_tables_t *tables, const weft_shard_row_t *shard,
                           weft_cursor_t *next)
{
    return takes(&next->slot, shard->first_slot, shard->slot_count, tables->slots.count) &&
           takes(&next->task, shard->first_task, shard->task_count, tables->tasks.count) &&
           takes(&next->send, shard->first_send, shard->send_count, tables->sends.count) &&
           takes(&next->state, shard->state, 1u, tables->state_words) &&
           (shard->slot_count > 0u || shard->send_count > 0u); /* else it would fire for ever */
}

/* Bytes from the first to behind the last of a send's runs; more than any arena has if one of the
 * strides alone leads that far. */
static uint64_t span_of(const weft_send_row_t *send, uint32_t outer_stride, uint32_t inner_stride)
{
    const uint64_t outer = (uint64_t)(send->outer - 1u) * outer_stride;
    const uint64_t inner = (uint64_t)(send->inner - 1u) * inner_stride;
    if (outer > UINT32_MAX || inner > UINT32_MAX) return UINT64_MAX;
    return outer + inner + send->bytes;
}

/* The runs stay within one frame's room, wherever the other PE has it, and are no more bytes than
 * that: a bound for the time that a send takes. */
static bool target_is_valid(const weft_send_row_t *send)
{
    const uint64_t runs = (uint64_t)send->outer * send->inner;
    const uint64_t span = span_of(send, send->to_outer, send->to_inner);
    const uint64_t rooms = (uint64_t)(send->depth - 1u) * send->frame_bytes;
    return span <= send->frame_bytes && runs <= send->frame_bytes / send->bytes &&
           rooms <= UINT32_MAX && send->to + rooms + span <= UINT32_MAX;
}

/* What a send of `shard` reads lies in this PE's arena, or in a frame that the firing holds. Where
 * it writes is known to the other PE only: see weft_tables_check_self. */
static bool send_is_valid(const weft_tables_t *tables, const weft_shard_row_t *shard,
                          const weft_send_row_t *send, weft_cursor_t *next)
{
    if (!depth_is_valid(send->depth)) return false;
    if (!takes(&next->state, send->state, 1u, tables->state_words)) return false;
    if (send->bytes == 0u) return true;
    if (send->outer == 0u || send->inner == 0u || !target_is_valid(send)) return false;
    const uint64_t span = span_of(send, send->from_outer, send->from_inner);
    const uint32_t offset = send->from & ~WEFT_PLACE_MASK;
    if ((send->from & WEFT_PLACE_MASK) == WEFT_IN_ARENA) {
        return bytes_fit(offset, span, tables->arena_bytes);
    }
    if ((send->from & WEFT_PLACE_MASK) != WEFT_IN_SLOT) return false;
    const uint32_t slot = offset >> WEFT_SLOT_SHIFT;
    if (slot < shard->first_slot || slot - shard->first_slot >= shard->slot_count) return false;
    return bytes_fit(offset & WEFT_SLOT_OFFSET_MASK, span,
                     weft_tables_slot(tables, slot)->frame_bytes);
}

static bool sends_are_valid(const weft_tables_t *tables, weft_cursor_t *next)
{
    for (uint32_t i = 0; i < tables->shards.count; ++i) {
        const weft_shard_row_t *shard = weft_tables_shard(tables, i);
        for (uint32_t k = 0; k < shard->send_count; ++k) {
            const weft_send_row_t *send = weft_tables_send(tables, shard->first_send + k);
            if (!send_is_valid(tables, shard, send, next)) return false;
        }
    }
    return true;
}

static bool channel_is_valid(const weft_tables_t *tables, const weft_channel_row_t *channel)
{
    if (channel->direction > (uint32_t)WEFT_CHANNEL_OUT) return false;
    if (channel->slot >= tables->slots.count) return false;
    if (channel->rows == 0u || channel->row_bytes == 0u) return false;
    if (channel->row_stride < channel->row_bytes) return false;
    const weft_slot_row_t *slot = weft_tables_slot(tables, channel->slot);
    const uint64_t span = (uint64_t)(channel->rows - 1u) * channel->row_stride + channel->row_bytes;
    return bytes_fit(channel->offset, span, slot->frame_bytes);
}

/* Every slot is fed by sends or by one input, and emptied by its shard or by one output. */
static bool ends_are_valid(const weft_tables_t *tables, uint32_t read_by_shards)
{
    for (uint32_t i = 0; i < tables->slots.count; ++i) {
        uint32_t fed = weft_tables_slot(tables, i)->return_count > 0u ? 1u : 0u;
        uint32_t emptied = i < read_by_shards ? 1u : 0u;
        for (uint32_t c = 0; c < tables->channels.count; ++c) {
            const weft_channel_row_t *channel = weft_tables_channel(tables, c);
            if (channel->slot != i) continue;
            if (channel->direction == (uint32_t)WEFT_CHANNEL_IN) {
                fed += 1u;
            } else {
                emptied += 1u;
            }
        }
        if (fed != 1u || emptied != 1u) return false;
    }
    return true;
}

/* Which frame of an output's slot is the oldest is for the outside to say, at any time: kernels
 * point into slots that shards read. */
static bool pointer_fits(const weft_tables_t *tables, uint32_t word, uint32_t read_by_shards)
{
    const uint32_t place = word & WEFT_PLACE_MASK, offset = word & ~WEFT_PLACE_MASK;
    if (place == WEFT_IN_ARENA) return offset < tables->arena_bytes;
    if (place == WEFT_IN_CONSTANTS) return offset < tables->constants_bytes;
    if (place != WEFT_IN_SLOT || offset >> WEFT_SLOT_SHIFT >= read_by_shards) return false;
    const weft_slot_row_t *slot = weft_tables_slot(tables, offset >> WEFT_SLOT_SHIFT);
    return (word & WEFT_SLOT_OFFSET_MASK) < slot->frame_bytes;
}

static bool call_is_valid(const weft_tables_t *tables, const weft_call_row_t *call,
                          const weft_program_t *program, const weft_cursor_t *named)
{
    if (call->kernel >= program->kernel_count) return false;
    const weft_kernel_t *kernel = &program->kernels[call->kernel];
    if (kernel->invoke == NULL && kernel->role != (uint32_t)WEFT_ROLE_AWAIT) return false;
    if (kernel->pointer_count > kernel->arg_count || kernel->pointer_count > 32u) return false;
    if (!range_fits(call->first_arg, kernel->arg_count, tables->args.count)) return false;
    const uint32_t *args = weft_tables_args(tables, call->first_arg);
    for (uint32_t i = 0; i < kernel->pointer_count; ++i) {
        if (!pointer_fits(tables, args[i], named->slot)) return false;
        const bool is_written = ((kernel->written >> i) & 1u) != 0u;
        if (is_written && (args[i] & WEFT_PLACE_MASK) == WEFT_IN_CONSTANTS) return false;
    }
    return kernel->role == (uint32_t)WEFT_ROLE_COMPUTE || program->devices != NULL;
}

static bool lanes_are_valid(const weft_tables_t *tables, weft_cursor_t *next)
{
    uint32_t shard = 0;
    for (uint32_t i = 0; i < tables->lanes.count; ++i) {
        const weft_lane_row_t *lane = weft_tables_lane(tables, i);
        if (lane->shard_count == 0u) return false;
        if (!takes(&shard, lane->first_shard, lane->shard_count, tables->shards.count) ||
            !takes(&next->state, lane->state, WEFT_LANE_WORDS, tables->state_words)) {
            return false;
        }
    }
    return tables->lanes.count == 0u || shard == tables->shards.count;
}

static bool rows_are_valid(const weft_tables_t *tables, const weft_program_t *program)
{
    weft_cursor_t next = {0u, 0u, 0u, 0u};
    for (uint32_t i = 0; i < tables->slots.count; ++i) {
        if (!slot_is_valid(tables, weft_tables_slot(tables, i), &next)) return false;
    }
    for (uint32_t i = 0; i < tables->shards.count; ++i) {
        if (!shard_is_valid(tables, weft_tables_shard(tables, i), &next)) return false;
    }
    if (next.send != tables->sends.count || next.task != tables->tasks.count) return false;
    if (!sends_are_valid(tables, &next) || !lanes_are_valid(tables, &next)) return false;
    for (uint32_t i = 0; i < tables->channels.count; ++i) {
        if (!channel_is_valid(tables, weft_tables_channel(tables, i))) return false;
    }
    if (!ends_are_valid(tables, next.slot)) return false;
    for (uint32_t i = 0; i < tables->tasks.count; ++i) {
        const weft_task_row_t *task = weft_tables_task(tables, i);
        if (!range_fits(task->first_call, task->call_count, tables->calls.count)) return false;
    }
    for (uint32_t i = 0; i < tables->calls.count; ++i) {
        if (!call_is_valid(tables, weft_tables_call(tables, i), program, &next)) return false;
    }
    return program->devices == NULL ||
           program->devices->tables_are_valid(tables, program, next.state);
}

weft_status_t weft_tables_check(const weft_tables_t *tables, uint32_t available_words,
                                const weft_program_t *program)
{
    if (tables == NULL || program == NULL || program->kernels == NULL) return WEFT_E_ARGUMENT;
    if (available_words < sizeof(weft_tables_t) / sizeof(uint32_t)) return WEFT_E_TABLES;
    if (tables->magic != WEFT_TABLES_MAGIC) return WEFT_E_TABLES;
    if (tables->version != WEFT_TABLES_VERSION || program->tables_version != WEFT_TABLES_VERSION) {
        return WEFT_E_VERSION;
    }
    if (tables->word_count > available_words || tables->slots.count > WEFT_MAX_SLOTS) {
        return WEFT_E_TABLES;
    }
    if (!sections_fit(tables) || !rows_are_valid(tables, program)) return WEFT_E_TABLES;
    return WEFT_OK;
}

/* Both ends of a send to this PE itself are here, so they must agree: nobody else will look. */
static bool own_send_is_valid(const weft_tables_t *tables, uint32_t number, uint32_t index)
{
    const weft_send_row_t *send = weft_tables_send(tables, index);
    if (send->slot >= tables->slots.count) return false;
    const weft_slot_row_t *slot = weft_tables_slot(tables, send->slot);
    if (send->depth != slot->depth || send->producer >= slot->return_count) return false;
    const weft_return_row_t *credit =
        weft_tables_return(tables, slot->first_return + send->producer);
    if (credit->pe != number || credit->send != index) return false;
    if (send->bytes == 0u) return true;
    return send->frame_bytes == slot->frame_bytes && send->to >= slot->offset &&
           bytes_fit(send->to - slot->offset, span_of(send, send->to_outer, send->to_inner),
                     slot->frame_bytes);
}

weft_status_t weft_tables_check_self(const weft_tables_t *tables, uint32_t number)
{
    if (tables == NULL) return WEFT_E_ARGUMENT;
    for (uint32_t i = 0; i < tables->sends.count; ++i) {
        if (weft_tables_send(tables, i)->pe != number) continue;
        if (!own_send_is_valid(tables, number, i)) return WEFT_E_TABLES;
    }
    for (uint32_t i = 0; i < tables->returns.count; ++i) {
        const weft_return_row_t *credit = weft_tables_return(tables, i);
        if (credit->pe != number) continue;
        if (credit->send >= tables->sends.count) return WEFT_E_TABLES;
        if (weft_tables_send(tables, credit->send)->pe != number) return WEFT_E_TABLES;
    }
    return WEFT_OK;
}

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

/* The rows of a section lie between the head and the end. */
static bool section_fits(const weft_tables_t *tables, weft_section_t section, size_t row_bytes)
{
    const uint32_t row_words = (uint32_t)(row_bytes / sizeof(uint32_t));
    const uint32_t head_words = (uint32_t)(sizeof(weft_tables_t) / sizeof(uint32_t));
    if (section.at < head_words || section.at > tables->word_count) return false;
    return section.count <= (tables->word_count - section.at) / row_words;
}

static bool sections_fit(const weft_tables_t *tables)
{
    return section_fits(tables, tables->slots, sizeof(weft_slot_row_t)) &&
           section_fits(tables, tables->shards, sizeof(weft_shard_row_t)) &&
           section_fits(tables, tables->sends, sizeof(weft_send_row_t)) &&
           section_fits(tables, tables->returns, sizeof(weft_return_row_t)) &&
           section_fits(tables, tables->channels, sizeof(weft_channel_row_t)) &&
           section_fits(tables, tables->tasks, sizeof(weft_task_row_t)) &&
           section_fits(tables, tables->calls, sizeof(weft_call_row_t)) &&
           section_fits(tables, tables->args, sizeof(uint32_t));
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
    if (slot->producer_count == 0u || slot->producer_count > tables->state_words) return false;
    /* Credits go to all producers, or to none: the outside looks for itself. */
    if (slot->return_count > 0u ? slot->return_count != slot->producer_count
                                : slot->producer_count != 1u) {
        return false;
    }
    const uint32_t words = 1u + slot->depth + slot->producer_count;
    return bytes_fit(slot->offset, (uint64_t)slot->depth * slot->frame_bytes,
                     tables->arena_bytes) &&
           takes(&next->state, slot->state, words, tables->state_words) &&
           range_fits(slot->first_return, slot->return_count, tables->returns.count);
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

/* What a send reads lies in this PE's arena; where it writes is for the receiver's compiler. */
static bool send_is_valid(const weft_tables_t *tables, const weft_send_row_t *send,
                          weft_cursor_t *next)
{
    if (!depth_is_valid(send->depth)) return false;
    if (!takes(&next->state, send->state, 1u, tables->state_words)) return false;
    if (send->bytes == 0u) return true;
    if (send->outer == 0u || send->inner == 0u) return false;
    const uint64_t outer = (uint64_t)(send->outer - 1u) * send->from_outer;
    const uint64_t inner = (uint64_t)(send->inner - 1u) * send->from_inner;
    if (outer > UINT32_MAX || inner > UINT32_MAX) return false;
    const uint64_t span = outer + inner + send->bytes;
    const uint32_t offset = send->from & ~WEFT_PLACE_MASK;
    if ((send->from & WEFT_PLACE_MASK) == WEFT_IN_ARENA) {
        return bytes_fit(offset, span, tables->arena_bytes);
    }
    if ((send->from & WEFT_PLACE_MASK) != WEFT_IN_SLOT) return false;
    if (offset >> WEFT_SLOT_SHIFT >= tables->slots.count) return false;
    const weft_slot_row_t *slot = weft_tables_slot(tables, offset >> WEFT_SLOT_SHIFT);
    return bytes_fit(offset & WEFT_SLOT_OFFSET_MASK, span, slot->frame_bytes);
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

static bool pointer_fits(const weft_tables_t *tables, uint32_t word)
{
    const uint32_t place = word & WEFT_PLACE_MASK, offset = word & ~WEFT_PLACE_MASK;
    if (place == WEFT_IN_ARENA) return offset < tables->arena_bytes;
    if (place == WEFT_IN_CONSTANTS) return offset < tables->constants_bytes;
    if (place != WEFT_IN_SLOT || offset >> WEFT_SLOT_SHIFT >= tables->slots.count) return false;
    const weft_slot_row_t *slot = weft_tables_slot(tables, offset >> WEFT_SLOT_SHIFT);
    return (word & WEFT_SLOT_OFFSET_MASK) < slot->frame_bytes;
}

static bool call_is_valid(const weft_tables_t *tables, const weft_call_row_t *call,
                          const weft_program_t *program)
{
    if (call->kernel >= program->kernel_count) return false;
    const weft_kernel_t *kernel = &program->kernels[call->kernel];
    if (kernel->pointer_count > kernel->arg_count || kernel->pointer_count > 32u) return false;
    if (!range_fits(call->first_arg, kernel->arg_count, tables->args.count)) return false;
    const uint32_t *args = weft_tables_args(tables, call->first_arg);
    for (uint32_t i = 0; i < kernel->pointer_count; ++i) {
        if (!pointer_fits(tables, args[i])) return false;
        const bool is_written = ((kernel->written >> i) & 1u) != 0u;
        if (is_written && (args[i] & WEFT_PLACE_MASK) == WEFT_IN_CONSTANTS) return false;
    }
    return true;
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
    for (uint32_t i = 0; i < tables->sends.count; ++i) {
        if (!send_is_valid(tables, weft_tables_send(tables, i), &next)) return false;
    }
    for (uint32_t i = 0; i < tables->channels.count; ++i) {
        if (!channel_is_valid(tables, weft_tables_channel(tables, i))) return false;
    }
    if (!ends_are_valid(tables, next.slot)) return false;
    if (next.send != tables->sends.count || next.task != tables->tasks.count) return false;
    for (uint32_t i = 0; i < tables->tasks.count; ++i) {
        const weft_task_row_t *task = weft_tables_task(tables, i);
        if (!range_fits(task->first_call, task->call_count, tables->calls.count)) return false;
    }
    for (uint32_t i = 0; i < tables->calls.count; ++i) {
        if (!call_is_valid(tables, weft_tables_call(tables, i), program)) return false;
    }
    return true;
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

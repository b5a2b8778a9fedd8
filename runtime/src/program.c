/* SPDX-License-Identifier: Apache-2.0 */
#include "weft/program.h"

#include <stdbool.h>
#include <stddef.h>

static const uint32_t *words_of(const weft_tables_t *tables)
{
    return (const uint32_t *)tables;
}

const weft_channel_row_t *weft_tables_channel(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_channel_row_t *)(words_of(tables) + tables->channels_at) + index;
}

const weft_task_row_t *weft_tables_task(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_task_row_t *)(words_of(tables) + tables->tasks_at) + index;
}

const weft_call_row_t *weft_tables_call(const weft_tables_t *tables, uint32_t index)
{
    return (const weft_call_row_t *)(words_of(tables) + tables->calls_at) + index;
}

const uint32_t *weft_tables_args(const weft_tables_t *tables, uint32_t index)
{
    return words_of(tables) + tables->args_at + index;
}

/* `count` rows of `row_words` words at `at` lie between the head and the end. */
static bool section_fits(const weft_tables_t *tables, uint32_t at, uint32_t count,
                         uint32_t row_words)
{
    const uint32_t head_words = (uint32_t)(sizeof(weft_tables_t) / sizeof(uint32_t));
    if (at < head_words || at > tables->word_count) return false;
    return count <= (tables->word_count - at) / row_words;
}

static bool range_fits(uint32_t first, uint32_t count, uint32_t limit)
{
    return first <= limit && count <= limit - first;
}

static bool slot_fits(const weft_tables_t *tables, const weft_channel_row_t *row)
{
    if (row->direction > (uint32_t)WEFT_CHANNEL_OUT) return false;
    if (row->rows == 0u || row->row_bytes == 0u || row->row_stride < row->row_bytes) return false;
    const uint64_t span = (uint64_t)(row->rows - 1u) * row->row_stride + row->row_bytes;
    return span <= tables->arena_bytes && row->offset <= tables->arena_bytes - (uint32_t)span;
}

static bool pointer_fits(const weft_tables_t *tables, uint32_t word)
{
    if ((word & WEFT_IN_CONSTANTS) != 0u) {
        return (word & ~WEFT_IN_CONSTANTS) < tables->constants_bytes;
    }
    return word < tables->arena_bytes;
}

static bool call_is_valid(const weft_tables_t *tables, const weft_call_row_t *call,
                          const weft_program_t *program)
{
    if (call->kernel >= program->kernel_count) return false;
    const weft_kernel_t *kernel = &program->kernels[call->kernel];
    if (!range_fits(call->first_arg, kernel->arg_count, tables->args_count)) return false;
    const uint32_t *args = weft_tables_args(tables, call->first_arg);
    for (uint32_t i = 0; i < kernel->pointer_count; ++i) {
        if (!pointer_fits(tables, args[i])) return false;
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
    if (tables->word_count > available_words) return WEFT_E_TABLES;
    if (!section_fits(tables, tables->channels_at, tables->channel_count, 5u) ||
        !section_fits(tables, tables->tasks_at, tables->task_count, 2u) ||
        !section_fits(tables, tables->calls_at, tables->call_count, 2u) ||
        !section_fits(tables, tables->args_at, tables->args_count, 1u)) {
        return WEFT_E_TABLES;
    }
    for (uint32_t i = 0; i < tables->channel_count; ++i) {
        const weft_channel_row_t *row = weft_tables_channel(tables, i);
        if (!slot_fits(tables, row)) return WEFT_E_TABLES;
    }
    for (uint32_t i = 0; i < tables->task_count; ++i) {
        const weft_task_row_t *row = weft_tables_task(tables, i);
        if (!range_fits(row->first_call, row->call_count, tables->call_count)) {
            return WEFT_E_TABLES;
        }
    }
    for (uint32_t i = 0; i < tables->call_count; ++i) {
        if (!call_is_valid(tables, weft_tables_call(tables, i), program)) return WEFT_E_TABLES;
    }
    return WEFT_OK;
}

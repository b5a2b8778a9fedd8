/* SPDX-License-Identifier: Apache-2.0 */
/* A program is code (kernels, shared by all PEs that run it) and tables (data, one set a PE).
 *
 * Tables are 32-bit words and hold offsets, never pointers, so that the same bytes serve a 64-bit
 * host and a 32-bit PE. The layout is described in docs/formats/tables.md; the accessors below
 * are the only code that knows it. */
#ifndef WEFT_PROGRAM_H
#define WEFT_PROGRAM_H

#include <stdint.h>

#include "weft/status.h"

struct weft_pe;

/* Word 0 and 1 of every table set. */
#define WEFT_TABLES_MAGIC 0x54465457u /* "WTFT", little endian */
#define WEFT_TABLES_VERSION 1u

/* A pointer argument is a byte offset; this bit says "into the constants", else "into the arena". */
#define WEFT_IN_CONSTANTS 0x80000000u

/* Calls one kernel with the pointers and numbers of one table row. */
typedef void (*weft_kernel_fn)(const struct weft_pe *pe, const uint32_t *args);

typedef struct weft_kernel {
    weft_kernel_fn invoke;
    uint16_t pointer_count; /* the first words of a row: offsets */
    uint16_t arg_count;     /* all words of a row */
} weft_kernel_t;

/* Code of one kind of PE. Lives in read-only memory, never written. */
typedef struct weft_program {
    const char *name;
    const weft_kernel_t *kernels;
    uint32_t kernel_count;
    uint32_t tables_version; /* WEFT_TABLES_VERSION of the runtime it was compiled for */
} weft_program_t;

/* Fixed head of the tables; all fields are words, all `*_at` are word indices from its start. */
typedef struct weft_tables {
    uint32_t magic;
    uint32_t version;
    uint32_t word_count; /* of the whole set, head included */
    uint32_t arena_bytes;
    uint32_t constants_bytes;
    uint32_t channel_count;
    uint32_t channels_at;
    uint32_t task_count;
    uint32_t tasks_at;
    uint32_t call_count;
    uint32_t calls_at;
    uint32_t args_count;
    uint32_t args_at;
} weft_tables_t;

/* A channel end of this PE. Its slot lies in the arena in the layout that the kernels read, which
 * may leave room for a border: `rows` rows of `row_bytes` bytes, `row_stride` bytes apart. A frame
 * is rows * row_bytes bytes. */
typedef struct weft_channel_row {
    uint32_t direction; /* WEFT_CHANNEL_IN or WEFT_CHANNEL_OUT */
    uint32_t offset;    /* of the first row, in bytes */
    uint32_t rows;
    uint32_t row_bytes;
    uint32_t row_stride;
} weft_channel_row_t;

enum { WEFT_CHANNEL_IN = 0, WEFT_CHANNEL_OUT = 1 };

/* A task runs `call_count` calls, in order, to completion. */
typedef struct weft_task_row {
    uint32_t first_call;
    uint32_t call_count;
} weft_task_row_t;

typedef struct weft_call_row {
    uint32_t kernel;    /* index into the program's kernels */
    uint32_t first_arg; /* index into the argument words */
} weft_call_row_t;

/* Checks tables against themselves and against `program`: every index, every argument count and
 * every pointer offset, so that the executive need not look again. Reads both, keeps neither.
 * `available_words` bounds what may be read. Any context; time linear in the size of the tables.
 * Fails with WEFT_E_ARGUMENT, WEFT_E_VERSION or WEFT_E_TABLES. */
weft_status_t weft_tables_check(const weft_tables_t *tables, uint32_t available_words,
                                const weft_program_t *program);

const weft_channel_row_t *weft_tables_channel(const weft_tables_t *tables, uint32_t index);
const weft_task_row_t *weft_tables_task(const weft_tables_t *tables, uint32_t index);
const weft_call_row_t *weft_tables_call(const weft_tables_t *tables, uint32_t index);
const uint32_t *weft_tables_args(const weft_tables_t *tables, uint32_t index);

#endif /* WEFT_PROGRAM_H */

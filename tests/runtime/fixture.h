/* SPDX-License-Identifier: Apache-2.0 */
/* A small program with all that tables can say: two inputs (one of them with gaps between its
 * rows), an output, constants, three kernels, a task of two calls and a task of none.
 *
 *     out[i] = a[i] + b[i] + constant[i]   for four bytes, modulo 256 */
#ifndef WEFT_FIXTURE_H
#define WEFT_FIXTURE_H

#include <stdbool.h>

#include "weft/pe.h"

enum {
    FIXTURE_ARENA_BYTES = 64,
    FIXTURE_CONSTANTS_BYTES = 8,
    FIXTURE_CHANNELS = 3,
    FIXTURE_TASKS = 3,
    FIXTURE_FRAME = 4, /* bytes, on every channel */
    IN_A = 0,
    IN_B = 1,
    OUT = 2
};

/* Word indices of the table set. */
enum {
    AT_MAGIC,
    AT_VERSION,
    AT_WORD_COUNT,
    AT_ARENA_BYTES,
    AT_CONSTANTS_BYTES,
    AT_CHANNEL_COUNT,
    AT_CHANNELS_AT,
    AT_TASK_COUNT,
    AT_TASKS_AT,
    AT_CALL_COUNT,
    AT_CALLS_AT,
    AT_ARGS_COUNT,
    AT_ARGS_AT,
    AT_CHANNELS = 13,
    AT_TASKS = 28,
    AT_CALLS = 34,
    AT_ARGS = 42,
    FIXTURE_WORDS = 56
};

/* Word indices of the fields of a channel row. */
enum { ROW_DIRECTION, ROW_OFFSET, ROW_ROWS, ROW_BYTES, ROW_STRIDE, ROW_WORDS };

/* Argument words: the gather of b, the mark, and the two additions. */
enum { ARGS_GATHER = AT_ARGS, ARGS_MARK = AT_ARGS + 5, ARGS_ADD = AT_ARGS + 6 };

extern const uint32_t fixture_words[FIXTURE_WORDS];
extern const uint8_t fixture_constants[FIXTURE_CONSTANTS_BYTES];
extern const weft_program_t fixture_program;

/* Which kernels ran, in order, while enabled: 'g', 'm' and 'a'. Not for several threads. */
typedef struct fixture_log {
    bool enabled;
    size_t count;
    char kernels[64];
    uint32_t marked; /* the argument of the last mark */
} fixture_log_t;

extern fixture_log_t fixture_log;

/* A context with all its storage, each piece in a heap block of exactly its size. */
typedef struct fixture {
    weft_pe_t pe;
    weft_pe_config_t config;
    uint32_t *words;
    uint8_t *arena;
    uint8_t *constants;
    weft_channel_t *channels;
} fixture_t;

/* Allocates and fills everything; `pe` is zeroed, not initialised. */
void fixture_make(fixture_t *fixture);

/* fixture_make and a successful weft_pe_init. */
void fixture_start(fixture_t *fixture);

void fixture_free(fixture_t *fixture);

/* `size` bytes aligned to WEFT_ALIGNMENT. */
void *fixture_aligned(size_t size);

/* Copies into and out of slots, as the channel rows say. */
void fixture_write_slot(const fixture_t *fixture, uint32_t channel, void *slot,
                        const uint8_t *frame);
void fixture_read_slot(const fixture_t *fixture, uint32_t channel, const void *slot,
                       uint8_t *frame);

/* Acquire, write, publish; every status must be WEFT_OK. */
void fixture_feed(fixture_t *fixture, uint32_t channel, const uint8_t *frame);

/* Feeds both inputs. */
void fixture_feed_both(fixture_t *fixture, const uint8_t *a, const uint8_t *b);

/* Observe, read, release; every status must be WEFT_OK. */
void fixture_fetch(fixture_t *fixture, uint8_t *frame);

/* What must come out for inputs a and b. */
void fixture_expected(const uint8_t *a, const uint8_t *b, uint8_t *out);

#endif /* WEFT_FIXTURE_H */

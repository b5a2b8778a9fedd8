/* SPDX-License-Identifier: Apache-2.0 */
/* A small program with all that the tables of one PE can say: two inputs (one of them two frames
 * deep, with gaps between its rows), an output, constants, three kernels, a task of two calls and
 * one of none, two shards, the first of which sends to the second, in runs.
 *
 *     out[i] = a[i] + b[i] + constant[i]   for four bytes, modulo 256 */
#ifndef WEFT_FIXTURE_H
#define WEFT_FIXTURE_H

#include <stdbool.h>

#include "weft/pe.h"

enum {
    FIXTURE_ARENA_BYTES = 64,
    FIXTURE_CONSTANTS_BYTES = 8,
    FIXTURE_STATE_WORDS = 18,
    FIXTURE_SLOTS = 4,
    FIXTURE_SHARDS = 2,
    FIXTURE_SENDS = 2,
    FIXTURE_RETURNS = 2,
    FIXTURE_CHANNELS = 3,
    FIXTURE_TASKS = 4,
    FIXTURE_CALLS = 5,
    FIXTURE_ARGS = 15,
    FIXTURE_FRAME = 4,  /* bytes, on every channel */
    FIXTURE_STEPS = 4,  /* a frame: three of the first shard, one of the second */
    FIXTURE_NUMBER = 5, /* of the PE */
    FIXTURE_EPOCH = 9,
    IN_A = 0, /* channels */
    IN_B = 1,
    OUT = 2,
    SLOT_A = 0,
    SLOT_B = 1,
    SLOT_MIDDLE = 2,
    SLOT_OUT = 3
};

/* Where things lie in the arena; the slots' first rooms. */
enum {
    A_AT = 0,
    B_AT = 9,
    B_FRAME = 9,
    SCRATCH_AT = 32,
    SUM_AT = 36,
    MIDDLE_AT = 40,
    OUT_AT = 48,
    OUT_FRAME = 8
};

/* Word indices of the table set. A section's count, then its first word. */
enum {
    AT_MAGIC,
    AT_VERSION,
    AT_WORD_COUNT,
    AT_ARENA_BYTES,
    AT_CONSTANTS_BYTES,
    AT_STATE_WORDS,
    AT_SLOT_COUNT,
    AT_SLOTS_AT,
    AT_SHARD_COUNT,
    AT_SHARDS_AT,
    AT_SEND_COUNT,
    AT_SENDS_AT,
    AT_RETURN_COUNT,
    AT_RETURNS_AT,
    AT_CHANNEL_COUNT,
    AT_CHANNELS_AT,
    AT_TASK_COUNT,
    AT_TASKS_AT,
    AT_CALL_COUNT,
    AT_CALLS_AT,
    AT_ARGS_COUNT,
    AT_ARGS_AT,
    AT_LANE_COUNT,
    AT_LANES_AT,
    HEAD_WORDS
};

/* Word indices of the fields of rows, and how many words a row has. */
enum {
    SLOT_OFFSET,
    SLOT_FRAME_BYTES,
    SLOT_DEPTH,
    SLOT_PRODUCERS,
    SLOT_FIRST_RETURN,
    SLOT_RETURNS,
    SLOT_STATE,
    SLOT_WORDS
};
enum {
    SHARD_FIRST_SLOT,
    SHARD_SLOTS,
    SHARD_FIRST_TASK,
    SHARD_TASKS,
    SHARD_FIRST_SEND,
    SHARD_SENDS,
    SHARD_STATE,
    SHARD_WORDS
};
enum {
    SEND_PE,
    SEND_SLOT,
    SEND_PRODUCER,
    SEND_DEPTH,
    SEND_FROM,
    SEND_TO,
    SEND_FRAME_BYTES,
    SEND_OUTER,
    SEND_INNER,
    SEND_BYTES,
    SEND_FROM_OUTER,
    SEND_FROM_INNER,
    SEND_TO_OUTER,
    SEND_TO_INNER,
    SEND_STATE,
    SEND_WORDS
};
enum { RETURN_PE, RETURN_SEND, RETURN_WORDS };
enum {
    CHANNEL_DIRECTION,
    CHANNEL_SLOT,
    CHANNEL_OFFSET,
    CHANNEL_ROWS,
    CHANNEL_BYTES,
    CHANNEL_STRIDE,
    CHANNEL_WORDS
};

/* Word indices of the sections, and of argument words: the gather of b, the mark of the first
 * shard, the two additions, the mark of the second shard. */
enum {
    AT_SLOTS = HEAD_WORDS,
    AT_SHARDS = AT_SLOTS + FIXTURE_SLOTS * SLOT_WORDS,
    AT_SENDS = AT_SHARDS + FIXTURE_SHARDS * SHARD_WORDS,
    AT_RETURNS = AT_SENDS + FIXTURE_SENDS * SEND_WORDS,
    AT_CHANNELS = AT_RETURNS + FIXTURE_RETURNS * RETURN_WORDS,
    AT_TASKS = AT_CHANNELS + FIXTURE_CHANNELS * CHANNEL_WORDS,
    AT_CALLS = AT_TASKS + FIXTURE_TASKS * 2,
    AT_ARGS = AT_CALLS + FIXTURE_CALLS * 2,
    FIXTURE_WORDS = AT_ARGS + FIXTURE_ARGS,
    ARGS_GATHER = AT_ARGS,
    ARGS_MARK = AT_ARGS + 5,
    ARGS_ADD = AT_ARGS + 6
};

/* Word indices of state. */
enum { STATE_FIRST_SHARD = 14, STATE_SECOND_SHARD = 15, STATE_FIRST_SEND = 16 };

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
    uint32_t *state;
} fixture_t;

/* Word index of a field of a row. */
static inline uint32_t in_slot(uint32_t slot, uint32_t field)
{
    return AT_SLOTS + slot * SLOT_WORDS + field;
}

static inline uint32_t in_shard(uint32_t shard, uint32_t field)
{
    return AT_SHARDS + shard * SHARD_WORDS + field;
}

static inline uint32_t in_send(uint32_t send, uint32_t field)
{
    return AT_SENDS + send * SEND_WORDS + field;
}

static inline uint32_t in_return(uint32_t index, uint32_t field)
{
    return AT_RETURNS + index * RETURN_WORDS + field;
}

static inline uint32_t in_channel(uint32_t channel, uint32_t field)
{
    return AT_CHANNELS + channel * CHANNEL_WORDS + field;
}

/* Allocates and fills everything; `pe` is zeroed, not initialised. */
void fixture_make(fixture_t *fixture);

/* fixture_make and a successful weft_pe_init. */
void fixture_start(fixture_t *fixture);

void fixture_free(fixture_t *fixture);

/* `size` bytes aligned to WEFT_ALIGNMENT. */
void *fixture_aligned(size_t size);

/* Frames that have gone all the way to the output. */
uint32_t fixture_frames_done(const fixture_t *fixture);

/* As after `count` frames: all counters of slots, shards and sends. The fixture must be idle. */
void fixture_preset(fixture_t *fixture, uint32_t count);

/* Copies into and out of rooms, as the channel rows say. */
void fixture_write_room(const fixture_t *fixture, uint32_t channel, void *room,
                        const uint8_t *frame);
void fixture_read_room(const fixture_t *fixture, uint32_t channel, const void *room,
                       uint8_t *frame);

/* Acquire, write, publish; every status must be WEFT_OK. */
void fixture_feed(fixture_t *fixture, uint32_t channel, const uint8_t *frame);

/* Feeds both inputs. */
void fixture_feed_both(fixture_t *fixture, const uint8_t *a, const uint8_t *b);

/* Steps through one frame, after which nothing is ready. */
void fixture_run_frame(fixture_t *fixture);

/* Observe, read, release; every status must be WEFT_OK. */
void fixture_fetch(fixture_t *fixture, uint8_t *frame);

/* Fetches what must have come out for inputs a and b. */
void fixture_fetch_sum(fixture_t *fixture, const uint8_t *a, const uint8_t *b);

/* What must come out for inputs a and b. */
void fixture_expected(const uint8_t *a, const uint8_t *b, uint8_t *out);

#endif /* WEFT_FIXTURE_H */

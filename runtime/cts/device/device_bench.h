/* SPDX-License-Identifier: Apache-2.0 */
/* The bench that the cases of the conformance suite work at: instances of the device, rooms for
 * jobs with guards around them, and a gate, which is a device that the suite itself completes. */
#ifndef WEFT_DEVICE_BENCH_H
#define WEFT_DEVICE_BENCH_H

#include "device_cts.h"

enum {
    BENCH_INSTANCES = 2,
    BENCH_JOBS = 4, /* in a queue, if the device has no more in flight */
    BENCH_ROOMS = 8,
    BENCH_BLOCKS = 64,
    BENCH_GUARD = 32 /* bytes before and after each block */
};

typedef struct bench_block {
    uint8_t *at;
    uint32_t bytes;
} bench_block_t;

/* Operands of a job, and what its outputs are to be. */
typedef struct bench_room {
    uint8_t *inputs, *outputs, *expected;
    const uint8_t *before; /* what the outputs will be when the job begins; null: what they are */
    weft_ticket_t ticket;
} bench_room_t;

typedef struct bench {
    const weft_device_cts_adapter_t *adapter;
    uint8_t *memory;
    uint32_t memory_bytes, used;
    bench_block_t blocks[BENCH_BLOCKS];
    uint32_t block_count;
    weft_device_t devices[BENCH_INSTANCES];
    weft_device_config_t configs[BENCH_INSTANCES];
    bench_room_t rooms[BENCH_ROOMS];
    uint32_t seeds; /* given out */
    weft_device_t gate;
    weft_job_t gate_job;
    uint64_t gate_descriptor; /* for its alignment */
} bench_t;

/* Sets everything up from nothing, the same bytes each time. */
weft_status_t bench_set_up(bench_t *bench, const weft_device_cts_adapter_t *adapter,
                           uint8_t *memory, uint32_t memory_bytes);

/* Makes a job of a new seed in a room and submits it; false if it is refused. `on` may be null.
 * `is_bad` makes it one that must fail. */
bool bench_submit(bench_t *bench, uint32_t instance, uint32_t room, const weft_ticket_t *on,
                  bool is_bad);

/* Polls until the job of a room is over: its state. */
weft_status_t bench_finish(bench_t *bench, uint32_t room);

/* Submits and finishes a job; true if it was right. */
bool bench_do(bench_t *bench, uint32_t instance, uint32_t room);

/* memcmp, which not every target has. */
bool bench_is_same(const uint8_t *a, const uint8_t *b, uint32_t bytes);

/* Whether a room's outputs are as expected, and inputs, guards and counters of completions as they
 * should be. */
bool bench_is_right(bench_t *bench, uint32_t room);

/* From now on, the outputs of a room are to stay as they are. */
void bench_expect_no_change(bench_t *bench, uint32_t room);

/* Lets time pass: jobs in the other rooms are done and polls made, so that what is late comes.
 * False if they were not right. */
bool bench_pass_time(bench_t *bench, uint32_t instance, uint32_t room);

/* A ticket that is open until it is given `status`. */
weft_ticket_t bench_close_gate(bench_t *bench);
void bench_open_gate(bench_t *bench, weft_status_t status);

#endif /* WEFT_DEVICE_BENCH_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A program that uses devices, its tables made by hand: shards in lanes, each with an input, an output
 * and three tasks.
 *
 *     task 0   launches two jobs: first = (OFFLOAD_FACTOR + shard) x, second = 5 x
 *     task 1   awaits the first:  result = first + x
 *     task 2   awaits the second: result = second + result
 *
 * for four bytes, modulo 256. The shards of a lane share the memory of first, second and result. A
 * job writes what it has to when it ends, not before: whoever reads too early reads old bytes. */
#ifndef WEFT_OFFLOAD_H
#define WEFT_OFFLOAD_H

#include "fixture.h"
#include "scripted.h"
#include "weft/pe_devices.h"

enum {
    OFFLOAD_SHARDS = 3, /* at most */
    OFFLOAD_JOBS = 2,   /* of a shard */
    OFFLOAD_TASKS = 3,
    OFFLOAD_FRAME = 4,
    OFFLOAD_DEPTH = 2, /* of inputs and outputs */
    OFFLOAD_FACTOR = 3,
    OFFLOAD_NUMBER = 4, /* of the PE */
    OFFLOAD_DEVICES = 2,
    OFFLOAD_LOG = 64
};

/* Kernels, and words of a row of tables. */
enum { OFFLOAD_NOTE, OFFLOAD_ADD, OFFLOAD_LAUNCH, OFFLOAD_AWAIT, OFFLOAD_KERNELS };
enum { LANE_FIRST_SHARD, LANE_SHARDS, LANE_STATE, LANE_ROW_WORDS };
enum { LAUNCH_X, LAUNCH_OUT, LAUNCH_FACTOR, LAUNCH_LABEL, LAUNCH_DEVICE, LAUNCH_TICKET };
enum { AWAIT_DEVICE, AWAIT_TICKET };

typedef struct offload_job {
    uint32_t value; /* first, as scripted devices want it: the label */
    uint32_t factor;
    const uint8_t *x;
    uint8_t *out;
} offload_job_t;

/* Answers as `script` says, and does the work when a poll is answered with WEFT_OK. */
extern const weft_device_driver_t offload_driver;

/* The same without a poll: offload_tell ends jobs. */
extern const weft_device_driver_t offload_driver_told;

typedef struct offload {
    weft_pe_t pe;
    weft_pe_config_t config;
    weft_program_t program;
    weft_kernel_t kernels[OFFLOAD_KERNELS];
    weft_program_devices_t served;
    weft_device_setup_t setups[OFFLOAD_DEVICES];
    scripted_t scripts[OFFLOAD_DEVICES];
    weft_device_t *devices[OFFLOAD_DEVICES];
    uint32_t words[512], state[64];
    uint8_t arena[256] __attribute__((aligned(16)));
    uint32_t shard_count, lane_count;
    uint32_t lane_of[OFFLOAD_SHARDS];
    uint32_t device_of[OFFLOAD_SHARDS][OFFLOAD_JOBS];
    /* Where rows lie in `words`: the first of each kind, and args of each job. */
    uint32_t lanes_at, tasks_at, calls_at;
    uint32_t launch_args[OFFLOAD_SHARDS][OFFLOAD_JOBS], await_args[OFFLOAD_SHARDS][OFFLOAD_JOBS];
    uint32_t first_ticket;
} offload_t;

/* Which tasks have run: shard * 10 + task. */
typedef struct offload_log {
    uint32_t count;
    uint32_t tasks[OFFLOAD_LOG];
} offload_log_t;

extern offload_log_t offload_log;

/* One letter a shard, its lane: "AAB" are two shards in a lane and one in another. All jobs are for
 * device 0, but those of the last lane for device 1. Nothing is initialised: tests may change words,
 * devices and scripts. */
void offload_make(offload_t *offload, const char *lanes, const weft_device_driver_t *driver);

/* Writes the tables anew, after a change of `device_of`. */
void offload_write_tables(offload_t *offload);

/* Initialises devices and PE. */
void offload_init(offload_t *offload);

/* Both. */
void offload_start(offload_t *offload, const char *lanes);

/* The name of a job in errors. */
uint32_t offload_label(uint32_t shard, uint32_t job);

/* Gives the shard its frame number `number`, whose bytes follow from shard and number. */
void offload_feed(offload_t *offload, uint32_t shard, uint32_t number);

/* Are these the bytes that frame number `number` of the shard becomes? */
bool offload_is_right(uint32_t shard, uint32_t number, const uint8_t *bytes);

/* Takes a frame out, which must be what became of number `number`. False if there is none. */
bool offload_fetch(offload_t *offload, uint32_t shard, uint32_t number);

/* How often a step is answered with WEFT_OK until it is not; what the last one says. */
weft_status_t offload_run(offload_t *offload, uint32_t *out_steps);

/* The oldest job under way of a device that has not been told to be over; null if there is none. */
const weft_job_t *offload_under_way(const scripted_t *script);

/* What that job has to do. */
void offload_work(const weft_job_t *job);

/* The jobs of a device end from now on, at their first poll, or not. */
void offload_jobs_end(offload_t *offload, uint32_t device, bool they_do);

/* The tasks that have run since the last look are these: "00 01 10" is shard 0's first two, then the
 * first of shard 1. */
void offload_ran(const char *expected);

#endif /* WEFT_OFFLOAD_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A program is code (kernels, shared by all PEs that run it) and tables (data, one set a PE).
 *
 * Tables are 32-bit words and hold offsets, never pointers, so that the same bytes serve a 64-bit
 * host and a 32-bit PE. The layout is described in docs/formats/tables.md; the accessors below
 * are the only code that knows it. */
#ifndef WEFT_PROGRAM_H
#define WEFT_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weft_pe;

/* Word 0 and 1 of every table set. */
#define WEFT_TABLES_MAGIC 0x54465457u /* "WTFT", little endian */
#define WEFT_TABLES_VERSION 3u

/* A pointer argument is a byte offset; its upper two bits say into what. Within a slot, bits 22 to
 * 29 are the slot's number, and the offset counts from the frame that the shard works on. */
#define WEFT_IN_ARENA 0x00000000u
#define WEFT_IN_SLOT 0x40000000u
#define WEFT_IN_CONSTANTS 0x80000000u
#define WEFT_PLACE_MASK 0xC0000000u
#define WEFT_SLOT_SHIFT 22u
#define WEFT_SLOT_OFFSET_MASK 0x003FFFFFu
#define WEFT_MAX_SLOTS 256u

/* Calls one kernel with the pointers and numbers of one table row. */
typedef void (*weft_kernel_fn)(const struct weft_pe *pe, const uint32_t *args);

/* What a call does. The last two words of launches and awaits are the device, by its index on the
 * PE, and the state word that holds the job's ticket. */
typedef enum weft_role {
    WEFT_ROLE_COMPUTE = 0, /* runs a kernel to its end */
    WEFT_ROLE_LAUNCH = 1,  /* hands a job to a device, and goes on */
    WEFT_ROLE_AWAIT = 2    /* keeps its task from starting until the job is done; no function */
} weft_role_t;

enum { WEFT_DEVICE_WORDS = 2 };

typedef struct weft_kernel {
    weft_kernel_fn invoke;
    uint16_t pointer_count; /* the first words of a row: offsets, at most 32 */
    uint16_t arg_count;     /* all words of a row */
    uint32_t written;       /* bit i: pointer i is written through, not into constants */
    uint32_t role;          /* a weft_role_t */
} weft_kernel_t;

/* What the executive needs to know of devices, where a program uses any. It calls through here, so
 * that what serves devices is linked only into programs that have them (weft/pe_devices.h). */
struct weft_device_setup;
struct weft_program;
struct weft_tables;

typedef struct weft_program_devices {
    uint32_t count;
    const struct weft_device_setup *setups; /* as many */
    uint32_t storage_bytes;                 /* that weft_pe_devices_init wants */
    /* Whether what tables say of devices is well-formed, and all else already is. State words from
     * `first_ticket` on belong to no row. */
    bool (*tables_are_valid)(const struct weft_tables *tables, const struct weft_program *program,
                             uint32_t first_ticket);
    /* Whether `pe` has been given the devices that the program was made for. */
    weft_status_t (*check)(const struct weft_pe *pe);
    /* WEFT_OK once the job is done, WEFT_PENDING before, or what it failed with. */
    weft_status_t (*await)(const struct weft_pe *pe, uint32_t device, uint32_t ticket);
} weft_program_devices_t;

/* Code of one kind of PE. Lives in read-only memory, never written. */
typedef struct weft_program {
    const char *name;
    const weft_kernel_t *kernels;
    uint32_t kernel_count;
    uint32_t tables_version; /* WEFT_TABLES_VERSION of the runtime it was compiled for */
    const weft_program_devices_t *devices; /* null if it uses none */
} weft_program_t;

/* Where rows of one kind lie: how many, and the word index of the first. */
typedef struct weft_section {
    uint32_t count;
    uint32_t at;
} weft_section_t;

/* Fixed head of the tables. */
typedef struct weft_tables {
    uint32_t magic;
    uint32_t version;
    uint32_t word_count; /* of the whole set, head included */
    uint32_t arena_bytes;
    uint32_t constants_bytes;
    uint32_t state_words; /* counters in memory that can be written: see weft_pe_config_t */
    weft_section_t slots;
    weft_section_t shards;
    weft_section_t sends;
    weft_section_t returns;
    weft_section_t channels;
    weft_section_t tasks;
    weft_section_t calls;
    weft_section_t args;
    weft_section_t lanes;
} weft_tables_t;

/* Room for `depth` frames of one box, written by `producer_count` producers straight into place.
 * `depth` is a power of two, so that frame numbers may wrap. Slots stand in the order of the shards
 * that read them; after those, the slots that output channels read. */
typedef struct weft_slot_row {
    uint32_t offset;      /* of the first frame's room in the arena, in bytes */
    uint32_t frame_bytes; /* from one frame's room to the next */
    uint32_t depth;
    uint32_t producer_count; /* arrivals that make a frame complete */
    uint32_t first_return;   /* whom to give credit when a frame is consumed: one a producer, */
    uint32_t return_count;   /* in their order; none if the outside is the producer */
    uint32_t state;          /* its words: consumed, then `depth` arrivals, then one a producer */
} weft_slot_row_t;

/* A shard fires when all of its slots hold its next frame and all of its sends have credit. Rows of
 * shards name their slots, tasks and sends one shard after the other, without gaps. */
typedef struct weft_shard_row {
    uint32_t first_slot;
    uint32_t slot_count;
    uint32_t first_task;
    uint32_t task_count;
    uint32_t first_send;
    uint32_t send_count;
    uint32_t state; /* one word: firings so far */
} weft_shard_row_t;

/* What a firing writes into one slot of one PE: `outer` times `inner` runs of `bytes` bytes.
 * None (`bytes` 0) announces what the tasks have written in place. */
typedef struct weft_send_row {
    uint32_t pe;       /* the PE that has the slot, by its number in the mesh */
    uint32_t slot;     /* there */
    uint32_t producer; /* which of the slot's producers this is */
    uint32_t depth;    /* of the slot */
    uint32_t from;     /* pointer word: into this PE's arena or the frame in one of its slots */
    uint32_t to;       /* byte offset of the first frame's room plus place in it, in that arena */
    uint32_t frame_bytes; /* of the slot */
    uint32_t outer, inner, bytes;
    uint32_t from_outer, from_inner; /* strides in bytes */
    uint32_t to_outer, to_inner;
    uint32_t state; /* one word: frames that the consumer has given back */
} weft_send_row_t;

/* Where the credit of a consumed frame goes. */
typedef struct weft_return_row {
    uint32_t pe;
    uint32_t send; /* there */
} weft_return_row_t;

/* A slot that the outside fills or empties. A frame lies in it as `rows` rows of `row_bytes` bytes,
 * `row_stride` bytes apart, from `offset` in the room of a frame on. */
typedef struct weft_channel_row {
    uint32_t direction; /* WEFT_CHANNEL_IN or WEFT_CHANNEL_OUT */
    uint32_t slot;
    uint32_t offset;
    uint32_t rows;
    uint32_t row_bytes;
    uint32_t row_stride;
} weft_channel_row_t;

enum { WEFT_CHANNEL_IN = 0, WEFT_CHANNEL_OUT = 1 };

/* A task runs `call_count` calls, in order, to completion. Awaits come before all others. */
typedef struct weft_task_row {
    uint32_t first_call;
    uint32_t call_count;
} weft_task_row_t;

typedef struct weft_call_row {
    uint32_t kernel;    /* index into the program's kernels */
    uint32_t first_arg; /* index into the argument words */
} weft_call_row_t;

/* Shards that never fire at the same time: they share scratch memory. Where jobs are awaited, one
 * shard of every lane may be firing. Lanes name shards one after the other, without gaps; without
 * any, all shards are one. */
typedef struct weft_lane_row {
    uint32_t first_shard;
    uint32_t shard_count;
    uint32_t state; /* WEFT_LANE_WORDS: what weft_pe_t holds of the lane that runs */
} weft_lane_row_t;

enum { WEFT_LANE_WORDS = 3 };

/* Checks tables against themselves and against `program`: every index, every argument count, every
 * pointer offset and every state word, so that the executive need not look again. How far a kernel
 * goes from its pointers is not known here. Reads both, keeps neither. `available_words` bounds
 * what may be read. Any context; time linear in the size of the tables.
 * Fails with WEFT_E_ARGUMENT, WEFT_E_VERSION or WEFT_E_TABLES. */
weft_status_t weft_tables_check(const weft_tables_t *tables, uint32_t available_words,
                                const weft_program_t *program);

/* Checks what tables say of the very PE that is to have them, which is `number`: both ends of what
 * it sends to itself. After weft_tables_check. Any context; linear time. Fails with WEFT_E_ARGUMENT
 * or WEFT_E_TABLES. */
weft_status_t weft_tables_check_self(const weft_tables_t *tables, uint32_t number);

const weft_slot_row_t *weft_tables_slot(const weft_tables_t *tables, uint32_t index);
const weft_shard_row_t *weft_tables_shard(const weft_tables_t *tables, uint32_t index);
const weft_send_row_t *weft_tables_send(const weft_tables_t *tables, uint32_t index);
const weft_return_row_t *weft_tables_return(const weft_tables_t *tables, uint32_t index);
const weft_channel_row_t *weft_tables_channel(const weft_tables_t *tables, uint32_t index);
const weft_task_row_t *weft_tables_task(const weft_tables_t *tables, uint32_t index);
const weft_call_row_t *weft_tables_call(const weft_tables_t *tables, uint32_t index);
const uint32_t *weft_tables_args(const weft_tables_t *tables, uint32_t index);
const weft_lane_row_t *weft_tables_lane(const weft_tables_t *tables, uint32_t index);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_PROGRAM_H */

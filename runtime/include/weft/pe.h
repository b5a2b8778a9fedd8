/* SPDX-License-Identifier: Apache-2.0 */
/* A processing element: the context that everything hangs off, and its executive.
 *
 * There are no globals and no allocation: the caller owns all storage that a context points to and
 * keeps it alive and unmoved until the context is no longer used. A PE has one context; a host
 * has as many as it likes. One context is stepped by one thread at a time; while it is stepped, the
 * channel calls may come from one other thread or interrupt a channel, and the deliver calls from
 * any, one at a time for a producer of a slot and for a send. */
#ifndef WEFT_PE_H
#define WEFT_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/program.h"
#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Arena and constants must be aligned to this many bytes. */
#define WEFT_ALIGNMENT 16u

typedef struct weft_pe {
    const weft_program_t *program;
    const weft_tables_t *tables;
    uint8_t *arena;
    const uint8_t *constants;
    uint32_t *state;
    void *port;      /* the port's own, from the configuration */
    uint32_t number; /* of this PE in the mesh */
    uint32_t epoch;  /* of the mesh's life: messages of another one are ignored */
    struct weft_device *const *devices;
    uint32_t device_count;
    uint32_t lane;       /* whose shard runs, or is looked at first */
    uint32_t shard;      /* that is firing, or that is looked at first for the next firing */
    uint32_t next_task;  /* of the firing, counted from the shard's first */
    uint32_t told_fault; /* by weft_pe_fail, from whatever context */
    bool firing;         /* before `fault`, whose size is the compiler's choice: who looks at an */
    weft_status_t
        fault; /* image from outside finds it. The first error, kept until the next init */
} weft_pe_t;

typedef struct weft_pe_config {
    const weft_program_t *program;
    const weft_tables_t *tables;
    uint32_t table_words; /* how many words may be read at `tables` */
    void *arena;          /* at least tables->arena_bytes, WEFT_ALIGNMENT */
    uint32_t arena_bytes;
    const void *constants; /* at least tables->constants_bytes, WEFT_ALIGNMENT; null if 0 */
    uint32_t constants_bytes;
    uint32_t *state; /* at least tables->state_words */
    uint32_t state_words;
    uint32_t number; /* of this PE in the mesh; 0 where there is only one */
    uint32_t epoch;  /* the same for all PEs; another one after every new start */
    void *port;      /* kept for the port, not looked at */
    /* Those that the program was made for, in its order, initialised; the caller's, array and all,
     * for as long as the context. */
    struct weft_device *const *devices;
    uint32_t device_count;
} weft_pe_config_t;

/* Checks the configuration and the tables, then puts the context into its first state: no frame,
 * all credits there. The context keeps the pointers of `config`, not `config` itself. To start
 * anew, call it again. Thread or start-up context, not interrupts, and nothing else may use the
 * context meanwhile: all PEs that send to each other are initialised before any is stepped.
 * Fails with WEFT_E_ARGUMENT, WEFT_E_STORAGE, WEFT_E_VERSION or WEFT_E_TABLES. */
weft_status_t weft_pe_init(weft_pe_t *pe, const weft_pe_config_t *config);

/* Runs at most one task and returns: WEFT_OK if one ran, WEFT_IDLE if nothing was ready (not an
 * error: a frame or a credit is missing), WEFT_PENDING if all that is under way waits for devices,
 * otherwise the sticky fault. Any ready shard may fire, the one after the last first. A firing
 * starts only when every slot has a frame and every send a credit, so it waits half-way for jobs
 * only; shards of other lanes run meanwhile. Bounded by the longest task, and by the sends of a
 * shard. Meant to be called from any event loop: after WEFT_IDLE it may sleep until an event, after
 * WEFT_PENDING no longer than deadlines of jobs allow, unless its devices cause events. In both
 * cases an event may have happened already. WEFT_E_ARGUMENT before a successful init. */
weft_status_t weft_pe_step(weft_pe_t *pe);

/* --- what other PEs say, called by the port: any context ------------------------------------- */

/* Producer `producer` of `slot` has written frame `frame`. Repeated, out of turn or of another
 * epoch: ignored. WEFT_E_ARGUMENT if there is no such producer, WEFT_E_SEQUENCE if it had no
 * credit: it may have overwritten what is still in use. */
weft_status_t weft_pe_deliver_arrival(weft_pe_t *pe, uint32_t epoch, uint32_t slot,
                                      uint32_t producer, uint32_t frame);

/* The consumer of `send` has given back `consumed` frames in all. Older news, those further ahead
 * than the slot has room for and those of another epoch are ignored. WEFT_E_ARGUMENT if there is no
 * such send. */
weft_status_t weft_pe_deliver_credit(weft_pe_t *pe, uint32_t epoch, uint32_t send,
                                     uint32_t consumed);

/* --- what a port or a supervisor may say and ask: any context -------------------------------- */

/* Ends the work of this PE with `fault`, which becomes sticky unless there is one already: a memory
 * error, a device's failure, an order to stop. A step that runs meanwhile goes on, but not beyond a
 * launch.
 * WEFT_E_ARGUMENT if `fault` is not an error. */
weft_status_t weft_pe_fail(weft_pe_t *pe, weft_status_t fault);

/* Where a PE is in its work: the shard that fires, or that is looked at first for the next firing;
 * the tasks of it that have run, all of them while results are sent; its frame. */
typedef struct weft_where {
    uint32_t shard;
    uint32_t task;
    uint32_t frame;
} weft_where_t;

/* Says where a PE is: after a fault, where it happened. Not while another thread steps it.
 * WEFT_E_ARGUMENT before a successful init, or if it has no shards. */
weft_status_t weft_pe_where(const weft_pe_t *pe, weft_where_t *out_where);

/* What keeps a shard from firing. */
typedef enum weft_wait_kind {
    WEFT_WAITS_FOR_NOTHING = 0, /* it can fire, or is firing */
    WEFT_WAITS_FOR_FRAME = 1,   /* `index` is a slot, `peer` the PE of a producer that is missing */
    WEFT_WAITS_FOR_CREDIT = 2,  /* `index` is a send, `peer` the PE of its consumer */
    WEFT_WAITS_FOR_INPUT = 3    /* `index` is a slot that the outside has not filled */
} weft_wait_kind_t;

typedef struct weft_wait {
    weft_wait_kind_t kind;
    uint32_t frame; /* that the shard would work on */
    uint32_t index;
    uint32_t peer;
    uint32_t peer_index; /* on that PE: the send that is to bring the frame, or the slot */
} weft_wait_t;

/* Says what `shard` waits for: who wonders why nothing moves walks from PE to PE. A look from
 * outside, which may be old when it is read, and does not see faults: weft_pe_step tells them.
 * WEFT_E_ARGUMENT if there is no such shard. */
weft_status_t weft_pe_waits_for(const weft_pe_t *pe, uint32_t shard, weft_wait_t *out_wait);

/* --- the outside's ends of the channels ------------------------------------------------------
 * Feeding an input: acquire, write the slot, publish. Reading an output: observe, read the slot,
 * release. A frame's room belongs to the PE between the two pairs. Interrupt-safe. */

/* Gives the room for the next frame of input `channel`. WEFT_NO_CREDIT if there is none. */
weft_status_t weft_pe_channel_acquire(weft_pe_t *pe, uint32_t channel, void **out_room);

/* Announces the frame in the room of input `channel`. WEFT_E_SEQUENCE if there was no room. */
weft_status_t weft_pe_channel_publish(weft_pe_t *pe, uint32_t channel);

/* Gives the oldest frame of output `channel`. WEFT_NO_FRAME if there is none. */
weft_status_t weft_pe_channel_observe(weft_pe_t *pe, uint32_t channel, const void **out_room);

/* Gives the room of that frame back. WEFT_E_SEQUENCE if there was no frame. */
weft_status_t weft_pe_channel_release(weft_pe_t *pe, uint32_t channel);

/* --- for generated code: the address behind one pointer word of an argument row --------------- */

/* In the arena, or in the frame of a slot that is being consumed. Not inline: every kernel would
 * bring its own copies. */
void *weft_pe_arena_at(const weft_pe_t *pe, uint32_t word);

/* The same, or in the constants. */
const void *weft_pe_at(const weft_pe_t *pe, uint32_t word);

/* SHA-256 (hex) of the runtime's sources that this binary was built from. */
const char *weft_runtime_hash(void);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_PE_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* A processing element: the context that everything hangs off, and its executive.
 *
 * There are no globals and no allocation: the caller owns all storage that a context points to and
 * keeps it alive and unmoved until the context is no longer used. A PE has one context; a host
 * has as many as it likes. One context is stepped by one thread at a time; the channel calls may
 * come from one other thread or interrupt a channel while it is stepped. */
#ifndef WEFT_PE_H
#define WEFT_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/program.h"
#include "weft/status.h"

/* Arena and constants must be aligned to this many bytes. */
#define WEFT_ALIGNMENT 16u

/* One channel end. Counters are cumulative and wrap; each is written by one side only. */
typedef struct weft_channel {
    uint32_t published; /* frames that the producer has announced */
    uint32_t released;  /* frames that the consumer has given back */
} weft_channel_t;

typedef struct weft_pe {
    const weft_program_t *program;
    const weft_tables_t *tables;
    uint8_t *arena;
    const uint8_t *constants;
    weft_channel_t *channels;
    uint32_t next_task; /* within the current firing; 0: no firing is under way */
    uint32_t frame;     /* firings completed since init */
    bool firing;
} weft_pe_t;

typedef struct weft_pe_config {
    const weft_program_t *program;
    const weft_tables_t *tables;
    uint32_t table_words; /* how many words may be read at `tables` */
    void *arena;          /* at least tables->arena_bytes, WEFT_ALIGNMENT */
    uint32_t arena_bytes;
    const void *constants; /* at least tables->constants_bytes, WEFT_ALIGNMENT; may be null if 0 */
    uint32_t constants_bytes;
    weft_channel_t *channels; /* at least tables->channel_count */
    uint32_t channel_capacity;
} weft_pe_config_t;

/* Checks the configuration and the tables, then puts the context into its first state: no frame,
 * all credits there. The context keeps the pointers of `config`, not `config` itself. To start
 * anew, call it again. Thread or start-up context, not interrupts.
 * Fails with WEFT_E_ARGUMENT, WEFT_E_STORAGE, WEFT_E_VERSION or WEFT_E_TABLES. */
weft_status_t weft_pe_init(weft_pe_t *pe, const weft_pe_config_t *config);

/* Runs at most one task and returns: WEFT_OK if one ran, WEFT_IDLE if nothing was ready (not an
 * error: a frame or a credit is missing). A firing starts only when every input has a frame and
 * every output has a credit, so it never waits half-way. Bounded by the longest task. Meant to be
 * called from any event loop. WEFT_E_ARGUMENT before a successful init. */
weft_status_t weft_pe_step(weft_pe_t *pe);

/* --- the outside's ends of the channels ------------------------------------------------------
 * Feeding an input: acquire, write the slot, publish. Reading an output: observe, read the slot,
 * release. The slot belongs to the PE between the two pairs. Interrupt-safe. */

/* Gives the slot of input `channel` if the PE is done with it. WEFT_NO_CREDIT if not. */
weft_status_t weft_pe_channel_acquire(weft_pe_t *pe, uint32_t channel, void **out_slot);

/* Announces the frame in the slot of input `channel`. WEFT_E_SEQUENCE if the slot was not free. */
weft_status_t weft_pe_channel_publish(weft_pe_t *pe, uint32_t channel);

/* Gives the slot of output `channel` if it holds a frame. WEFT_NO_FRAME if not. */
weft_status_t weft_pe_channel_observe(weft_pe_t *pe, uint32_t channel, const void **out_slot);

/* Gives the slot of output `channel` back. WEFT_E_SEQUENCE if it held no frame. */
weft_status_t weft_pe_channel_release(weft_pe_t *pe, uint32_t channel);

/* For generated code: the address behind one pointer word of an argument row. */
static inline void *weft_pe_arena_at(const weft_pe_t *pe, uint32_t word)
{
    return pe->arena + word;
}

static inline const void *weft_pe_at(const weft_pe_t *pe, uint32_t word)
{
    const uint8_t *base = (word & WEFT_IN_CONSTANTS) != 0u ? pe->constants : pe->arena;
    return base + (word & ~WEFT_IN_CONSTANTS);
}

/* SHA-256 (hex) of the runtime's sources that this binary was built from. */
const char *weft_runtime_hash(void);

#endif /* WEFT_PE_H */

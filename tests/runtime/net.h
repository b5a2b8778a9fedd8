/* SPDX-License-Identifier: Apache-2.0 */
/* Meshes for tests: nodes (shards) on PEs, slots between them, ends for the outside. What comes out
 * depends on every word that went in, on the frame's number and on the way, so a frame that is
 * lost, doubled, out of order or damaged shows.
 *
 * A result is four words. A slot takes the results of all its producers, word by word in turn, so
 * that sends are runs with strides on both sides. */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <stdbool.h>

#include "mesh.h"
#include "weft/pe.h"

enum {
    NET_WORDS = 4,
    NET_RESULT = 16, /* bytes */
    NET_MOST_PES = 64,
    NET_MOST_NODES = 160,
    NET_MOST_SLOTS = 320,
    NET_MOST_ENDS = 24, /* slots and targets of a node, producers of a slot */
    NET_EPOCH = 77,
    NET_OUTSIDE = 0xFFFF
};

typedef struct net_end {
    uint32_t slot, producer; /* among those of the slot */
} net_end_t;

typedef struct net_node {
    uint32_t pe, shard; /* its index there */
    uint32_t slots[NET_MOST_ENDS], slot_count;
    net_end_t targets[NET_MOST_ENDS];
    uint32_t target_count;
    uint32_t first_send, result_at, state;
    uint32_t known_frame, known[NET_WORDS]; /* of net_expected */
} net_node_t;

typedef struct net_slot {
    uint32_t pe, reader; /* a node or NET_OUTSIDE */
    uint32_t depth;
    uint32_t producers[NET_MOST_ENDS], sends[NET_MOST_ENDS], producer_count;
    uint32_t index, offset, state; /* on its PE */
    uint32_t channel;              /* there, if one end is the outside's */
    uint32_t moved;                /* frames that the outside has fed or fetched */
} net_slot_t;

typedef struct net_pe {
    weft_pe_t pe;
    uint32_t *words, *state;
    weft_pe_config_t config;
    uint8_t *arena;
    uint32_t slot_count, shard_count, send_count, return_count, channel_count, call_count;
    uint32_t arg_count, state_words, arena_bytes;
} net_pe_t;

typedef struct net {
    uint32_t pe_count, node_count, slot_count;
    uint32_t base;                 /* number of the first frame: net_preset */
    bool one_call_a_task;          /* set before net_start; else a firing is one task */
    const weft_program_t *program; /* set before net_start; else kernels that mix */
    weft_host_mesh_t mesh;
    net_pe_t pes[NET_MOST_PES];
    weft_pe_t *pointers[NET_MOST_PES];
    net_node_t nodes[NET_MOST_NODES];
    net_slot_t slots[NET_MOST_SLOTS];
} net_t;

/* --- building --------------------------------------------------------------------------------- */

net_t *net_new(uint32_t pes);

void net_free(net_t *net);

uint32_t net_node(net_t *net, uint32_t pe);

/* A slot that `node` reads. */
uint32_t net_slot(net_t *net, uint32_t node, uint32_t depth);

/* A slot on `pe` that the outside empties. */
uint32_t net_output(net_t *net, uint32_t pe, uint32_t depth);

/* The outside fills the slot. */
void net_input(net_t *net, uint32_t slot);

/* The node's results go to the slot, too. */
void net_link(net_t *net, uint32_t node, uint32_t slot);

/* net_slot and net_link. */
uint32_t net_connect(net_t *net, uint32_t from, uint32_t to, uint32_t depth);

/* Lays out memory, writes tables and initialises all PEs, with `port` or the host's mesh. */
void net_start(net_t *net, void *port);

/* All counters as after `base` frames, before any has moved. */
void net_preset(net_t *net, uint32_t base);

/* --- running ---------------------------------------------------------------------------------- */

/* Feeds the next frame into an input slot; false if there is no room. */
bool net_feed(net_t *net, uint32_t slot);

/* Takes the next frame, which must be right, from an output slot; false if there is none. */
bool net_fetch(net_t *net, uint32_t slot);

/* Writes the frame that the outside feeds as its `frame`-th into `room`. */
void net_fill(uint32_t slot, uint32_t frame, void *room);

/* Is that the `frame`-th frame of the slot? */
bool net_matches(net_t *net, uint32_t slot, uint32_t frame, const void *room);

/* Where the `frame`-th frame of a slot lies. */
uint8_t *net_room(net_t *net, uint32_t slot, uint32_t frame);

/* One step; false if nothing was ready. Faults end the test. */
bool net_step(net_t *net, uint32_t pe);

bool net_is_input(const net_t *net, uint32_t slot);
bool net_is_output(const net_t *net, uint32_t slot);

/* Of the node that has the send, or that reads the slot, on `pe`. */
uint32_t net_node_with_send(const net_t *net, uint32_t pe, uint32_t send);
uint32_t net_node_with_slot(const net_t *net, uint32_t pe, uint32_t slot);

#endif /* WEFT_NET_H */

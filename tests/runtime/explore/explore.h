/* SPDX-License-Identifier: Apache-2.0 */
/* Every order of events in a small mesh. The port queues what PEs say to each other; a depth-first
 * search takes, in every state, every step, delivery, repetition, feed and fetch, and, where asked
 * for, each of these in the middle of each other one. In every state the frames that wait in slots
 * must be right, and where nothing moves, all must have come out. */
#ifndef WEFT_EXPLORE_H
#define WEFT_EXPLORE_H

#include "net.h"

/* Ports that do what they promise, and ports that break one promise each. */
typedef enum explore_port {
    PORT_WRITES_AT_ONCE,
    PORT_WRITES_WITH_THE_SIGNAL,
    PORT_ANNOUNCES_BEFORE_IT_WRITES,
    PORT_GIVES_CREDIT_EARLY,
    PORT_MIXES_UP_ORDER,
    PORT_LOSES_CREDIT,
    PORT_FORGETS_EPOCHS
} explore_port_t;

typedef struct explore_options {
    explore_port_t port;
    uint32_t frames;
    uint32_t base;     /* of all counters */
    uint32_t copies;   /* messages that wait for being repeated, at most */
    uint32_t restarts; /* of all PEs, at any time, with another epoch; signals stay on their way */
    bool interrupts;   /* events happen in the middle of others */
} explore_options_t;

typedef struct explore_result {
    const char *violation; /* null: none in any state */
    uint64_t states, events, ends;
} explore_result_t;

/* Searches to the end or to the first violation. Takes a mesh that was not started, and frees it. */
explore_result_t explore_all(net_t *mesh, explore_options_t what);

/* --- between the search and its port ----------------------------------------------------------- */

enum { MOST_PES = 3, MOST_QUEUED = 6, MOST_RUNS = 4, MOST_COPIES = 4 };

typedef enum event_kind {
    STEP,
    FEED,
    FETCH,
    DELIVER,
    DELIVER_AND_KEEP, /* a copy, for later */
    DELIVER_COPY,
    RESTART
} event_kind_t;

/* A PE, a slot, a pair of PEs or a copy. */
typedef struct event {
    event_kind_t kind;
    uint32_t a, b;
} event_t;

typedef enum message_kind { ARRIVAL, CREDIT, DATA } message_kind_t;

typedef struct run {
    uint32_t offset, word;
} run_t;

typedef struct message {
    message_kind_t kind;
    uint32_t epoch, from, to, end, producer, value, run_count;
    run_t runs[MOST_RUNS];
} message_t;

/* What is on its way: a queue for every pair of PEs, and copies that may come at any time. */
typedef struct wire {
    uint32_t counts[MOST_PES][MOST_PES], copy_count;
    message_t queues[MOST_PES][MOST_PES][MOST_QUEUED];
    message_t copies[MOST_COPIES];
    message_t open[MOST_PES]; /* runs that a PE has written and not announced yet */
} wire_t;

typedef struct explored {
    net_t *net;
    explore_options_t options;
    const char *violation; /* the last, if any */
    uint32_t restarts;     /* so far */
    wire_t wire;
    /* An event may happen in the middle of another: before that operation of the port. */
    uint32_t operations, interrupted_at;
    event_t interruption;
} explored_t;

extern explored_t explored;

/* Lets the event happen, if it can. */
void explore_take(event_t event);

#endif /* WEFT_EXPLORE_H */

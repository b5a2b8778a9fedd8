/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance test for ports: does what implements weft/port.h do what that header says?
 *
 * Compile it with the port and the runtime, on the host or for the target. One PE alone, or two: the
 * first sends frames to the second, through the real executive and the port, and the second sends
 * them back. Each PE has a weft_port_cts_t and a loop of its own:
 *
 *     weft_port_cts_init(&cts, number, pes, port);
 *     while (weft_port_cts_result.state == WEFT_PORT_CTS_RUNNING) {
 *         (deliver what has come in, where the port does not do that by itself)
 *         weft_port_cts_step(&cts);
 *     }
 *
 * All PEs are initialised before any is stepped. They may be contexts in one memory, stepped in
 * turn or by several threads, or images of their own: then the verdict is in that of PE 0. The loop
 * must not sleep for good: whether something got lost is told by how often the test was stepped. */
#ifndef WEFT_PORT_CTS_H
#define WEFT_PORT_CTS_H

#include "weft/pe.h"

enum {
    WEFT_PORT_CTS_ARENA = 480, /* bytes */
    WEFT_PORT_CTS_GUARD = 64,
    WEFT_PORT_CTS_STATE = 16, /* words */
    WEFT_PORT_CTS_WORDS = 8
};

/* How often PE 0 may be stepped without any progress before something counts as lost. */
#ifndef WEFT_PORT_CTS_PATIENCE
#define WEFT_PORT_CTS_PATIENCE 2000000u
#endif

/* States of a result. */
enum {
    WEFT_PORT_CTS_RUNNING = 1,
    WEFT_PORT_CTS_PASSED = 2, /* nothing failed; something may have been skipped */
    WEFT_PORT_CTS_FAILED = 3
};

/* The cases, by number. */
typedef enum weft_port_cts_case {
    WEFT_PORT_CTS_PUBLISH = 1,       /* what is published is observed, and nothing beside it */
    WEFT_PORT_CTS_ADD = 2,           /* sums are exact, modulo 2^32 */
    WEFT_PORT_CTS_ADD_ONE_STEP = 3,  /* no sum is lost to another context: needs disturb */
    WEFT_PORT_CTS_DATA_FIRST = 4,    /* data before a publish are there: needs disturb */
    WEFT_PORT_CTS_ARRIVALS = 5,      /* each comes, in order, with the epoch: needs two PEs */
    WEFT_PORT_CTS_BYTES = 6,         /* are there at the arrival, in place, once: two PEs */
    WEFT_PORT_CTS_CREDITS = 7,       /* each comes back: two PEs */
    WEFT_PORT_CTS_NO_PE_WRITE = 8,   /* what goes to no PE is refused: write, */
    WEFT_PORT_CTS_NO_PE_ARRIVAL = 9, /* arrival, */
    WEFT_PORT_CTS_NO_PE_CREDIT = 10, /* credit */
    WEFT_PORT_CTS_BEYOND_ARENA = 11, /* what leaves an arena is refused: two PEs */
    WEFT_PORT_CTS_AFTER_MISUSE = 12, /* and has changed nothing: two PEs */
    WEFT_PORT_CTS_CLOCK = 13,        /* goes on, and never back */
    WEFT_PORT_CTS_CASES = 13
} weft_port_cts_case_t;

typedef struct weft_port_cts_result {
    uint32_t state; /* written last; 0 before the first step */
    uint32_t run;   /* cases that came to an end, the failed ones included */
    uint32_t failed;
    uint32_t skipped;      /* for want of a second PE or of another context */
    uint32_t first_failed; /* the case; 0 if none */
    uint32_t line;         /* where it failed, in port_cts.c; 0 if none */
} weft_port_cts_result_t;

/* Of PE 0. Who looks at a target from outside finds it by symbol. */
extern volatile weft_port_cts_result_t weft_port_cts_result;

/* What one PE needs. The caller's storage; all of it is the test's own. */
typedef struct weft_port_cts {
    weft_pe_t pe; /* for the port: deliver to it */
    uint8_t arena[WEFT_PORT_CTS_ARENA] __attribute__((aligned(16)));
    uint8_t guard[WEFT_PORT_CTS_GUARD]; /* right behind the arena */
    uint32_t state[WEFT_PORT_CTS_STATE];
    uint32_t pes;
    uint32_t phase, waited, fed, collected, misuse; /* of PE 0 */
    bool is_told; /* a misuse was given to the port, which has not refused it yet */

    /* What two contexts share. */
    uint32_t sum, own_sum, other_sum;
    uint32_t words[WEFT_PORT_CTS_WORDS];
    uint32_t announced, taken, calls, closing, closed;
    uint32_t seen;       /* announcements */
    uint32_t calls_seen; /* of the other context */
} weft_port_cts_t;

/* Prepares PE `number` of `pes`, 1 or 2; `port` is what weft_pe_config_t.port is to be. Thread or
 * start-up context. Fails with WEFT_E_ARGUMENT or as weft_pe_init. */
weft_status_t weft_port_cts_init(weft_port_cts_t *cts, uint32_t number, uint32_t pes, void *port);

/* Does a little of the test and returns. Thread context. WEFT_OK if there was progress, WEFT_IDLE
 * if there was none. */
weft_status_t weft_port_cts_step(weft_port_cts_t *cts);

/* To be called over and over from another context while PE 0 is stepped, to the end: an interrupt
 * that comes often, another thread, another core that shares the memory; always the same one. Where
 * there is none, leave it out: what needs it is skipped. */
void weft_port_cts_disturb(weft_port_cts_t *cts);

#endif /* WEFT_PORT_CTS_H */

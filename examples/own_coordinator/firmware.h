/* SPDX-License-Identifier: Apache-2.0 */
/* What this firmware and its coordinator agree upon. Nothing in it is Weft's.
 *
 * A PE asks its NoC through registers: operands, then the operation. The NoC has done it when the
 * store is through; a load of the operation says whether it could. What others say comes into a
 * ring in the PE's memory. */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stdint.h>

/* Filled in by the coordinator before the start: where it has put what. */
typedef struct boot {
    uint32_t number, epoch;
    uint32_t tables, table_words;
    uint32_t constants, constants_bytes;
    uint32_t arena, arena_bytes;
    uint32_t state, state_words;
} boot_t;

extern volatile boot_t boot;

/* --- registers --------------------------------------------------------------------------------- */

typedef struct noc {
    uint32_t to, epoch;
    uint32_t operands[3];
    uint32_t operation; /* read: 1 if the last one was done, 0 if it was refused */
    uint32_t sleep;     /* a store stops the core until something has come in */
    uint32_t ended;     /* a store says with which status the firmware has ended */
} noc_t;

#define NOC ((volatile noc_t *)0x40000000u)

enum {
    NOC_WRITE = 1,   /* offset in the arena of PE `to`, address here, bytes */
    NOC_ARRIVAL = 2, /* to PE `to`: slot, producer, frame */
    NOC_CREDIT = 3,  /* to PE `to`: send, frames consumed */
    NOC_ROOM = 4,    /* to the coordinator: channel, address of the room for its next frame */
    NOC_RESULT = 5   /* to the coordinator: channel, address of a frame */
};

/* --- what comes in ----------------------------------------------------------------------------- */

enum {
    IN_ARRIVAL = NOC_ARRIVAL,
    IN_CREDIT = NOC_CREDIT,
    IN_FED = 6,   /* channel: its room has been filled */
    IN_TAKEN = 7, /* channel: its frame has been read */
    INBOX_LETTERS = 16
};

typedef struct letter {
    uint32_t kind, epoch;
    uint32_t operands[3];
} letter_t;

typedef struct inbox {
    uint32_t put;   /* letters so far; written by the NoC */
    uint32_t taken; /* written by the PE */
    letter_t letters[INBOX_LETTERS];
} inbox_t;

extern volatile inbox_t inbox;

#endif /* FIRMWARE_H */

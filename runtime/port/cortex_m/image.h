/* SPDX-License-Identifier: Apache-2.0 */
/* What an image shows to whoever looks into the PE's memory from outside: a loader, a supervisor,
 * a debugger or an emulator. All of it is found by symbol. Nothing here is called by the runtime,
 * and a firmware that hosts the runtime as a guest needs none of it. */
#ifndef WEFT_IMAGE_H
#define WEFT_IMAGE_H

#include <stdint.h>

#include "mail.h"
#include "weft/pe.h"

/* Kinds of faults: the number of the ARMv7-M exception, except for the last two. */
enum {
    WEFT_FAULT_NONE = 0,
    WEFT_FAULT_NMI = 2,
    WEFT_FAULT_HARD = 3,
    WEFT_FAULT_MEMORY = 4,
    WEFT_FAULT_BUS = 5,
    WEFT_FAULT_USAGE = 6,
    WEFT_FAULT_STACK = 256,    /* the stack overflowed into the guard below it */
    WEFT_FAULT_ASSERTION = 257 /* a WEFT_ASSERT failed, at pc */
};

/* Ends the image with WEFT_FAULT_ASSERTION, whose pc is here, unless `condition` holds: for what
 * nobody can mend any more. A failed one takes a single instruction, which nothing else uses. Any
 * context. */
#define WEFT_ASSERTION_FAILED 0xDEA5u /* udf #0xA5 */
#define WEFT_ASSERT(condition)                        \
    do {                                              \
        if (!(condition)) {                           \
            __asm volatile("udf #0xA5" ::: "memory"); \
            __builtin_unreachable();                  \
        }                                             \
    } while (0)

/* All zero until a fault. `kind` is written last: once it is not WEFT_FAULT_NONE, the rest is
 * there. */
typedef struct weft_fault_record {
    uint32_t kind;
    uint32_t pc;      /* of the instruction at fault; 0 if not known, as after a late look */
    uint32_t lr;      /* where its function would have returned to; 0 if not known */
    uint32_t cfsr;    /* configurable fault status register, 0xE000ED28 */
    uint32_t hfsr;    /* hard fault status register, 0xE000ED2C */
    uint32_t address; /* of the data that was refused, or of the guard; 0 if not known */
} weft_fault_record_t;

extern volatile weft_fault_record_t weft_fault_record;

/* The status that ended the image, a weft_status_t. WEFT_OK for as long as it runs. */
extern volatile uint32_t weft_image_status;

/* weft_runtime_hash(), once the image has started; null before. */
extern const char *volatile weft_image_runtime_hash;

/* The epoch of the mesh, 0 if nobody says otherwise: who starts PEs anew while old messages are on
 * their way writes another one into the loaded image of each, before it starts. */
extern const uint32_t weft_image_epoch;

extern weft_pe_t weft_image_pe;

/* The counters of the PE: see docs/formats/tables.md. */
extern uint32_t weft_image_state[];

/* What the PE says to others and hears from them: see mail.h. Writes of others go into the arena. */
extern weft_mail_t weft_image_mail;
extern uint8_t weft_image_arena[];

/* Where the core sees DRAM, for weft_port_dram_read and weft_port_dram_write. Weak and empty: a firmware
 * that has some defines it. */
typedef struct weft_image_dram {
    uint8_t *start;
    uint32_t bytes;
} weft_image_dram_t;

extern const weft_image_dram_t weft_image_dram;

/* Sleeps until an event: a remote write to this PE's memory that signals one, an interrupt, SEV.
 * May return without any. Thread context. */
void weft_port_wait(void);

/* Signals an event to whoever shares this PE's memory and sleeps. Any context. */
void weft_port_notify(void);

/* The word of the stack's guard that was overwritten, from above the first; null if none was. Thread
 * context. */
const volatile uint32_t *weft_image_overwritten(void);

/* Where an image ends after a fault or an error status: sleeps for ever. Any context. It is never
 * inlined, so that one breakpoint sees every end. */
void weft_image_stop(void) __attribute__((noreturn, noinline));

/* Initialises the PE and steps it for ever. Called by the start-up code. */
void weft_image_main(void) __attribute__((noreturn));

#endif /* WEFT_IMAGE_H */

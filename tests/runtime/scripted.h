/* SPDX-License-Identifier: Apache-2.0 */
/* A device that does what a test tells it: jobs are under way until the test ends them, by poll or by
 * completion, and time stands still until the test moves it. */
#ifndef WEFT_SCRIPTED_H
#define WEFT_SCRIPTED_H

#include "weft/copy.h"
#include "weft/device.h"
#include "weft/pe.h"

enum { SCRIPTED_MOST = 8, SCRIPTED_DEADLINE = 100 };

typedef struct scripted_job {
    uint32_t value; /* the descriptor: names the job */
    uint32_t number;
} scripted_job_t;

/* The driver's context, and all storage of one device. */
typedef struct scripted {
    weft_device_facts_t facts;
    weft_device_config_t config;
    weft_device_t device;
    weft_job_t jobs[SCRIPTED_MOST];
    uint8_t rooms[SCRIPTED_MOST * WEFT_DESCRIPTOR_STRIDE(sizeof(weft_copy_t))]
        __attribute__((aligned(8)));

    weft_status_t start_answer, poll_answer, cancel_answer, life_answer;
    uint32_t started[64], start_count; /* values of descriptors, in order */
    uint32_t polls, cancels, resets, activations, deactivations, inits, deinits;
} scripted_t;

/* What weft_port_clock says to a device of these: the test's own clock. */
extern uint32_t scripted_clock;

extern const weft_device_driver_t scripted_driver;
extern const weft_device_driver_t scripted_without_poll; /* told by weft_device_complete */
extern const weft_device_driver_t scripted_without_cancel;

/* Fills in facts and configuration: a queue of 4, `in_flight` at once, answers PENDING to start and
 * poll, OK to the rest. The test may change them before scripted_init. */
void scripted_prepare(scripted_t *scripted, const weft_device_driver_t *driver, uint32_t in_flight);

/* Initialises and activates the prepared device. */
void scripted_init(scripted_t *scripted);

/* Both. */
void scripted_start(scripted_t *scripted, const weft_device_driver_t *driver, uint32_t in_flight);

/* Submits a job, label and descriptor of which are `value`; the queue has room. */
weft_ticket_t scripted_submit(scripted_t *scripted, uint32_t value, const weft_ticket_t *on,
                              uint32_t on_count);

#endif /* WEFT_SCRIPTED_H */

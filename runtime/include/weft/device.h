/* SPDX-License-Identifier: Apache-2.0 */
/* A device: an engine inside a PE that does work or moves data while the core does something else,
 * or a C wrapper that blocks. One weft_device_t is one instance; a PE may have several of a kind.
 *
 * A device has one queue. A job is a descriptor, plain data that the device's header defines, and
 * what it depends on. Jobs take effect in the order of their submission, and are over in that order.
 * Whoever submits one gets a ticket and asks it later.
 *
 * There are no globals and no allocation: the caller owns the context and all storage that the
 * configuration points to, and keeps it alive and unmoved until weft_device_deinit.
 *
 * Unless a function says "any context", it is for one thread at a time for a device, and not for
 * interrupts. A job moves on in weft_device_poll, and in calls that say so: nobody else starts or
 * ends one. */
#ifndef WEFT_DEVICE_H
#define WEFT_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Timestamps of jobs and the hook that gets them. 0 leaves no byte of them; all files of a program
 * must agree. */
#ifndef WEFT_TRACE
#define WEFT_TRACE 1
#endif

struct weft_pe;

typedef struct weft_device weft_device_t;
typedef struct weft_device_driver weft_device_driver_t;

enum {
    WEFT_DEVICE_DEPENDENCIES = 4,   /* of a job, at most */
    WEFT_DESCRIPTOR_ALIGNMENT = 8u, /* of the room for each descriptor, in bytes */
    WEFT_MOST_JOBS = 1u << 16       /* in a queue */
};

/* Bytes of a queue's room for `jobs` descriptors of `bytes` bytes each. */
#define WEFT_DESCRIPTOR_STRIDE(bytes) \
    (((bytes) + WEFT_DESCRIPTOR_ALIGNMENT - 1u) & ~(size_t)(WEFT_DESCRIPTOR_ALIGNMENT - 1u))
#define WEFT_DESCRIPTORS_BYTES(bytes, jobs) (WEFT_DESCRIPTOR_STRIDE(bytes) * (jobs))

/* Memories that a device reaches: bits of weft_device_facts_t.spaces, counted from 0. */
typedef enum weft_space {
    WEFT_SPACE_LOCAL = 0, /* this PE's memory */
    WEFT_SPACE_PE = 1,    /* the arena of another PE: its number and an offset */
    WEFT_SPACE_DRAM = 2   /* the memory of the chip or board: an offset */
} weft_space_t;

/* One job of one device. Sequence numbers count the jobs of a device from 0 and wrap. Plain data: it
 * may be copied and kept; it is answerable for 2^31 jobs. */
typedef struct weft_ticket {
    weft_device_t *device;
    uint32_t sequence;
} weft_ticket_t;

/* What a device is. Of a kind (in its driver) or, where options change something, of an instance. */
typedef struct weft_device_facts {
    const char *name;
    uint32_t alignment;      /* of the pointers in a descriptor, in bytes; a power of two */
    uint32_t jobs_in_flight; /* that the device takes before the first of them is done; 1 or more */
    uint32_t clock_hz;       /* 0: the PE's */
    uint32_t spaces;         /* bits, by weft_space_t */
    uint32_t accumulator_bits; /* 0: it adds nothing up */
    uint32_t descriptor_bytes; /* 1 or more */
    uint32_t context_bytes;    /* that the driver wants for an instance */
    bool is_blocking;          /* `start` returns when the job is done */
    bool takes_copies;         /* its descriptor is weft_copy_t, of weft/copy.h */
} weft_device_facts_t;

/* A job in its queue. Drivers read `descriptor` and `sequence`, all else is weft/device.c's own. */
typedef struct weft_job {
    void *descriptor;
    uint32_t sequence;
    uint32_t label; /* the caller's name for it */
    uint32_t outcome;
    uint32_t told;
    uint32_t deadline_ticks;
    uint32_t dependency_count;
    weft_ticket_t dependencies[WEFT_DEVICE_DEPENDENCIES];
#if WEFT_TRACE
    uint32_t submitted_at, started_at, told_at;
#endif
} weft_job_t;

/* What the author of a device writes, a constant. Only `start` is needed, and `reset` where a job
 * can be under way when `start` returns. Called by the functions below, in their context; a driver
 * must not call them back, except for weft_device_complete. None may wait, unless `is_blocking`. */
struct weft_device_driver {
    weft_device_facts_t facts;

    /* Take the device into use, and out of it. `init` looks at context, options and facts, and may
     * refuse. No job is in the queue. */
    weft_status_t (*init)(weft_device_t *device);
    weft_status_t (*deinit)(weft_device_t *device);

    /* Power or clock on before the first job, off after the last. */
    weft_status_t (*activate)(weft_device_t *device);
    weft_status_t (*deactivate)(weft_device_t *device);

    /* Starts a job. WEFT_PENDING if it is under way, WEFT_OK if it is done already, or why it
     * cannot be done: a descriptor that makes no sense is refused here with WEFT_E_ARGUMENT,
     * before a byte is written. At most `jobs_in_flight` jobs are under way; a job may depend on
     * the bytes of the one before it. */
    weft_status_t (*start)(weft_device_t *device, const weft_job_t *job);

    /* Of the oldest job under way: WEFT_PENDING, WEFT_OK when all its bytes are written, or how it
     * failed (WEFT_E_DEVICE). Null if the device tells it by weft_device_complete. */
    weft_status_t (*poll)(weft_device_t *device, const weft_job_t *job);

    /* Stops a job that is under way, or has just come to its end. After WEFT_OK the device writes
     * nothing more for it and does not complete it any more; jobs behind it go on. Otherwise, or if
     * this is null: it cannot be stopped by itself. */
    weft_status_t (*cancel)(weft_device_t *device, const weft_job_t *job);

    /* Stops everything and makes the device fit for the next job, whatever happened before.
     * Afterwards it writes nothing and completes nothing that was started before. */
    weft_status_t (*reset)(weft_device_t *device);
};

/* --- observe ----------------------------------------------------------------------------------- */

#if WEFT_TRACE
/* A job that is over. Times are weft_port_clock's; a job that was never started has the end of it
 * as its start. */
typedef struct weft_job_event {
    uint32_t sequence, label;
    weft_status_t status;
    uint32_t submitted_at, started_at, done_at;
} weft_job_event_t;

/* Called within weft_device_poll and the like; `event` is gone when it returns. It must not call
 * the device. */
typedef void (*weft_device_trace_t)(void *context, const weft_device_t *device,
                                    const weft_job_event_t *event);
#endif

/* --- life -------------------------------------------------------------------------------------- */

typedef struct weft_device_config {
    const weft_device_driver_t *driver;
    const weft_device_facts_t *facts; /* of this instance; null: the driver's. Kept */
    const struct weft_pe *pe;         /* whose clock it is; null if the port's clock needs none */
    void *context;                    /* the driver's own: facts.context_bytes */
    uint32_t context_bytes;
    const uint32_t *options; /* for the driver, as its header says; kept, not looked at */
    uint32_t option_count;
    weft_job_t *jobs;   /* the queue */
    uint32_t job_count; /* a power of two, at least facts.jobs_in_flight, at most WEFT_MOST_JOBS */
    void *descriptors;  /* WEFT_DESCRIPTORS_BYTES(facts.descriptor_bytes, job_count) */
    uint32_t descriptors_bytes;
    uint32_t deadline_ticks; /* of jobs that bring none; 1 to 2^31 - 1 */
#if WEFT_TRACE
    weft_device_trace_t trace; /* may be null */
    void *trace_context;
#endif
} weft_device_config_t;

/* Why a job of the device itself failed: not those that only inherited an error. */
typedef struct weft_device_error {
    weft_status_t status;
    uint32_t label;
    uint32_t sequence;
} weft_device_error_t;

/* The context. Drivers read `config`; all else is looked at through functions. */
struct weft_device {
    bool is_ready, is_open, is_reserved;
    weft_device_config_t config; /* its `facts` are never null */
    uint32_t activations;
    uint32_t submitted, started, done; /* jobs so far: cumulative */
    uint32_t turn_at;                  /* since when the oldest job under way has the device */
    /* Failures that the queue no longer holds lie between these two; a status, or WEFT_OK. */
    uint32_t failed_first, failed_last, failed_status;
    uint32_t strays; /* completions that were refused */
    weft_device_error_t error;
    weft_status_t fault; /* not WEFT_OK: a job could not be stopped, nothing runs until a reset */
};

/* Checks the configuration and takes the device into use, with an empty queue. `config` is copied;
 * what it points to is kept. Start-up or thread context. WEFT_E_ARGUMENT; WEFT_E_STORAGE: too small,
 * or not aligned to WEFT_DESCRIPTOR_ALIGNMENT; or what the driver says. Whether the driver itself
 * makes sense is for runtime/cts/device to find. */
weft_status_t weft_device_init(weft_device_t *device, const weft_device_config_t *config);

/* Takes it out of use. WEFT_PENDING if a job is not over yet, WEFT_E_SEQUENCE while it is active or
 * open; then nothing has changed. Otherwise what the driver says, and the storage is the caller's
 * again: no ticket may be asked any more. */
weft_status_t weft_device_deinit(weft_device_t *device);

/* Counted: the first activate switches the device on, the last deactivate switches it off. Only an
 * active device takes jobs. What the driver says, and then nothing is counted; deactivate:
 * WEFT_E_SEQUENCE if it was not active, WEFT_PENDING if it is the last and a job is not over. */
weft_status_t weft_device_activate(weft_device_t *device);
weft_status_t weft_device_deactivate(weft_device_t *device);

/* A lock for users who take turns, say the executive and a firmware that sets the device up in its
 * own way: nothing but open looks at it. WEFT_NO_CREDIT if it is open already; close:
 * WEFT_E_SEQUENCE if it is not. */
static inline weft_status_t weft_device_open(weft_device_t *device)
{
    if (device == NULL || !device->is_ready) return WEFT_E_ARGUMENT;
    if (device->is_open) return WEFT_NO_CREDIT;
    device->is_open = true;
    return WEFT_OK;
}

static inline weft_status_t weft_device_close(weft_device_t *device)
{
    if (device == NULL || !device->is_ready) return WEFT_E_ARGUMENT;
    if (!device->is_open) return WEFT_E_SEQUENCE;
    device->is_open = false;
    return WEFT_OK;
}

/* --- facts ------------------------------------------------------------------------------------- */

/* Of this instance; null before a successful init. Any context. */
static inline const weft_device_facts_t *weft_device_facts(const weft_device_t *device)
{
    return device != NULL && device->is_ready ? device->config.facts : NULL;
}

/* --- work -------------------------------------------------------------------------------------- */

/* Gives the room for the next job's descriptor: the caller's until weft_device_submit, the device's
 * until the job is over. What is in it is left from an older job. Again without a submit: the same
 * room. WEFT_NO_CREDIT if the queue is full: poll, and try later. WEFT_E_SEQUENCE if the device is
 * not active. */
weft_status_t weft_device_reserve(weft_device_t *device, void **out_descriptor);

/* Submits the job in the reserved room. It is started when the jobs before it have been started,
 * the device takes one more and all of `dependencies` (tickets of any device; copied) are done; if
 * one of them failed, it is never started and fails with the same status (WEFT_E_ARGUMENT for a
 * ticket of no job). What the descriptor
 * points to is the device's until the job is over.
 *
 * `deadline_ticks`, of weft_port_clock: how long the job may have the device, counted from its
 * start or from the end of the job before it, whichever is later. 0: that of the configuration. A
 * job that takes longer is stopped and fails with WEFT_E_DEADLINE. `label` is the caller's name for
 * it in errors and traces. A blocking device does the job before this returns.
 *
 * WEFT_E_SEQUENCE without a reserve. WEFT_E_ARGUMENT: too many dependencies, a deadline over
 * 2^31 - 1. WEFT_E_DEADLINE or whatever else the device's fault is, until a reset.
 * Otherwise WEFT_OK: whether the job is any good is told by its ticket. After an error the room
 * stays reserved. */
weft_status_t weft_device_submit(weft_device_t *device, const weft_ticket_t *dependencies,
                                 uint32_t dependency_count, uint32_t deadline_ticks, uint32_t label,
                                 weft_ticket_t *out_ticket);

/* WEFT_OK if the job is done and its bytes are there, WEFT_PENDING if it is not over, else how it
 * failed. WEFT_E_ARGUMENT if there is no such job. Never moves anything: somebody has to poll the
 * device. Any context.
 *
 * Errors stick. A job that the queue has room for is answered exactly. Of older ones the device
 * remembers the first and the last that failed: both, and all between them, have failed, with the
 * last one's status; all others are done. So no failed job ever counts as done, but one between two
 * failures, asked about more than `job_count` jobs later, may count as failed. */
weft_status_t weft_ticket_state(const weft_ticket_t *ticket);

/* --- order ------------------------------------------------------------------------------------- */

/* Collects jobs that are over, in order, stops the oldest one if its deadline has passed, starts
 * those that can be. Each job in the queue moves on once at most, then it returns: WEFT_OK if
 * anything moved, WEFT_IDLE if not. To be called from any event loop. */
weft_status_t weft_device_poll(weft_device_t *device);

/* Polls until at most `at_most_left` jobs are not over, or for `deadline_ticks` (1 to 2^31 - 1):
 * then WEFT_E_DEADLINE. Polls devices that hold it up, too: all of them must be this thread's.
 * WEFT_OK says nothing about how the jobs ended. Blocks. */
weft_status_t weft_device_wait(weft_device_t *device, uint32_t at_most_left,
                               uint32_t deadline_ticks);

/* How many jobs are not over. Any context. */
uint32_t weft_device_left(const weft_device_t *device);

/* --- completion, for drivers ------------------------------------------------------------------- */

/* Job `sequence` is done (WEFT_OK) or has failed; its bytes are there. From an interrupt, from
 * `start`, from another thread: any context, one at a time for a device. The job is over when
 * weft_device_poll sees it. WEFT_E_SEQUENCE if that job is not under way or was completed before:
 * it is counted in `strays`, and nothing else happens. */
weft_status_t weft_device_complete(weft_device_t *device, uint32_t sequence, weft_status_t status);

/* --- recovery ---------------------------------------------------------------------------------- */

/* Stops a job: it will fail with WEFT_E_CANCELLED when its turn comes, and what it was to write is
 * undefined, unless it was not started: then nothing is written. WEFT_OK, WEFT_IDLE if it is over
 * already, WEFT_PENDING if the device cannot stop it: it goes on. WEFT_E_ARGUMENT if there is no
 * such job. */
weft_status_t weft_device_cancel(const weft_ticket_t *ticket);

/* All jobs that are not over fail with WEFT_E_CANCELLED, the hardware is stopped and the fault is
 * gone; a reservation stays. What the driver says, and then the device has that as its fault. */
weft_status_t weft_device_reset(weft_device_t *device);

/* The last failure of the device's own: what the driver reported, or a deadline; kept over a reset,
 * until the next init. WEFT_IDLE if there was none: then nothing is written. */
static inline weft_status_t weft_device_last_error(const weft_device_t *device,
                                                   weft_device_error_t *out_error)
{
    if (device == NULL || !device->is_ready || out_error == NULL) return WEFT_E_ARGUMENT;
    if (device->error.status == WEFT_OK) return WEFT_IDLE;
    *out_error = device->error;
    return WEFT_OK;
}

/* Completions that were refused: not 0, and the driver is wrong, unless a job that nobody could stop
 * came to its end after its deadline. For the device's thread. */
static inline uint32_t weft_device_strays(const weft_device_t *device)
{
    return device != NULL && device->is_ready ? device->strays : 0u;
}

#ifdef __cplusplus
}
#endif

#endif /* WEFT_DEVICE_H */

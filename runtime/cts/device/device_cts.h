/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite for devices: does a driver do what weft/device.h says?
 *
 * The author of a device brings an adapter, which makes jobs and knows what comes out of them. The
 * suite runs them through the real queue, in ways that find what goes wrong in practice, and looks
 * at all memory around them. Compile it with driver, adapter, runtime and port, on the host or for
 * the target, and call weft_device_cts_run; `weft device test FOLDER` does both. */
#ifndef WEFT_DEVICE_CTS_H
#define WEFT_DEVICE_CTS_H

#include "weft/device.h"

/* How often the suite polls at most until a job is over: for ports whose clock stands still. */
#ifndef WEFT_DEVICE_CTS_PATIENCE
#define WEFT_DEVICE_CTS_PATIENCE 50000000u
#endif

/* What an author brings. All functions are called in thread context. */
typedef struct weft_device_cts_adapter {
    const weft_device_driver_t *driver;
    uint32_t input_bytes, output_bytes; /* of one job; 0: it has none */
    uint32_t deadline_ticks;            /* of weft_port_clock: no job takes as long, by far */

    /* Completes the configuration of an instance, 0 or 1: facts, options, pe. Its storage is there.
     * `memory` is all that the suite uses for it, operands included. May be null. */
    void (*prepare)(weft_device_config_t *config, uint32_t instance, uint8_t *memory,
                    uint32_t memory_bytes);

    /* Writes operands of your choice into `inputs` and the descriptor of a job that reads them, and
     * the old `outputs` if it likes, and writes all of its results to `outputs`. All of it follows
     * from `seed`. Rooms are aligned to 16 bytes and to the device's alignment. */
    void (*make)(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs);

    /* What the job makes of the outputs, computed without the device. */
    void (*expect)(uint32_t seed, const uint8_t *inputs, uint8_t *outputs);

    /* The same as `make` for a job that the device must report as failed, without writing. Null:
     * there is none, and what needs one is skipped. */
    void (*make_bad)(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs);
} weft_device_cts_adapter_t;

extern const weft_device_cts_adapter_t weft_device_cts_adapter;

/* The cases, by number. */
typedef enum weft_device_cts_case {
    WEFT_DEVICE_CTS_FACTS,    /* driver and facts make sense */
    WEFT_DEVICE_CTS_LIFE,     /* it can be taken into use again and again */
    WEFT_DEVICE_CTS_BYTES,    /* single jobs end in time, with the right bytes and no others */
    WEFT_DEVICE_CTS_BLOCKING, /* a ticket is done at once if the facts say so */
    WEFT_DEVICE_CTS_QUEUE, /* in a full queue, each job's bytes are there when its ticket is done */
    WEFT_DEVICE_CTS_ORDER, /* of jobs that write the same outputs, the last one wins */
    WEFT_DEVICE_CTS_DEPENDENT,         /* nothing is written before what a job depends on is done */
    WEFT_DEVICE_CTS_INHERITED,         /* nor if that failed */
    WEFT_DEVICE_CTS_REFUSED,           /* a bad job fails, is remembered, and spoils no other */
    WEFT_DEVICE_CTS_CANCELLED_QUEUED,  /* a job that was not started writes nothing */
    WEFT_DEVICE_CTS_CANCELLED_RUNNING, /* one that was stopped writes nothing more */
    WEFT_DEVICE_CTS_RESET,     /* nothing more is written after it, and the next job is right */
    WEFT_DEVICE_CTS_INSTANCES, /* two of them do not know each other */
    WEFT_DEVICE_CTS_CASES
} weft_device_cts_case_t;

typedef enum weft_device_cts_verdict {
    WEFT_DEVICE_CTS_NOT_RUN = 0,
    WEFT_DEVICE_CTS_PASSED = 1,
    WEFT_DEVICE_CTS_SKIPPED = 2, /* the device has nothing that it could be tested with */
    WEFT_DEVICE_CTS_FAILED = 3
} weft_device_cts_verdict_t;

typedef struct weft_device_cts_result {
    uint32_t verdicts[WEFT_DEVICE_CTS_CASES]; /* weft_device_cts_verdict_t */
    uint32_t lines[WEFT_DEVICE_CTS_CASES]; /* of device_cases.c, at which a case failed; 0: none */
    uint32_t failed;
    uint32_t is_complete; /* written last */
} weft_device_cts_result_t;

/* Runs all cases. `memory` is the caller's, aligned to 16 bytes; nothing is kept. Thread context; it
 * takes its time. WEFT_E_STORAGE if there is not enough memory, with no verdict. */
weft_status_t weft_device_cts_run(const weft_device_cts_adapter_t *adapter, uint8_t *memory,
                                  uint32_t memory_bytes, weft_device_cts_result_t *out_result);

/* One of them; `result` has been set to 0, or has the verdicts of others. WEFT_E_ARGUMENT if there
 * is no such case. */
weft_status_t weft_device_cts_run_case(const weft_device_cts_adapter_t *adapter, uint8_t *memory,
                                       uint32_t memory_bytes, uint32_t which,
                                       weft_device_cts_result_t *result);

/* What a case is about, in a few words; null if there is no such case. Any context. */
const char *weft_device_cts_case_name(uint32_t which);

#endif /* WEFT_DEVICE_CTS_H */

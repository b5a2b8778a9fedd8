/* SPDX-License-Identifier: Apache-2.0 */
/* A sound device with one fault, as ODD says; none if it says SOUND. Two jobs are under way at once;
 * each takes some polls, and is done when it ends. What has ended is told by weft_device_complete,
 * as an interrupt would. */
#include <string.h>

#include "device_cts.h"

enum {
    SOUND = 0,
    LOSES_A_COMPLETION, /* one of five */
    REORDERS,           /* does the second job first */
    COMPLETES_TWICE,
    NEVER_COMPLETES,
    WRITES_PAST_THE_END,
    FORGETS_THE_ERROR,
    IGNORES_CANCEL,
    IGNORES_RESET,
    COMPLETES_EARLY,  /* before the bytes are there */
    WRITES_BAD_JOBS,  /* part of them, and reports them */
    HAS_GLOBAL_STATE, /* one for all instances */
    KEEPS_STATE,      /* over a deinit and init */
    SAYS_IT_BLOCKS,
    FAILS_THE_NEXT,         /* after a bad job */
    WRITES_ITS_INPUTS_BACK, /* into the room after them */
};

enum { BYTES = 32, IN_FLIGHT = 2, POLLS = 3 };

typedef struct odd_job {
    const uint8_t *in;
    uint8_t *out;
    uint32_t summand; /* bad if it is 0 */
} odd_job_t;

typedef struct odd_context {
    const weft_job_t *under_way[IN_FLIGHT]; /* in order */
    odd_job_t left_over;                    /* of a job that should have been stopped */
    uint32_t count, polls, completions, failures;
    uint32_t is_in_use;
} odd_context_t;

static odd_context_t global;

static odd_context_t *context_of(const weft_device_t *device)
{
    return ODD == HAS_GLOBAL_STATE ? &global : device->config.context;
}

static weft_status_t init(weft_device_t *device)
{
    if (ODD == KEEPS_STATE && global.is_in_use > 2u) return WEFT_E_DEVICE;
    if (ODD == KEEPS_STATE) global.is_in_use += 1u;
    memset(context_of(device), 0, sizeof(odd_context_t));
    return WEFT_OK;
}

static void add(const odd_job_t *job)
{
    const uint32_t more = ODD == WRITES_PAST_THE_END ? 1u : 0u;
    for (uint32_t i = 0; i < BYTES + more; ++i) job->out[i] = (uint8_t)(job->in[i] + job->summand);
    if (ODD == WRITES_ITS_INPUTS_BACK) ((uint8_t *)(uintptr_t)job->in)[BYTES] = 0u;
}

static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    odd_context_t *context = context_of(device);
    const odd_job_t *descriptor = job->descriptor;
    if (descriptor->summand == 0u) {
        if (ODD == FORGETS_THE_ERROR) return WEFT_OK;
        if (ODD == WRITES_BAD_JOBS) descriptor->out[0] ^= 1u;
        context->failures += 1u;
        return WEFT_E_ARGUMENT;
    }
    if (ODD == FAILS_THE_NEXT && context->failures > 0u) return WEFT_E_DEVICE;
    if (context->count == (uint32_t)IN_FLIGHT) return WEFT_E_DEVICE;
    context->under_way[context->count++] = job;
    return WEFT_PENDING;
}

static void complete(weft_device_t *device, odd_context_t *context, uint32_t sequence)
{
    context->completions += 1u;
    if (ODD == NEVER_COMPLETES) return;
    if (ODD == LOSES_A_COMPLETION && context->completions % 5u == 0u) return;
    (void)weft_device_complete(device, sequence, WEFT_OK);
    if (ODD == COMPLETES_TWICE) (void)weft_device_complete(device, sequence, WEFT_OK);
}

static weft_status_t poll(weft_device_t *device, const weft_job_t *job)
{
    odd_context_t *context = context_of(device);
    (void)job;
    if (context->count == 0u) return WEFT_PENDING;
    context->polls += 1u;
    if (ODD == COMPLETES_EARLY && context->polls % POLLS == 1u) {
        complete(device, context, context->under_way[0]->sequence);
    }
    if (context->polls % POLLS != 0u) return WEFT_PENDING;
    if (context->left_over.out != NULL) add(&context->left_over);
    context->left_over.out = NULL;
    const bool is_swapped = ODD == REORDERS && context->count > 1u;
    const weft_job_t *done = context->under_way[0];
    if (is_swapped) add(context->under_way[1]->descriptor);
    add(done->descriptor);
    context->count -= 1u;
    context->under_way[0] = context->under_way[1];
    if (ODD != COMPLETES_EARLY) complete(device, context, done->sequence);
    if (is_swapped) {
        complete(device, context, context->under_way[0]->sequence);
        context->count = 0u;
    }
    return WEFT_PENDING;
}

static void drop(odd_context_t *context, uint32_t at)
{
    context->count -= 1u;
    for (uint32_t i = at; i < context->count; ++i) {
        context->under_way[i] = context->under_way[i + 1u];
    }
}

static weft_status_t cancel(weft_device_t *device, const weft_job_t *job)
{
    odd_context_t *context = context_of(device);
    for (uint32_t i = 0; i < context->count; ++i) {
        if (context->under_way[i] != job) continue;
        if (ODD == IGNORES_CANCEL) context->left_over = *(const odd_job_t *)job->descriptor;
        drop(context, i);
        break;
    }
    return WEFT_OK;
}

static weft_status_t reset(weft_device_t *device)
{
    odd_context_t *context = context_of(device);
    if (ODD == IGNORES_RESET && context->count > 0u) {
        context->left_over =
            *(const odd_job_t *)context->under_way[context->count - 1u]->descriptor;
    }
    context->count = 0u;
    context->failures = 0u;
    return WEFT_OK;
}

static const weft_device_driver_t odd_driver = {
    .facts = {.name = "odd",
              .alignment = 1u,
              .jobs_in_flight = ODD == SAYS_IT_BLOCKS ? 1u : (uint32_t)IN_FLIGHT,
              .spaces = 1u << WEFT_SPACE_LOCAL,
              .descriptor_bytes = sizeof(odd_job_t),
              .context_bytes = sizeof(odd_context_t),
              .is_blocking = ODD == SAYS_IT_BLOCKS},
    .init = init,
    .start = start,
    .poll = poll,
    .cancel = cancel,
    .reset = reset,
};

/* --- its adapter ------------------------------------------------------------------------------- */

static void make(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    odd_job_t *job = descriptor;
    for (uint32_t i = 0; i < BYTES; ++i) inputs[i] = (uint8_t)(seed >> (i % 4u * 8u));
    job->in = inputs;
    job->out = outputs;
    job->summand = seed >> 8 | 1u;
}

static void make_bad(uint32_t seed, void *descriptor, uint8_t *inputs, uint8_t *outputs)
{
    make(seed, descriptor, inputs, outputs);
    ((odd_job_t *)descriptor)->summand = 0u;
}

static void expect(uint32_t seed, const uint8_t *inputs, uint8_t *outputs)
{
    for (uint32_t i = 0; i < BYTES; ++i) outputs[i] = (uint8_t)(inputs[i] + (seed >> 8 | 1u));
}

const weft_device_cts_adapter_t weft_device_cts_adapter = {
    .driver = &odd_driver,
    .input_bytes = BYTES,
    .output_bytes = BYTES,
    .deadline_ticks = 200000u,
    .make = make,
    .expect = expect,
    .make_bad = make_bad,
};

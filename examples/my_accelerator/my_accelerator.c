#include "my_accelerator.h"

/* Stands in for the hardware, which is not there. */
static int32_t dot(const int8_t *x, const int8_t *weights, int32_t inputs)
{
    const int32_t most = (1 << 17) - 1;
    int32_t sum = 0;
    for (int32_t k = 0; k < inputs; ++k) {
        sum += x[k] * weights[k / 4 * 32 + k % 4];
        if (sum > most) sum = most;
        if (sum < -most - 1) sum = -most - 1;
    }
    return sum;
}

static void compute(const my_accelerator_job_t *job)
{
    for (int32_t at = 0; at < job->rows * job->pixels * job->outputs; ++at) {
        const int32_t output = at % job->outputs, pixel = at / job->outputs;
        const int8_t *x =
            job->x + pixel / job->pixels * job->x_down + pixel % job->pixels * job->x_right;
        const int8_t *weights = job->weights + output / 8 * 8 * job->inputs + output % 8 * 4;
        job->out[at] = dot(x, weights, job->inputs);
    }
}

/* The driver: what a real one does with registers. */
static weft_status_t start(weft_device_t *device, const weft_job_t *queued)
{
    my_accelerator_t *engine = device->config.context;
    const my_accelerator_job_t *job = queued->descriptor;
    const uintptr_t places = (uintptr_t)job->x | (uintptr_t)job->weights | (uintptr_t)job->out;
    const int32_t steps = job->inputs | job->x_down | job->x_right;
    if (job->x == NULL || job->weights == NULL || job->out == NULL || job->rows < 1 ||
        job->pixels < 1 || job->outputs < 1 || job->inputs < 4 || job->inputs > 32 ||
        ((places | (uint32_t)steps) & 3u) != 0u) {
        return WEFT_E_ARGUMENT;
    }
    engine->polls_left = 2;
    return WEFT_PENDING;
}

static weft_status_t poll(weft_device_t *device, const weft_job_t *job)
{
    my_accelerator_t *engine = device->config.context;
    if (engine->polls_left-- > 0) return WEFT_PENDING;
    compute(job->descriptor); /* not before: who reads too early shall see it */
    return WEFT_OK;
}

static weft_status_t reset(weft_device_t *device)
{
    (void)device; /* nothing is computed without a poll */
    return WEFT_OK;
}

const weft_device_driver_t my_accelerator_driver = {
    .facts = {.name = "my_accelerator",
              .alignment = 4u,
              .jobs_in_flight = 1u,
              .spaces = 1u << WEFT_SPACE_LOCAL,
              .accumulator_bits = 18u,
              .descriptor_bytes = sizeof(my_accelerator_job_t),
              .context_bytes = sizeof(my_accelerator_t)},
    .start = start,
    .poll = poll,
    .reset = reset,
};

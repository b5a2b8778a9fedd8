/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of the array: what it refuses, when it writes, and what instances differ in. That the
 * bits are right is for tests/python/devices. */
#include "mac_array.h"
#include "weft_test.h"

enum { QUEUE = 4, PIXELS = 6, TAPS = 600, CHANNELS = 20, DEADLINE = 1000000 };

/* One instance with all its storage. */
typedef struct instance {
    weft_device_t device;
    weft_mac_array_t context;
    weft_job_t jobs[QUEUE];
    uint8_t rooms[WEFT_DESCRIPTORS_BYTES(sizeof(weft_mac_array_job_t), QUEUE)]
        __attribute__((aligned(8)));
} instance_t;

/* Blocks of exactly their size, so that a sanitizer sees what is read beside them. */
typedef struct operands {
    int8_t *x, *weights;
    int32_t *out;
    weft_mac_array_job_t job;
} operands_t;

static weft_status_t init(instance_t *instance, const uint32_t *options, uint32_t count)
{
    memset(instance, 0, sizeof *instance);
    const weft_device_config_t config = {
        .driver = &weft_mac_array_driver,
        .context = &instance->context,
        .context_bytes = sizeof instance->context,
        .options = options,
        .option_count = count,
        .jobs = instance->jobs,
        .job_count = QUEUE,
        .descriptors = instance->rooms,
        .descriptors_bytes = sizeof instance->rooms,
        .deadline_ticks = DEADLINE,
    };
    WEFT_RETURN_IF_ERROR(weft_device_init(&instance->device, &config));
    return weft_device_activate(&instance->device);
}

static void *block(size_t bytes, int fill)
{
    void *at = malloc(bytes);
    CHECK(at != NULL && ((uintptr_t)at & 15u) == 0u);
    memset(at, fill, bytes);
    return at;
}

/* A matrix product: PIXELS rows of TAPS, CHANNELS results each, all products 127 * 127. */
static operands_t prepare(void)
{
    operands_t all = {block(PIXELS * TAPS, 127),
                      block(2 * 16 * TAPS, 127),
                      block(sizeof(int32_t) * PIXELS * CHANNELS, 0xA5),
                      {0}};
    all.job = (weft_mac_array_job_t){
        .x = all.x,
        .weights = all.weights,
        .out = all.out,
        .out_h = 1,
        .out_w = PIXELS,
        .out_channels = CHANNELS,
        .kernel_h = 1,
        .kernel_w = 1,
        .channels = TAPS,
        .x_right = TAPS,
        .out_right = (int32_t)sizeof(int32_t) * CHANNELS,
        .out_bits = 32,
    };
    return all;
}

static void release(operands_t *all)
{
    free(all->x);
    free(all->weights);
    free(all->out);
}

static weft_ticket_t submit(instance_t *instance, const weft_mac_array_job_t *job)
{
    weft_ticket_t ticket = {0};
    void *room = NULL;
    CHECK_EQ(weft_device_reserve(&instance->device, &room), WEFT_OK);
    memcpy(room, job, sizeof *job);
    CHECK_EQ(weft_device_submit(&instance->device, NULL, 0u, 0u, 1u, &ticket), WEFT_OK);
    return ticket;
}

static bool is_untouched(const operands_t *all)
{
    const uint8_t *bytes = (const uint8_t *)all->out;
    for (size_t i = 0; i < sizeof(int32_t) * PIXELS * CHANNELS; ++i)
        if (bytes[i] != 0xA5) return false;
    return true;
}

static void run(instance_t *instance, const weft_mac_array_job_t *job, weft_status_t expected)
{
    const weft_ticket_t ticket = submit(instance, job);
    CHECK_EQ(weft_device_wait(&instance->device, 0u, DEADLINE), WEFT_OK);
    CHECK_EQ(weft_ticket_state(&ticket), expected);
}

TEST(writes_when_it_is_done_and_not_before)
{
    instance_t instance;
    operands_t all = prepare();
    CHECK_EQ(init(&instance, NULL, 0u), WEFT_OK);
    const weft_ticket_t ticket = submit(&instance, &all.job);
    CHECK_EQ(weft_ticket_state(&ticket), WEFT_PENDING);
    CHECK(is_untouched(&all));
    CHECK_EQ(weft_device_wait(&instance.device, 0u, DEADLINE), WEFT_OK);
    CHECK_EQ(weft_ticket_state(&ticket), WEFT_OK);
    /* 600 * 127 * 127 is 9,677,400: 24 bits wrap. */
    for (int i = 0; i < PIXELS * CHANNELS; ++i) CHECK_EQ(all.out[i], 9677400 - (1 << 24));
    release(&all);
}

TEST(instances_differ_in_their_accumulators)
{
    static const uint32_t saturating[] = {24u, 1u, 0u}, wide[] = {29u, 1u, 0u};
    instance_t narrow, wider;
    operands_t all = prepare();
    CHECK_EQ(init(&narrow, saturating, 3u), WEFT_OK);
    CHECK_EQ(init(&wider, wide, 3u), WEFT_OK);
    run(&narrow, &all.job, WEFT_OK);
    CHECK_EQ(all.out[0], (1 << 23) - 1);
    run(&wider, &all.job, WEFT_OK);
    CHECK_EQ(all.out[0], 9677400);
    release(&all);
}

TEST(options_that_no_array_has_are_refused)
{
    static const uint32_t bad[][3] = {{16u, 0u, 0u}, {33u, 0u, 0u}, {24u, 2u, 0u}, {24u, 0u, 2u}};
    static const uint32_t good[] = {32u, 1u, 1u};
    instance_t instance;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i)
        CHECK_EQ(init(&instance, bad[i], 3u), WEFT_E_ARGUMENT);
    CHECK_EQ(init(&instance, good, 2u), WEFT_E_ARGUMENT);
    CHECK_EQ(init(&instance, good, 4u), WEFT_E_ARGUMENT);
    CHECK_EQ(init(&instance, good, 3u), WEFT_OK);
}

/* Each changes one thing of a good job. */
static const struct {
    const char *what;
    size_t offset;
    int32_t value;
} wrong[] = {
#define WRONG(field_, value_) {#field_ " " #value_, offsetof(weft_mac_array_job_t, field_), value_}
    WRONG(flags, 16),       WRONG(flags, -1),    WRONG(flags, 1), /* depthwise: 600 channels */
    WRONG(out_h, 0),        WRONG(out_w, -3),    WRONG(out_channels, 0), WRONG(kernel_h, 0),
    WRONG(kernel_w, 0),     WRONG(channels, 0),  WRONG(out_down, 2),     WRONG(out_right, -2),
    WRONG(x_zero_point, 1), WRONG(shift, -1),    WRONG(shift, 32),       WRONG(out_bits, 0),
    WRONG(out_bits, 24),    WRONG(out_bits, 64),
#undef WRONG
};

TEST(jobs_that_make_no_sense_are_refused)
{
    instance_t instance;
    operands_t all = prepare();
    CHECK_EQ(init(&instance, NULL, 0u), WEFT_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        weft_mac_array_job_t job = all.job;
        NOTE("with %s", wrong[i].what);
        memcpy((uint8_t *)&job + wrong[i].offset, &wrong[i].value, sizeof wrong[i].value);
        run(&instance, &job, WEFT_E_ARGUMENT);
    }
    const void *const places[] = {NULL, all.weights + 8};
    for (size_t i = 0; i < 2u; ++i) {
        weft_mac_array_job_t job = all.job;
        job.weights = places[i];
        run(&instance, &job, WEFT_E_ARGUMENT);
    }
    weft_mac_array_job_t job = all.job;
    job.x = NULL;
    run(&instance, &job, WEFT_E_ARGUMENT);
    job = all.job;
    job.out = NULL;
    run(&instance, &job, WEFT_E_ARGUMENT);
    job.out = (uint8_t *)all.out + 2;
    run(&instance, &job, WEFT_E_ARGUMENT);
    CHECK(is_untouched(&all));
    run(&instance, &all.job, WEFT_OK);
    release(&all);
}

TEST(zero_points_are_bytes)
{
    static const uint32_t subtracting[] = {32u, 0u, 1u};
    static const struct {
        int32_t flags, zero_point;
        weft_status_t status;
    } cases[] = {
        {0, -128, WEFT_OK},
        {0, 127, WEFT_OK},
        {0, -129, WEFT_E_ARGUMENT},
        {0, 128, WEFT_E_ARGUMENT},
        {WEFT_MAC_ARRAY_X_UNSIGNED, 0, WEFT_OK},
        {WEFT_MAC_ARRAY_X_UNSIGNED, 255, WEFT_OK},
        {WEFT_MAC_ARRAY_X_UNSIGNED, -1, WEFT_E_ARGUMENT},
        {WEFT_MAC_ARRAY_X_UNSIGNED, 256, WEFT_E_ARGUMENT},
    };
    instance_t instance;
    operands_t all = prepare();
    CHECK_EQ(init(&instance, subtracting, 3u), WEFT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        weft_mac_array_job_t job = all.job;
        NOTE("with %d", (int)cases[i].zero_point);
        job.flags = cases[i].flags;
        job.x_zero_point = cases[i].zero_point;
        run(&instance, &job, cases[i].status);
    }
    release(&all);
}

/* All modes over blocks of exactly their size: none reads or writes beside them. */
TEST(nothing_beside_the_operands_is_touched)
{
    static const int32_t widths[] = {8, 16, 32};
    instance_t instance;
    for (int32_t saturates = 0; saturates < 2; ++saturates) {
        const uint32_t options[] = {24u, (uint32_t)saturates, 0u};
        CHECK_EQ(init(&instance, options, 3u), WEFT_OK);
        for (int32_t channels = 1; channels < 40; channels += 3) {
            const int32_t bits = widths[channels % 3], bytes = bits / 8;
            const bool is_depthwise = channels % 2 != 0;
            const int32_t in = is_depthwise ? channels : 130, each = is_depthwise ? 1 : in;
            const int32_t blocks = (channels + 15) / 16;
            /* 5 rows of 7 pixels, windows of 3x2. */
            uint8_t *x = block((size_t)(35 * in), 127);
            uint8_t *weights = block((size_t)(blocks * 16 * 6 * each), 127);
            uint8_t *out = block((size_t)(3 * 6 * channels * bytes), 0);
            const weft_mac_array_job_t job = {
                .x = x,
                .weights = weights,
                .out = out,
                .flags = is_depthwise ? WEFT_MAC_ARRAY_DEPTHWISE : 0,
                .out_h = 3,
                .out_w = 6,
                .out_channels = channels,
                .kernel_h = 3,
                .kernel_w = 2,
                .channels = each,
                .x_down = 7 * in,
                .x_right = in,
                .tap_down = 7 * in,
                .tap_right = in,
                .out_down = 6 * channels * bytes,
                .out_right = channels * bytes,
                .out_bits = bits,
            };
            run(&instance, &job, WEFT_OK);
            free(x);
            free(weights);
            free(out);
        }
    }
}

TEST_MAIN(CASE(writes_when_it_is_done_and_not_before), CASE(instances_differ_in_their_accumulators),
          CASE(options_that_no_array_has_are_refused), CASE(jobs_that_make_no_sense_are_refused),
          CASE(zero_points_are_bytes), CASE(nothing_beside_the_operands_is_touched))

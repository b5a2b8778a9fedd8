/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that end their jobs from threads of their own while the PE steps: built with a thread
 * sanitizer, and without. */
#define _POSIX_C_SOURCE 200112L

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "offload.h"
#include "weft_test.h"

enum { FRAMES = 1000, DEADLINE_SECONDS = 60 };

/* The register of a device: the job that it is to do. */
typedef struct hardware {
    weft_device_t *device;
    const weft_job_t *job;
    uint32_t stops;
} hardware_t;

static offload_t offload;
static hardware_t hardware[OFFLOAD_DEVICES];

static weft_status_t start(weft_device_t *device, const weft_job_t *job)
{
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) {
        if (hardware[i].device == device) {
            __atomic_store_n(&hardware[i].job, job, __ATOMIC_RELEASE);
        }
    }
    return WEFT_PENDING;
}

static weft_status_t reset(weft_device_t *device)
{
    (void)device;
    return WEFT_OK;
}

static const weft_device_driver_t driver = {.start = start, .reset = reset};

static void *run_device(void *context)
{
    hardware_t *own = context;
    while (__atomic_load_n(&own->stops, __ATOMIC_ACQUIRE) == 0u) {
        const weft_job_t *job = __atomic_exchange_n(&own->job, NULL, __ATOMIC_ACQ_REL);
        if (job == NULL) {
            sched_yield();
            continue;
        }
        offload_work(job);
        CHECK_EQ(weft_device_complete(own->device, job->sequence, WEFT_OK), WEFT_OK);
    }
    return NULL;
}

static void many_frames(const char *lanes)
{
    pthread_t threads[OFFLOAD_DEVICES];
    uint32_t fed[OFFLOAD_SHARDS] = {0}, fetched[OFFLOAD_SHARDS] = {0};
    (void)alarm(DEADLINE_SECONDS); /* nothing may hang */
    offload_make(&offload, lanes, &driver);
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) {
        hardware[i] = (hardware_t){.device = &offload.scripts[i].device};
    }
    offload_init(&offload);
    uint32_t left = FRAMES * offload.shard_count;
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) {
        CHECK_EQ(pthread_create(&threads[i], NULL, run_device, &hardware[i]), 0);
    }
    while (left > 0u) {
        offload_log.count = 0;
        for (uint32_t shard = 0; shard < offload.shard_count; ++shard) {
            if (fed[shard] < FRAMES && fed[shard] - fetched[shard] < OFFLOAD_DEPTH) {
                offload_feed(&offload, shard, fed[shard]++);
            }
            if (offload_fetch(&offload, shard, fetched[shard])) {
                fetched[shard] += 1u;
                left -= 1u;
            }
        }
        const weft_status_t status = weft_pe_step(&offload.pe);
        CHECK(!weft_status_is_error(status));
        if (status != WEFT_OK) sched_yield();
    }
    for (uint32_t i = 0; i < OFFLOAD_DEVICES; ++i) {
        __atomic_store_n(&hardware[i].stops, 1u, __ATOMIC_RELEASE);
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK_EQ(weft_device_strays(&offload.scripts[i].device), 0);
    }
}

TEST(one_device_ends_jobs_from_its_thread)
{
    many_frames("A");
}

TEST(two_devices_end_jobs_from_their_threads)
{
    many_frames("ABB");
}

TEST_MAIN(CASE(one_device_ends_jobs_from_its_thread), CASE(two_devices_end_jobs_from_their_threads))

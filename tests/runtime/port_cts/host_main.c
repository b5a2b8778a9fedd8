/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the conformance test for ports on the host and prints its verdict.
 *
 *     host_main PES [threads]
 *
 * With threads, each PE is stepped by one of its own, and another one disturbs; without, they take
 * turns and nobody does. */
#define _POSIX_C_SOURCE 200112L

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mesh.h"
#include "port_cts.h"

static weft_port_cts_t contexts[2];
static weft_pe_t *const pes[2] = {&contexts[0].pe, &contexts[1].pe};
static weft_host_mesh_t mesh = {.pes = (weft_pe_t **)pes};
static uint32_t is_over; /* set by the thread of PE 0, which alone looks at the result */

static void step_first(void)
{
    while (weft_port_cts_result.state == WEFT_PORT_CTS_RUNNING) {
        if (weft_port_cts_step(&contexts[0]) == WEFT_IDLE) sched_yield();
    }
    __atomic_store_n(&is_over, 1u, __ATOMIC_RELEASE);
}

static void *step_second(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&is_over, __ATOMIC_ACQUIRE) == 0u) {
        if (weft_port_cts_step(&contexts[1]) == WEFT_IDLE) sched_yield();
    }
    return NULL;
}

static void *disturb(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&is_over, __ATOMIC_ACQUIRE) == 0u) {
        weft_port_cts_disturb(&contexts[0]);
        sched_yield();
    }
    return NULL;
}

static void run_in_threads(void)
{
    pthread_t second, disturber;
    if (pthread_create(&disturber, NULL, disturb, NULL) != 0) abort();
    if (mesh.count == 2u && pthread_create(&second, NULL, step_second, NULL) != 0) abort();
    step_first();
    if (mesh.count == 2u) pthread_join(second, NULL);
    pthread_join(disturber, NULL);
}

static void run_in_turn(void)
{
    while (weft_port_cts_result.state == WEFT_PORT_CTS_RUNNING) {
        weft_port_cts_step(&contexts[0]);
        if (mesh.count == 2u) weft_port_cts_step(&contexts[1]);
    }
}

int main(int argc, char **argv)
{
    mesh.count = argc > 1 ? (uint32_t)atoi(argv[1]) : 0u;
    for (uint32_t i = 0; i < mesh.count || i == 0u; ++i) {
        const weft_status_t status = weft_port_cts_init(&contexts[i], i, mesh.count, &mesh);
        if (status != WEFT_OK) {
            printf("init: %s\n", weft_status_string(status));
            return 2;
        }
    }
    if (argc > 2 && strcmp(argv[2], "threads") == 0) {
        run_in_threads();
    } else {
        run_in_turn();
    }
    printf("%u run, %u failed, %u skipped, first %u at line %u\n", weft_port_cts_result.run,
           weft_port_cts_result.failed, weft_port_cts_result.skipped,
           weft_port_cts_result.first_failed, weft_port_cts_result.line);
    return weft_port_cts_result.state == WEFT_PORT_CTS_PASSED ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads over many PEs: each steps whatever PE comes to mind and nobody else has in hand.
 * Built with a thread sanitizer, and without. */
#define _POSIX_C_SOURCE 200112L

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "net.h"
#include "weft_test.h"

enum { SIDE = 8, PES = SIDE * SIDE, THREADS = 8, FRAMES = 150, DEADLINE_SECONDS = 100 };

typedef struct crowd {
    net_t *net;
    uint32_t output;
    pthread_mutex_t locks[PES];
    uint32_t messages; /* counted by the mesh's wake */
    bool is_done;
} crowd_t;

typedef struct member {
    crowd_t *crowd;
    uint32_t seed, steps;
} member_t;

static void count_message(void *context)
{
    (void)__atomic_add_fetch(&((crowd_t *)context)->messages, 1u, __ATOMIC_RELAXED);
}

/* A wave from one corner to the other. Every PE has a node that takes from the left and from above,
 * every third one a second node behind it, every fifth has both ways in one slot. */
static net_t *grid(uint32_t depth, uint32_t *out_output)
{
    uint32_t last[PES];
    net_t *net = net_new(PES);
    for (uint32_t pe = 0; pe < PES; ++pe) {
        const uint32_t node = net_node(net, pe);
        uint32_t slot = pe == 0u || pe % 5u == 0u ? net_slot(net, node, depth) : NET_OUTSIDE;
        last[pe] = node;
        if (pe == 0u) net_input(net, slot);
        if (pe % SIDE > 0u) {
            if (pe % 5u != 0u) slot = net_slot(net, node, depth);
            net_link(net, last[pe - 1u], slot);
        }
        if (pe >= SIDE) {
            if (pe % 5u != 0u) slot = net_slot(net, node, depth);
            net_link(net, last[pe - SIDE], slot);
        }
        if (pe % 3u == 2u) {
            last[pe] = net_node(net, pe);
            (void)net_connect(net, node, last[pe], 1u);
        }
    }
    *out_output = net_output(net, PES - 1u, depth);
    net_link(net, last[PES - 1u], *out_output);
    return net;
}

static void *step_any(void *argument)
{
    member_t *member = argument;
    crowd_t *crowd = member->crowd;
    while (!__atomic_load_n(&crowd->is_done, __ATOMIC_RELAXED)) {
        const uint32_t pe = test_random(&member->seed) % PES;
        if (pthread_mutex_trylock(&crowd->locks[pe]) != 0) continue;
        const uint32_t most = 1u + test_random(&member->seed) % 4u;
        weft_status_t status = WEFT_OK;
        for (uint32_t i = 0; i < most && status == WEFT_OK; ++i) {
            status = weft_pe_step(crowd->net->pointers[pe]);
            if (status == WEFT_OK) member->steps += 1u;
        }
        if (status > WEFT_IDLE) test_check_equal(status, WEFT_OK, "a step", __FILE__, __LINE__);
        if (pthread_mutex_unlock(&crowd->locks[pe]) != 0) abort();
    }
    return NULL;
}

static void *feed_all(void *argument)
{
    const crowd_t *crowd = argument;
    for (uint32_t i = 0; i < FRAMES; ++i) {
        while (!net_feed(crowd->net, 0u)) sched_yield();
    }
    return NULL;
}

/* Looks at what everybody waits for while everybody moves. */
static void *look_around(void *argument)
{
    const crowd_t *crowd = argument;
    uint32_t seed = 99u;
    while (!__atomic_load_n(&crowd->is_done, __ATOMIC_RELAXED)) {
        const uint32_t node = test_random(&seed) % crowd->net->node_count;
        const net_node_t *row = &crowd->net->nodes[node];
        weft_wait_t wait;
        CHECK_EQ(weft_pe_waits_for(crowd->net->pointers[row->pe], row->shard, &wait), WEFT_OK);
        CHECK(wait.peer < PES && wait.kind <= WEFT_WAITS_FOR_INPUT);
        sched_yield();
    }
    return NULL;
}

static pthread_t start_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0) abort();
    return thread;
}

/* Every node but the first has one message in and one credit back for each of its producers. */
static uint32_t messages_of(const net_t *net)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        const net_slot_t *slot = &net->slots[i];
        for (uint32_t k = 0; k < slot->producer_count; ++k) {
            if (slot->producers[k] == NET_OUTSIDE) continue;
            if (net->nodes[slot->producers[k]].pe != slot->pe) count += 2u;
        }
    }
    return count * FRAMES;
}

static void run_crowd(uint32_t depth, uint32_t base)
{
    crowd_t *crowd = calloc(1u, sizeof *crowd);
    member_t members[THREADS];
    pthread_t threads[THREADS];
    CHECK(crowd != NULL);
    (void)alarm(DEADLINE_SECONDS); /* nothing may hang */
    crowd->net = grid(depth, &crowd->output);
    crowd->net->one_call_a_task = depth == 1u;
    crowd->net->mesh.wake = count_message;
    crowd->net->mesh.wake_context = crowd;
    net_start(crowd->net, NULL);
    net_preset(crowd->net, base);
    for (uint32_t i = 0; i < PES; ++i) CHECK_EQ(pthread_mutex_init(&crowd->locks[i], NULL), 0);
    for (uint32_t i = 0; i < THREADS; ++i) {
        members[i] = (member_t){crowd, i + 1u, 0u};
        threads[i] = start_thread(step_any, &members[i]);
    }
    const pthread_t feeder = start_thread(feed_all, crowd);
    const pthread_t looker = start_thread(look_around, crowd);
    for (uint32_t i = 0; i < FRAMES; ++i) {
        while (!net_fetch(crowd->net, crowd->output)) sched_yield();
    }
    CHECK_EQ(pthread_join(feeder, NULL), 0);
    /* The last credits may still be on their way back. */
    while (__atomic_load_n(&crowd->messages, __ATOMIC_RELAXED) < messages_of(crowd->net)) {
        sched_yield();
    }
    __atomic_store_n(&crowd->is_done, true, __ATOMIC_RELAXED);
    uint32_t working = 0;
    for (uint32_t i = 0; i < THREADS; ++i) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        if (members[i].steps > 0u) working += 1u;
    }
    CHECK_EQ(pthread_join(looker, NULL), 0);
    CHECK(working > 1u);
    CHECK_EQ(crowd->messages, messages_of(crowd->net));
    CHECK(!net_fetch(crowd->net, crowd->output));
    for (uint32_t pe = 0; pe < PES; ++pe)
        CHECK_EQ(weft_pe_step(crowd->net->pointers[pe]), WEFT_IDLE);
    net_free(crowd->net);
    free(crowd);
}

TEST(a_crowd_steps_a_grid_of_depth_1)
{
    run_crowd(1u, 0u);
}

TEST(a_crowd_steps_a_grid_of_depth_2_across_the_wrap)
{
    run_crowd(2u, UINT32_MAX - FRAMES / 2u);
}

TEST_MAIN(CASE(a_crowd_steps_a_grid_of_depth_1),
          CASE(a_crowd_steps_a_grid_of_depth_2_across_the_wrap))

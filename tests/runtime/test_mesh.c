/* SPDX-License-Identifier: Apache-2.0 */
/* Several PEs in one process, stepped, fed and read in random order: nothing is lost, doubled or
 * out of order, and nothing stands still, whatever the shape, the depths and the speeds. */
#include "net.h"
#include "weft_test.h"

enum { FRAMES = 40, SLOWNESS = 20 };

/* How often the outside and the PEs come to act: one in `1 + slow` of their turns. */
typedef struct speeds {
    uint32_t slow_pe, slow_input, slow_output; /* by number, or NOBODY */
} speeds_t;

enum { NOBODY = 0xFFFFFF };

static const speeds_t even = {NOBODY, NOBODY, NOBODY};

static uint32_t seed;

static bool act(net_t *net, const speeds_t *speeds)
{
    const uint32_t choice = test_random(&seed) % (net->pe_count + net->slot_count);
    const bool is_in_time = test_random(&seed) % SLOWNESS == 0u;
    if (choice < net->pe_count) {
        if (choice == speeds->slow_pe && !is_in_time) return false;
        return net_step(net, choice);
    }
    const uint32_t slot = choice - net->pe_count;
    if (net_is_input(net, slot) && net->slots[slot].moved < FRAMES) {
        return (slot != speeds->slow_input || is_in_time) && net_feed(net, slot);
    }
    if (net_is_output(net, slot)) {
        return (slot != speeds->slow_output || is_in_time) && net_fetch(net, slot);
    }
    return false;
}

/* Everybody once; false if nothing moved. */
static bool sweep(net_t *net, uint32_t frames)
{
    bool moved = false;
    for (uint32_t i = 0; i < net->pe_count; ++i) moved = net_step(net, i) || moved;
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        if (net_is_output(net, i)) moved = net_fetch(net, i) || moved;
        if (net_is_input(net, i) && net->slots[i].moved < frames) moved = net_feed(net, i) || moved;
    }
    return moved;
}

static bool is_done(const net_t *net)
{
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        if (net_is_output(net, i) && net->slots[i].moved < FRAMES) return false;
    }
    return true;
}

/* At the end every slot is empty and every counter tells as many frames. */
static void is_at_rest(net_t *net)
{
    CHECK(!sweep(net, 0u));
    for (uint32_t i = 0; i < net->pe_count; ++i) {
        const net_pe_t *pe = &net->pes[i];
        for (uint32_t k = 1; k <= pe->shard_count + pe->send_count; ++k) {
            CHECK_EQ(pe->state[pe->state_words - k], net->base + FRAMES);
        }
    }
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        const net_slot_t *slot = &net->slots[i];
        const uint32_t *state = net->pes[slot->pe].state + slot->state;
        CHECK_EQ(state[0], net->base + FRAMES);
        for (uint32_t k = 0; k < slot->depth; ++k) CHECK_EQ(state[1u + k], 0);
    }
}

static void run(net_t *net, speeds_t speeds)
{
    while (!is_done(net)) {
        bool moved = false;
        for (uint32_t i = 0; i < 100u; ++i) moved = act(net, &speeds) || moved;
        if (moved || is_done(net)) continue;
        NOTE("nothing moves");
        CHECK(sweep(net, FRAMES));
    }
    is_at_rest(net);
    net_free(net);
}

/* `build` for every depth, with even speeds and with one slow part. */
static void with_all_depths_and_speeds(net_t *(*build)(uint32_t depth))
{
    seed = 1u;
    for (uint32_t depth = 1; depth <= 4u; depth *= 2u) {
        const net_t *shape = build(depth);
        const uint32_t pes = shape->pe_count, last = shape->slot_count - 1u;
        net_free((net_t *)shape);
        const speeds_t speeds[] = {even,
                                   {0u, NOBODY, NOBODY},
                                   {pes - 1u, NOBODY, NOBODY},
                                   {pes / 2u, NOBODY, NOBODY},
                                   {NOBODY, 0u, NOBODY},
                                   {NOBODY, NOBODY, last}};
        for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; ++i) {
            net_t *net = build(depth);
            net->one_call_a_task = i % 2u == 0u;
            net_start(net, NULL);
            if (i == 0u) net_preset(net, UINT32_MAX - FRAMES / 2u);
            run(net, speeds[i]);
        }
    }
}

/* in - 0 - 1 - 2 - 3 - 4 - out */
static net_t *pipeline(uint32_t depth)
{
    net_t *net = net_new(5u);
    for (uint32_t pe = 0; pe < 5u; ++pe) {
        const uint32_t node = net_node(net, pe);
        if (pe == 0u) {
            net_input(net, net_slot(net, node, depth));
        } else {
            (void)net_connect(net, node - 1u, node, depth);
        }
    }
    net_link(net, 4u, net_output(net, 4u, depth));
    return net;
}

TEST(pipelines)
{
    with_all_depths_and_speeds(pipeline);
}

/* One producer, nine consumers on their own PEs, each with an output. */
static net_t *fan_out(uint32_t depth)
{
    net_t *net = net_new(10u);
    const uint32_t source = net_node(net, 0u);
    net_input(net, net_slot(net, source, depth));
    for (uint32_t pe = 1; pe < 10u; ++pe) {
        const uint32_t node = net_node(net, pe);
        (void)net_connect(net, source, node, pe == 3u ? 1u : depth);
        net_link(net, node, net_output(net, pe, depth));
    }
    return net;
}

TEST(one_producer_of_many_slots)
{
    with_all_depths_and_speeds(fan_out);
}

/* Nine producers, each with an input, write one slot in its final layout. */
static net_t *fan_in(uint32_t depth)
{
    net_t *net = net_new(10u);
    const uint32_t sink = net_node(net, 0u);
    const uint32_t slot = net_slot(net, sink, depth);
    for (uint32_t pe = 1; pe < 10u; ++pe) {
        const uint32_t node = net_node(net, pe);
        net_input(net, net_slot(net, node, depth));
        net_link(net, node, slot);
    }
    net_link(net, sink, net_output(net, 0u, depth));
    return net;
}

TEST(many_producers_of_one_slot)
{
    with_all_depths_and_speeds(fan_in);
}

/* The short way of a residual block is as deep as the slot asks; the long way is three shards. */
static net_t *diamond(uint32_t depth)
{
    net_t *net = net_new(4u);
    for (uint32_t pe = 0; pe < 4u; ++pe) (void)net_node(net, pe);
    net_input(net, net_slot(net, 0u, depth));
    (void)net_connect(net, 0u, 3u, depth);
    (void)net_connect(net, 0u, 1u, 1u);
    (void)net_connect(net, 1u, 2u, depth);
    (void)net_connect(net, 2u, 3u, 1u);
    net_link(net, 3u, net_output(net, 0u, depth));
    return net;
}

TEST(ways_of_different_length_meet)
{
    with_all_depths_and_speeds(diamond);
}

/* Shards 0, 2 and 4 on one PE, 1 and 3 on the other: to and fro; and 0 to 4 stays on its PE. */
static net_t *two_shards_on_a_pe(uint32_t depth)
{
    net_t *net = net_new(2u);
    for (uint32_t i = 0; i < 5u; ++i) {
        const uint32_t node = net_node(net, i % 2u);
        if (i == 0u) {
            net_input(net, net_slot(net, node, depth));
        } else {
            (void)net_connect(net, node - 1u, node, depth);
        }
    }
    (void)net_connect(net, 0u, 4u, 4u);
    net_link(net, 4u, net_output(net, 1u, depth));
    return net;
}

TEST(shards_share_a_pe)
{
    with_all_depths_and_speeds(two_shards_on_a_pe);
}

/* Everything on one PE: all sends are to itself, two of them into one slot. */
static net_t *one_pe(uint32_t depth)
{
    net_t *net = net_new(1u);
    for (uint32_t i = 0; i < 4u; ++i) (void)net_node(net, 0u);
    net_input(net, net_slot(net, 0u, depth));
    (void)net_connect(net, 0u, 1u, depth);
    (void)net_connect(net, 0u, 2u, depth);
    const uint32_t slot = net_slot(net, 3u, depth);
    net_link(net, 1u, slot);
    net_link(net, 2u, slot);
    net_link(net, 3u, net_output(net, 0u, depth));
    return net;
}

TEST(all_shards_on_one_pe)
{
    with_all_depths_and_speeds(one_pe);
}

static uint32_t any(uint32_t count)
{
    return test_random(&seed) % count;
}

/* Nodes read nodes before them, through slots of up to four producers, or the outside; what nobody
 * reads is an output. PEs, depths and numbers of everything at random. */
static net_t *random_mesh(void)
{
    net_t *net = net_new(1u + any(6u));
    const uint32_t nodes = 1u + any(12u);
    for (uint32_t i = 0; i < nodes; ++i) {
        const uint32_t node = net_node(net, any(net->pe_count));
        const uint32_t slots = 1u + any(3u);
        for (uint32_t k = 0; k < slots; ++k) {
            const uint32_t slot = net_slot(net, node, 1u << any(3u));
            const uint32_t producers = i == 0u || any(5u) == 0u ? 0u : 1u + any(4u);
            if (producers == 0u) net_input(net, slot);
            for (uint32_t p = 0; p < producers; ++p) {
                const uint32_t producer = any(i);
                const bool has_place = net->nodes[producer].target_count < NET_MOST_ENDS - 1u;
                net_link(net, has_place ? producer : i - 1u, slot);
            }
        }
    }
    for (uint32_t i = 0; i < nodes; ++i) {
        if (net->nodes[i].target_count > 0u) continue;
        net_link(net, i, net_output(net, any(net->pe_count), 1u << any(3u)));
    }
    net->one_call_a_task = any(2u) == 0u;
    return net;
}

TEST(random_meshes)
{
    seed = 5u;
    for (uint32_t round = 0; round < 300u; ++round) {
        net_t *net = random_mesh();
        net_start(net, NULL);
        if (any(3u) == 0u) net_preset(net, UINT32_MAX - any(FRAMES));
        const speeds_t speeds = {any(4u) == 0u ? any(net->pe_count) : NOBODY,
                                 any(4u) == 0u ? any(net->slot_count) : NOBODY,
                                 any(4u) == 0u ? any(net->slot_count) : NOBODY};
        run(net, speeds);
    }
}

/* Two streams of one shard each on one PE, both ready all the time: none waits for the other. */
TEST(ready_shards_take_turns)
{
    net_t *net = net_new(1u);
    for (uint32_t i = 0; i < 2u; ++i) {
        const uint32_t node = net_node(net, 0u);
        net_input(net, net_slot(net, node, 4u));
        net_link(net, node, net_output(net, 0u, 4u));
    }
    net_start(net, NULL);
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        while (net_is_input(net, i) && net_feed(net, i)) continue;
    }
    for (uint32_t step = 0; step < 8u; ++step) {
        CHECK(net_step(net, 0u));
        const uint32_t *state = net->pes[0].state;
        CHECK_EQ(state[net->nodes[0].state], (step + 2u) / 2u);
        CHECK_EQ(state[net->nodes[1].state], (step + 1u) / 2u);
    }
    net_free(net);
}

/* Without inputs: a shard fires as often as it has credit, and knows no other limit. */
TEST(a_source_is_bound_by_credit)
{
    net_t *net = net_new(2u);
    const uint32_t source = net_node(net, 0u), sink = net_node(net, 1u);
    (void)net_connect(net, source, sink, 4u);
    const uint32_t output = net_output(net, 1u, 2u);
    net_link(net, sink, output);
    net_start(net, NULL);
    for (uint32_t i = 0; i < 4u; ++i) CHECK(net_step(net, 0u));
    CHECK(!net_step(net, 0u));
    for (uint32_t i = 0; i < 2u; ++i) CHECK(net_step(net, 1u));
    CHECK(!net_step(net, 1u));
    for (uint32_t i = 0; i < 2u; ++i) CHECK(net_step(net, 0u));
    CHECK(!net_step(net, 0u));
    for (uint32_t i = 0; i < 50u; ++i) {
        CHECK(net_fetch(net, output));
        CHECK(net_step(net, 1u));
        CHECK(net_step(net, 0u));
    }
    net_free(net);
}

/* Nobody reads: the mesh fills up to the last room, stands without a fault, and goes on. */
TEST(an_output_that_is_not_read_stops_everything_and_loses_nothing)
{
    for (uint32_t depth = 1; depth <= 4u; depth *= 2u) {
        net_t *net = pipeline(depth);
        const uint32_t input = 0u, output = net->slot_count - 1u;
        net_start(net, NULL);
        for (uint32_t i = 0; i < 100u; ++i) {
            for (uint32_t pe = 0; pe < net->pe_count; ++pe) (void)net_step(net, pe);
            (void)net_feed(net, input);
        }
        CHECK_EQ(net->slots[input].moved, 6u * depth); /* six slots, all full */
        for (uint32_t pe = 0; pe < net->pe_count; ++pe) CHECK(!net_step(net, pe));
        while (net->slots[output].moved < 6u * depth) CHECK(sweep(net, 0u));
        CHECK(!sweep(net, 0u));
        net_free(net);
    }
}

/* One of two inputs stands still: the other fills its slots and waits, without a fault. */
TEST(a_stalled_source_stops_what_needs_it)
{
    net_t *net = fan_in(2u);
    net_start(net, NULL);
    const uint32_t stalled = 5u, output = net->slot_count - 1u;
    CHECK(net_is_input(net, stalled));
    for (uint32_t round = 0; round < 50u; ++round) {
        for (uint32_t i = 0; i < net->slot_count; ++i) {
            if (net_is_input(net, i) && i != stalled) (void)net_feed(net, i);
        }
        for (uint32_t pe = 0; pe < net->pe_count; ++pe) (void)net_step(net, pe);
    }
    CHECK(!net_fetch(net, output));
    weft_wait_t wait;
    CHECK_EQ(weft_pe_waits_for(net->pointers[0], 0u, &wait), WEFT_OK);
    CHECK_EQ(wait.kind, WEFT_WAITS_FOR_FRAME);
    CHECK_EQ(wait.frame, 0);
    CHECK_EQ(wait.peer, net->slots[stalled].pe);
    CHECK_EQ(weft_pe_waits_for(net->pointers[wait.peer], 0u, &wait), WEFT_OK);
    CHECK_EQ(wait.kind, WEFT_WAITS_FOR_INPUT);
    CHECK(net_feed(net, stalled));
    while (sweep(net, 2u)) continue;
    CHECK_EQ(net->slots[output].moved, 2);
    net_free(net);
}

TEST_MAIN(CASE(pipelines), CASE(one_producer_of_many_slots), CASE(many_producers_of_one_slot),
          CASE(ways_of_different_length_meet), CASE(shards_share_a_pe), CASE(all_shards_on_one_pe),
          CASE(random_meshes), CASE(ready_shards_take_turns), CASE(a_source_is_bound_by_credit),
          CASE(an_output_that_is_not_read_stops_everything_and_loses_nothing),
          CASE(a_stalled_source_stops_what_needs_it))

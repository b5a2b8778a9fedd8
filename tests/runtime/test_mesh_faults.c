/* SPDX-License-Identifier: Apache-2.0 */
/* What must not harm a mesh (messages again, late, of another epoch; a PE that fails beside it),
 * and what does, and how it is told. */
#include "fixture.h"
#include "net.h"
#include "weft/port.h"
#include "weft_test.h"

static uint32_t seed;

/* in - 0 - 1 - out and in - 2 - 3 - out: nothing joins them. Returns the slots of the outputs. */
static net_t *two_streams(uint32_t depth, uint32_t outputs[2])
{
    net_t *net = net_new(4u);
    for (uint32_t pe = 0; pe < 4u; ++pe) (void)net_node(net, pe);
    for (uint32_t first = 0; first < 4u; first += 2u) {
        net_input(net, net_slot(net, first, depth));
        (void)net_connect(net, first, first + 1u, depth);
        outputs[first / 2u] = net_output(net, first + 1u, depth);
        net_link(net, first + 1u, outputs[first / 2u]);
    }
    return net;
}

static bool move_all(net_t *net, uint32_t frames)
{
    bool moved = false;
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        if (net_is_output(net, i)) moved = net_fetch(net, i) || moved;
        if (net_is_input(net, i) && net->slots[i].moved < frames) moved = net_feed(net, i) || moved;
    }
    for (uint32_t pe = 0; pe < net->pe_count; ++pe) {
        const weft_status_t status = weft_pe_step(&net->pes[pe].pe);
        moved = status == WEFT_OK || moved;
    }
    return moved;
}

/* Messages that were true some frames ago, of which none may be new. */
static void repeat_old_messages(net_t *net)
{
    const net_slot_t *slot = &net->slots[test_random(&seed) % net->slot_count];
    if (slot->producers[0] == NET_OUTSIDE) return;
    const uint32_t producer = test_random(&seed) % slot->producer_count;
    const uint32_t *state = net->pes[slot->pe].state + slot->state;
    const uint32_t age = 1u + test_random(&seed) % 5u;
    weft_pe_t *consumer = net->pointers[slot->pe];
    CHECK_EQ(weft_pe_deliver_arrival(consumer, NET_EPOCH, slot->index, producer,
                                     state[1u + slot->depth + producer] - age),
             WEFT_OK);
    weft_pe_t *sender = net->pointers[net->nodes[slot->producers[producer]].pe];
    CHECK_EQ(weft_pe_deliver_credit(sender, NET_EPOCH, slot->sends[producer],
                                    state[0] - test_random(&seed) % 5u),
             WEFT_OK);
}

/* The very messages that would be next, but of a mesh that is no more or is not yet. */
static void say_what_another_epoch_said(net_t *net)
{
    const net_slot_t *slot = &net->slots[test_random(&seed) % net->slot_count];
    if (slot->producers[0] == NET_OUTSIDE) return;
    const uint32_t *state = net->pes[slot->pe].state + slot->state;
    const uint32_t epoch = test_random(&seed) % 2u == 0u ? NET_EPOCH - 1u : NET_EPOCH + 1u;
    weft_pe_t *consumer = net->pointers[slot->pe];
    CHECK_EQ(weft_pe_deliver_arrival(consumer, epoch, slot->index, 0u, state[1u + slot->depth]),
             WEFT_OK);
    weft_pe_t *sender = net->pointers[net->nodes[slot->producers[0]].pe];
    CHECK_EQ(weft_pe_deliver_credit(sender, epoch, slot->sends[0], state[0] + 1u), WEFT_OK);
}

static void with_noise(void (*say)(net_t *net), uint32_t base)
{
    for (uint32_t depth = 1; depth <= 4u; depth *= 2u) {
        uint32_t outputs[2];
        net_t *net = two_streams(depth, outputs);
        net_link(net, 0u, net_slot(net, 3u, depth)); /* one slot more, between the streams */
        net_start(net, NULL);
        net_preset(net, base);
        seed = 3u;
        while (move_all(net, 50u)) {
            for (uint32_t i = 0; i < 10u; ++i) say(net);
        }
        CHECK_EQ(net->slots[outputs[0]].moved, 50);
        CHECK_EQ(net->slots[outputs[1]].moved, 50);
        net_free(net);
    }
}

TEST(repeated_messages_are_harmless)
{
    with_noise(repeat_old_messages, 0u);
}

TEST(repeated_messages_are_harmless_across_the_wrap)
{
    with_noise(repeat_old_messages, UINT32_MAX - 25u);
}

TEST(messages_of_another_epoch_are_harmless)
{
    with_noise(say_what_another_epoch_said, 0u);
}

TEST(messages_to_nobody_are_refused)
{
    uint32_t outputs[2];
    net_t *net = two_streams(2u, outputs);
    net_start(net, NULL);
    weft_pe_t *pe = net->pointers[1];
    CHECK_EQ(weft_pe_deliver_arrival(pe, NET_EPOCH, 2u, 0u, 0u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_deliver_arrival(pe, NET_EPOCH, UINT32_MAX, 0u, 0u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_deliver_arrival(pe, NET_EPOCH, 0u, 1u, 0u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_deliver_credit(pe, NET_EPOCH, 1u, 1u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_deliver_credit(pe, NET_EPOCH, UINT32_MAX, 1u), WEFT_E_ARGUMENT);
    /* A slot that the outside fills is not for other PEs. */
    CHECK_EQ(weft_pe_deliver_arrival(net->pointers[0], NET_EPOCH, 0u, 0u, 0u), WEFT_E_ARGUMENT);
    net_free(net);
}

/* It may have overwritten what is still being read. */
TEST(a_frame_without_credit_is_refused)
{
    uint32_t outputs[2];
    net_t *net = two_streams(2u, outputs);
    net_start(net, NULL);
    weft_pe_t *pe = net->pointers[1];
    for (uint32_t frame = 0; frame < 2u; ++frame) {
        CHECK_EQ(weft_pe_deliver_arrival(pe, NET_EPOCH, 0u, 0u, frame), WEFT_OK);
    }
    CHECK_EQ(weft_pe_deliver_arrival(pe, NET_EPOCH, 0u, 0u, 2u), WEFT_E_SEQUENCE);
    net_free(net);
}

TEST(credit_for_more_than_the_slot_holds_is_ignored)
{
    uint32_t outputs[2];
    net_t *net = two_streams(2u, outputs);
    net_start(net, NULL);
    weft_pe_t *pe = net->pointers[0];
    const uint32_t lies[] = {3u, 1000u, 0x80000000u, UINT32_MAX};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; ++i) {
        CHECK_EQ(weft_pe_deliver_credit(pe, NET_EPOCH, 0u, lies[i]), WEFT_OK);
    }
    while (move_all(net, 20u)) continue;
    CHECK_EQ(net->slots[outputs[0]].moved, 20);
    net_free(net);
}

/* --- one PE fails ------------------------------------------------------------------------------ */

static void run_with_failure(bool fails, uint32_t *out_states, uint8_t *out_arenas)
{
    uint32_t outputs[2];
    net_t *net = two_streams(2u, outputs);
    net_start(net, NULL);
    for (uint32_t i = 0; i < 11u; ++i) CHECK(move_all(net, 40u));
    if (fails) CHECK_EQ(weft_pe_fail(net->pointers[1], WEFT_E_STOPPED), WEFT_OK);
    while (move_all(net, 40u)) continue;
    CHECK_EQ(weft_pe_step(net->pointers[1]), fails ? WEFT_E_STOPPED : WEFT_IDLE);
    CHECK_EQ(weft_pe_step(net->pointers[0]), WEFT_IDLE); /* starved, not at fault */
    CHECK(fails ? net->slots[outputs[0]].moved < 40u : net->slots[outputs[0]].moved == 40u);
    CHECK_EQ(net->slots[outputs[1]].moved, 40);
    for (uint32_t pe = 2; pe < 4u; ++pe) {
        const net_pe_t *row = &net->pes[pe];
        CHECK(row->state_words <= 32u && row->arena_bytes <= 256u);
        memcpy(out_states + 32u * (pe - 2u), row->state, row->state_words * sizeof(uint32_t));
        memcpy(out_arenas + 256u * (pe - 2u), row->arena, row->arena_bytes);
    }
    net_free(net);
}

TEST(a_failed_pe_changes_nothing_in_another_stream)
{
    static uint32_t states[2][64];
    static uint8_t arenas[2][512];
    run_with_failure(false, states[0], arenas[0]);
    run_with_failure(true, states[1], arenas[1]);
    CHECK(memcmp(states[0], states[1], sizeof states[0]) == 0);
    CHECK(memcmp(arenas[0], arenas[1], sizeof arenas[0]) == 0);
}

/* --- who waits for whom ------------------------------------------------------------------------ */

/* The node that `node` waits for; NET_OUTSIDE if for the outside or for nothing. */
static uint32_t awaited_by(const net_t *net, uint32_t node, weft_wait_kind_t *out_kind)
{
    const net_node_t *row = &net->nodes[node];
    weft_wait_t wait;
    CHECK_EQ(weft_pe_waits_for(net->pointers[row->pe], row->shard, &wait), WEFT_OK);
    *out_kind = wait.kind;
    if (wait.kind == WEFT_WAITS_FOR_FRAME) {
        return net_node_with_send(net, wait.peer, wait.peer_index);
    }
    if (wait.kind == WEFT_WAITS_FOR_CREDIT) {
        return net_node_with_slot(net, wait.peer, wait.peer_index);
    }
    return NET_OUTSIDE;
}

/* Walks from `node` on, until it is somewhere for the second time or outside. */
static uint32_t walk(const net_t *net, uint32_t node, uint32_t *out_length)
{
    bool seen[NET_MOST_NODES] = {false};
    weft_wait_kind_t kind;
    *out_length = 0;
    while (node != NET_OUTSIDE && !seen[node]) {
        seen[node] = true;
        node = awaited_by(net, node, &kind);
        *out_length += 1u;
    }
    return node;
}

/* 1 needs 2, 2 needs 3, 3 needs 1, before any has sent: no frame is in the cycle, and none can
 * come into it. 0 feeds 1 until it has no credit. */
TEST(a_cycle_without_tokens_is_told_as_who_waits_for_whom)
{
    net_t *net = net_new(4u);
    uint32_t length = 0;
    weft_wait_kind_t kind;
    for (uint32_t pe = 0; pe < 4u; ++pe) (void)net_node(net, pe);
    net_input(net, net_slot(net, 0u, 1u));
    (void)net_connect(net, 0u, 1u, 2u);
    (void)net_connect(net, 1u, 2u, 1u);
    (void)net_connect(net, 2u, 3u, 1u);
    (void)net_connect(net, 3u, 1u, 1u);
    net_start(net, NULL);
    while (move_all(net, 10u)) continue;
    CHECK_EQ(net->slots[0].moved, 3); /* two in the slot before the cycle, one before that */
    CHECK_EQ(awaited_by(net, 0u, &kind), 1);
    CHECK_EQ(kind, WEFT_WAITS_FOR_CREDIT);
    const uint32_t cycle[] = {3u, 1u, 2u};
    for (uint32_t node = 1; node < 4u; ++node) {
        CHECK_EQ(awaited_by(net, node, &kind), cycle[node - 1u]);
        CHECK_EQ(kind, WEFT_WAITS_FOR_FRAME);
        CHECK_EQ(walk(net, node, &length), node);
        CHECK_EQ(length, 3);
    }
    CHECK_EQ(walk(net, 0u, &length), 1);
    net_free(net);
}

/* The same within a PE, and through a slot of two producers of which one has done its part. */
TEST(a_cycle_of_shards_on_one_pe)
{
    net_t *net = net_new(2u);
    uint32_t length = 0;
    const uint32_t a = net_node(net, 0u), b = net_node(net, 0u), source = net_node(net, 1u);
    net_input(net, net_slot(net, source, 1u));
    const uint32_t slot = net_slot(net, a, 1u);
    net_link(net, source, slot);
    net_link(net, b, slot);
    (void)net_connect(net, a, b, 1u);
    net_start(net, NULL);
    while (move_all(net, 10u)) continue;
    CHECK_EQ(walk(net, a, &length), a);
    CHECK_EQ(length, 2);
    CHECK_EQ(walk(net, b, &length), b);
    CHECK_EQ(walk(net, source, &length), a);
    net_free(net);
}

/* No cycle: a chain that ends at the outside, which is not a deadlock. */
TEST(who_waits_for_the_outside)
{
    uint32_t outputs[2], length = 0;
    weft_wait_kind_t kind;
    weft_wait_t wait;
    net_t *net = two_streams(2u, outputs);
    net_start(net, NULL);
    CHECK_EQ(awaited_by(net, 1u, &kind), 0);
    CHECK_EQ(kind, WEFT_WAITS_FOR_FRAME);
    (void)awaited_by(net, 0u, &kind);
    CHECK_EQ(kind, WEFT_WAITS_FOR_INPUT);
    for (uint32_t i = 0; i < 20u; ++i) {
        (void)net_feed(net, 0u);
        (void)net_step(net, 0u);
        (void)net_step(net, 1u);
    }
    CHECK_EQ(awaited_by(net, 0u, &kind), 1);
    CHECK_EQ(kind, WEFT_WAITS_FOR_CREDIT);
    CHECK_EQ(walk(net, 0u, &length), NET_OUTSIDE); /* which does not read the output */
    CHECK_EQ(weft_pe_waits_for(net->pointers[0], 1u, &wait), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_pe_waits_for(net->pointers[0], 0u, NULL), WEFT_E_ARGUMENT);
    CHECK(net_fetch(net, outputs[0]));
    (void)awaited_by(net, 1u, &kind);
    CHECK_EQ(kind, WEFT_WAITS_FOR_NOTHING);
    net_free(net);
}

/* --- the host's port --------------------------------------------------------------------------- */

static void count_wake(void *context)
{
    *(uint32_t *)context += 1u;
}

TEST(every_message_wakes_the_host)
{
    uint32_t outputs[2], wakes = 0;
    net_t *net = two_streams(1u, outputs);
    net->mesh.wake = count_wake;
    net->mesh.wake_context = &wakes;
    net_start(net, NULL);
    CHECK(net_feed(net, 0u));
    CHECK(net_step(net, 0u));
    CHECK_EQ(wakes, 1); /* the arrival at PE 1 */
    CHECK(net_step(net, 1u));
    CHECK_EQ(wakes, 2); /* the credit of PE 0; the output's slot is on PE 1 itself */
    net_free(net);
}

TEST(the_hosts_port_writes_within_arenas_only)
{
    uint32_t outputs[2];
    const uint8_t byte = 1u;
    net_t *net = two_streams(1u, outputs);
    net_start(net, NULL);
    const weft_pe_t *pe = net->pointers[0];
    const uint32_t bytes = net->pes[1].arena_bytes;
    CHECK_EQ(weft_port_write(pe, 1u, bytes - 1u, &byte, 1u), WEFT_OK);
    CHECK_EQ(net->pes[1].arena[bytes - 1u], 1);
    CHECK_EQ(weft_port_write(pe, 1u, bytes, &byte, 1u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_port_write(pe, 1u, 0u, &byte, bytes + 1u), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_port_write(pe, 1u, UINT32_MAX, &byte, 1u), WEFT_E_ARGUMENT);
    net_free(net);
}

/* Not in the mesh, left out of it, not initialised: told, and no more. */
TEST(pes_that_are_not_there)
{
    uint32_t outputs[2];
    const uint8_t byte = 1u;
    weft_pe_t blank;
    net_t *net = two_streams(1u, outputs);
    net_start(net, NULL);
    memset(&blank, 0, sizeof blank);
    net->pointers[2] = NULL;
    net->pointers[3] = &blank;
    const weft_pe_t *pe = net->pointers[0];
    for (uint32_t to = 2; to < 6u; ++to) {
        NOTE("to PE %u", (unsigned)to);
        CHECK_EQ(weft_port_write(pe, to, 0u, &byte, 1u), WEFT_E_ARGUMENT);
        CHECK_EQ(weft_port_signal_arrival(pe, to, 0u, 0u, 0u), WEFT_E_ARGUMENT);
        CHECK_EQ(weft_port_signal_credit(pe, to, 0u, 1u), WEFT_E_ARGUMENT);
    }
    net_free(net);
}

TEST_MAIN(CASE(repeated_messages_are_harmless),
          CASE(repeated_messages_are_harmless_across_the_wrap),
          CASE(messages_of_another_epoch_are_harmless), CASE(messages_to_nobody_are_refused),
          CASE(a_frame_without_credit_is_refused),
          CASE(credit_for_more_than_the_slot_holds_is_ignored),
          CASE(a_failed_pe_changes_nothing_in_another_stream),
          CASE(a_cycle_without_tokens_is_told_as_who_waits_for_whom),
          CASE(a_cycle_of_shards_on_one_pe), CASE(who_waits_for_the_outside),
          CASE(every_message_wakes_the_host), CASE(the_hosts_port_writes_within_arenas_only),
          CASE(pes_that_are_not_there))

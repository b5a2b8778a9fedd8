/* SPDX-License-Identifier: Apache-2.0 */
/* Every order of events in small meshes of PEs, and that the search for wrong ones finds some. */
#include "explore/explore.h"
#include "weft_test.h"

/* `producers` PEs with an input each write one slot of a last PE, which has the output. */
static net_t *joined(uint32_t producers, uint32_t depth)
{
    net_t *net = net_new(producers + 1u);
    const uint32_t sink = net_node(net, producers);
    const uint32_t slot = net_slot(net, sink, depth);
    for (uint32_t pe = 0; pe < producers; ++pe) {
        const uint32_t node = net_node(net, pe);
        net_input(net, net_slot(net, node, depth));
        net_link(net, node, slot);
    }
    net_link(net, sink, net_output(net, producers, depth));
    net->one_call_a_task = true;
    return net;
}

/* From PE 0 to PE 1 and back, and on PE 0 itself past that: a pair has messages of both kinds in
 * both directions, and a PE two shards. */
static net_t *to_and_fro(uint32_t depth)
{
    net_t *net = net_new(2u);
    const uint32_t first = net_node(net, 0u), middle = net_node(net, 1u), last = net_node(net, 0u);
    net_input(net, net_slot(net, first, 1u));
    (void)net_connect(net, first, middle, depth);
    (void)net_connect(net, middle, last, depth);
    (void)net_connect(net, first, last, depth);
    net_link(net, last, net_output(net, 0u, 1u));
    return net;
}

static explore_result_t search(net_t *net, explore_options_t options)
{
    const explore_result_t result = explore_all(net, options);
    fprintf(stderr, "%llu %s\n", (unsigned long long)result.states,
            result.violation ? result.violation : "");
    NOTE("%llu states, %llu events: %s", (unsigned long long)result.states,
         (unsigned long long)result.events,
         result.violation != NULL ? result.violation : "no violation");
    return result;
}

static uint64_t is_sound(net_t *net, explore_options_t options)
{
    const explore_result_t result = search(net, options);
    CHECK(result.violation == NULL);
    CHECK(result.ends > 0u);
    return result.states;
}

static void is_violated(net_t *net, explore_options_t options)
{
    CHECK(search(net, options).violation != NULL);
}

/* With either of the two ways in which a port may treat data; else a search could be small because
 * it did not look. */
static void both_ports(net_t *(*build)(uint32_t size, uint32_t depth), uint32_t size,
                       uint32_t depth, explore_options_t options, uint64_t least_states)
{
    options.port = PORT_WRITES_AT_ONCE;
    CHECK(is_sound(build(size, depth), options) >= least_states);
    options.port = PORT_WRITES_WITH_THE_SIGNAL;
    CHECK(is_sound(build(size, depth), options) >= least_states);
}

static net_t *two_pes(uint32_t size, uint32_t depth)
{
    (void)size;
    return to_and_fro(depth);
}

TEST(one_producer)
{
    both_ports(joined, 1u, 1u, (explore_options_t){.frames = 3u, .copies = 2u}, 300u);
    both_ports(joined, 1u, 2u, (explore_options_t){.frames = 3u, .copies = 2u}, 900u);
    both_ports(joined, 1u, 4u, (explore_options_t){.frames = 5u, .copies = 1u}, 900u);
}

TEST(two_producers)
{
    both_ports(joined, 2u, 1u, (explore_options_t){.frames = 3u, .copies = 2u}, 7000u);
    both_ports(joined, 2u, 2u, (explore_options_t){.frames = 3u, .copies = 1u}, 10000u);
}

TEST(to_and_fro_between_two_pes)
{
    both_ports(two_pes, 2u, 1u, (explore_options_t){.frames = 3u, .copies = 2u}, 300u);
    both_ports(two_pes, 2u, 2u, (explore_options_t){.frames = 3u, .copies = 1u}, 300u);
}

TEST(across_the_wrap)
{
    for (uint32_t base = UINT32_MAX - 2u; base != 0u; ++base) {
        const explore_options_t options = {.frames = 3u, .copies = 1u, .base = base};
        both_ports(joined, 1u, 2u, options, 450u);
        both_ports(joined, 2u, 1u, options, 1800u);
    }
}

/* Signals of the life before, repetitions among them, come at any time after a new start. */
TEST(after_a_new_start)
{
    const explore_options_t options = {.frames = 3u, .copies = 1u, .restarts = 1u};
    both_ports(joined, 1u, 1u, options, 1000u);
    both_ports(joined, 1u, 2u, options, 1000u);
    both_ports(two_pes, 2u, 1u, options, 1000u);
    both_ports(joined, 2u, 1u, (explore_options_t){.frames = 3u, .restarts = 1u}, 1000u);
}

/* Whatever happens in the middle of something else leads to where it leads before or after. */
static void interrupts_change_nothing(net_t *(*build)(uint32_t size, uint32_t depth), uint32_t size,
                                      uint32_t depth, explore_options_t options)
{
    const uint64_t states = is_sound(build(size, depth), options);
    options.interrupts = true;
    CHECK_EQ(is_sound(build(size, depth), options), states);
    options.port = PORT_WRITES_WITH_THE_SIGNAL;
    CHECK_EQ(is_sound(build(size, depth), options), states);
}

TEST(events_in_the_middle_of_others)
{
    const explore_options_t options = {.frames = 3u, .copies = 2u};
    interrupts_change_nothing(joined, 1u, 1u, options);
    interrupts_change_nothing(joined, 1u, 2u, options);
}

TEST(events_in_the_middle_of_others_with_two_producers)
{
    const explore_options_t options = {.frames = 3u};
    interrupts_change_nothing(joined, 2u, 1u, options);
    interrupts_change_nothing(joined, 2u, 2u, options);
}

TEST(events_in_the_middle_of_others_to_and_fro)
{
    const explore_options_t options = {.frames = 3u, .copies = 1u};
    interrupts_change_nothing(two_pes, 2u, 1u, options);
    interrupts_change_nothing(two_pes, 2u, 2u, options);
}

TEST(an_arrival_before_its_data_is_found)
{
    const explore_options_t options = {.port = PORT_ANNOUNCES_BEFORE_IT_WRITES, .frames = 3u};
    is_violated(joined(1u, 1u), options);
    is_violated(joined(1u, 2u), options);
    is_violated(joined(2u, 1u), options);
}

TEST(credit_before_the_frame_is_consumed_is_found)
{
    const explore_options_t options = {.port = PORT_GIVES_CREDIT_EARLY, .frames = 3u};
    is_violated(joined(1u, 1u), options);
    is_violated(joined(1u, 2u), options);
    is_violated(joined(2u, 1u), options);
}

/* What comes out of turn is taken for a repetition: the frame never arrives. */
TEST(messages_out_of_order_are_found)
{
    is_violated(joined(1u, 2u), (explore_options_t){.port = PORT_MIXES_UP_ORDER, .frames = 3u});
}

TEST(a_lost_credit_is_found)
{
    is_violated(joined(1u, 1u), (explore_options_t){.port = PORT_LOSES_CREDIT, .frames = 3u});
}

TEST(an_old_signal_with_a_new_epoch_is_found)
{
    is_violated(joined(1u, 1u),
                (explore_options_t){.port = PORT_FORGETS_EPOCHS, .frames = 2u, .restarts = 1u});
}

TEST_MAIN(CASE(one_producer), CASE(two_producers), CASE(to_and_fro_between_two_pes),
          CASE(across_the_wrap), CASE(after_a_new_start), CASE(events_in_the_middle_of_others),
          CASE(events_in_the_middle_of_others_with_two_producers),
          CASE(events_in_the_middle_of_others_to_and_fro),
          CASE(an_arrival_before_its_data_is_found),
          CASE(credit_before_the_frame_is_consumed_is_found), CASE(messages_out_of_order_are_found),
          CASE(a_lost_credit_is_found), CASE(an_old_signal_with_a_new_epoch_is_found))

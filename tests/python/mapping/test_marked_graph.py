# SPDX-License-Identifier: Apache-2.0
"""What is said of marked graphs, against their execution."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.executor import Execution, simulate, steady_period
from mapping.random_graphs import network, pipeline, random_graph, report
from weft.mapping.depths import with_depths
from weft.mapping.marked_graph import (
    Channel,
    MarkedGraph,
    Transition,
    check_liveness,
    round_robin_period,
    throughput_bound,
)

EXAMPLES = settings().max_examples  # 3 in the quick profile


def agrees_with_execution(graph: MarkedGraph) -> Fraction | None:
    """Checks liveness and bound; gives period over bound, or None if the graph is dead."""
    deadlock = check_liveness(graph)
    period = steady_period(graph)
    assert (deadlock is None) == (period is not None)
    assert len(simulate(graph, 3)) == (3 if deadlock is None else 0)
    if deadlock is None:
        assert period is not None
        return period / throughput_bound(graph).period_cycles
    execution = Execution(graph)
    while execution.step():
        pass
    fired = {t.name: n for t, n in zip(graph.transitions, execution.fired, strict=True)}
    for wait, after in zip(deadlock.waits, [*deadlock.waits[1:], deadlock.waits[0]], strict=True):
        assert wait.awaited == after.waiter
        assert fired[wait.waiter] == 0
        ends = (wait.channel.producer, wait.channel.consumer)
        if wait.wants == "token":
            assert ends == (wait.awaited, wait.waiter)
        else:
            assert ends == (wait.waiter, wait.awaited)
            assert wait.channel.depth == 0
    with pytest.raises(ValueError, match="deadlock"):
        throughput_bound(graph)
    return None


def test_liveness_and_rate_are_exact_with_a_resource_each():
    dead = limited_by_credits = 0
    for seed in range(2000):
        graph = random_graph(Random(seed))
        ratio = agrees_with_execution(graph)
        assert ratio in (None, 1), seed
        dead += ratio is None
        limited_by_credits += ratio is not None and throughput_bound(graph).kind == "credits"
    # The generator makes enough of each kind.
    assert dead > 400
    assert limited_by_credits > 400


@settings(max_examples=60 * EXAMPLES)
@given(st.randoms(use_true_random=False))
def test_drawn_graphs_are_exact_too(random):
    assert agrees_with_execution(random_graph(random)) in (None, 1)


def test_a_deadlock_is_the_same_whoever_shares_a_resource():
    for seed in range(500):
        random = Random(seed)
        graph = random_graph(random)
        n = random.randint(1, 3)
        shared = tuple(
            Transition(t.name, t.cycles, f"pe{random.randrange(n)}") for t in graph.transitions
        )
        assert check_liveness(graph) == check_liveness(MarkedGraph(shared, graph.channels))


def test_rate_is_between_its_bounds_where_resources_are_shared(record_property):
    ratios, ranges = [], []
    for seed in range(1000):
        random = Random(seed)
        graph = random_graph(random, random.randint(1, 4))
        ratio = agrees_with_execution(graph)
        if ratio is not None:
            range_ = round_robin_period(graph) / throughput_bound(graph).period_cycles
            assert 1 <= ratio <= range_, seed
            ratios.append(ratio)
            ranges.append(range_)
    report(record_property, "round-robin, period over bound", ratios)
    report(record_property, "round-robin, longest period over bound", ranges)


@pytest.mark.parametrize("depths", [(1, 1), (1, 2), (2, 2)])
def test_round_robin_on_pipelines_is_near_the_bound(depths, record_property):
    ratios = []
    for seed in range(300):
        random = Random(seed)
        channels = [Channel(f"t{i}", f"t{i + 1}", random.randint(*depths)) for i in range(7)]
        graph = MarkedGraph(pipeline(random, 8, 3), tuple(channels))
        period = steady_period(graph)
        assert period is not None
        ratios.append(period / throughput_bound(graph).period_cycles)
        assert 1 <= ratios[-1] <= round_robin_period(graph) / throughput_bound(graph).period_cycles
    report(record_property, f"8 shards on 3 PEs, depth {depths}, period over bound", ratios)
    # With two slots everywhere a pipeline waits for nothing but its PEs.
    assert depths != (2, 2) or max(ratios) == 1


def test_thousands_of_shards():
    transitions, rings = network(Random(1), 50, 104, 5)
    deep = MarkedGraph(transitions, with_depths(rings, [4] * len(rings)))
    assert len(deep.transitions) > 4900
    assert len(deep.channels) > 25_000
    assert check_liveness(deep) is None
    assert throughput_bound(deep).kind == "resource"
    shallow = MarkedGraph(transitions, with_depths(rings, [1] * len(rings)))
    bound = throughput_bound(shallow)
    assert bound.kind == "credits"
    assert bound.period_cycles > throughput_bound(deep).period_cycles
    dead = MarkedGraph(transitions, with_depths(rings, [1] * (len(rings) - 1) + [0]))
    assert check_liveness(dead) is not None


# The rest is made by hand.


def graph_of(cycles: dict[str, int], *channels: tuple[str, str, int], **on: str) -> MarkedGraph:
    return MarkedGraph(
        tuple(Transition(name, n, on.get(name, f"pe {name}")) for name, n in cycles.items()),
        tuple(Channel(*channel) for channel in channels),
    )


def test_a_deadlock_says_who_waits_for_whom():
    # The skip of a residual block without a slot: conv wants what in cannot send before add reads.
    graph = graph_of(
        {"in": 1, "conv": 5, "add": 2, "out": 1},
        ("in", "conv", 2),
        ("in", "add", 0),
        ("conv", "add", 2),
        ("add", "out", 1),
    )
    assert simulate(graph, 1) == []
    assert str(check_liveness(graph)) == (
        "deadlock: in waits for add to give a credit of in -> add (depth 0); "
        "add waits for in to give a token of in -> add (depth 0)"
    )


def test_a_deadlock_round_channels_is_found_from_behind_it():
    graph = graph_of(
        {"out": 1, "a": 1, "b": 1, "c": 1},
        ("c", "out", 1),
        ("a", "b", 2),
        ("b", "c", 2),
        ("c", "a", 2),
    )
    deadlock = check_liveness(graph)
    assert deadlock is not None
    assert str(deadlock) == (
        "deadlock: c waits for b to give a token of b -> c (depth 2); "
        "b waits for a to give a token of a -> b (depth 2); "
        "a waits for c to give a token of c -> a (depth 2)"
    )
    assert [wait.waiter for wait in deadlock.waits] == ["c", "b", "a"]


def test_depth_1_means_in_turns():
    one = graph_of({"a": 3, "b": 4}, ("a", "b", 1))
    two = graph_of({"a": 3, "b": 4}, ("a", "b", 2))
    assert simulate(one, 3) == [7, 14, 21]
    assert simulate(two, 3) == [7, 11, 15]
    bound = throughput_bound(one)
    assert (bound.period_cycles, bound.kind) == (7, "credits")
    assert bound.limited_by == "a -> b -> a (1 credit)"
    assert bound.channels == (Channel("a", "b", 1),)
    bound = throughput_bound(two)
    assert (bound.period_cycles, bound.kind, bound.limited_by) == (4, "resource", "pe b")
    assert bound.transitions == ("b",)


def test_the_skip_of_a_residual_block_is_named():
    graph = graph_of(
        {"in": 4, "conv1": 4, "conv2": 4, "add": 1},
        ("in", "conv1", 2),
        ("conv1", "conv2", 2),
        ("conv2", "add", 2),
        ("in", "add", 2),
    )
    bound = throughput_bound(graph)
    assert bound.period_cycles == Fraction(13, 2) == steady_period(graph)
    assert bound.channels == (Channel("in", "add", 2),)
    assert set(bound.transitions) == {"in", "conv1", "conv2", "add"}


def test_a_shared_resource_is_named_with_its_load():
    graph = graph_of({"a": 3, "b": 4, "c": 6}, ("a", "b", 2), ("b", "c", 2), a="pe0", b="pe0")
    bound = throughput_bound(graph)
    assert (bound.period_cycles, bound.limited_by) == (7, "pe0")
    assert bound.transitions == ("a", "b")


def test_a_long_cycle_is_shortened_in_the_text_only():
    n = 30
    channels = [(f"t{i}", f"t{i + 1}", 2) for i in range(n - 1)]
    graph = graph_of({f"t{i}": 1 for i in range(n)}, *channels, ("t0", f"t{n - 1}", 1))
    bound = throughput_bound(graph)
    assert bound.period_cycles == n
    assert len(bound.transitions) == n
    assert bound.limited_by.count("->") == 7
    assert bound.limited_by.endswith("(1 credit)")


def test_what_is_no_graph_is_refused():
    with pytest.raises(ValueError, match="lasts -1 cycles"):
        Transition("a", -1, "pe")
    with pytest.raises(ValueError, match="a -> b has depth -1"):
        Channel("a", "b", -1)
    with pytest.raises(ValueError, match="two transitions have the name a"):
        MarkedGraph((Transition("a", 1, "x"), Transition("a", 1, "y")), ())
    with pytest.raises(ValueError, match="names b, which is no transition"):
        graph_of({"a": 1}, ("a", "b", 1))
    with pytest.raises(ValueError, match="without transitions"):
        throughput_bound(MarkedGraph((), ()))

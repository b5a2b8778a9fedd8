# SPDX-License-Identifier: Apache-2.0
"""Depths of channels, against all there are on small graphs."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.executor import simulate, steady_period
from mapping.random_graphs import (
    network,
    pipeline,
    random_ends,
    random_rings,
    random_transitions,
    report,
)
from weft.mapping.depths import Depths, Ring, choose_depths, with_depths
from weft.mapping.marked_graph import (
    Channel,
    MarkedGraph,
    Transition,
    in_turns,
    round_robin_period,
    throughput_bound,
)

EXAMPLES = settings().max_examples  # 3 in the quick profile
Row = tuple[tuple[int, int], ...]  # of a cycle: each ring, and how often the cycle passes it


def rows_of(
    transitions: Sequence[Transition], rings: Sequence[Ring], period: Fraction
) -> list[tuple[Row, int]]:
    """Of every simple cycle, where it passes and the credits that it needs; short rows first."""
    place = {t.name: i for i, t in enumerate(transitions)}
    edges: list[list[tuple[int, int]]] = [[] for _ in transitions]
    for r, ring in enumerate(rings):
        for producer, consumer in ring.channels:
            edges[place[producer]].append((place[consumer], -1))
            edges[place[consumer]].append((place[producer], r))

    def cycles(path: list[int], on: list[int]) -> Iterator[tuple[int, Row]]:
        for v, r in edges[path[-1]]:
            passed = [*on, r] if r >= 0 else on
            if v == path[0]:
                yield (
                    sum(transitions[u].cycles for u in path),
                    tuple(sorted(Counter(passed).items())),
                )
            elif v > path[0] and v not in path:
                yield from cycles([*path, v], passed)

    rows: dict[Row, int] = {}
    for root in range(len(transitions)):
        for total, row in cycles([root], []):
            rows[row] = max(rows.get(row, 1), -(-Fraction(total) // period))
    return sorted(rows.items(), key=lambda item: (len(item[0]), item))


def memory(rings: Sequence[Ring], depths: Sequence[int]) -> int:
    return sum(ring.slot_bytes * depth for ring, depth in zip(rings, depths, strict=True))


def least_bytes(transitions: Sequence[Transition], rings: Sequence[Ring], period: Fraction) -> int:
    """The exact minimum: by growing memory, deepens each ring of a row that is short (A*)."""
    rows = rows_of(transitions, rings, period)
    first = [ring.least for ring in rings]
    for row, need in rows:
        if len(row) == 1:
            ((r, times),) = row
            first[r] = max(first[r], -(-need // times))

    def look(depths: tuple[int, ...]) -> tuple[int, tuple[int, ...], Row]:
        """What any depths above these cost at least, and a row that they must meet."""
        short: Row = ()
        more = 0
        for row, need in rows:
            lack = need - sum(depths[r] * times for r, times in row)
            if lack > 0:
                short = short or row
                cheapest = min(rings[r].slot_bytes * lack // times for r, times in row)
                more = max(more, cheapest)
        return memory(rings, depths) + more, depths, short

    heap = [look(tuple(first))]
    seen = {tuple(first)}
    while True:
        total, depths, short = heapq.heappop(heap)
        if not short:
            return total
        for r, _ in short:
            deeper = (*depths[:r], depths[r] + 1, *depths[r + 1 :])
            if deeper not in seen:
                seen.add(deeper)
                heapq.heappush(heap, look(deeper))


def check(
    transitions: tuple[Transition, ...], rings: Sequence[Ring], chosen: Depths
) -> MarkedGraph:
    """All that must hold of any answer."""
    graph = MarkedGraph(transitions, with_depths(rings, chosen.depths))
    bound = throughput_bound(graph)
    assert bound.period_cycles <= chosen.period_cycles
    if chosen.period_cycles == throughput_bound(MarkedGraph(transitions, ())).period_cycles:
        assert (bound.kind, bound.period_cycles) == ("resource", chosen.period_cycles)
    assert chosen.bytes == memory(rings, chosen.depths)
    assert chosen.lower_bound <= chosen.bytes
    assert all(d >= ring.least for d, ring in zip(chosen.depths, rings, strict=True))
    return graph


def compare_with_brute_force(random: Random, most: int = 13, **options: int) -> tuple[float, float]:
    """Memory over the least, and the least over the lower bound."""
    n = random.randint(2, most)
    ends = random_ends(random, n, random.randint(2, n))
    transitions = random_transitions(random, n, random.choice((None, n - 1)))
    rings = random_rings(random, ends)
    longer = random.choice((1, 1, Fraction(random.randint(8, 20), 8)))
    period = throughput_bound(MarkedGraph(transitions, ())).period_cycles * longer
    guaranteed = random.random() < 0.3
    chosen = choose_depths(transitions, rings, period, guaranteed=guaranteed, **options)
    check(transitions, rings, chosen)
    least = least_bytes(in_turns(transitions) if guaranteed else transitions, rings, period)
    assert chosen.lower_bound <= least <= chosen.bytes
    assert chosen.gap >= chosen.bytes / least - 1 if least else chosen.gap == 0
    if not least:
        return 1.0, 1.0
    return chosen.bytes / least, least / chosen.lower_bound


def test_depths_against_brute_force(record_property):
    memory, bound = zip(*[compare_with_brute_force(Random(s)) for s in range(400)], strict=True)
    report(record_property, "depths, memory over the least", memory)
    report(record_property, "depths, the least over the lower bound", bound)
    # Of these seeds; no promise for others.
    assert sum(memory) / len(memory) < 1.001
    assert max(memory) < 1.1


@pytest.mark.parametrize("steps", [0, 3, 10, 30])
def test_depths_are_right_when_the_search_is_cut_short(steps, record_property):
    ratios = [compare_with_brute_force(Random(s), 8, steps=steps)[0] for s in range(100)]
    report(record_property, f"depths after {steps} steps, memory over the least", ratios)


@settings(max_examples=20 * EXAMPLES)
@given(st.randoms(use_true_random=False))
def test_drawn_depths_are_within_their_bounds(random):
    compare_with_brute_force(random, 7)


def test_no_ring_of_larger_graphs_can_spare_a_slot(record_property):
    gaps = []
    for seed in range(20):
        random = Random(seed)
        ends = random_ends(random, 40, 50)
        transitions = random_transitions(random, 40, None)
        rings = random_rings(random, ends)
        chosen = choose_depths(transitions, rings)
        check(transitions, rings, chosen)
        gaps.append(1 + chosen.gap)
        for r, (ring, depth) in enumerate(zip(rings, chosen.depths, strict=True)):
            if depth > ring.least and ring.slot_bytes:
                less = (*chosen.depths[:r], depth - 1, *chosen.depths[r + 1 :])
                graph = MarkedGraph(transitions, with_depths(rings, less))
                assert throughput_bound(graph).period_cycles > chosen.period_cycles
    report(record_property, "40 transitions, memory over the lower bound", gaps)
    # Of these seeds; no promise for others.
    assert sum(gaps) / len(gaps) < 1.05


def test_guaranteed_depths_reach_the_bottleneck(record_property):
    """On shared PEs, depths that credits just allow do not; how much each costs is reported."""
    plain_periods, bytes_ = [], []
    for seed in range(150):
        random = Random(seed)
        if seed % 2:
            transitions = pipeline(random, 8, 3)
            rings = [Ring(((f"t{i}", f"t{i + 1}"),), random.randint(1, 100)) for i in range(7)]
        else:
            n = random.randint(4, 10)
            transitions = random_transitions(random, n, random.randint(1, 4))
            rings = random_rings(random, random_ends(random, n, n // 2))
        plain = choose_depths(transitions, rings)
        period = steady_period(check(transitions, rings, plain))
        assert period is not None
        plain_periods.append(period / plain.period_cycles)
        sure = choose_depths(transitions, rings, guaranteed=True)
        graph = check(transitions, rings, sure)
        assert steady_period(graph) == sure.period_cycles == round_robin_period(graph)
        bytes_.append(sure.bytes / plain.bytes if plain.bytes else 1.0)
    report(record_property, "plain depths on shared PEs, period over bottleneck", plain_periods)
    report(record_property, "guaranteed depths, memory over plain", bytes_)


# The rest is made by hand.


RESIDUAL = (
    Transition("in", 4, "pe0"),
    Transition("conv1", 4, "pe1"),
    Transition("conv2", 4, "pe2"),
    Transition("add", 1, "pe3"),
)


def residual_rings(skip_bytes: int = 10) -> list[Ring]:
    main = [("in", "conv1"), ("conv1", "conv2"), ("conv2", "add")]
    return [*(Ring((pair,), 100) for pair in main), Ring((("in", "add"),), skip_bytes)]


def test_the_skip_of_a_residual_block_gets_what_it_needs():
    chosen = choose_depths(RESIDUAL, residual_rings())
    # in, conv1, conv2 and add take 13 cycles, and a frame comes every 4: four slots.
    assert chosen.depths == (2, 2, 2, 4)
    assert (chosen.bytes, chosen.lower_bound, chosen.gap) == (640, 640, 0.0)
    assert chosen.period_cycles == 4
    graph = check(RESIDUAL, residual_rings(), chosen)
    done = simulate(graph, 20)
    assert done[-1] - done[-2] == 4


def test_a_longer_period_takes_less_memory():
    totals = [
        choose_depths(RESIDUAL, residual_rings(), p).bytes for p in (4, 5, 7, Fraction(13, 2), 13)
    ]
    assert totals == [640, 530, 520, 520, 310]


def test_several_producers_fill_one_slot():
    transitions = (*RESIDUAL[:3], Transition("concat", 1, "pe3"))
    gathered = Ring((("in", "concat"), ("conv2", "concat")), 100)
    rings = [*residual_rings()[:2], gathered]
    chosen = choose_depths(transitions, rings)
    assert chosen.depths == (2, 2, 4)
    assert with_depths(rings, chosen.depths)[-2:] == (
        Channel("in", "concat", 4),
        Channel("conv2", "concat", 4),
    )
    assert chosen.bytes == 800


def test_least_slots_are_kept():
    rings = [Ring((("in", "add"),), 10, least=7)]
    assert choose_depths(RESIDUAL, rings).depths == (7,)
    idle = tuple(Transition(t.name, 0, t.resource) for t in RESIDUAL)
    assert choose_depths(idle, rings).depths == (7,)
    assert choose_depths(idle, residual_rings()).depths == (1, 1, 1, 1)


@pytest.mark.parametrize("pes", [None, 1000])
def test_thousands_of_shards(pes, record_property):
    transitions, rings = network(Random(1), 50, 104, 5, pes)
    for guaranteed in (False, True):
        chosen = choose_depths(transitions, rings, guaranteed=guaranteed)
        check(transitions, rings, chosen)
        report(record_property, f"gap of {len(rings)} rings, {guaranteed=}", [1 + chosen.gap])


def test_what_has_no_depths_is_refused():
    with pytest.raises(ValueError, match="without channels"):
        Ring((), 1)
    with pytest.raises(ValueError, match="a slot of -1 bytes"):
        Ring((("a", "b"),), -1)
    with pytest.raises(ValueError, match="0 slots in a ring"):
        Ring((("a", "b"),), 1, least=0)
    pair = (Transition("a", 3, "x"), Transition("b", 4, "x"))
    with pytest.raises(ValueError, match="kept 7 cycles a frame, and the period is 6"):
        choose_depths(pair, [Ring((("a", "b"),), 1)], 6)
    with pytest.raises(ValueError, match="close a cycle on the way to a"):
        choose_depths(pair, [Ring((("a", "b"), ("b", "a")), 1)])
    with pytest.raises(ValueError, match="close a cycle on the way to t"):
        choose_depths([Transition("t", 0, "x")], [Ring((("t", "t"),), 1)])
    with pytest.raises(ValueError, match="names c, which is no transition"):
        choose_depths(pair, [Ring((("a", "c"),), 1)])

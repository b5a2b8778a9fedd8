"""Boxes by rule and the balanced rule: what always holds of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.meshes import stage_graph
from support.networks import Network
from weft.dialects.stages import Stage
from weft.dialects.stages.base import shape_of
from weft.dialects.stages.box import Box
from weft.machines import PeClass
from weft.machines.model import CostData
from weft.mapping.balance import Worker, _Rule, balanced
from weft.mapping.cost import Costs, cost, cycles_for
from weft.mapping.loads import Load, Loads
from weft.mapping.mapping import Mapping
from weft.mapping.split import can_cut, cuttable_axes, grid_boxes, split, split_along
from weft.transforms.compilation import stages_of

BIG = PeClass("big", "cortex-m4f", 300_000_000, 4096, ())
LITTLE = PeClass("little", "cortex-m4f", 100_000_000, 4096, (), CostData(kinds={"conv2d": 3.0}))


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return network()


@functools.cache
def network() -> list[Stage]:
    """A chain with a skip, and stages that are cut at groups, by rows only, or not at all."""
    n = Network(np.random.default_rng(0))
    conv = n.conv2d(n.input((1, 9, 8, 4)), 10, (3, 3))
    wide = n.depthwise_conv2d(conv, (3, 3), multiplier=3)
    added = n.add(conv, n.conv2d(wide, 10, (1, 1)))
    pooled = n.max_pool2d(added, (2, 2), (2, 2))
    weights, zeros = np.ones((12, 1, 1, 5), np.int8), np.zeros(12, int)
    scale = {"scale": 0.1, "zero_point": 0}
    grouped = n.builder.conv2d(pooled.tensor, weights, zeros, np.full(12, 0.01), **scale)
    n.builder.output(n.softmax(n.fully_connected(n.flatten(pooled), 11)).tensor, grouped)
    return stages_of(stage_graph(n.builder.build()))


def check_whole(shape: Sequence[int], boxes: Sequence[Box]) -> None:
    """Every element is in one box."""
    count = np.zeros(shape, int)
    for box in boxes:
        assert box.is_inside(shape)
        count[tuple(slice(b, e) for b, e in zip(box.begin, box.end, strict=True))] += 1
    assert (count == 1).all()


def test_no_larger_box_is_in_time(stages: list[Stage]) -> None:
    for pe_class in (BIG, LITTLE):
        worker = Worker(0, pe_class, 1 << 20)
        rule = _Rule(stages, [worker])
        for index, stage in enumerate(stages):
            whole = Box.whole(shape_of(stage.result))
            limit = rule.seconds(index, whole, worker)
            assert rule.most_elements(index, limit, worker) == whole.size
            assert rule.most_elements(index, limit / 1e6, worker) == 0
            for fraction in (0.3, 0.7):
                size = rule.most_elements(index, limit * fraction, worker)
                cycles = [cycles_for(stage, n, pe_class) for n in (size, size + 1)]
                assert size == 0 or cycles[0] / pe_class.clock_hz <= limit * fraction
                assert cycles[1] / pe_class.clock_hz > limit * fraction


def test_a_time_that_no_piece_keeps_is_seen_at_once(stages: list[Stage]) -> None:
    workers = [Worker(i, BIG, 1 << 20) for i in range(7104)]
    rule = _Rule(stages, workers)
    assert rule.fill(BIG.cost.firing / BIG.clock_hz / 2) is None
    assert rule.splits == {}


@given(data=st.data())
@settings(max_examples=100)
def test_boxes_meet_where_both_are(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 6), min_size=0, max_size=4))
    boxes = []
    for _ in range(2):
        begin = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
        extents = (data.draw(st.integers(1, n - b)) for n, b in zip(shape, begin, strict=True))
        boxes.append(Box(begin, tuple(extents)))
    count = np.zeros(shape, int)
    for box in boxes:
        count[tuple(slice(b, e) for b, e in zip(box.begin, box.end, strict=True))] += 1
    common = boxes[0].meet(boxes[1])
    assert common == boxes[1].meet(boxes[0])
    if common is None:
        assert not (count == 2).any()
    else:
        where = tuple(slice(b, e) for b, e in zip(common.begin, common.end, strict=True))
        assert (count[where] == 2).all()
        assert (count == 2).sum() == common.size


@given(data=st.data())
@settings(max_examples=100)
def test_grids(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    counts = [data.draw(st.integers(1, extent)) for extent in shape]
    boxes = grid_boxes(shape, counts)
    assert len(boxes) == np.prod(counts)
    check_whole(shape, boxes)
    for axis in range(len(shape)):
        extents = {box.shape[axis] for box in boxes}
        assert max(extents) - min(extents) <= 1


@pytest.mark.parametrize("pieces", [*range(1, 20), 40, 148])
def test_split(stages: list[Stage], pieces: int) -> None:
    for stage in stages:
        boxes = split(stage, pieces, BIG)
        assert 1 <= len(boxes) <= pieces
        assert boxes == split(stage, pieces, BIG)
        check_whole(shape_of(stage.result), boxes)
        for box in boxes:
            stage.cut(box)
        fewer = split(stage, max(1, pieces - 1), BIG)
        assert max(b.size for b in boxes) <= max(b.size for b in fewer)


def test_split_uses_all_pieces_where_it_can(stages: list[Stage]) -> None:
    found = {s.kind: len(split(s, 4, BIG)) for s in stages}
    assert found["conv2d"] == found["depthwise"] == found["binary"] == 4
    assert found["softmax"] == found["reshape"] == 1


def test_split_along(stages: list[Stage]) -> None:
    for stage in stages:
        shape = shape_of(stage.result)
        for axis, extent in enumerate(shape):
            for pieces in range(1, extent + 2):
                boxes = split_along(stage, axis, pieces)
                if boxes:
                    assert len(boxes) == pieces
                    assert pieces == 1 or axis in cuttable_axes(stage)
                    check_whole(shape, boxes)
                    assert all(can_cut(stage, box) for box in boxes)
        assert all(split_along(stage, axis, 2) for axis in cuttable_axes(stage))


# The rule


def workers_of(kinds: Sequence[PeClass], capacity: int, first: int = 0) -> list[Worker]:
    return [
        Worker(first + i, kind, capacity * (2 if kind is BIG else 1))
        for i, kind in enumerate(kinds)
    ]


def check_mapping(stages: list[Stage], workers: Sequence[Worker], found: Mapping) -> None:
    by_pe = {worker.pe: worker for worker in workers}
    assert list(found.stages) == [s.label.data for s in stages]
    for stage in stages:
        shards = found.stages[stage.label.data]
        check_whole(shape_of(stage.result), [shard.box for shard in shards])
        assert len({shard.pe for shard in shards}) == len(shards)
        assert all(shard.pe in by_pe for shard in shards)
    # Neighbours share a PE, and nobody comes back to one.
    order = [shard.pe for s in stages for shard in found.stages[s.label.data]]
    places = [workers.index(by_pe[pe]) for pe, _ in groupby(order)]
    assert places == sorted(set(places))
    rule = _Rule(stages, workers)
    for worker in workers:
        mine = [
            (i, shard.box)
            for i, s in enumerate(stages)
            for shard in found.stages[s.label.data]
            if shard.pe == worker.pe
        ]
        whole = [i for i, box in mine if box == Box.whole(shape_of(stages[i].result))]
        if whole:
            assert len(whole) == len(mine) and whole == list(range(whole[0], whole[-1] + 1))
        group = rule.group_bytes(whole[0], whole[-1], worker) if whole else 0
        if len(mine) == 1:
            # A group counts all of what it reads; a pool may leave out a row.
            ((i, box),) = mine
            group = min(group or 1 << 30, cost(stages[i], box, worker.pe_class).memory_bytes)
        assert group <= worker.capacity
        assert whole or len(mine) <= 1


def period(stages: list[Stage], workers: Sequence[Worker], found: Mapping) -> float:
    """Seconds a frame of the slowest PE."""
    by_pe = {worker.pe: worker for worker in workers}
    load = dict.fromkeys(by_pe, 0.0)
    for stage in stages:
        for shard in found.stages[stage.label.data]:
            pe_class = by_pe[shard.pe].pe_class
            load[shard.pe] += cost(stage, shard.box, pe_class).cycles / pe_class.clock_hz
    return max(load.values())


@given(
    kinds=st.lists(st.sampled_from([BIG, LITTLE]), min_size=1, max_size=20),
    capacity=st.integers(0, 8000),
    first=st.integers(0, 100),
)
@settings(max_examples=40)
def test_balanced(kinds: list[PeClass], capacity: int, first: int) -> None:
    stages = network()  # no argument: Hypothesis would print it, which takes for ever
    workers = workers_of(kinds, capacity, first)
    found = balanced(stages, workers)
    assert found == balanced(stages, workers)
    if found is not None:
        check_mapping(stages, workers, found)


@pytest.mark.parametrize("kind", [BIG, LITTLE])
def test_more_pes_are_never_slower(stages: list[Stage], kind: PeClass) -> None:
    periods = []
    for count in range(1, 25):
        workers = workers_of([kind] * count, 1 << 20)
        found = balanced(stages, workers)
        assert found is not None
        check_mapping(stages, workers, found)
        periods.append(period(stages, workers, found))
    assert all(b <= a * (1 + 1e-9) for a, b in pairwise(periods))
    assert periods[7] < periods[0] / 4


# Multiply-accumulates and messages only, so that figures can be foretold.
TALKATIVE = replace(
    BIG, cost=CostData(mac=1, element=0, byte=0, message=200, task=10, firing=100), name="talkative"
)


def load_on(stages: list[Stage], count: int, most_work: float = inf) -> tuple[Mapping, Load]:
    workers = workers_of([TALKATIVE] * count, 1 << 20)
    found = balanced(stages, workers, most_work=most_work)
    assert found is not None
    check_mapping(stages, workers, found)
    classes = {worker.pe: worker.pe_class for worker in workers}
    return found, Loads(stages, classes, {}, Costs()).of(found.stages)


def test_no_more_work_than_allowed(stages: list[Stage]) -> None:
    alone, bare = load_on(stages, 1)
    assert len(alone.pes) == 1 and bare.ratio == 1
    loads = [load_on(stages, 40, most)[1] for most in (1.0, 1.02, 1.1, 1.25, 2.0, inf)]
    for load, most in zip(loads, (1.0, 1.02, 1.1, 1.25, 2.0, inf), strict=True):
        assert load.ratio <= most
    assert loads[0].ratio == 1
    assert all(b.seconds <= a.seconds for a, b in pairwise(loads))
    # The fastest takes more work than the usual bound, which still is much faster than one PE.
    assert loads[-1].ratio > 1.25 and loads[-1].seconds < loads[3].seconds < loads[0].seconds / 5


def test_where_none_takes_so_little_the_least_work_is_taken(stages: list[Stage]) -> None:
    """One PE has no room for all."""
    small = workers_of([TALKATIVE] * 40, 2000)
    found = [balanced(stages, small, most_work=most) for most in (1.0, inf)]
    loads = Loads(stages, {worker.pe: TALKATIVE for worker in small}, {}, Costs())
    least, fastest = (loads.of(mapping.stages) for mapping in found if mapping is not None)
    assert 1 < least.ratio < fastest.ratio
    assert least.seconds > fastest.seconds


def test_pes_that_would_only_talk_stay_idle(stages: list[Stage]) -> None:
    """More of them are never slower, and from some number on none of them is used."""
    loads = [load_on(stages, count) for count in (1, 2, 4, 8, 16, 32, 64, 128, 256)]
    assert all(b.seconds <= a.seconds * (1 + 1e-9) for (_, a), (_, b) in pairwise(loads))
    assert len(loads[-1][0].pes) < 128
    assert loads[-1][0].stages == loads[-2][0].stages


def test_faster_pes_get_more(stages: list[Stage]) -> None:
    """Three big and six little ones: better than the big ones alone, or nine little ones."""
    mixed = workers_of([BIG] * 3 + [LITTLE] * 6, 1 << 20)
    found = balanced(stages, mixed)
    assert found is not None
    for kinds in ([BIG] * 3, [LITTLE] * 9):
        workers = workers_of(kinds, 1 << 20)
        other = balanced(stages, workers)
        assert other is not None
        assert period(stages, mixed, found) < period(stages, workers, other)


def test_what_no_little_pe_holds_goes_to_a_big_one(stages: list[Stage]) -> None:
    """A stage that cannot be cut, where the first PEs are too small for it."""
    last = [s for s in stages if s.kind == "softmax"]
    needs = cost(last[0], Box.whole(shape_of(last[0].result)), BIG).memory_bytes
    workers = [Worker(i, LITTLE, needs - 1) for i in range(3)] + [Worker(7, BIG, needs)]
    found = balanced(last, workers)
    assert found is not None
    assert [shard.pe for shards in found.stages.values() for shard in shards] == [7]
    assert balanced(last, workers[:3]) is None


def test_slow_pes_first_do_not_hide_fast_ones(stages: list[Stage]) -> None:
    slow = PeClass("slow", "cortex-m4f", 1_000_000, 4096, ())
    workers = [Worker(0, slow, 1 << 20), *workers_of([BIG] * 3, 1 << 20, 1)]
    found, without = balanced(stages, workers), balanced(stages, workers[1:])
    assert found is not None and without is not None
    assert period(stages, workers, found) <= period(stages, workers, without) * (1 + 1e-6)


def test_no_pes_and_no_room(stages: list[Stage]) -> None:
    assert balanced(stages, []) is None
    assert balanced(stages, workers_of([BIG] * 100, 0)) is None
    fixed = balanced(stages, workers_of([BIG], 1 << 20))
    assert fixed is not None
    assert balanced(stages, [], fixed.stages) == fixed

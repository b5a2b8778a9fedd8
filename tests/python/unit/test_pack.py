"""Packing of buffers with known lifetimes: what must hold for every packing, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from weft.transforms.pack import Item, Packing, pack

many = settings(max_examples=40 * settings().max_examples, phases=tuple(Phase))

intervals = st.lists(
    st.tuples(st.integers(-1, 12), st.integers(0, 4)).map(lambda p: (p[0], p[0] + p[1])),
    min_size=1,
    max_size=3,
).map(tuple)
items = st.lists(st.builds(Item, st.integers(1, 200), intervals), max_size=9)
alignments = st.sampled_from([1, 4, 16])


def _meet(a: Item, b: Item) -> bool:
    """Whether there is a time at which both are alive, counted out."""
    times = [{t for s, e in item.intervals for t in range(s, e + 1)} for item in (a, b)]
    return bool(times[0] & times[1])


def _check(given_items: Sequence[Item], packing: Packing, alignment: int) -> None:
    assert len(packing.offsets) == len(given_items)
    placed = list(zip(given_items, packing.offsets, strict=True))
    for item, offset in placed:
        assert offset >= 0 and offset % alignment == 0
        assert offset + item.size <= packing.peak
    for (a, at), (b, bt) in combinations(placed, 2):
        if _meet(a, b):
            assert at + a.size <= bt or bt + b.size <= at, (a, at, b, bt)
    assert packing.peak == max((at + item.size for item, at in placed), default=0)
    assert packing.lower_bound <= packing.peak


@many
@given(items, alignments)
def test_items_alive_together_are_apart(given_items: list[Item], alignment: int) -> None:
    _check(given_items, pack(given_items, alignment), alignment)


@many
@given(items, alignments)
def test_lower_bound_counts_what_is_alive(given_items: list[Item], alignment: int) -> None:
    """Nothing fits into less than the bound, and without padding it is the largest sum."""
    bound = pack(given_items, alignment).lower_bound
    times = range(-1, 17)
    alive = [
        [i.size for i in given_items if any(s <= t <= e for s, e in i.intervals)] for t in times
    ]
    assert bound >= max(map(sum, alive), default=0)
    if alignment == 1:
        assert bound == max(map(sum, alive), default=0)


@many
@given(items, alignments, st.integers(0, 3))
def test_packing_is_reproducible(given_items: list[Item], alignment: int, seed: int) -> None:
    assert pack(given_items, alignment, seed) == pack(list(given_items), alignment, seed)


@many
@given(items, st.permutations(range(9)))
def test_order_does_not_matter_to_what_is_right(given_items: list[Item], order: list[int]) -> None:
    shuffled = [given_items[i] for i in order if i < len(given_items)]
    _check(shuffled, pack(shuffled, 16), 16)


def _optimum(given_items: Sequence[Item]) -> int:
    """The best peak: in some order, every item lies on one of those before it, or on the floor."""
    best = sum(item.size for item in given_items)
    for order in permutations(given_items):
        placed: list[tuple[Item, int]] = []
        for item in order:
            rivals = sorted((at, at + other.size) for other, at in placed if _meet(item, other))
            at = 0
            for begin, end in rivals:
                if at + item.size <= begin:
                    break
                at = max(at, end)
            placed.append((item, at))
        best = min(best, max(at + item.size for item, at in placed))
    return best


small_items = st.lists(st.builds(Item, st.integers(1, 30), intervals), min_size=1, max_size=5)


def test_small_instances_against_all_orders(record_testsuite_property) -> None:
    ratios: list[float] = []

    @settings(many, database=None)
    @given(small_items)
    def measure(given_items: list[Item]) -> None:
        packing = pack(given_items, 1)
        best = _optimum(given_items)
        assert packing.lower_bound <= best <= packing.peak
        ratios.append(packing.peak / best)
        assert packing.peak <= best * 1.1, (given_items, packing, best)

    measure()
    worst = max(ratios)
    record_testsuite_property("worst ratio of a packing to the best order", round(worst, 4))
    print(f"worst ratio of a packing to the best one: {worst:.4f} in {len(ratios)} instances")


def test_search_goes_beyond_its_first_orders() -> None:
    """First fit in the order of size, area or time needs 22 or more bytes here."""
    lives = [(5, 5, 5), (10, 2, 2), (9, 4, 4), (5, 3, 4), (8, 0, 3)]
    given_items = [Item(size, ((first, last),)) for size, first, last in lives]
    assert _optimum(given_items) == 18
    assert pack(given_items, 1).peak == 18


@pytest.mark.parametrize("alignment", [1, 16])
def test_edges(alignment: int) -> None:
    assert pack([], alignment) == Packing((), 0, 0)
    assert pack([Item(7, ((3, 3),))], alignment) == Packing((0,), 7, 7)
    apart = [Item(7, ((0, 1), (4, 5))), Item(9, ((2, 3),))]
    assert pack(apart, alignment) == Packing((0, 0), 9, 9)
    together = [Item(7, ((0, 2),)), Item(9, ((2, 3),))]
    assert pack(together, alignment).peak == (16 if alignment == 1 else 23)


def test_last_item_needs_no_padding() -> None:
    packing = pack([Item(1, ((0, 0),)), Item(20, ((0, 0),))], 16)
    assert packing == Packing((32, 0), 33, 33)

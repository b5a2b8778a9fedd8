"""The worst case of accumulators, against the bit-true model of the array: nothing is missed, and
what is refused does go wrong for some input."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.mac_array_library import MacArrayLibrary
from devices.mac_array_reference import Array, Case
from weft.devices.accumulators import (
    Accumulator,
    Operands,
    overflows,
    split_reduction,
    sum_range,
)

INT8 = Operands(-128, 127)
#: Ranges of signed operands; those of one sign are what a ReLU leaves of raw ones.
RANGES = st.sampled_from([INT8, Operands(0, 127), Operands(20, 127), Operands(-128, -5)])
many = settings(max_examples=30 * settings().max_examples)


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    """Weights [out, taps]."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([3, 30, 127]))
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 40)))
    return rng.integers(-spread, spread + 1, shape).astype(np.int8)


def sums(mac_array: MacArrayLibrary, x: np.ndarray, weights: np.ndarray, kind: Accumulator):
    """What the array makes of operands ``x`` [taps] and ``weights`` [out, taps]: [out]."""
    case = Case(x=x[None, None], weights=weights[:, None, None])
    return mac_array.run(case, Array(kind.bits, kind.saturates))[0, 0]


def exact(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights.astype(np.int64) @ x.astype(np.int64)


def worst_inputs(weights: np.ndarray, operands: Operands) -> list[np.ndarray]:
    """For each channel the operands of its highest and of its lowest sum."""
    low, high = np.int8(operands.low), np.int8(operands.high)
    inputs = [np.where(row > 0, high, low) for row in weights]
    return inputs + [np.where(row > 0, low, high) for row in weights]


@many
@given(matrices(), RANGES)
def test_ranges_are_reached(weights: np.ndarray, operands: Operands) -> None:
    lowest, highest = sum_range(weights, operands)
    reached = np.array([exact(x, weights) for x in worst_inputs(weights, operands)])
    np.testing.assert_array_equal(reached.max(axis=0), highest)
    np.testing.assert_array_equal(reached.min(axis=0), lowest)


@pytest.mark.parametrize("saturates", [False, True])
def test_overflow_is_told_if_and_only_if_it_can_be(
    mac_array: MacArrayLibrary, saturates: bool
) -> None:
    told = []

    # Narrow accumulators, so that few taps fill them: the model does not mind.
    @many
    @given(matrices(), RANGES, st.integers(9, 18), st.integers(0, 2**32 - 1))
    def check(weights: np.ndarray, operands: Operands, bits: int, seed: int) -> None:
        kind = Accumulator(bits, saturates)
        rng = np.random.default_rng(seed)
        random = rng.integers(operands.low, operands.high + 1, (20, weights.shape[1]))
        inputs = [*worst_inputs(weights, operands), *random.astype(np.int8)]
        is_wrong = any(
            (sums(mac_array, x, weights, kind) != exact(x, weights)).any() for x in inputs
        )
        told.append(overflows(weights, operands, kind))
        assert told[-1] == is_wrong

    check()
    assert True in told
    assert False in told


def test_only_saturating_accumulators_mind_the_way() -> None:
    """Operands that cannot be zero: a sum may rise and fall again for every input."""
    weights = np.array([[100] * 10 + [-100] * 10], np.int8)
    operands = Operands(10, 12)
    # The sum is 10 * 100 * (12 - 10) at most; after ten taps it is at least 10 * 100 * 10.
    assert not overflows(weights, operands, Accumulator(13, saturates=False))
    assert overflows(weights, operands, Accumulator(13, saturates=True))


@pytest.mark.parametrize("saturates", [False, True])
def test_split_sums_are_right_and_no_fewer_parts_would_be(
    mac_array: MacArrayLibrary, saturates: bool
) -> None:
    counts = []

    @many
    @given(
        matrices(),
        st.sampled_from([INT8, Operands(0, 127)]),
        st.integers(13, 18),
        st.sampled_from([1, 2, 4]),
    )
    def check(weights: np.ndarray, operands: Operands, bits: int, rows: int) -> None:
        kind = Accumulator(bits, saturates)
        channels = weights.shape[1]
        window = np.stack([np.roll(weights, i, axis=0) for i in range(rows)], axis=1)
        window = window.reshape(weights.shape[0], rows, 1, channels)
        parts = split_reduction(window, operands, kind)

        def fits(start: int, stop: int) -> bool:
            part = window[..., start:stop].reshape(weights.shape[0], -1)
            return not overflows(part, operands, kind)

        if parts is None:
            assert not all(fits(c, c + 1) for c in range(channels))
            return
        counts.append(len(parts))
        assert [start for start, _ in parts] == [0, *(stop for _, stop in parts[:-1])]
        assert parts[-1][1] == channels
        flat = [window[..., a:b].reshape(weights.shape[0], -1) for a, b in parts]
        for inputs in worst_inputs(window.reshape(weights.shape[0], -1), operands):
            x = inputs.reshape(rows, 1, channels)
            pieces = [x[..., a:b].ravel() for a, b in parts]
            total = sum(
                sums(mac_array, piece, part, kind).astype(np.int64)
                for piece, part in zip(pieces, flat, strict=True)
            )
            np.testing.assert_array_equal(total, exact(x.ravel(), window.reshape(len(window), -1)))
        if 2 <= len(parts) <= 4:  # every way to cut into one part less
            for cuts in combinations(range(1, channels), len(parts) - 2):
                assert not all(fits(a, b) for a, b in pairwise([0, *cuts, channels]))

    check()
    assert max(counts) > 1


@pytest.mark.parametrize("saturates", [False, True])
def test_a_convolution_that_24_bits_cannot_hold(
    mac_array: MacArrayLibrary, saturates: bool
) -> None:
    """3x3 over 192 channels with large weights: wrong at once, right in parts added by the core."""
    rng = np.random.default_rng(3)
    weights = rng.integers(60, 128, (16, 3, 3, 192)).astype(np.int8)
    x = np.full((3, 3, 192), 127, np.int8)
    expected = exact(x.ravel(), weights.reshape(16, -1))
    array = Array(24, saturates)
    assert (mac_array.run(Case(x=x, weights=weights), array)[0, 0] != expected).all()

    for axis in (3, 1):
        parts = split_reduction(weights, INT8, Accumulator(24, saturates), axis)
        assert parts is not None
        assert len(parts) == 3
        total = np.zeros(16, np.int64)
        for start, stop in parts:
            of_weights = np.take(weights, range(start, stop), axis)
            of_x = np.take(x, range(start, stop), axis - 1)
            total += mac_array.run(Case(x=of_x, weights=of_weights), array)[0, 0]
        np.testing.assert_array_equal(total, expected)


def test_nothing_helps_a_step_that_overflows_alone() -> None:
    weights = np.full((1, 30, 30, 2), 127, np.int8)
    assert split_reduction(weights, INT8, Accumulator(24, saturates=False)) is None
    rows = split_reduction(weights, INT8, Accumulator(24, saturates=False), axis=1)
    # A row is 60 * 128 * 127 = 975,360; eight of them are within 2^23.
    assert rows == [(0, 8), (8, 16), (16, 24), (24, 30)]


@many
@given(matrices(), st.sampled_from([1, 2, 4]), st.integers(1, 12), st.sampled_from([12, 14, 24]))
def test_parts_are_as_long_and_begin_where_they_may(
    weights: np.ndarray, multiple: int, most: int, bits: int
) -> None:
    kind = Accumulator(bits, saturates=True)
    taps = weights.shape[1]
    parts = split_reduction(weights, INT8, kind, multiple=multiple, most=most)
    if parts is None:  # there is a place from which no part that may be is right
        assert any(
            start + multiple <= taps
            and (most < multiple or overflows(weights[:, start : start + multiple], INT8, kind))
            for start in range(0, taps, multiple)
        ) or any(overflows(weights[:, start:], INT8, kind) for start in range(0, taps, multiple))
        return
    assert [start for start, _ in parts] == [0, *(stop for _, stop in parts[:-1])]
    assert parts[-1][1] == taps
    for start, stop in parts:
        assert start % multiple == 0 and 0 < stop - start <= most
        assert not overflows(weights[:, start:stop], INT8, kind)


def test_parts_are_the_fewest() -> None:
    weights = np.ones((2, 1, 1, 70), np.int8)
    wide = Accumulator(32, saturates=False)
    assert split_reduction(weights, INT8, wide, 3, most=32) == [(0, 32), (32, 64), (64, 70)]
    assert split_reduction(weights, INT8, wide, 3, most=35) == [(0, 35), (35, 70)]
    assert split_reduction(weights, INT8, wide, 3, most=35, multiple=4) == [
        (0, 32),
        (32, 64),
        (64, 70),
    ]
    assert split_reduction(weights, INT8, wide, 3, most=70, multiple=16) == [(0, 70)]
    assert split_reduction(weights, INT8, wide, 3, most=3, multiple=4) is None

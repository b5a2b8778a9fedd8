"""The model of the array against what its header says, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import bundled
from devices.mac_array_cases import cases
from devices.mac_array_library import MacArrayLibrary
from devices.mac_array_reference import ARRAYS, Array, Case, result


def assert_same(mac_array: MacArrayLibrary, case: Case, array: Array, **layout: int) -> None:
    np.testing.assert_array_equal(mac_array.run(case, array, **layout), result(case, array))


@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_random_jobs(mac_array: MacArrayLibrary, array: Array) -> None:
    @settings(max_examples=15 * settings().max_examples)
    @given(cases(array), st.integers(0, 5), st.integers(0, 5))
    def check(case: Case, pixel_gap: int, row_gap: int) -> None:
        assert_same(mac_array, case, array, pixel_gap=pixel_gap, row_gap=row_gap)

    check()


def long_sum(bits: int, depthwise: bool) -> Case:
    """One result each of 16 channels, whose sums leave an accumulator of ``bits`` on the way and
    come back: in the order of taps they rise to about 1.5 times the limit and fall again."""
    taps = (3 << (bits - 2)) // (127 * 127)
    rise = np.full(taps, 127, np.int8)
    fall = np.full(taps // 2, -127, np.int8)
    x = np.concatenate([rise, fall])
    weights = np.full((16, x.size), 127, np.int8)
    if depthwise:
        x = np.tile(x[:, None], (1, 16))[None]
        return Case(x=x, weights=weights[:, None, :, None], depthwise=True)
    return Case(x=x[None, None], weights=weights[:, None, None])


@pytest.mark.parametrize("bits", [24, 29, 32])
@pytest.mark.parametrize("depthwise", [False, True])
def test_limits_are_met_step_by_step(
    mac_array: MacArrayLibrary, bits: int, depthwise: bool
) -> None:
    case = long_sum(bits, depthwise)
    x = case.x[0, :, 0] if depthwise else case.x[0, 0]
    exact = 127 * int(x.sum(dtype=np.int64))
    assert -(1 << (bits - 1)) <= exact < 1 << (bits - 1)
    wrapped = mac_array.run(case, Array(bits, saturates=False))
    assert (wrapped == exact).all(), "what leaves and comes back is right where sums wrap"
    saturated = mac_array.run(case, Array(bits, saturates=True))
    fall = 127 * int(np.minimum(x, 0).sum(dtype=np.int64))
    assert (saturated == (1 << (bits - 1)) - 1 + fall).all(), "and wrong where they saturate"
    assert (saturated < exact).all()


@pytest.mark.parametrize("bits", [24, 29, 32])
@pytest.mark.parametrize("saturates", [False, True])
@pytest.mark.parametrize("signs", [(127, 127), (127, -127), (-127, -127)])
def test_sums_at_the_limits(
    mac_array: MacArrayLibrary, bits: int, saturates: bool, signs: tuple[int, int]
) -> None:
    """The largest sum that fits is right, one step more is not, on both sides of zero."""
    fits = ((1 << (bits - 1)) - 1) // (127 * 127)
    array = Array(bits, saturates)
    for taps in (fits, fits + 1):
        x = np.full((1, 1, taps), signs[0], np.int8)
        weights = np.full((1, 1, 1, taps), signs[1], np.int8)
        case = Case(x=x, weights=weights)
        exact, half = taps * signs[0] * signs[1], 1 << (bits - 1)
        wrapped = (exact + half) % (2 * half) - half
        saturated = min(max(exact, -half), half - 1)
        assert (exact == wrapped == saturated) == (taps == fits)
        assert mac_array.run(case, array).item() == (saturated if saturates else wrapped)


def test_shift_rounds_down_and_output_truncates(mac_array: MacArrayLibrary) -> None:
    x = np.array([[[100]]], np.int8)
    weights = np.array([100, -100, 3, -3], np.int8).reshape(4, 1, 1, 1)
    case = Case(x=x, weights=weights, shift=3, out_bits=8)
    # 10000 >> 3 is 1250 = 4 * 256 + 226; -300 >> 3 is -38, not -37.
    assert mac_array.run(case, Array()).ravel().tolist() == [226 - 256, 30, 37, -38]
    relu = Case(x=x, weights=weights, shift=3, out_bits=16, relu=True)
    assert mac_array.run(relu, Array()).ravel().tolist() == [1250, 0, 37, 0]
    weights = np.array([1, 0, -1], np.int8).reshape(3, 1, 1, 1)
    one = Case(x=np.array([[[1]]], np.int8), weights=weights, relu=True)
    assert mac_array.run(one, Array()).ravel().tolist() == [1, 0, 0]


def test_packed_weights_lie_where_the_header_says() -> None:
    weights = np.arange(20 * 2 * 3 * 5, dtype=np.int16).astype(np.int8).reshape(20, 2, 3, 5)
    module = bundled.module("mac_array", "weights")
    packed = np.frombuffer(module.pack(weights), np.int8)
    assert packed.size == module.packed_bytes(20, 2 * 3 * 5) == 2 * 16 * 30
    for index, weight in np.ndenumerate(weights):
        block, (i, j, c) = index[0] // 16, index[1:]
        tap = (i * 3 + j) * 5 + c
        assert packed[(block * 30 + tap) * 16 + index[0] % 16] == weight
    assert (packed.reshape(2, 30, 16)[1, :, 4:] == 0).all()

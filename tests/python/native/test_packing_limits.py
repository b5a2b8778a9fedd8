# SPDX-License-Identifier: Apache-2.0
"""What may be packed and what may not, at the edges: what is accepted is right for the worst input,
and what is refused would be wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from native import reference_kernels as reference
from native.hand_written_cases import KERNELS
from native.kernel_library import Kernels
from native.reference_kernels import Output
from weft.kernels.add_exact import AddExact, exact_operand
from weft.kernels.conv2d_packed import Conv2dPacked
from weft.kernels.depthwise_packed import (
    Depthwise3x3,
    DepthwisePacked,
    can_pack_depthwise,
    pack_depthwise,
    pack_depthwise_3x3,
)
from weft.kernels.dot_packing import Channels, can_pack, pack, pair_count

OUTPUT = Output(0, -128, 127)
EVEN, ODD = 2, 1
TAPS = 9
# Brings sums near 2^31, or near 2^23, into the range of int8.
SHIFT_OF = {31: 24, 23: 16}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return Kernels(tmp_path_factory.mktemp("limits") / "program", KERNELS)


def channels(taps: int = TAPS, shift: int = 16) -> Channels:
    """Four channels that do nothing."""
    return Channels(
        weights=np.zeros((4, 1, taps), np.int8),
        bias=np.zeros(4, np.int32),
        multiplier=np.full(4, 2**30 + 12345, np.int32),
        shift=np.full(4, -shift, np.int8),
    )


def with_channel(given: Channels, number: int, weight: int, bias: int) -> Channels:
    """One of them with the same weight at all taps."""
    weights, biases = given.weights.copy(), given.bias.copy()
    weights[number], biases[number] = weight, bias
    return replace(given, weights=weights, bias=biases)


def expected(given: Channels, x: np.ndarray) -> np.ndarray:
    """Of one window ``[taps, channels]`` or ``[taps, 1]``."""
    weights = given.weights[:, 0].astype(np.int64).T
    sums = (x.astype(np.int64) * weights).sum(axis=0) + given.bias
    return reference.finished(
        sums, given.multiplier.astype(np.int64), given.shift.astype(np.int64), OUTPUT
    )


def dot_is_right(kernels: Kernels, given: Channels, value: int) -> bool:
    """A dense layer of inputs that are all ``value``, two rows at a time and one alone."""
    taps = given.weights.shape[2]
    stream = pack(given)
    wanted = expected(given, np.full((taps, 1), value))
    results = []
    for rows in (1, 2):
        out = np.zeros(4 * rows, np.int8)
        numbers = dict.fromkeys(Conv2dPacked.numbers, 0)
        numbers |= {"out_h": 1, "out_w": rows, "out_channels": 4, "runs_h": 1, "runs_w": 1}
        numbers |= {"run": taps, "x_right": taps, "out_pixel": 4, **vars(OUTPUT)}
        x = np.full(rows * taps, value, np.int8)
        workspace = np.zeros(2 * pair_count(1, taps), np.int32)
        kernels.call(Conv2dPacked(), x=x, packed=stream, workspace=workspace, out=out, **numbers)
        results.append(bool(np.all(out.reshape(rows, 4) == wanted)))
    return all(results)


def depthwise_is_right(kernels: Kernels, given: Channels, value: int) -> bool:
    """Both depthwise kernels on two windows of 3x3."""
    x = np.full(3 * 4 * 4, value, np.int8)
    wanted = np.tile(expected(given, np.full((TAPS, 4), value)), 2)
    size = {"out_h": 1, "out_w": 2, "channels": 4, "x_row": 16, "x_down": 0}
    size |= {"out_row": 8, "out_pixel": 4, **vars(OUTPUT)}
    taps = {"kernel_h": 3, "kernel_w": 3, "x_tap": 4, "x_right": 4}
    out, out_3x3 = np.zeros(8, np.int8), np.zeros(8, np.int8)
    packed = pack_depthwise(given)
    kernels.call(DepthwisePacked(), x=x, packed=packed, out=out, **size, **taps)
    packed = pack_depthwise_3x3(given)
    kernels.call(Depthwise3x3(), x=x, packed=packed, out=out_3x3, **size, x_pixel=4)
    return bool(np.all(out == wanted) and np.all(out_3x3 == wanted))


KINDS = {"dot": (can_pack, dot_is_right), "depthwise": (can_pack_depthwise, depthwise_is_right)}
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize("bias", [2**31 - 1, -(2**31), 2**31 - 128 * TAPS * 127, 2**30, -(2**30)])
@pytest.mark.parametrize("weight", [127, -127, 1, 0])
def test_even_channels_of_any_sum(kernels: Kernels, kind: str, weight: int, bias: int) -> None:
    """Also of one that wraps, as TensorFlow Lite Micro's does."""
    accepts, is_right = KINDS[kind]
    given = with_channel(channels(shift=SHIFT_OF[31]), EVEN, weight, bias)
    assert accepts(given)
    for value in (-128, -1, 0, 127):
        assert is_right(kernels, given, value)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("weight", [127, -127, 1, 0])
def test_the_largest_sums_of_odd_channels(kernels: Kernels, weight: int, sign: int) -> None:
    room = 2**23 - 1 - 128 * TAPS * abs(weight)
    given = with_channel(channels(shift=SHIFT_OF[23]), ODD, weight, sign * room)
    assert can_pack(given)
    for value in (-128, -1, 0, 127):
        assert dot_is_right(kernels, given, value)
    more = with_channel(given, ODD, weight, sign * (room + 1))
    assert not can_pack(more)
    assert can_pack_depthwise(more)
    assert depthwise_is_right(kernels, more, -128)


def test_larger_sums_of_odd_channels_would_be_wrong(kernels: Kernels) -> None:
    given = with_channel(channels(shift=SHIFT_OF[23]), ODD, -127, 2**23 - 128 * TAPS * 127)
    assert not dot_is_right(kernels, given, -128)


@pytest.mark.parametrize("sign", [1, -1])
def test_both_channels_of_a_word_at_their_limits(kernels: Kernels, sign: int) -> None:
    """Their common sum wraps: what it wraps by must not matter."""
    given = channels(shift=SHIFT_OF[23])
    given = with_channel(given, ODD, 127, sign * (2**23 - 1 - 128 * TAPS * 127))
    given = with_channel(given, 0, -127, -sign * (2**31 - 1 - 128 * TAPS * 127))
    assert can_pack(given)
    for value in (-128, 127):
        assert dot_is_right(kernels, given, value)


@pytest.mark.parametrize("taps", range(1, 34))
def test_the_longest_sums_of_weights(kernels: Kernels, taps: int) -> None:
    """Every length, and so every place where the loop is entered, with the largest products."""
    given = channels(taps, shift=12)
    for number, weight in enumerate((-128, 127, 127, -128)):
        given = with_channel(given, number, weight, 0)
    assert can_pack(given)
    for value in (-128, 127):
        assert dot_is_right(kernels, given, value)


def test_weights_of_two_channels_in_16_bits(kernels: Kernels) -> None:
    """256 * odd + even: -128 and a negative one are less than 16 bits hold."""
    for odd, even, is_accepted in ((-128, 0, True), (-128, -1, False), (-127, -128, True)):
        given = with_channel(channels(shift=8), ODD, odd, 0)
        given = with_channel(given, 0, even, 0)
        assert can_pack(given) is is_accepted
        assert can_pack_depthwise(given)
        assert dot_is_right(kernels, given, 127) is is_accepted
        assert depthwise_is_right(kernels, given, 127)


@each_kind
@pytest.mark.parametrize(("shift", "is_accepted"), [(1, False), (2, True), (31, True)])
def test_shifts(kernels: Kernels, kind: str, shift: int, is_accepted: bool) -> None:
    """2^(32 - shift) is an int32."""
    accepts, is_right = KINDS[kind]
    bias = 150 << shift >> 1 if shift < 3 else 2**31 - 1
    limit = 2**23 - 1
    given = with_channel(channels(shift=shift), EVEN, 0, bias)
    given = with_channel(given, ODD, 0, -min(bias, limit))
    assert accepts(given) is is_accepted
    assert is_right(kernels, given, 5) is is_accepted


@each_kind
@pytest.mark.parametrize("shift", [-1, 0, 1, 32])
def test_other_shifts_are_refused(kind: str, shift: int) -> None:
    """A left shift or none has no scale; those from 32 on the framework does not have."""
    accepts, _ = KINDS[kind]
    assert not accepts(channels(shift=shift))


@each_kind
@pytest.mark.parametrize(
    ("multiplier", "is_accepted"),
    [(2**30, True), (2**31 - 1, True), (2**29, False), (1, False)],
)
def test_multipliers(kernels: Kernels, kind: str, multiplier: int, is_accepted: bool) -> None:
    """Less one, they are at least minus one half: what the framework makes is normalised."""
    accepts, is_right = KINDS[kind]
    given = with_channel(channels(shift=16), EVEN, 3, 2**22)
    given = replace(given, multiplier=np.full(4, multiplier, np.int32))
    assert accepts(given) is is_accepted
    assert is_right(kernels, given, 100) is is_accepted


@each_kind
@pytest.mark.parametrize("shift", [-30, 0, 1, 31])
def test_a_multiplier_of_zero_has_any_shift(kernels: Kernels, kind: str, shift: int) -> None:
    accepts, is_right = KINDS[kind]
    given = with_channel(channels(shift=shift), EVEN, 0, 2**31 - 1)
    given = with_channel(given, 0, 0, -(2**31))
    given = replace(given, multiplier=np.zeros(4, np.int32))
    assert accepts(given)
    assert is_right(kernels, given, 100)


def test_depthwise_wants_four_channels() -> None:
    """There is no word of four bytes to load."""
    given = channels()
    fewer = Channels(*(values[:3] for values in vars(given).values()))
    assert can_pack(fewer)
    assert not can_pack_depthwise(fewer)


# --- additions ---

HALF = (2**30, 0)
LESS = (2**31 - 1, -1)


def addition(a: tuple[int, int], b: tuple[int, int], out: tuple[int, int]) -> dict[str, int]:
    names = [f"{name}_{part}" for name in ("a", "b", "out") for part in ("multiplier", "shift")]
    return dict(zip(names, (*a, *b, *out), strict=True))


@pytest.mark.parametrize(
    ("a", "b", "out_shift", "exact"),
    [
        (HALF, LESS, -2, "a"),
        (LESS, HALF, -31, "b"),
        (HALF, HALF, -18, "a"),
        (HALF, (2**31 - 1, -31), -18, "a"),
        (HALF, (2**30 + 1, 0), -18, None),  # a shift of 0 means one half to the kernel
        ((2**30 + 1, 0), (2**30 + 1, 0), -18, None),
        (LESS, LESS, -18, None),
        (HALF, LESS, -1, None),
        (HALF, LESS, 0, None),
        (HALF, LESS, 3, None),
        (HALF, LESS, -32, None),
        (HALF, (2**30, 1), -18, None),
    ],
)
def test_exact_operand(
    a: tuple[int, int], b: tuple[int, int], out_shift: int, exact: str | None
) -> None:
    assert exact_operand(addition(a, b, (2**30, out_shift))) == exact


def add_is_right(
    kernels: Kernels, other: tuple[int, int], out: tuple[int, int], zeros: tuple[int, int]
) -> bool:
    """All pairs of values."""
    values = np.arange(-128, 128)
    exact, second = (v.ravel() for v in np.meshgrid(values, values))
    total = np.zeros(exact.shape, np.int64)
    for operand, zero, scale in ((exact, zeros[0], HALF), (second, zeros[1], other)):
        total += reference.requantized((operand - zero) * 2**20, *scale)
    wanted = reference.finished(total, *out, OUTPUT)
    result = np.zeros(exact.shape, np.int8)
    numbers = dict.fromkeys(AddExact.numbers, 0)
    numbers |= {"extent0": 1, "extent1": 1, "extent2": 1, "extent3": len(exact)}
    numbers |= {"exact_zero_point": zeros[0], "other_zero_point": zeros[1]}
    numbers |= {"other_multiplier": other[0], "other_shift": other[1]}
    numbers |= {"out_zero_point": 0, "out_multiplier": out[0], "out_shift": out[1]}
    numbers |= {"low": -128, "high": 127}
    pointers = {"exact": exact.astype(np.int8), "other": second.astype(np.int8)}
    kernels.call(AddExact(), **pointers, out=result, **numbers)
    return bool(np.all(result == wanted))


@pytest.mark.parametrize("zeros", [(-128, -128), (127, 127), (-128, 127), (127, -128), (3, -5)])
@pytest.mark.parametrize("other", [HALF, LESS, (2**30, -1), (2**30, -20), (2**31 - 1, -31)])
def test_additions_of_all_values(
    kernels: Kernels, other: tuple[int, int], zeros: tuple[int, int]
) -> None:
    """The largest operands on the common grid, and every one between."""
    for out in ((2**31 - 1, -2), (2**30, -20), (2**30 + 12345, -19), (2**31 - 1, -31)):
        assert add_is_right(kernels, other, out, zeros)


def test_refused_additions_would_be_wrong(kernels: Kernels) -> None:
    assert not add_is_right(kernels, (2**30 + 2**20, 0), (2**30, -20), (0, 0))
    assert not add_is_right(kernels, LESS, (2**30, -1), (0, 0))

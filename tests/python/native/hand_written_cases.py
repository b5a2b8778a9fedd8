"""Random calls of hand-written kernels, with what they must write: by the references of this folder
and the manual ``weft/micro_kernels.h`` alone.

Every array of a case is exactly as large as the manual says that the kernel may touch, and no byte
larger: whoever runs a case puts guards around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from native import reference_kernels as reference
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
from weft.kernels.hand_written import HandWritten

Rng = np.random.Generator

KERNELS: tuple[HandWritten, ...] = (
    Conv2dPacked(),
    DepthwisePacked(),
    Depthwise3x3(),
    AddExact(),
)

#: What sums of odd channels of a convolution stay below, by kernels/dot.h, and int32 in others.
ODD_LIMIT, LIMIT = 1 << 23, 1 << 31
_MOST_CHANNELS = 70
# Products of a case: few enough for an emulator that is asked about every access.
_MOST_MACS = 30_000


@dataclass(frozen=True)
class Case:
    """``arrays`` by the names of the kernel's pointers; ``expected`` is all of ``out`` afterwards,
    gaps included."""

    kernel: HandWritten
    arrays: Mapping[str, np.ndarray] = field(repr=False)
    numbers: Mapping[str, int]
    expected: np.ndarray = field(repr=False)
    what: str


def integers(rng: Rng, low: int, high: int) -> int:
    """Both included."""
    return int(rng.integers(low, high + 1))


def random_bytes(rng: Rng, shape: int | tuple[int, ...]) -> np.ndarray:
    return rng.integers(-128, 128, shape).astype(np.int8)


def random_output(rng: Rng) -> Output:
    zero = int(rng.choice([-128, 127, integers(rng, -128, 127)]))
    if rng.random() < 0.5:
        return Output(zero, -128, 127)
    low, high = sorted(int(n) for n in rng.integers(-128, 128, 2))
    return Output(zero, *((low, high), (-128, high), (low, 127))[integers(rng, 0, 2)])


def _images(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    kind = integers(rng, 0, 5)
    if kind < 3:
        return random_bytes(rng, shape)
    if kind == 3:
        return rng.choice(np.array([-128, 127], np.int8), shape)
    return np.full(shape, (-128, 127)[kind - 4], np.int8)


def _weights(rng: Rng, channels: int, taps: int, limits: np.ndarray) -> np.ndarray:
    """``[channels, taps]``; their worst sums stay below ``limits``, one a channel."""
    shape = channels, taps
    kind = integers(rng, 0, 5)
    if kind < 2:
        weights = rng.integers(-127, 128, shape)
    elif kind == 2:
        weights = rng.choice([-127, 127], shape)
    elif kind == 3:
        weights = rng.choice([-128, -127, -1, 0, 127], shape)
    elif kind == 4:
        weights = np.where(rng.random(shape) < 0.2, rng.integers(-127, 128, shape), 0)
    else:
        weights = rng.choice([-127, 127], (channels, 1)) * np.ones((1, taps), int)
    sums = 128 * np.cumsum(np.abs(weights), axis=1)
    return np.where(sums < limits[:, None], weights, 0).astype(np.int8)


def mend_pairs(weights: np.ndarray) -> np.ndarray:
    """256 * odd + even in 16 bits: -128 in an odd channel only where the even one is not negative.
    Shape ``[channels, taps]``."""
    mended = weights.copy()
    odd = mended[1::2]
    even = mended[: 2 * len(odd) : 2]
    odd[(odd == -128) & (even < 0)] = -127
    return mended


def _biases(rng: Rng, weights: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Usual ones, and some with which the worst sum is the largest that there may be."""
    room = limits - 1 - 128 * np.abs(weights.astype(np.int64)).sum(axis=1)
    usual = np.clip(rng.integers(-5000, 5000, len(room)), -room, room)
    at_limit = np.where(rng.random(len(room)) < 0.5, room, -room)
    share = float(rng.choice([0.0, 0.3, 1.0]))
    return np.where(rng.random(len(room)) < share, at_limit, usual).astype(np.int32)


def _scales(rng: Rng, weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers and shifts: such that results use their range, and some of any size."""
    count = len(weights)
    spread = np.abs(bias.astype(np.int64)) + 40 * np.abs(weights.astype(np.int64)).sum(axis=1)
    wanted = np.log2(np.maximum(spread, 1) / 2.0 ** rng.uniform(5, 9, count))
    shift = -np.clip(np.rint(wanted), 2, 31).astype(np.int64)
    shift = np.where(rng.random(count) < 0.1, -rng.integers(2, 32, count), shift)
    multiplier = rng.integers(2**30, 2**31, count)
    odd_ones = rng.choice([0, 2**30, 2**30 + 1, 2**31 - 1], count)
    multiplier = np.where(rng.random(count) < 0.15, odd_ones, multiplier)
    # Of a multiplier of zero no shift counts.
    shift = np.where(multiplier == 0, rng.integers(-31, 31, count), shift)
    return multiplier.astype(np.int32), shift.astype(np.int8)


def _reach_worst(rng: Rng, window: np.ndarray, weights: np.ndarray) -> None:
    """Fills a window so that one channel has its largest or least sum. ``weights`` are its."""
    sign = rng.choice([-1, 1])
    window[...] = np.where(sign * weights.astype(np.int64) > 0, 127, -128)


@dataclass(frozen=True)
class _Window:
    out: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that it reads."""
        pairs = zip(self.out, self.kernel, self.stride, self.dilation, strict=True)
        rows, columns = ((o - 1) * s + (k - 1) * d + 1 for o, k, s, d in pairs)
        return rows, columns

    def of_reference(self) -> dict[str, tuple[int, int]]:
        return {"out": self.out, "stride": self.stride, "dilation": self.dilation}

    def first(self, image: np.ndarray) -> np.ndarray:
        """A view of what the first pixel of the result reads."""
        (kernel_h, kernel_w), (down, right) = self.kernel, self.dilation
        return image[: (kernel_h - 1) * down + 1 : down, : (kernel_w - 1) * right + 1 : right]


def _pair(rng: Rng, high: int, other: int = 0) -> tuple[int, int]:
    return integers(rng, 1, high), integers(rng, 1, other or high)


def laid_out(values: np.ndarray, row: int, pixel: int, filling: np.ndarray) -> np.ndarray:
    """Values ``[rows, columns, channels]`` in memory that ends with the last of them; ``filling``
    is what lies in the gaps, long enough."""
    rows, columns, channels = values.shape
    size = (rows - 1) * row + (columns - 1) * pixel + channels
    memory = filling[:size].copy()
    np.lib.stride_tricks.as_strided(memory, values.shape, (row, pixel, 1))[...] = values
    return memory


def _image(
    rng: Rng, values: np.ndarray, pixel: int, gap: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Memory around ``values``, what it holds before they are there, and its row stride."""
    row = values.shape[1] * pixel + gap
    before = random_bytes(rng, values.shape[0] * row + values.shape[2])
    memory = laid_out(values, row, pixel, before)
    return memory, before[: len(memory)], row


def conv2d_case(rng: Rng, channels: int | None = None) -> Case:
    """A convolution, a group of one, or a dense layer."""
    while True:
        window = _Window(_pair(rng, 4), _pair(rng, 5, 7), _pair(rng, 3), _pair(rng, 3))
        if rng.random() < 0.3:
            window = _Window(_pair(rng, 4, 9), (1, 1), _pair(rng, 2), (1, 1))
        depth = integers(rng, 1, int(rng.choice([4, 9, _MOST_CHANNELS])))
        out_channels = channels or integers(rng, 1, int(rng.choice([5, 9, _MOST_CHANNELS])))
        taps = window.kernel[0] * window.kernel[1] * depth
        if window.out[0] * window.out[1] * taps * out_channels <= _MOST_MACS:
            break
    (kernel_h, kernel_w), groups = window.kernel, int(rng.choice([1, 1, 2, 3]))
    limits = np.where(np.arange(out_channels) % 2 == 1, ODD_LIMIT, LIMIT)
    weights = mend_pairs(_weights(rng, out_channels, taps, limits))
    bias = _biases(rng, weights, limits)
    multiplier, shift = _scales(rng, weights, bias)
    output = random_output(rng)
    shaped = weights.reshape(out_channels, kernel_h, kernel_w, depth)
    image = _images(rng, (*window.extent, depth))
    if rng.random() < 0.5:
        _reach_worst(rng, window.first(image), shaped[integers(rng, 0, out_channels - 1)])
    sums = reference.conv2d(image, shaped, bias, **window.of_reference())
    values = reference.finished(sums, multiplier, shift, output)

    # A row of taps may be one run where pixels lie next to each other.
    is_one_run = window.dilation[1] == 1 and groups == 1 and rng.random() < 0.8
    runs_w, run = (1, kernel_w * depth) if is_one_run else (kernel_w, depth)
    pixel = depth if is_one_run else depth * groups + integers(rng, 0, 3)
    given = Channels(weights.reshape(out_channels, kernel_h * runs_w, run), bias, multiplier, shift)
    assert can_pack(given)
    memory, _, row = _image(rng, image, pixel, integers(rng, 0, 5))
    out_pixel = out_channels * groups + int(rng.choice([0, 0, 1, 3]))
    expected, before, out_row = _image(rng, values, out_pixel, integers(rng, 0, 5))
    words = min(window.out[0] * window.out[1], 2) * pair_count(kernel_h * runs_w, run)
    numbers = {
        **dict(zip(("out_h", "out_w"), window.out, strict=True)),
        **{"out_channels": out_channels, "runs_h": kernel_h, "runs_w": runs_w, "run": run},
        **{"run_row": window.dilation[0] * row, "run_tap": window.dilation[1] * pixel},
        **{"x_down": window.stride[0] * row, "x_right": window.stride[1] * pixel},
        **{"out_row": out_row, "out_pixel": out_pixel, **vars(output)},
    }
    arrays = {
        "x": memory,
        "packed": pack(given),
        "workspace": rng.integers(-(2**31), 2**31, words).astype(np.int32),
        "out": before,
    }
    return Case(Conv2dPacked(), arrays, numbers, expected, f"{window}, groups {groups}")


def depthwise_case(rng: Rng) -> Case:
    """A depthwise convolution of any window."""
    window = _Window(_pair(rng, 4, 7), _pair(rng, 5, 7), _pair(rng, 3), _pair(rng, 3))
    return _depthwise(rng, window, DepthwisePacked())


def depthwise_3x3_case(rng: Rng) -> Case:
    """A window of 3x3 that moves by one pixel across; rows may be farther apart."""
    stride, dilation = integers(rng, 1, 3), integers(rng, 1, 3)
    out = integers(rng, 1, 4), integers(rng, 2, int(rng.choice([4, 11])))
    window = _Window(out, (3, 3), (stride, 1), (dilation, 1))
    return _depthwise(rng, window, Depthwise3x3())


def _depthwise(rng: Rng, window: _Window, kernel: HandWritten) -> Case:
    taps = window.kernel[0] * window.kernel[1]
    most = _MOST_MACS // (taps * window.out[0] * window.out[1])
    wanted = int(rng.choice([4, 5, 11, _MOST_CHANNELS]))
    channels = integers(rng, 4, max(4, min(wanted, most)))
    limits = np.full(channels, LIMIT)
    weights = _weights(rng, channels, taps, limits)
    bias = _biases(rng, weights, limits)
    multiplier, shift = _scales(rng, weights, bias)
    output = random_output(rng)
    shaped = weights.T.reshape(*window.kernel, channels, 1)
    image = _images(rng, (*window.extent, channels))
    if rng.random() < 0.5:
        _reach_worst(rng, window.first(image), shaped[..., 0])
    sums = reference.depthwise(image, shaped, bias[:, None], **window.of_reference())
    values = reference.finished(sums[..., 0], multiplier, shift, output)

    given = Channels(weights[:, None, :], bias, multiplier, shift)
    assert can_pack_depthwise(given)
    pixel = channels + int(rng.choice([0, 0, 1, 3]))
    memory, _, row = _image(rng, image, pixel, integers(rng, 0, 5))
    out_pixel = channels + int(rng.choice([0, 0, 1, 3]))
    expected, before, out_row = _image(rng, values, out_pixel, integers(rng, 0, 5))
    numbers = {
        **dict(zip(("out_h", "out_w"), window.out, strict=True)),
        **{"channels": channels, "x_row": window.dilation[0] * row},
        **{"x_down": window.stride[0] * row, "out_row": out_row, "out_pixel": out_pixel},
        **vars(output),
    }
    if isinstance(kernel, Depthwise3x3):
        packed = pack_depthwise_3x3(given)
        numbers |= {"x_pixel": pixel}
    else:
        packed = pack_depthwise(given)
        numbers |= dict(zip(("kernel_h", "kernel_w"), window.kernel, strict=True))
        numbers |= {"x_tap": window.dilation[1] * pixel, "x_right": window.stride[1] * pixel}
    arrays = {"x": memory, "packed": packed, "out": before}
    return Case(kernel, arrays, numbers, expected, str(window))


def _operand(rng: Rng, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Its values, its memory and its outer strides; it may be repeated along outer axes."""
    strides, size = [1], shape[3]
    for extent in reversed(shape[:3]):
        is_repeated = rng.random() < 0.25
        strides.append(0 if is_repeated else size + integers(rng, 0, 4))
        size += (extent - 1) * strides[-1]
    memory = _images(rng, (size,))
    steps = tuple(reversed(strides))
    return np.lib.stride_tricks.as_strided(memory, shape, steps), memory, steps[:3]


def add_case(rng: Rng) -> Case:
    """An addition with one exact operand."""
    shape = (*(integers(rng, 1, 3) for _ in range(3)), integers(rng, 1, 40))
    exact, exact_memory, exact_strides = _operand(rng, shape)
    other, other_memory, other_strides = _operand(rng, shape)
    zeros = [int(rng.choice([-128, 127, 0, integers(rng, -128, 127)])) for _ in range(2)]
    output = random_output(rng)
    scale = integers(rng, 2**30, 2**31 - 1), -integers(rng, 1, int(rng.choice([4, 31])))
    if rng.random() < 0.3:
        scale = 2**30, 0
    if rng.random() < 0.1:
        scale = int(rng.choice([0, 1, 2**31 - 1])), -integers(rng, 1, 31)
    out_multiplier = int(rng.choice([0, 2**31 - 1, *rng.integers(2**30, 2**31, 6)]))
    out_shift = -integers(rng, *((15, 20) if rng.random() < 0.8 else (2, 31)))
    given = {
        **{"a_multiplier": 2**30, "a_shift": 0, "b_multiplier": scale[0], "b_shift": scale[1]},
        **{"out_multiplier": out_multiplier, "out_shift": out_shift},
    }
    assert exact_operand(given) == "a"
    total = np.zeros(shape, np.int64)
    for values, zero, (multiplier, shift) in (
        (exact, zeros[0], (2**30, 0)),
        (other, zeros[1], scale),
    ):
        fine = (values.astype(np.int64) - zero) * 2**20
        total += reference.requantized(fine, multiplier, shift)
    values = reference.finished(total, out_multiplier, out_shift, output)

    strides, size = [1], shape[3]
    for extent in reversed(shape[:3]):
        strides.append(size + integers(rng, 0, 4))
        size += (extent - 1) * strides[-1]
    before = random_bytes(rng, size)
    expected = before.copy()
    steps = tuple(reversed(strides))
    np.lib.stride_tricks.as_strided(expected, shape, steps)[...] = values
    numbers = {f"extent{axis}": extent for axis, extent in enumerate(shape)}
    for name, found in (("exact", exact_strides), ("other", other_strides), ("out", steps[:3])):
        numbers |= {f"{name}_stride{axis}": stride for axis, stride in enumerate(found)}
    numbers |= {"exact_zero_point": zeros[0], "other_zero_point": zeros[1]}
    numbers |= {"other_multiplier": scale[0], "other_shift": scale[1]}
    numbers |= {"out_zero_point": output.zero_point, "low": output.low, "high": output.high}
    numbers |= {"out_multiplier": out_multiplier, "out_shift": out_shift}
    arrays = {"exact": exact_memory, "other": other_memory, "out": before}
    return Case(AddExact(), arrays, numbers, expected, f"shape {shape}, zero points {zeros}")


#: How to make a random case of each kernel.
MAKERS: Mapping[str, Callable[[Rng], Case]] = {
    Conv2dPacked.name: conv2d_case,
    DepthwisePacked.name: depthwise_case,
    Depthwise3x3.name: depthwise_3x3_case,
    AddExact.name: add_case,
}

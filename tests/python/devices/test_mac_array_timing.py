"""The cycles of jobs, worked out by hand, and the utilisation of layers that matter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import bundled
from weft.devices import load_device

TIMING = load_device("mac_array").timing
timing = bundled.module("mac_array", "timing")
PAGE = Path(__file__).parents[3] / "docs" / "design" / "mac-array.md"


def job(
    out: tuple[int, int, int],
    channels: int,
    kernel: tuple[int, int] = (1, 1),
    stride: int = 1,
    out_bits: int = 32,
    depthwise: bool = False,
) -> dict[str, int]:
    """A convolution over a dense tensor whose border is materialised."""
    height, width, out_channels = out
    pixel = out_channels if depthwise else channels
    row = pixel * ((width - 1) * stride + kernel[1])
    size = out_bits // 8
    return {
        "flags": timing.DEPTHWISE if depthwise else 0,
        "out_h": height,
        "out_w": width,
        "out_channels": out_channels,
        "kernel_h": kernel[0],
        "kernel_w": kernel[1],
        "channels": 1 if depthwise else channels,
        "x_down": row * stride,
        "x_right": pixel * stride,
        "tap_down": row,
        "tap_right": pixel,
        "out_down": out_channels * width * size,
        "out_right": out_channels * size,
        "x_zero_point": 0,
        "shift": 0,
        "out_bits": out_bits,
    }


def matmul(rows: int, reduced: int, columns: int, **more: int) -> dict[str, int]:
    return job((1, rows, columns), reduced, **more)


# Each with its arithmetic: set-up 32, words of 16 bytes, 4 banks.
BY_HAND = [
    # A pass: 64 taps; 4 pixels of 64 bytes are 16 fetches; 16 x 4 sums of 4 bytes are 16 stores;
    # (16 + 16) / 4 = 8 stalls; 72 cycles. 4 blocks of channels times 125 / 4, so 32, passes a row:
    # 128. The last stores follow: 32 + 128 * 72 + 16.
    ("pointwise 64 to 64, 25x5 in one row", job((1, 125, 64), 64), 9264),
    # The same in rows of 5: two passes a row, 4 * 25 * 2 = 200.
    ("pointwise 64 to 64, 25 rows of 5", job((25, 5, 64), 64), 32 + 200 * 72 + 16),
    # Results of one byte: 4 stores, (16 + 4) / 4 = 5 stalls.
    ("the same in 8 bits", job((1, 125, 64), 64, out_bits=8), 32 + 128 * 69 + 4),
    # 16 taps, 4 fetches, 16 stores, 5 stalls: 21 cycles.
    ("one pass of 16 channels", matmul(4, 16, 16), 32 + 21 + 16),
    # 1 tap, 4 fetches (the 4 pixels begin anywhere and are of one byte): 4 cycles for the fetches,
    # (1 + 16) / 4, so 5, stalls; but the stores of 16 words take longer than those 9.
    ("one tap: the stores limit", matmul(8, 1, 16), 32 + 2 * 16 + 16),
    # A window: three rows of 3 * 16 bytes, that is 3 words, of 4 pixels: 36 fetches. 144 taps,
    # (36 + 16) / 4 = 13 stalls. 32 rows of 8 passes.
    ("conv 3x3, 16 to 16, 32x32", job((32, 32, 16), 16, (3, 3)), 32 + 256 * 157 + 16),
    # Rows of 9 bytes that begin anywhere: (15 + 9) / 16, so 2 words; 3 rows, 4 pixels: 24 fetches
    # for 27 taps; (24 + 16) / 4 = 10 stalls.
    ("conv 3x3, 3 to 16, 32x32", job((32, 32, 16), 3, (3, 3)), 32 + 256 * 37 + 16),
    # A word of 16 channels for each of 9 taps of 4 pixels: 36 fetches for 9 taps, the fetches
    # limit; (9 + 16) / 4, so 7, stalls. 4 blocks, 25 rows of 2 passes.
    (
        "depthwise 3x3, 64 channels, 25x5",
        job((25, 5, 64), 64, (3, 3), depthwise=True),
        32 + 200 * 43 + 16,
    ),
]


@pytest.mark.parametrize(("what", "numbers", "cycles"), BY_HAND, ids=[row[0] for row in BY_HAND])
def test_cycles_worked_out_by_hand(what: str, numbers: dict[str, int], cycles: int) -> None:
    assert timing.cycles(numbers, TIMING, {}) == cycles


def test_taps_that_are_neighbours_are_fetched_together() -> None:
    """Three taps of 8 bytes: one run of 24, that is 2 words, or three runs in a word each."""
    together = matmul(4, 8, 16) | {"kernel_w": 3, "tap_right": 8, "x_right": 32}
    apart = together | {"tap_right": 16, "x_right": 48}
    assert timing.cycles(together, TIMING, {}) == 32 + 24 + (4 * 2 + 16) // 4 + 16
    assert timing.cycles(apart, TIMING, {}) == 32 + 24 + (4 * 3 + 16) // 4 + 16


def touched_words(numbers: dict[str, int], row: int, column: int) -> int:
    """Words of 16 bytes that the window of a pixel touches, run by run, with x at address 0."""
    is_depthwise = bool(numbers["flags"] & timing.DEPTHWISE)
    length = timing.CHANNELS if is_depthwise else numbers["channels"]
    start = row * numbers["x_down"] + column * numbers["x_right"]
    runs: list[list[int]] = []
    for i, j in product(range(numbers["kernel_h"]), range(numbers["kernel_w"])):
        at = start + i * numbers["tap_down"] + j * numbers["tap_right"]
        if runs and runs[-1][1] == at and not is_depthwise:
            runs[-1][1] += length
        else:
            runs.append([at, at + length])
    return sum((end - 1) // 16 - begin // 16 + 1 for begin, end in runs)


@settings(max_examples=100 * settings().max_examples)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.just(16)),
    st.sampled_from([1, 3, 8, 16, 24, 48]),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 2),
    st.booleans(),
    st.sampled_from([0, 1, 8, 16]),
)
def test_no_window_touches_more_words_than_are_fetched(
    out: tuple[int, int, int],
    channels: int,
    kernel: tuple[int, int],
    stride: int,
    depthwise: bool,
    gap: int,
) -> None:
    """With the words of every window counted one by one; ``gap`` bytes lie between rows."""
    numbers = job(out, channels, kernel, stride, depthwise=depthwise)
    numbers["x_down"] += gap * stride
    numbers["tap_down"] += gap
    most = max(touched_words(numbers, h, w) for h, w in product(range(out[0]), range(out[1])))
    fetches = timing._fetches(numbers, 16)
    assert most * timing.PIXELS <= fetches
    if all(numbers[name] % 16 == 0 for name in ("x_down", "x_right", "tap_down", "tap_right")):
        assert most * timing.PIXELS == fetches


def test_a_wider_job_never_takes_less_time() -> None:
    """Neighbours of an edge: the empty places of a pass cost what others cost."""
    times = [timing.cycles(matmul(4, 64, n), TIMING, {}) for n in range(1, 50)]
    assert times == sorted(times)
    assert times[0] == times[15] < times[16] == times[31]


@dataclass(frozen=True)
class Layer:
    name: str
    numbers: dict[str, int]
    least: float


def resnet50() -> list[Layer]:
    """Its convolutions with 16 input channels and more, each shape once; 1x1 as one long row."""
    layers = []
    wide, side = 64, 56
    for stage in range(4):
        inside = wide << stage
        outside = 4 * inside
        pixels = side * side
        for name, numbers in (
            (f"1x1 {outside} to {inside}", job((1, pixels, inside), outside)),
            (f"3x3 {inside} to {inside}", job((side, side, inside), inside, (3, 3))),
            (f"1x1 {inside} to {outside}", job((1, pixels, outside), inside)),
        ):
            layers.append(Layer(f"ResNet-50 {name}, {side}x{side}", numbers, 0.50))
        side //= 2
    return layers


LAYERS = [
    Layer("kws 1x1 64 to 64, 25x5", job((1, 125, 64), 64), 0.50),
    Layer("kws 1x1 64 to 64, 25x5, in rows", job((25, 5, 64), 64), 0.50),
    Layer("ic 3x3 16 to 16, 32x32", job((32, 32, 16), 16, (3, 3)), 0.50),
    Layer("ic 3x3 16 to 32, 16x16, stride 2", job((16, 16, 32), 16, (3, 3), 2), 0.50),
    Layer("ic 1x1 16 to 32, 16x16, stride 2", job((16, 16, 32), 16, stride=2), 0.50),
    Layer("ic 3x3 32 to 32, 16x16", job((16, 16, 32), 32, (3, 3)), 0.50),
    Layer("ic 3x3 64 to 64, 8x8", job((8, 8, 64), 64, (3, 3)), 0.50),
    *resnet50(),
    Layer("matmul 64 x 64 x 64", matmul(64, 64, 64), 0.78),
    Layer("matmul 128 x 128 x 128", matmul(128, 128, 128), 0.78),
    Layer("matmul 196 x 384 x 384", matmul(196, 384, 384), 0.78),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_utilisation_of_layers(layer: Layer) -> None:
    assert timing.utilisation(layer.numbers, TIMING, {}) >= layer.least


# What the array is not good at: no limit, but the page says so.
OTHERS = [
    Layer("kws conv 10x4 1 to 64, 25x5, stride 2", job((25, 5, 64), 1, (10, 4), 2), 0),
    Layer("kws depthwise 3x3, 25x5x64", job((25, 5, 64), 64, (3, 3), depthwise=True), 0),
    Layer("ic 3x3 3 to 16, 32x32", job((32, 32, 16), 3, (3, 3)), 0),
    Layer("ad dense 640 to 128, one row", matmul(1, 640, 128), 0),
]


def test_the_page_has_these_figures() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"^\| (.*?) \| ([\d,]+) \| (\d\.\d\d) \|$", text, re.M)
    actual = [
        (
            layer.name,
            f"{timing.cycles(layer.numbers, TIMING, {}):,}",
            f"{timing.utilisation(layer.numbers, TIMING, {}):.2f}",
        )
        for layer in (*LAYERS, *OTHERS)
    ]
    assert shown == actual

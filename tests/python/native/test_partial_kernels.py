# SPDX-License-Identifier: Apache-2.0
"""The kernels of stages that are cut over their input channels, on boxes of larger arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from native import reference_kernels as reference
from native.c_compilers import require_flags
from native.kernel_library import Box, Kernels, padded_strides
from native.test_kernels_cffi import (
    UNDEFINED,
    check,
    each_kernel,
    each_seed,
    image_arguments,
    random_biases,
    random_output,
    random_scales,
    window_of,
)
from weft.kernels.partial import AddPartial, PartialConv2d, Requantize

CONVOLUTIONS = [
    PartialConv2d(1, 1, 1, 1, 1, 1, 3),
    PartialConv2d(3, 3, 1, 1, 1, 1, 4),
    PartialConv2d(3, 2, 2, 3, 1, 2, 1),
]


@pytest.fixture(scope="module", params=["usual", "checked"])
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernels]:
    """As they are, and built to report undefined behaviour."""
    folder = tmp_path_factory.mktemp("kernels") / "program"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "checked":
            patch.setenv("CC", f"{require_flags('gcc', UNDEFINED)} {UNDEFINED}")
        yield Kernels(folder, [*CONVOLUTIONS, AddPartial(), Requantize()])


@pytest.fixture(autouse=True)
def no_undefined_behaviour(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert "runtime error" not in capfd.readouterr().err


def sums(rng: np.random.Generator, shape: tuple[int, ...]) -> Box:
    """Accumulators of any size, inside of a larger array."""
    box = Box(rng, shape, padded_strides(rng, shape), "int32")
    box.memory[...] = rng.integers(-(2**31), 2**31, box.memory.shape)
    return box


def numbers_of(shape: tuple[int, ...], **boxes: Box) -> dict[str, Any]:
    found = {f"extent{axis}": extent for axis, extent in enumerate(shape)}
    for name, box in boxes.items():
        found |= {f"{name}_stride{axis}": box.strides[axis] for axis in range(2)}
    return found


@each_seed
@each_kernel(CONVOLUTIONS)
def test_partial_conv2d(kernels: Kernels, kernel: PartialConv2d, seed: int) -> None:
    """Some channels of an image that has more: pixels lie further apart than they are wide."""
    rng = np.random.default_rng([seed, 1])
    size = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    window, extent = window_of(kernel, size)
    channels = int(rng.integers(1, 9))
    x_shape, out_shape = (*extent, kernel.in_channels), (*size, channels)
    x = Box(rng, x_shape, padded_strides(rng, x_shape))
    out = Box(rng, out_shape, padded_strides(rng, out_shape), "int32")
    w_shape = (channels, kernel.kernel_h, kernel.kernel_w, kernel.in_channels)
    w = rng.integers(-128, 128, w_shape).astype(np.int8)
    expected = reference.conv2d(x.values, w, np.zeros(channels, np.int64), **window)
    numbers = {"out_h": size[0], "out_w": size[1], "out_channels": channels}
    check(kernels, kernel, out, expected, x=x, w=w, **numbers, **image_arguments(x=x, out=out))


@each_seed
def test_add_partial(kernels: Kernels, seed: int) -> None:
    rng = np.random.default_rng([seed, 2])
    shape = tuple(int(n) for n in rng.integers(1, 6, 3))
    a, b, out = (sums(rng, shape) for _ in range(3))
    expected = reference.wrapped(a.values.astype(np.int64) + b.values)
    check(kernels, AddPartial(), out, expected, a=a, b=b, **numbers_of(shape, a=a, b=b, out=out))


@each_seed
def test_requantize(kernels: Kernels, seed: int) -> None:
    rng = np.random.default_rng([seed, 3])
    shape = tuple(int(n) for n in rng.integers(1, 6, 3))
    x, out = sums(rng, shape), Box(rng, shape, padded_strides(rng, shape))
    bias, output = random_biases(rng, shape[2]), random_output(rng)
    multiplier, shift = random_scales(rng, shape[2], typical=9)
    whole = reference.wrapped(x.values.astype(np.int64) + bias)
    expected = reference.finished(whole, multiplier, shift, output)
    scales = {"bias": bias, "multiplier": multiplier, "shift": shift}
    numbers = {**numbers_of(shape, x=x, out=out), **vars(output)}
    check(kernels, Requantize(), out, expected, x=x, **scales, **numbers)


@each_seed
def test_parts_make_up_the_whole(kernels: Kernels, seed: int) -> None:
    """A convolution in two halves of its input channels, added up, is the convolution."""
    rng = np.random.default_rng([seed, 4])
    kernel = CONVOLUTIONS[0]
    x = rng.integers(-128, 128, (4, 5, 6)).astype(np.int8)
    w = rng.integers(-128, 128, (2, 1, 1, 6)).astype(np.int8)
    parts = []
    for first in (0, 3):
        half = np.zeros((4, 5, 2), np.int32)
        some = np.ascontiguousarray(w[..., first : first + 3])
        numbers = {"out_h": 4, "out_w": 5, "out_channels": 2, "x_row": 30, "x_pixel": 6}
        numbers |= {"out_row": 10, "out_pixel": 2}
        kernels.call(kernel, x=x.ravel()[first:], w=some, out=half, **numbers)
        parts.append(half)
    total = np.einsum("hwi,oi->hwo", x.astype(np.int64), w[:, 0, 0].astype(np.int64))
    np.testing.assert_array_equal(parts[0] + parts[1], total)

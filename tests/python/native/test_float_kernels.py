"""Generated kernels of ONNX Runtime's contract on boxes of larger arrays: right values by NumPy's
float32, and nothing written outside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from native import reference_kernels as reference
from native.c_compilers import require_flags
from native.kernel_library import Box, Kernels, padded_strides
from native.reference_kernels import Output
from native.test_kernels_cffi import (
    UNDEFINED,
    binary_boxes,
    check,
    each_kernel,
    each_seed,
    image_arguments,
    limits,
    random_biases,
    random_output,
    window_of,
)
from weft.kernels.conv2d import Conv2d
from weft.kernels.float_binary import OPERATORS, FloatBinary
from weft.kernels.float_pool import FloatAveragePool
from weft.kernels.float_softmax import FloatSoftmax
from weft.kernels.movement import Quantize

CONVOLUTIONS = [Conv2d(3, 2, 2, 1, 1, 1, 3, "float"), Conv2d(1, 1, 1, 1, 1, 1, 9, "float")]
BINARY = [FloatBinary(operator, a, b) for operator in OPERATORS for a, b in ((1, 1), (0, 1))]
POOLS = [
    FloatAveragePool(2, 3, 1, 2, padded=False, counts_padding=False),
    FloatAveragePool(3, 3, 2, 1, padded=True, counts_padding=False),
    FloatAveragePool(3, 2, 1, 1, padded=True, counts_padding=True),
]
ALL = [*CONVOLUTIONS, *BINARY, *POOLS, FloatSoftmax(), Quantize("float")]

F32 = np.float32


@pytest.fixture(scope="module", params=["usual", "checked"])
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernels]:
    """All kernels as they are, and built to report undefined behaviour."""
    folder = tmp_path_factory.mktemp("kernels") / "program"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "checked":
            patch.setenv("CC", f"{require_flags('gcc', UNDEFINED)} {UNDEFINED}")
        yield Kernels(folder, ALL)


@pytest.fixture(autouse=True)
def no_undefined_behaviour(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert "runtime error" not in capfd.readouterr().err


def rounded(values: np.ndarray, output: Output) -> np.ndarray:
    """To the nearest, ties to even, plus the zero point, limited."""
    whole = np.rint(values.astype(F32)).astype(np.int64) + output.zero_point
    return np.clip(whole, output.low, output.high).astype(np.int8)


@each_seed
@each_kernel(CONVOLUTIONS)
def test_conv2d(kernels: Kernels, kernel: Conv2d, seed: int) -> None:
    rng = np.random.default_rng([seed, 21])
    size = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    window, extent = window_of(kernel, size)
    channels, depth = int(rng.integers(1, 9)), kernel.in_channels
    x = Box(rng, (*extent, depth), padded_strides(rng, (*extent, depth)))
    out = Box(rng, (*size, channels), padded_strides(rng, (*size, channels)))
    w = rng.integers(-128, 128, (channels, kernel.kernel_h, kernel.kernel_w, depth))
    bias, output = random_biases(rng, channels), random_output(rng)
    factors = rng.uniform(1e-4, 1e-2, channels).astype(F32)
    fraction, shift = np.frexp(factors)
    sums = reference.conv2d(x.values, w.astype(np.int8), bias, **window)
    expected = rounded(sums.astype(F32) * factors, output)
    scales = {"w": w.astype(np.int8), "bias": bias, "shift": shift.astype(np.int8)}
    scales |= {"multiplier": (fraction.astype(np.float64) * 2**31).astype(np.int32)}
    numbers = {"out_h": size[0], "out_w": size[1], "out_channels": channels, **vars(output)}
    check(kernels, kernel, out, expected, x=x, **scales, **numbers, **image_arguments(x=x, out=out))


@each_seed
@each_kernel(BINARY)
def test_binary(kernels: Kernels, kernel: FloatBinary, seed: int) -> None:
    rng = np.random.default_rng([seed, 22])
    a, b, out, numbers = binary_boxes(rng, kernel)
    zeros = [int(n) for n in rng.integers(-128, 128, 2)]
    factors, output = rng.uniform(0.005, 2, 3).astype(F32), random_output(rng)
    left, right = (box.values.astype(np.int64) - z for box, z in zip((a, b), zeros, strict=True))
    if kernel.operator == "add":  # exact in double, but for the two roundings of each fused step
        inner = (right * np.float64(factors[1]) + factors[2]).astype(F32)
        values = (left * np.float64(factors[0]) + inner).astype(F32)
    elif kernel.operator == "mul":
        values = (left * right).astype(F32) * factors[0] + factors[1]
    else:
        difference = left.astype(F32) * factors[0] - right.astype(F32) * factors[1]
        values = difference / factors[2]
    numbers |= {"a_zero_point": zeros[0], "b_zero_point": zeros[1], **limits(output)}
    check(kernels, kernel, out, rounded(values, output), a=a, b=b, factors=factors, **numbers)


@each_seed
@each_kernel(POOLS)
def test_average_pool(kernels: Kernels, kernel: FloatAveragePool, seed: int) -> None:
    rng = np.random.default_rng([seed, 23])
    taps, stride = (kernel.kernel_h, kernel.kernel_w), (kernel.stride_h, kernel.stride_w)
    size = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    pad = tuple(int(rng.integers(0, t)) for t in taps) if kernel.padded else (0, 0)
    extent = tuple(
        max((size[i] - 1) * stride[i] + taps[i] - pad[i], taps[i] - pad[i]) for i in range(2)
    )
    channels, output = int(rng.integers(1, 7)), random_output(rng)
    x = Box(rng, (*extent, channels), padded_strides(rng, (*extent, channels)))
    out = Box(rng, (*size, channels), padded_strides(rng, (*size, channels)))
    zero, factors = int(rng.integers(-128, 128)), rng.uniform(0.01, 1, 3).astype(F32)
    expected = np.zeros(out.shape, np.int8)
    for row in range(size[0]):
        for column in range(size[1]):
            top, left = row * stride[0] - pad[0], column * stride[1] - pad[1]
            seen = x.values[max(top, 0) : top + taps[0], max(left, 0) : left + taps[1]]
            reals = (seen.astype(np.int64) - zero).reshape(-1, channels).astype(F32) * factors[0]
            total = np.zeros(channels, F32)
            for real in reals:
                total = total + real
            count = F32(taps[0] * taps[1] if kernel.counts_padding else len(reals))
            expected[row, column] = rounded(total / count / factors[1] + factors[2], output)
    numbers = {"out_h": size[0], "out_w": size[1], "channels": channels, "in_zero_point": zero}
    numbers |= {"in_h": extent[0], "in_w": extent[1], "pad_top": pad[0], "pad_left": pad[1]}
    numbers |= {**limits(output), **image_arguments(x=x, out=out)}
    check(kernels, kernel, out, expected, x=x, factors=factors, **numbers)


@each_seed
def test_softmax(kernels: Kernels, seed: int) -> None:
    rng = np.random.default_rng([seed, 24])
    rows, depth = int(rng.integers(1, 5)), int(rng.integers(1, 30))
    x, out = (Box(rng, (rows, depth), padded_strides(rng, (rows, depth))) for _ in range(2))
    table = np.exp(-0.05 * np.arange(256)).astype(F32)
    shares = table[x.values.max(axis=1, keepdims=True).astype(int) - x.values]
    totals = np.zeros((rows, 1), F32)
    for column in range(depth):
        totals = totals + shares[:, column : column + 1]
    expected = rounded(shares * F32(256) / totals, Output(-128, -128, 127))
    numbers = {"rows": rows, "depth": depth, "x_row": x.strides[0], "out_row": out.strides[0]}
    constants = {"exponential": table, "factor": np.array([256], F32)}
    check(kernels, FloatSoftmax(), out, expected, x=x, **constants, **numbers, zero_point=-128)

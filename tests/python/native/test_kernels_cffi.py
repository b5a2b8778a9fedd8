# SPDX-License-Identifier: Apache-2.0
"""Single generated kernels on boxes of larger arrays: right values, and nothing written outside.

Every comparison is of the whole memory of the output, guard bytes and gaps included.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from native import reference_kernels as reference
from native.c_compilers import require_flags
from native.kernel_library import Box, Kernels, padded_strides
from native.reference_kernels import Output
from weft.kernels.base import Kernel
from weft.kernels.binary import Add, Extremum, Mul
from weft.kernels.conv2d import Conv2d
from weft.kernels.depthwise import DepthwiseConv2d
from weft.kernels.mean import Mean
from weft.kernels.movement import Copy, Fill, Lookup, Quantize
from weft.kernels.pool import Pool2d
from weft.kernels.softmax import Softmax

CONVOLUTIONS = [
    Conv2d(1, 1, 1, 1, 1, 1, 5),
    Conv2d(3, 3, 1, 1, 1, 1, 4),
    Conv2d(3, 2, 2, 3, 1, 1, 3),
    Conv2d(2, 5, 3, 1, 2, 3, 1),
    Conv2d(1, 1, 2, 2, 1, 1, 33),
]
DEPTHWISE = [
    DepthwiseConv2d(3, 3, 1, 1, 1, 1, 1),
    DepthwiseConv2d(2, 3, 3, 2, 1, 1, 1),
    DepthwiseConv2d(3, 1, 1, 2, 2, 4, 3),
]
ADDITIONS = [
    Add(1, 1),
    Add(1, 0),
    Add(0, 1),
    Add(1, 1, subtract=True),
    Add(0, 0, subtract=True),
]
PRODUCTS = [Mul(1, 1), Mul(0, 1)]
EXTREMA = [Extremum(1, 1), Extremum(0, 1), Extremum(1, 0, largest=False)]
POOLS = [
    Pool2d(operator, *window, padded)
    for operator in ("max", "average")
    for window, padded in (((2, 2, 2, 2), False), ((3, 2, 1, 3), True), ((3, 3, 2, 2), True))
]
COPIES = [Copy("int8"), Copy("int32"), Copy("float32")]
LOOKUPS = [Lookup("int8"), Lookup("float32")]
OTHERS = [Fill(), Quantize(), Mean(), Softmax()]
ALL: list[Kernel] = [
    *CONVOLUTIONS,
    *DEPTHWISE,
    *ADDITIONS,
    *PRODUCTS,
    *EXTREMA,
    *POOLS,
    *COPIES,
    *LOOKUPS,
    *OTHERS,
]

UNDEFINED = "-fsanitize=undefined"

each_seed = pytest.mark.parametrize("seed", range(6))


def each_kernel(kernels: list[Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kernel", kernels, ids=lambda kernel: kernel.name)


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


def check(kernels: Kernels, kernel: Kernel, out: Box, expected: np.ndarray, **rest: Any) -> None:
    """Calls the kernel; ``expected`` is what the output box, and nothing else, must hold then.
    Boxes among the arguments are inputs, which must not change."""
    wanted = out.with_values(expected)
    inputs = {name: box for name, box in rest.items() if isinstance(box, Box)}
    before = {name: box.memory.copy() for name, box in inputs.items()}
    pointers = {name: box.pointer for name, box in inputs.items()}
    kernels.call(kernel, **{**rest, **pointers}, out=out.pointer)
    np.testing.assert_array_equal(out.memory, wanted)
    for name, box in inputs.items():
        np.testing.assert_array_equal(box.memory, before[name], err_msg=name)


def random_output(rng: np.random.Generator) -> Output:
    low, high = sorted(int(n) for n in rng.integers(-128, 128, 2))
    is_narrow = rng.random() < 0.3
    return Output(int(rng.integers(-128, 128)), *((low, high) if is_narrow else (-128, 127)))


def random_scales(rng: np.random.Generator, shape: Any, typical: int) -> tuple[Any, Any]:
    """Multipliers and shifts: around ``typical`` right shifts, and some of any size."""
    multiplier = rng.integers(2**30, 2**31, shape)
    shift = -typical + rng.integers(-2, 3, shape)
    is_wild = rng.random(shape) < 0.1
    shift = np.where(is_wild, rng.integers(-31, 31, shape), shift)
    multiplier = np.where(rng.random(shape) < 0.1, rng.integers(0, 2**31, shape), multiplier)
    return multiplier.astype(np.int32), shift.astype(np.int8)


def random_biases(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Some so large that the sum wraps."""
    usual = rng.integers(-5000, 5000, shape)
    return np.where(rng.random(shape) < 0.1, 2**31 - 1, usual).astype(np.int32)


def image_arguments(**boxes: Box) -> dict[str, int]:
    """The row and pixel strides of boxes of (rows, columns, channels)."""
    names = [(f"{name}_row", f"{name}_pixel") for name in boxes]
    pairs = zip(names, (box.strides[:2] for box in boxes.values()), strict=True)
    return {name: step for two, steps in pairs for name, step in zip(two, steps, strict=True)}


def window_of(kernel: Any, out: tuple[int, int]) -> tuple[dict[str, Any], tuple[int, int]]:
    """The parameters of a window and the input extent that ``out`` positions need."""
    stride = kernel.stride_h, kernel.stride_w
    dilation = kernel.dilation_h, kernel.dilation_w
    taps = kernel.kernel_h, kernel.kernel_w
    extent = tuple((out[i] - 1) * stride[i] + (taps[i] - 1) * dilation[i] + 1 for i in range(2))
    return {"out": out, "stride": stride, "dilation": dilation}, (extent[0], extent[1])


@each_seed
@each_kernel(CONVOLUTIONS)
def test_conv2d(kernels: Kernels, kernel: Conv2d, seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    size = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    window, extent = window_of(kernel, size)
    channels, depth = int(rng.integers(1, 9)), kernel.in_channels
    x_shape, out_shape = (*extent, depth), (*size, channels)
    x = Box(rng, x_shape, padded_strides(rng, x_shape))
    out = Box(rng, out_shape, padded_strides(rng, out_shape))
    w_shape = (channels, kernel.kernel_h, kernel.kernel_w, depth)
    w = rng.integers(-128, 128, w_shape).astype(np.int8)
    bias, output = random_biases(rng, channels), random_output(rng)
    multiplier, shift = random_scales(rng, channels, typical=9)
    sums = reference.conv2d(x.values, w, bias, **window)
    expected = reference.finished(sums, multiplier, shift, output)
    scales = {"w": w, "bias": bias, "multiplier": multiplier, "shift": shift}
    numbers = {"out_h": size[0], "out_w": size[1], "out_channels": channels, **vars(output)}
    check(kernels, kernel, out, expected, x=x, **scales, **numbers, **image_arguments(x=x, out=out))


@each_seed
@each_kernel(DEPTHWISE)
def test_depthwise(kernels: Kernels, kernel: DepthwiseConv2d, seed: int) -> None:
    rng = np.random.default_rng([seed, 2])
    size = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    window, extent = window_of(kernel, size)
    channels, times = int(rng.integers(1, 9)), kernel.channel_multiplier
    x_shape, out_shape = (*extent, channels), (*size, channels * times)
    x = Box(rng, x_shape, padded_strides(rng, x_shape))
    out = Box(rng, out_shape, padded_strides(rng, out_shape))
    # A box of channels out of wider weights.
    tap = channels * times + int(rng.integers(0, 7))
    w_shape = (kernel.kernel_h, kernel.kernel_w, channels, times)
    w = Box(rng, w_shape, (kernel.kernel_w * tap, tap, times, 1))
    bias, output = random_biases(rng, (channels, times)), random_output(rng)
    multiplier, shift = random_scales(rng, (channels, times), typical=7)
    sums = reference.depthwise(x.values, w.values, bias, **window)
    expected = reference.finished(sums, multiplier, shift, output).reshape(out_shape)
    scales = {"bias": bias, "multiplier": multiplier, "shift": shift, "w_tap": tap}
    numbers = {"out_h": size[0], "out_w": size[1], "channels": channels, **vars(output)}
    strides = image_arguments(x=x, out=out)
    check(kernels, kernel, out, expected, x=x, w=w, **scales, **numbers, **strides)


def random_extents(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(1, 5, 4))


def numbered(name: str, values: tuple[int, ...]) -> dict[str, int]:
    return {f"{name}{axis}": value for axis, value in enumerate(values)}


def broadcast_box(rng: np.random.Generator, shape: tuple[int, ...], inner: int) -> Box:
    """An operand that is repeated (stride 0) along some axes."""
    strides = padded_strides(rng, shape, inner=1)[:3]
    outer = tuple(0 if rng.random() < 0.4 else stride for stride in strides)
    return Box(rng, shape, (*outer, inner))


def binary_boxes(rng: np.random.Generator, kernel: Any) -> tuple[Box, Box, Box, dict[str, int]]:
    shape = random_extents(rng)
    a, b = (broadcast_box(rng, shape, inner) for inner in (kernel.a_inner, kernel.b_inner))
    out = Box(rng, shape, padded_strides(rng, shape))
    numbers = numbered("extent", shape)
    for name, box in (("a", a), ("b", b), ("out", out)):
        numbers |= numbered(f"{name}_stride", box.strides[:3])
    return a, b, out, numbers


def limits(output: Output) -> dict[str, int]:
    return {"out_zero_point": output.zero_point, "low": output.low, "high": output.high}


@each_seed
@each_kernel(ADDITIONS)
def test_add(kernels: Kernels, kernel: Add, seed: int) -> None:
    rng = np.random.default_rng([seed, 3])
    a, b, out, numbers = binary_boxes(rng, kernel)
    parts = []
    for name, box in (("a", a), ("b", b)):
        zero, multiplier = int(rng.integers(-128, 128)), int(rng.integers(0, 2**31))
        shift = -int(rng.integers(0, 32))
        fine = (box.values.astype(np.int64) - zero) * 2**20
        parts.append(reference.requantized(fine, multiplier, shift))
        numbers |= {f"{name}_zero_point": zero}
        numbers |= {f"{name}_multiplier": multiplier, f"{name}_shift": shift}
    output = random_output(rng)
    multiplier, shift = int(rng.integers(2**30, 2**31)), -int(rng.integers(17, 21))
    numbers |= {"out_multiplier": multiplier, "out_shift": shift, **limits(output)}
    total = parts[0] - parts[1] if kernel.subtract else parts[0] + parts[1]
    expected = reference.finished(total, multiplier, shift, output)
    check(kernels, kernel, out, expected, a=a, b=b, **numbers)


@each_seed
@each_kernel(PRODUCTS)
def test_mul(kernels: Kernels, kernel: Mul, seed: int) -> None:
    rng = np.random.default_rng([seed, 4])
    a, b, out, numbers = binary_boxes(rng, kernel)
    zeros = [int(n) for n in rng.integers(-128, 128, 2)]
    output = random_output(rng)
    multiplier, shift = int(rng.integers(2**30, 2**31)), -int(rng.integers(3, 9))
    numbers |= {"a_zero_point": zeros[0], "b_zero_point": zeros[1]}
    numbers |= {"out_multiplier": multiplier, "out_shift": shift, **limits(output)}
    product = (a.values.astype(np.int64) - zeros[0]) * (b.values.astype(np.int64) - zeros[1])
    expected = reference.finished(product, multiplier, shift, output)
    check(kernels, kernel, out, expected, a=a, b=b, **numbers)


@each_seed
@each_kernel(EXTREMA)
def test_extremum(kernels: Kernels, kernel: Extremum, seed: int) -> None:
    rng = np.random.default_rng([seed, 13])
    a, b, out, numbers = binary_boxes(rng, kernel)
    choose = np.maximum if kernel.largest else np.minimum
    check(kernels, kernel, out, choose(a.values, b.values), a=a, b=b, **numbers)


@each_seed
@each_kernel(POOLS)
def test_pool(kernels: Kernels, kernel: Pool2d, seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    taps, stride = (kernel.kernel_h, kernel.kernel_w), (kernel.stride_h, kernel.stride_w)
    size = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    extent = [(size[i] - 1) * stride[i] + taps[i] for i in range(2)]
    pad = (0, 0)
    if kernel.padded:
        # Padding on both sides, but some of every window inside.
        pad = int(rng.integers(0, taps[0])), int(rng.integers(0, taps[1]))
        behind = [int(rng.integers(0, taps[i])) for i in range(2)]
        extent = [max(e - p - b, 1) for e, p, b in zip(extent, pad, behind, strict=True)]
        size = tuple(min(size[i], (extent[i] - 1 + pad[i]) // stride[i] + 1) for i in range(2))
    channels, output = int(rng.integers(1, 7)), random_output(rng)
    x_shape, out_shape = (*extent, channels), (*size, channels)
    x = Box(rng, x_shape, padded_strides(rng, x_shape))
    out = Box(rng, out_shape, padded_strides(rng, out_shape))
    values = reference.pooled(kernel.operator, x.values, size, taps, stride, pad)
    expected = np.clip(values, output.low, output.high).astype(np.int8)
    numbers = {"out_h": size[0], "out_w": size[1], "channels": channels}
    numbers |= {"in_h": extent[0], "in_w": extent[1], "pad_top": pad[0], "pad_left": pad[1]}
    numbers |= {"low": output.low, "high": output.high, **image_arguments(x=x, out=out)}
    check(kernels, kernel, out, expected, x=x, **numbers)


@each_seed
@each_kernel(COPIES)
def test_copy(kernels: Kernels, kernel: Copy, seed: int) -> None:
    """With axes in any order: a transposition is a copy."""
    rng = np.random.default_rng([seed, 6])
    shape = random_extents(rng)
    order = rng.permutation(4)
    permuted = padded_strides(rng, [shape[axis] for axis in order], int(rng.integers(1, 4)))
    x_strides = tuple(permuted[list(order).index(axis)] for axis in range(4))
    x = Box(rng, shape, x_strides, kernel.dtype)
    out = Box(rng, shape, padded_strides(rng, shape, int(rng.integers(1, 3))), kernel.dtype)
    numbers = numbered("extent", shape)
    numbers |= numbered("x_stride", x.strides) | numbered("out_stride", out.strides)
    check(kernels, kernel, out, x.values, x=x, **numbers)


@each_seed
def test_fill(kernels: Kernels, seed: int) -> None:
    rng = np.random.default_rng([seed, 7])
    shape = int(rng.integers(1, 7)), int(rng.integers(1, 9))
    out = Box(rng, shape, padded_strides(rng, shape))
    value = int(rng.choice([-128, -1, 0, 5, 127]))
    numbers = {"rows": shape[0], "columns": shape[1], "out_row": out.strides[0], "value": value}
    check(kernels, Fill(), out, np.full(shape, value), **numbers)


@each_seed
@each_kernel(LOOKUPS)
def test_lookup(kernels: Kernels, kernel: Lookup, seed: int) -> None:
    rng = np.random.default_rng([seed, 8])
    shape = random_extents(rng)
    x = Box(rng, shape, padded_strides(rng, shape))
    out = Box(rng, shape, padded_strides(rng, shape), kernel.dtype)
    x.values.flat[:2] = (-128, 127)[: x.values.size]
    table = Box(rng, (256,), (1,), kernel.dtype)
    expected = table.values[x.values.astype(np.int64) + 128]
    numbers = numbered("extent", shape)
    numbers |= numbered("x_stride", x.strides[:3]) | numbered("out_stride", out.strides[:3])
    check(kernels, kernel, out, expected, x=x, table=table, **numbers)


@each_seed
def test_quantize(kernels: Kernels, seed: int) -> None:
    rng = np.random.default_rng([seed, 9])
    shape = random_extents(rng)
    x = Box(rng, shape, padded_strides(rng, shape), "float32")
    out = Box(rng, shape, padded_strides(rng, shape))
    scale = np.array([rng.choice([0.5, 0.0123, 3e-5])], np.float32)
    zero = int(rng.integers(-128, 128))
    # Halves, where the scale allows them, and values far outside.
    steps = rng.integers(-600, 600, shape) / 2
    x.values[...] = np.where(rng.random(shape) < 0.1, 1e9, steps).astype(np.float32) * scale[0]
    ratio = (x.values / scale[0]).astype(np.float64)
    whole = np.sign(ratio) * np.floor(np.abs(ratio) + 0.5)
    expected = np.clip(whole + zero, -128, 127).astype(np.int8)
    numbers = numbered("extent", shape) | {"zero_point": zero}
    numbers |= numbered("x_stride", x.strides[:3]) | numbered("out_stride", out.strides[:3])
    check(kernels, Quantize(), out, expected, x=x, scale=scale, **numbers)


@each_seed
def test_mean(kernels: Kernels, seed: int) -> None:
    rng = np.random.default_rng([seed, 10])
    outer, rows, columns, inner = shape = random_extents(rng)
    x = Box(rng, shape, padded_strides(rng, shape, int(rng.integers(1, 3))))
    out = Box(rng, (outer, inner), padded_strides(rng, (outer, inner), int(rng.integers(1, 3))))
    multiplier, shift = int(rng.integers(2**30, 2**31)), -int(rng.integers(0, 4))
    offset, zero = int(rng.integers(-2000, 2000)), int(rng.integers(-128, 128))
    sums = x.values.astype(np.int64).sum(axis=(1, 2)) - offset
    expected = reference.finished(sums, multiplier, shift, Output(zero, -128, 127))
    numbers = {"outer": outer, "reduce0": rows, "reduce1": columns, "inner": inner}
    names = ("x_outer", "x_reduce0", "x_reduce1", "x_inner")
    numbers |= dict(zip(names, x.strides, strict=True))
    numbers |= {"out_outer": out.strides[0], "out_inner": out.strides[1], "offset": offset}
    numbers |= {"multiplier": multiplier, "shift": shift, "zero_point": zero}
    check(kernels, Mean(), out, expected, x=x, **numbers)


@pytest.mark.parametrize("depth", [1, 2, 10, 300, 511, 512, 1001])
@pytest.mark.parametrize("scale", [0.001, 0.1, 0.9])
def test_softmax(kernels: Kernels, depth: int, scale: float) -> None:
    """Against the real softmax: within one quantum, and within a half of it but for ties."""
    rng = np.random.default_rng(depth)
    shape = (3, depth)
    x, out = (Box(rng, shape, padded_strides(rng, shape)) for _ in range(2))
    x.values[2] = 7  # all alike
    real = np.exp(-scale * np.arange(256)) * 2**31
    table = np.minimum(np.rint(real), 2**31 - 1).astype(np.int32)
    before = out.memory.copy()
    numbers = {"rows": 3, "depth": depth, "x_row": x.strides[0], "out_row": out.strides[0]}
    kernels.call(Softmax(), x=x.pointer, exponential=table, out=out.pointer, **numbers)
    error = np.abs(out.values - reference.softmax(x.values, scale))
    assert error.max() <= 0.51
    # Outside of the box all is as it was.
    out.inside(before)[...] = out.values
    np.testing.assert_array_equal(out.memory, before)


@each_kernel([kernel for kernel in ALL if "extent0" in kernel.numbers])
def test_an_extent_of_zero_writes_nothing(kernels: Kernels, kernel: Kernel) -> None:
    rng = np.random.default_rng(12)
    dtype = getattr(kernel, "dtype", "int8")
    # Whatever is not int8 throughout.
    dtypes = {"out": dtype, "table": dtype, "scale": "float32"}
    dtypes["x"] = {"quantize": "float32", "copy": dtype}.get(kernel.family, "int8")
    boxes = {name: Box(rng, (4,), (1,), dtypes.get(name, "int8")) for name in kernel.pointers}
    before = boxes["out"].memory.copy()
    pointers = {name: box.pointer for name, box in boxes.items()}
    for empty in range(4):
        numbers = dict.fromkeys(kernel.numbers, 1) | {f"extent{empty}": 0}
        kernels.call(kernel, **pointers, **numbers)
    np.testing.assert_array_equal(boxes["out"].memory, before)


# --- the way into the library itself ---


def test_the_library_lists_its_kernels(kernels: Kernels) -> None:
    assert list(kernels.library.names) == sorted(kernel.name for kernel in ALL)


def test_an_unknown_kernel_is_a_key_error(kernels: Kernels) -> None:
    with pytest.raises(KeyError, match="fill_s8"):
        kernels.library.call("no_such_kernel", 1)


def test_a_wrong_dtype_is_a_type_error(kernels: Kernels) -> None:
    with pytest.raises(TypeError, match="int64"):
        kernels.library.call("fill_s8", np.zeros(4, np.int64), 1, 1, 1, 0)


def test_a_missing_argument_is_a_type_error(kernels: Kernels) -> None:
    with pytest.raises(TypeError):
        kernels.library.call("fill_s8", np.zeros(4, np.int8), 1, 1, 1)


def test_kernels_of_a_compiled_model(digits: Any, tmp_path: Path) -> None:
    from weft.testing import load_kernels

    (program,) = digits.program.manifest["programs"]
    library = load_kernels(digits.program)
    assert set(program["kernels"]) <= set(library.names)
    out = np.zeros(12, np.int8)
    library.call("fill_s8", out[1:], 2, 3, 5, -9)
    assert out.tolist() == [0, -9, -9, -9, 0, 0, -9, -9, -9, 0, 0, 0]

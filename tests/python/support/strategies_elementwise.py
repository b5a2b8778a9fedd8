"""Hypothesis strategies for operators that work element by element, and for SOFTMAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from support.strategies import (
    ACCUMULATOR_LIMIT,
    Draw,
    Instance,
    activations,
    log_floats,
    make_instance,
    output_quantisation,
    ratios,
    scales,
    seeds,
    zero_points,
)
from support.tflite_builder import ModelBuilder
from support.tflite_graph import Tensor

Pair = tuple[float, float]


# Ratios of scales as networks have them; exact ties need powers of two.
_powers = st.sampled_from((1.0, 2.0, 0.5, 4.0, 0.25))
_near_one = st.one_of(_powers, ratios, log_floats(0.1, 10.0))

# Binary


@st.composite
def _operand_shapes(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast to one of rank 1 to 4; equal ones half of the time."""
    image = st.tuples(st.just(1), st.integers(3, 9), st.integers(3, 9), st.integers(3, 20))
    full = tuple(draw(image | st.lists(st.integers(1, 8), min_size=1, max_size=4)))
    if draw(st.booleans()):
        return full, full
    narrow = [draw(st.sampled_from((size, 1))) for size in full]
    narrow = narrow[draw(st.integers(0, len(full) - 1)) :]
    shapes = (full, tuple(narrow))
    return shapes if draw(st.booleans()) else shapes[::-1]


def _binary(
    draw: Draw, method: str, scales: Pair, zeros: tuple[int, int], output: dict[str, Any]
) -> Instance:
    a_shape, b_shape = draw(_operand_shapes())
    (a_scale, b_scale), (a_zero, b_zero) = scales, zeros
    kind = draw(st.sampled_from(("inputs", "inputs", "constant a", "constant b", "twice")))
    rng = np.random.default_rng(draw(seeds))
    a_value, b_value = (
        rng.integers(-128, 128, shape).astype(np.int8) for shape in (a_shape, b_shape)
    )

    def emit(m: ModelBuilder) -> None:
        if kind == "constant a":
            a = m.constant(a_value, a_scale, a_zero)
        else:
            a = m.input(a_shape, a_scale, a_zero)
        if kind == "twice":
            b = a
        elif kind == "constant b":
            b = m.constant(b_value, b_scale, b_zero)
        else:
            b = m.input(b_shape, b_scale, b_zero)
        m.output(getattr(m, method)(a, b, **output))

    quantised = {"a": (a_shape, a_scale, a_zero), "b": (b_shape, b_scale, b_zero)}
    return make_instance(method.upper(), emit, kind=kind, **quantised, **output)


@st.composite
def _sum(draw: Draw, method: str) -> Instance:
    a_scale = draw(log_floats(1e-3, 1e2))
    b_scale = a_scale * draw(_near_one | log_floats(1e-9, 1e9))
    widest = max(a_scale, b_scale)
    output = output_quantisation(draw, draw(activations))
    if draw(st.sampled_from((True, True, True, False))):
        output["scale"] = draw(_near_one) * widest
    # TFLM's limit is 2**-19 of the larger input scale; the margin is for float32 rounding.
    output["scale"] = max(output["scale"], widest * 2.0**-18.9)
    zeros = draw(st.tuples(zero_points, zero_points))
    return _binary(draw, method, (a_scale, b_scale), zeros, output)


def add() -> st.SearchStrategy[Instance]:
    """ADD with broadcasting, constant operands, or one operand twice."""
    return _sum("add")


def sub() -> st.SearchStrategy[Instance]:
    """SUB like ADD."""
    return _sum("sub")


@st.composite
def mul(draw: Draw) -> Instance:
    """MUL with broadcasting, constant operands, or one operand twice."""
    output, a_scale = output_quantisation(draw, draw(activations)), draw(log_floats(1e-3, 1e2))
    most = ACCUMULATOR_LIMIT / 255**2
    nice = ratios.map(lambda ratio: ratio / 128)
    multiplier = draw(log_floats(1e-4, 0.1) | nice | log_floats(1e-12, most))
    b_scale = multiplier * output["scale"] / a_scale
    # An operand used twice has the scale of the first one: the output scale must allow for it.
    output["scale"] = max(output["scale"], a_scale * max(a_scale, b_scale) / most)
    zeros = draw(st.tuples(zero_points, zero_points))
    return _binary(draw, "mul", (a_scale, b_scale), zeros, output)


@st.composite
def _extremum(draw: Draw, method: str) -> Instance:
    scale, zero = draw(scales), draw(zero_points)
    return _binary(draw, method, (scale, scale), (zero, zero), {"scale": scale, "zero_point": zero})


def maximum() -> st.SearchStrategy[Instance]:
    """MAXIMUM of operands with equal quantisation: TFLM compares the stored values anyway."""
    return _extremum("maximum")


def minimum() -> st.SearchStrategy[Instance]:
    """MINIMUM of operands with equal quantisation: TFLM compares the stored values anyway."""
    return _extremum("minimum")


# Unary; the shapes hold all 256 values, and odd ends for kernels that go by fours

_value_shapes = st.sampled_from(((256,), (1, 257), (1, 9, 5, 7), (2, 10, 13), (1, 4, 8, 9)))


def _unary(
    draw: Draw, name: str, x_scale: float, apply: Callable[[ModelBuilder, Tensor], Tensor]
) -> Instance:
    shape, x_zero = draw(_value_shapes), draw(zero_points)

    def emit(m: ModelBuilder) -> None:
        m.output(apply(m, m.input(shape, x_scale, x_zero)))

    return make_instance(name, emit, x=(shape, x_scale, x_zero))


@st.composite
def _rescaled(draw: Draw, method: str, low: float, high: float) -> Instance:
    """A unary operator with its own output quantisation, for scale ratios (x / y) in a range."""
    ratio = draw(_near_one | log_floats(low, high))
    x_scale, y_zero = draw(log_floats(1e-4, 1e3)), draw(zero_points)
    y_scale = x_scale / ratio
    return _unary(
        draw,
        f"{method.upper()} y={(y_scale, y_zero)}",
        x_scale,
        lambda m, x: getattr(m, method)(x, scale=y_scale, zero_point=y_zero),
    )


def relu() -> st.SearchStrategy[Instance]:
    """RELU."""
    return _rescaled("relu", 1e-10, 1e6)


def requantize() -> st.SearchStrategy[Instance]:
    """QUANTIZE from int8 to int8."""
    return _rescaled("quantize", 1e-10, 1e6)


def hard_swish() -> st.SearchStrategy[Instance]:
    """HARD_SWISH."""
    return _rescaled("hard_swish", 1e-3, 120.0)


@st.composite
def leaky_relu(draw: Draw) -> Instance:
    """LEAKY_RELU, with slopes of either sign."""
    alpha = draw(st.sampled_from((0.0, 0.01, 0.1, 0.2, 0.3, 1.0, 2.0, -0.5)))
    x_scale, y_zero = draw(log_floats(1e-4, 1e3)), draw(zero_points)
    y_scale = x_scale / draw(_near_one | log_floats(1e-8, 1e5))
    return _unary(
        draw,
        f"LEAKY_RELU alpha={alpha} y={(y_scale, y_zero)}",
        x_scale,
        lambda m, x: m.leaky_relu(x, alpha, y_scale, y_zero),
    )


@st.composite
def relu6(draw: Draw) -> Instance:
    """RELU6."""
    x_scale = draw(log_floats(2e-3, 10.0) | scales)
    return _unary(draw, "RELU6", x_scale, lambda m, x: m.relu6(x))


@st.composite
def logistic(draw: Draw) -> Instance:
    """LOGISTIC."""
    x_scale = draw(log_floats(1e-3, 1.0) | log_floats(1e-7, 1e5))
    return _unary(draw, "LOGISTIC", x_scale, lambda m, x: m.logistic(x))


@st.composite
def tanh(draw: Draw) -> Instance:
    """TANH."""
    x_scale = draw(log_floats(1e-3, 1.0) | log_floats(1e-7, 1e5))
    return _unary(draw, "TANH", x_scale, lambda m, x: m.tanh(x))


@st.composite
def dequantize(draw: Draw) -> Instance:
    """DEQUANTIZE to float32."""
    return _unary(draw, "DEQUANTIZE", draw(scales), lambda m, x: m.dequantize(x))


@st.composite
def quantize(draw: Draw) -> Instance:
    """QUANTIZE from float32; NaN, infinities and quotients beyond int32 are undefined in TFLM."""
    shape, scale, zero = draw(_value_shapes), draw(scales), draw(zero_points)

    def feed(rng: np.random.Generator, number: int) -> list[np.ndarray]:
        quanta = (
            rng.uniform(-300, 300, shape),
            rng.uniform(-2e9, 2e9, shape),
            rng.integers(-300, 300, shape) + 0.5,
            rng.integers(-300, 300, shape) + rng.choice((0.49999997, 0.50000003), shape),
        )
        return [(quanta[number] * scale).astype(np.float32)]

    def emit(m: ModelBuilder) -> None:
        m.output(m.quantize(m.input(shape, dtype=np.float32), scale, zero))

    return Instance(f"QUANTIZE x={shape} y={(scale, zero)}", emit, feed)


@st.composite
def softmax(draw: Draw) -> Instance:
    """SOFTMAX over a last axis of 1 to 20."""
    leading = draw(st.lists(st.integers(1, 4), min_size=0, max_size=3))
    shape = (*leading, draw(st.integers(1, 20)))
    beta = draw(st.sampled_from((1.0, 1.0, 0.1, 0.5, 2.0, 10.0)))
    scale, zero = draw(log_floats(1e-3, 1.0) | log_floats(1e-6, 1e4)), draw(zero_points)

    def emit(m: ModelBuilder) -> None:
        m.output(m.softmax(m.input(shape, scale, zero), beta))

    return make_instance("SOFTMAX", emit, x=(shape, scale, zero), beta=beta)

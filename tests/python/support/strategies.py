"""Hypothesis strategies: single operators with wide random attributes, packed into models.

Each operator strategy gives an Instance; `cases(operator)` puts several instances side by side in
one model, because compiling a model costs far more than running it. Attributes are drawn, so that
they shrink and print; the bulk of tensors comes from a drawn seed.

The ranges stay inside what TFLM accepts and where its arithmetic is defined:
- an accumulator times its multiplier stays below 2**29: beyond, TFLM's left shift overflows int32;
- quantised clamp bounds (6 / scale) stay in int32: else Prepare fails, or pools use garbage;
- ADD and SUB abort unless the output scale exceeds 2**-19 of the larger input scale;
- SOFTMAX aborts unless beta * scale exceeds 2**-26;
- LOGISTIC and TANH shift by a negative amount if the scale is below 2**-27;
- HARD_SWISH is refused unless the input scale is below 128 times the output scale;
- FULLY_CONNECTED with a bias is refused if the bias scale, a rounded float32, is off by more than
  2 % of a quantum, which happens for multipliers beyond about 3e5;
- pools, CONCATENATION and PADV2 want equal quantisation everywhere, CONCATENATION at most 10 parts;
- a slice must not be empty, a VALID window must fit, and tensor ranks end at 4 or 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from support.tflite_builder import ModelBuilder
from support.tflite_graph import Tensor

Draw = Callable[[st.SearchStrategy[Any]], Any]
Feed = Callable[[np.random.Generator, int], list[np.ndarray]]

# Random, extreme, neutral and mixed values: see _values.
INPUT_SETS = 4

ACCUMULATOR_LIMIT = 2.0**29
# Where the outputs of a layer lie; with a power of two or a ratio of small integers as the
# multiplier, ties are frequent, in both of TFLM's two rounding steps.
_REGIMES = ("spread", "spread", "ratio", "power of two", "edge", "saturated", "vanishing")
_DENSE_MULTIPLIER_LIMIT = 1e5

seeds = st.integers(0, 2**32 - 1)
zero_points = st.integers(-128, 127) | st.sampled_from((0, -128, 127))
activations = st.sampled_from(("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"))
paddings = st.sampled_from(("SAME", "VALID"))
# Networks have one image at a time; the odd pair shows that nothing is silently dropped.
batch_sizes = st.sampled_from((1, 1, 1, 1, 1, 2))


def log_floats(low: float, high: float) -> st.SearchStrategy[float]:
    """Values with evenly spread magnitudes, rounded to float32 as a model file would."""
    exponents = st.floats(np.log2(low), np.log2(high))
    return exponents.map(lambda exponent: float(np.float32(2.0**exponent)))


scales = log_floats(1e-6, 1e4)
# Ratios of small integers make ties frequent, where the last bit of a multiplier decides.
ratios = st.tuples(st.integers(1, 8), st.integers(1, 8)).map(lambda pair: pair[0] / pair[1])


@dataclass(frozen=True)
class Instance:
    """One operator: `emit` adds it to a model, with its own inputs and outputs."""

    label: str
    emit: Callable[[ModelBuilder], None] = field(repr=False)
    # Makes the input arrays of one set, if the tensors alone do not say what suits them.
    feed: Feed | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Case:
    """A model, several sets of inputs for it, and for each output what made it."""

    model: bytes
    input_sets: list[list[np.ndarray]]
    labels: list[str]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would print the bytes of the model.
        printer.text(f"a model of {len(self.model)} bytes with the outputs\n")
        printer.text("\n".join(f"{index}: {label}" for index, label in enumerate(self.labels)))


@st.composite
def cases(draw: Draw, operator: st.SearchStrategy[Instance], least: int = 6) -> Case:
    """A model with `least` to 10 independent instances of an operator."""
    instances = draw(st.lists(operator, min_size=least, max_size=10))
    return assemble(instances, np.random.default_rng(draw(seeds)))


def assemble(instances: list[Instance], rng: np.random.Generator) -> Case:
    """Puts the instances side by side in one model."""
    m = ModelBuilder()
    labels: list[str] = []
    input_sets: list[list[np.ndarray]] = [[] for _ in range(INPUT_SETS)]
    for instance in instances:
        known = len(m.inputs)
        instance.emit(m)
        labels += [instance.label] * (len(m.outputs) - len(labels))
        for number, inputs in enumerate(input_sets):
            if instance.feed is not None:
                inputs.extend(instance.feed(rng, number))
            else:
                inputs.extend(_values(rng, tensor, number) for tensor in m.inputs[known:])
    return Case(m.build(), input_sets, labels)


def _values(rng: np.random.Generator, tensor: Tensor, number: int) -> np.ndarray:
    """Input values for set 0 uniform, 1 extreme, 2 all zero point, 3 one of several patterns."""
    shape, zero = tensor.shape, tensor.zero_point
    sweep = np.resize(rng.permutation(np.arange(-128, 128)), shape)
    patterns = [
        rng.integers(-128, 128, shape),
        rng.choice((-128, 127), shape),
        np.full(shape, zero),
        sweep,
    ]
    if number == 3:
        near = np.clip(zero + rng.integers(-3, 4, shape), -128, 127)
        patterns[3] = (sweep, near, np.full(shape, -128), np.full(shape, 127))[rng.integers(4)]
    return patterns[number].astype(np.int8)


def make_instance(name: str, emit: Callable[[ModelBuilder], None], **attributes: Any) -> Instance:
    words = [name, *(f"{key}={value}" for key, value in attributes.items())]
    return Instance(" ".join(words), emit)


def output_quantisation(draw: Draw, activation: str) -> dict[str, Any]:
    """Scale, zero point and activation of an output; clamps mostly lie inside the range."""
    if activation == "NONE":
        scale, zero = draw(scales), draw(zero_points)
    else:
        scale = draw(log_floats(5e-3, 1.0) | log_floats(5e-3, 1.0) | scales)
        zero = draw(st.just(-128) | st.integers(-128, 0) | zero_points)
    return {"scale": scale, "zero_point": zero, "activation": activation}


# Convolutions and dense layers


def _weights(draw: Draw, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    kind = draw(st.sampled_from(("any", "extreme", "sparse", "-128 too")))
    if kind == "extreme":
        return rng.choice((-127, 127), shape).astype(np.int8)
    weights = rng.integers(-128 if kind == "-128 too" else -127, 128, shape)
    if kind == "sparse":
        weights *= rng.random(shape) < 0.1
    return weights.astype(np.int8)


def _bias(draw: Draw, rng: np.random.Generator, reach: np.ndarray) -> np.ndarray | None:
    kind = draw(st.sampled_from(("some", "some", "none", "huge")))
    if kind == "none":
        return None
    span = reach // 4 + 1 if kind == "some" else np.full_like(reach, 2**30)
    return rng.integers(-span, span + 1)


def _multipliers(
    draw: Draw, rng: np.random.Generator, kind: str, filters: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """The wanted real multiplier of each channel; filters has one row of weights per channel."""
    wide = filters.astype(np.int64)
    shift = 0 if bias is None else np.abs(bias)
    reach = np.abs(wide).sum(axis=1) * 255 + shift + 1
    typical = np.sqrt((wide**2).sum(axis=1)) * 74 + shift + 1
    size = draw(st.floats(0.0, 1.0))
    if kind == "spread":
        multiplier = 2.0 ** rng.uniform(4, 7, len(reach)) / typical
    elif kind == "edge":
        multiplier = 2.0 ** rng.uniform(-22, -16, len(reach))
    elif kind == "saturated":
        multiplier = (256 + (ACCUMULATOR_LIMIT - 256) * size**4) / reach
    elif kind == "vanishing":
        multiplier = 10.0 ** (-12 * size) / reach
    else:
        multiplier = 2.0 ** np.round(np.log2(100 / typical) + rng.integers(-2, 3, len(reach)))
        if kind == "ratio":
            multiplier *= rng.integers(1, 8, len(reach)) / rng.integers(1, 8, len(reach))
    return np.minimum(multiplier, ACCUMULATOR_LIMIT / reach)


def _edge_bias(rng: np.random.Generator, multiplier: np.ndarray) -> np.ndarray:
    """A bias that alone, with neutral input, lands next to a rounding edge: there a multiplier
    shows that is off by one part in ten million, such as a product rounded to float32."""
    edges = (rng.integers(-120, 120, multiplier.shape) + 0.5) / multiplier
    return np.rint(edges).astype(np.int64) + rng.integers(-8, 9, multiplier.shape)


def _quantised_layer(
    draw: Draw, rng: np.random.Generator, filters: np.ndarray, most: float = np.inf
) -> tuple[np.ndarray | None, float | np.ndarray, dict[str, Any], float]:
    """Bias, weight scales, output attributes and input scale of a layer with these filters."""
    kind = draw(st.sampled_from(_REGIMES))
    reach = np.abs(filters.astype(np.int64)).sum(axis=1) * 255
    bias = None if kind == "edge" else _bias(draw, rng, reach)
    multiplier = np.minimum(most, _multipliers(draw, rng, kind, filters, bias))
    output, x_scale = output_quantisation(draw, draw(activations)), draw(scales)
    w_scales = (multiplier * output["scale"] / x_scale).astype(np.float32)
    per_channel = draw(st.booleans())
    if not per_channel:
        # One scale for all channels: the smallest keeps every accumulator in range.
        w_scales = np.full_like(w_scales, w_scales.min())
    if kind == "edge":
        bias = _edge_bias(rng, x_scale * w_scales.astype(np.float64) / output["scale"])
    return bias, w_scales if per_channel else float(w_scales[0]), output, x_scale


def _describe(
    weights: np.ndarray, bias: np.ndarray | None, w_scales: float | np.ndarray
) -> dict[str, Any]:
    per_channel = np.ndim(w_scales) > 0
    return {"w": weights.shape, "per_channel": per_channel, "bias": bias is not None}


def _window(draw: Draw, dilations: st.SearchStrategy[int]) -> tuple[dict[str, Any], list[int]]:
    """Attributes of a sliding window (height, width), with the kernel, and a fitting input size."""
    pairs = st.tuples(st.integers(1, 5), st.integers(1, 3), dilations)
    (kh, sh, dh), (kw, sw, dw) = draw(pairs), draw(pairs)
    padding = draw(paddings)
    reach = [(kh - 1) * dh + 1, (kw - 1) * dw + 1]
    least = reach if padding == "VALID" else [1, 1]
    size = [low + draw(st.integers(0, 8)) for low in least]
    window = {"kernel": (kh, kw), "strides": (sh, sw), "dilation": (dh, dw), "padding": padding}
    return window, size


@st.composite
def conv2d(draw: Draw) -> Instance:
    """CONV_2D, grouped now and then."""
    window, size = _window(draw, st.integers(1, 3))
    depth = draw(st.integers(1, 20))
    divisors = [groups for groups in range(1, depth + 1) if depth % groups == 0]
    groups = draw(st.just(1) | st.sampled_from(divisors))
    channels = groups * draw(st.integers(1, max(1, 20 // groups)))
    shape = (draw(batch_sizes), *size, depth)
    rng = np.random.default_rng(draw(seeds))
    kernel = window.pop("kernel")
    weights = _weights(draw, rng, (channels, *kernel, depth // groups))
    bias, w_scales, output, x_scale = _quantised_layer(draw, rng, weights.reshape(channels, -1))
    x_zero = draw(zero_points)

    def emit(m: ModelBuilder) -> None:
        x = m.input(shape, x_scale, x_zero)
        m.output(m.conv2d(x, weights, bias, w_scales, **window, **output))

    described = {"x": (shape, x_scale, x_zero), **_describe(weights, bias, w_scales)}
    return make_instance("CONV_2D", emit, **described, **window, **output)


@st.composite
def depthwise_conv2d(draw: Draw) -> Instance:
    """DEPTHWISE_CONV_2D with depth multipliers 1 to 4."""
    window, size = _window(draw, st.integers(1, 3))
    depth, multiplier = draw(st.integers(1, 20)), draw(st.sampled_from((1, 1, 1, 2, 3, 4)))
    shape = (draw(batch_sizes), *size, depth)
    rng = np.random.default_rng(draw(seeds))
    kernel = window.pop("kernel")
    weights = _weights(draw, rng, (1, *kernel, depth * multiplier))
    filters = weights.reshape(-1, depth * multiplier).T
    bias, w_scales, output, x_scale = _quantised_layer(draw, rng, filters)
    x_zero = draw(zero_points)

    def emit(m: ModelBuilder) -> None:
        x = m.input(shape, x_scale, x_zero)
        m.output(m.depthwise_conv2d(x, weights, bias, w_scales, **window, **output))

    described = {"x": (shape, x_scale, x_zero), **_describe(weights, bias, w_scales)}
    return make_instance("DEPTHWISE", emit, **described, **window, **output)


@st.composite
def fully_connected(draw: Draw) -> Instance:
    """FULLY_CONNECTED on inputs of rank 2 to 4, flattened, by rows, or with kept axes."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    shape += (draw(st.integers(1, 40)),)
    keep = draw(st.booleans())
    flatten = not keep and draw(st.booleans())
    depth = int(np.prod(shape[1:])) if flatten else shape[-1]
    rng = np.random.default_rng(draw(seeds))
    weights = _weights(draw, rng, (draw(st.integers(1, 20)), depth))
    layer = _quantised_layer(draw, rng, weights, _DENSE_MULTIPLIER_LIMIT)
    bias, w_scales, output, x_scale = layer
    x_zero = draw(zero_points)

    def emit(m: ModelBuilder) -> None:
        x = m.input(shape, x_scale, x_zero)
        m.output(m.fully_connected(x, weights, bias, w_scales, keep_num_dims=keep, **output))

    described = {"x": (shape, x_scale, x_zero), **_describe(weights, bias, w_scales)}
    return make_instance("FULLY_CONNECTED", emit, **described, **output)


# Pooling and reduction


@st.composite
def _pool(draw: Draw, method: str) -> Instance:
    window, size = _window(draw, st.just(1))
    del window["dilation"]
    shape = (draw(batch_sizes), *size, draw(st.integers(1, 20)))
    quantised = output_quantisation(draw, draw(activations))
    activation = quantised.pop("activation")

    def emit(m: ModelBuilder) -> None:
        x = m.input(shape, **quantised)
        m.output(getattr(m, method)(x, **window, activation=activation))

    described = {"x": shape, **quantised, **window, "activation": activation}
    return make_instance(method.upper(), emit, **described)


def average_pool2d() -> st.SearchStrategy[Instance]:
    """AVERAGE_POOL_2D."""
    return _pool("average_pool2d")


def max_pool2d() -> st.SearchStrategy[Instance]:
    """MAX_POOL_2D."""
    return _pool("max_pool2d")


@st.composite
def mean(draw: Draw) -> Instance:
    """MEAN over any axes of tensors of rank 1 to 4."""
    image = st.tuples(st.just(1), st.integers(2, 9), st.integers(2, 9), st.integers(2, 20))
    shape = tuple(draw(image | st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    all_axes = st.integers(-len(shape), len(shape) - 1)
    axes = draw(st.lists(all_axes, min_size=1, unique_by=lambda axis: axis % len(shape)))
    keep = draw(st.booleans())
    ratio = draw(log_floats(0.1, 10.0) | ratios | log_floats(1e-10, 1e5))
    x_scale, x_zero, y_zero = draw(log_floats(1e-4, 1e3)), draw(zero_points), draw(zero_points)
    output = {"scale": x_scale / ratio, "zero_point": y_zero}

    def emit(m: ModelBuilder) -> None:
        m.output(m.mean(m.input(shape, x_scale, x_zero), axes, keep, **output))

    described = {"x": (shape, x_scale, x_zero), "axes": axes, "keep_dims": keep}
    return make_instance("MEAN", emit, **described, **output)

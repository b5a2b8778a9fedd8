"""Hypothesis strategy for small calibrated networks of 3 to 12 operators, with branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from support.float_reference import stored
from support.networks import Network, Node
from support.strategies import Case, Draw, activations, paddings, seeds

_MOST_OPERATORS = 12
_CHANNELS = st.integers(1, 16)
_PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def networks(draw: Draw) -> Case:
    """A network with its image or images outputs, each labelled with all its layers."""
    rng = np.random.default_rng(draw(seeds))
    n = Network(rng)
    size = st.integers(3, 17)
    x = n.input((1, draw(size), draw(size), draw(st.integers(1, 8))))
    layers = [f"input {x.shape}"]
    # A step adds at most 5 operators and the end at most 3.
    target = draw(st.integers(1, _MOST_OPERATORS - 3))
    while n.builder.operator_count < target:
        roomy = n.builder.operator_count <= _MOST_OPERATORS - 8
        step = draw(st.sampled_from(_SINGLE_STEPS + _WIDE_STEPS if roomy else _SINGLE_STEPS))
        x = step(draw, n, x)
        layers.append(f"{step.__name__.strip('_')} {x.shape}")
    outputs = _end(draw, n, x)
    assume(_is_rich(outputs[-1]))
    layers.append(f"outputs {[node.shape for node in outputs]}")
    shape = n.builder.inputs[0].shape
    input_sets = [[values.astype(np.int8)] for values in _images(rng, shape)]
    return Case(n.build(*outputs), input_sets, [", ".join(layers)] * len(outputs))


def _is_rich(output: Node) -> bool:
    """Whether the output takes many values and depends on the image, by the calibration images."""
    values = stored(output.reals, *output.tensor.quantisation)
    differ = any((values[0] != image).mean() > 0.2 for image in values[1:])
    return differ and len(np.unique(values)) >= min(16, values.size // 4)


def _images(rng: np.random.Generator, shape: tuple[int, ...]) -> list[np.ndarray]:
    noise = [rng.integers(-128, 128, shape) for _ in range(3)]
    return [*noise, rng.choice((-128, 127), shape), np.zeros(shape, int)]


def _window(draw: Draw, x: Node, dilated: bool) -> dict[str, Any]:
    """A window that fits into the image even without padding."""
    kernel = [draw(st.integers(1, min(5, size))) for size in x.shape[1:3]]
    window: dict[str, Any] = {"strides": draw(_PAIRS), "padding": draw(paddings)}
    if dilated:
        most = [(size - 1) // max(1, k - 1) for size, k in zip(x.shape[1:3], kernel, strict=True)]
        window["dilation"] = tuple(draw(st.integers(1, max(1, min(3, m)))) for m in most)
    return window | {"kernel": tuple(kernel)}


def _conv(draw: Draw, n: Network, x: Node) -> Node:
    return n.conv2d(x, draw(_CHANNELS), activation=draw(activations), **_window(draw, x, True))


def _depthwise(draw: Draw, n: Network, x: Node) -> Node:
    multiplier = draw(st.sampled_from((1, 1, 1, 2)))
    window = _window(draw, x, True)
    return n.depthwise_conv2d(x, activation=draw(activations), multiplier=multiplier, **window)


def _pointwise(draw: Draw, n: Network, x: Node) -> Node:
    return n.conv2d(x, draw(_CHANNELS), (1, 1), activation=draw(activations))


def _residual(draw: Draw, n: Network, x: Node) -> Node:
    kernel = draw(_PAIRS)
    y = n.conv2d(x, x.shape[3], kernel, activation=draw(activations))
    return n.add(x, y, activation=draw(activations))


def _branches(draw: Draw, n: Network, x: Node) -> Node:
    left = n.conv2d(x, draw(_CHANNELS), draw(_PAIRS), activation=draw(activations))
    right = n.depthwise_conv2d(x, (3, 3), activation="RELU") if draw(st.booleans()) else x
    return n.concatenation([left, right])


def _gate(draw: Draw, n: Network, x: Node) -> Node:
    return n.mul(x, n.conv2d(n.mean(x, keep_dims=True), x.shape[3], (1, 1), activation="RELU6"))


def _max_pool(draw: Draw, n: Network, x: Node) -> Node:
    return n.max_pool2d(x, **_window(draw, x, False))


def _average_pool(draw: Draw, n: Network, x: Node) -> Node:
    return n.average_pool2d(x, **_window(draw, x, False))


def _pad(draw: Draw, n: Network, x: Node) -> Node:
    margin = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return n.pad(x, draw(margin), draw(margin))


_Step = Callable[[Draw, Network, Node], Node]
_SINGLE_STEPS: list[_Step] = [_conv, _depthwise, _pointwise, _max_pool, _average_pool, _pad]
_WIDE_STEPS: list[_Step] = [_residual, _branches, _gate]


def _end(draw: Draw, n: Network, x: Node) -> list[Node]:
    kind = draw(st.sampled_from(("image", "classes", "dense", "mean")))
    if kind == "image" and n.builder.operator_count >= 3:
        return [x]
    if kind == "mean" and n.builder.operator_count >= 2:
        return [n.mean(x)]
    units = draw(st.integers(2, 16))
    if kind == "classes":
        logits = n.fully_connected(n.mean(x), units)
    else:
        logits = n.fully_connected(n.flatten(x), units)
    # The logits are an output too, because the softmax hides most of what they are.
    return [n.softmax(logits), logits]

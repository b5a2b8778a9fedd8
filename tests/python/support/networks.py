"""Calibrated int8 networks with random weights: pieces for random ones, and two MobileNets.

A layer's output scale comes from the real values that a few random images give there, so that
outputs use their range and a wrong value somewhere is a wrong value at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from support import float_reference as real_ops
from support.tflite_builder import ModelBuilder, Pair
from support.tflite_graph import Tensor

_CALIBRATION_IMAGES = 6


@dataclass(frozen=True)
class Node:
    """A tensor of the model, with the real values that the calibration images give there."""

    tensor: Tensor
    reals: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in the model, which has one image at a time."""
        return self.tensor.shape


class Network:
    """Builds a model layer by layer and calibrates each layer at once."""

    def __init__(self, rng: np.random.Generator, description: str = "weft test network") -> None:
        self.rng = rng
        self.builder = ModelBuilder(description)

    def input(self, shape: Sequence[int]) -> Node:
        """A model input; values spread evenly over [-1, 1)."""
        images = self.rng.integers(-128, 128, (_CALIBRATION_IMAGES, *shape[1:]))
        tensor = self.builder.input(shape, 1 / 128, 0)
        return Node(tensor, real_ops.real(images, 1 / 128, 0))

    def build(self, *outputs: Node) -> bytes:
        """The model, with these outputs."""
        self.builder.output(*(node.tensor for node in outputs))
        return self.builder.build()

    # Layers with weights

    def conv2d(
        self,
        x: Node,
        channels: int,
        kernel: Pair,
        strides: Pair = (1, 1),
        dilation: Pair = (1, 1),
        padding: str = "SAME",
        activation: str = "RELU6",
    ) -> Node:
        """Convolution with random weights, quantised per channel."""
        weights, scales = self._weights((channels, *kernel, x.shape[3]), (1, 2, 3))
        window: dict[str, Any] = {"strides": strides, "dilation": dilation, "padding": padding}
        column = scales.reshape(-1, 1, 1, 1)
        sums = real_ops.conv2d(x.reals, weights * column, np.zeros(channels), **window)
        reals, scales, bias = self._normalised(sums, x, scales)
        reals, output = _calibrated(reals, activation)
        y = self.builder.conv2d(x.tensor, weights, bias, scales, **window, **output)
        return Node(y, reals)

    def depthwise_conv2d(
        self,
        x: Node,
        kernel: Pair,
        strides: Pair = (1, 1),
        dilation: Pair = (1, 1),
        padding: str = "SAME",
        activation: str = "RELU6",
        multiplier: int = 1,
    ) -> Node:
        """Depthwise convolution with random weights, quantised per channel."""
        channels = x.shape[3] * multiplier
        weights, scales = self._weights((1, *kernel, channels), (0, 1, 2))
        window: dict[str, Any] = {"strides": strides, "dilation": dilation, "padding": padding}
        sums = real_ops.depthwise_conv2d(x.reals, weights * scales, np.zeros(channels), **window)
        reals, scales, bias = self._normalised(sums, x, scales)
        reals, output = _calibrated(reals, activation)
        y = self.builder.depthwise_conv2d(x.tensor, weights, bias, scales, **window, **output)
        return Node(y, reals)

    def fully_connected(self, x: Node, units: int, activation: str = "NONE") -> Node:
        """Dense layer on the flattened input, quantised per tensor."""
        depth = int(np.prod(x.shape[1:]))
        weights, scales = self._weights((units, depth), (0, 1))
        rows = x.reals.reshape(-1, depth)
        sums = real_ops.fully_connected(rows, weights * scales, np.zeros(units))
        reals, scales, bias = self._normalised(sums, x, scales)
        reals, output = _calibrated(reals, activation)
        scale = float(scales[0])
        return Node(self.builder.fully_connected(x.tensor, weights, bias, scale, **output), reals)

    def _weights(
        self, shape: tuple[int, ...], axes: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Stored weights and their scales; axes are those that share a scale."""
        reals = self.rng.normal(0.0, 1.0, shape)
        scales = np.abs(reals).max(axis=axes, keepdims=True) / 127
        return np.rint(reals / scales).astype(np.int8), scales.ravel()

    def _normalised(
        self, sums: np.ndarray, x: Node, scales: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The sums with about unit variance and zero mean, and the weight scales and bias for it.

        Without this, what random layers give hardly depends on the image."""
        axes = tuple(range(sums.ndim - 1))
        spread = sums.std(axis=axes if scales.size > 1 else None)
        spread = np.where(spread > 1e-6, spread, 1.0)
        scales, sums = (scales / spread).astype(np.float32), sums / spread
        wanted = self.rng.normal(0.3, 0.5, sums.shape[-1]) - sums.mean(axis=axes)
        bias_scales = x.tensor.scale * scales.astype(np.float64)
        bias = np.clip(np.rint(wanted / bias_scales), -(2**28), 2**28).astype(np.int32)
        return sums + bias * bias_scales, scales, bias

    # Layers without weights

    def add(self, a: Node, b: Node, activation: str = "NONE") -> Node:
        """Sum of two branches."""
        reals, output = _calibrated(a.reals + b.reals, activation)
        return Node(self.builder.add(a.tensor, b.tensor, **output), reals)

    def mul(self, a: Node, b: Node, activation: str = "NONE") -> Node:
        """Product of two branches."""
        reals, output = _calibrated(a.reals * b.reals, activation)
        return Node(self.builder.mul(a.tensor, b.tensor, **output), reals)

    def concatenation(self, nodes: Sequence[Node], axis: int = 3) -> Node:
        """Branches side by side, brought to one common quantisation first, as TFLM demands."""
        reals, output = _calibrated(np.concatenate([node.reals for node in nodes], axis), "NONE")
        scale, zero = output["scale"], output["zero_point"]
        parts = [self.builder.quantize(node.tensor, scale, zero) for node in nodes]
        return Node(self.builder.concatenation(parts, axis), reals)

    def average_pool2d(self, x: Node, kernel: Pair, strides: Pair, padding: str = "VALID") -> Node:
        """Average pooling."""
        reals = real_ops.average_pool2d(x.reals, kernel, strides, padding)
        y = self.builder.average_pool2d(x.tensor, kernel, strides=strides, padding=padding)
        return Node(y, reals)

    def max_pool2d(self, x: Node, kernel: Pair, strides: Pair, padding: str = "VALID") -> Node:
        """Maximum pooling."""
        reals = real_ops.max_pool2d(x.reals, kernel, strides, padding)
        y = self.builder.max_pool2d(x.tensor, kernel, strides=strides, padding=padding)
        return Node(y, reals)

    def mean(self, x: Node, keep_dims: bool = False) -> Node:
        """Mean over height and width."""
        reals, output = _calibrated(x.reals.mean(axis=(1, 2), keepdims=keep_dims), "NONE")
        scale, zero = output["scale"], output["zero_point"]
        return Node(self.builder.mean(x.tensor, (1, 2), keep_dims, scale, zero), reals)

    def pad(self, x: Node, rows: Pair, columns: Pair) -> Node:
        """Zeros around the image."""
        margins = [(0, 0), rows, columns, (0, 0)]
        return Node(self.builder.pad(x.tensor, margins), np.pad(x.reals, margins))

    def flatten(self, x: Node) -> Node:
        """One row of values for each image."""
        return Node(self.builder.reshape(x.tensor, (1, -1)), x.reals.reshape(len(x.reals), -1))

    def softmax(self, x: Node, beta: float = 1.0) -> Node:
        """Softmax over the last axis."""
        return Node(self.builder.softmax(x.tensor, beta), real_ops.softmax(x.reals, beta))


def _calibrated(reals: np.ndarray, activation: str) -> tuple[np.ndarray, dict[str, Any]]:
    """The activated reals, and the output attributes that just hold them."""
    reals = real_ops.activate(reals, activation)
    low, high = min(reals.min(), 0.0), max(reals.max(), 0.0)
    # Nothing but zeros has no range; any scale serves.
    scale = float(np.float32((high - low) / 255 or 1.0))
    zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    return reals, {"scale": scale, "zero_point": zero, "activation": activation}


def _round8(channels: float) -> int:
    """Channels as MobileNets round them: multiples of 8, at least 90 % of what was asked."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def mobilenet_v1(seed: int = 0, size: int = 48, alpha: float = 0.25, classes: int = 10) -> bytes:
    """A network like MobileNetV1: depthwise and pointwise pairs, pooled and classified."""
    n = Network(np.random.default_rng(seed), "MobileNetV1-like")
    blocks = [(1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)]
    blocks += [(1, 512)] * 5 + [(2, 1024), (1, 1024)]
    x = n.conv2d(n.input((1, size, size, 3)), _round8(32 * alpha), (3, 3), (2, 2))
    for stride, channels in blocks:
        x = n.depthwise_conv2d(x, (3, 3), (stride, stride))
        x = n.conv2d(x, _round8(channels * alpha), (1, 1))
    x = n.average_pool2d(x, (x.shape[1], x.shape[2]), (1, 1))
    logits = n.fully_connected(n.flatten(x), classes)
    return n.build(n.softmax(logits))


def mobilenet_v2(seed: int = 0, size: int = 48, alpha: float = 0.25, classes: int = 10) -> bytes:
    """A network like MobileNetV2: inverted residuals with linear bottlenecks and additions."""
    n = Network(np.random.default_rng(seed), "MobileNetV2-like")
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    stages += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    x = n.conv2d(n.input((1, size, size, 3)), _round8(32 * alpha), (3, 3), (2, 2))
    for expansion, channels, repeats, stride in stages:
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            x = _inverted_residual(n, x, expansion, _round8(channels * alpha), step)
    x = n.conv2d(x, _round8(1280 * alpha), (1, 1))
    logits = n.fully_connected(n.mean(x), classes)
    return n.build(n.softmax(logits))


def _inverted_residual(n: Network, x: Node, expansion: int, channels: int, stride: int) -> Node:
    y = x if expansion == 1 else n.conv2d(x, expansion * x.shape[3], (1, 1))
    y = n.depthwise_conv2d(y, (3, 3), (stride, stride))
    y = n.conv2d(y, channels, (1, 1), activation="NONE")
    return n.add(x, y) if y.shape == x.shape else y

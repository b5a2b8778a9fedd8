# SPDX-License-Identifier: Apache-2.0
"""The layers on which hand-written and generated kernels are measured: a few of every class of
shapes, ordinary ones and those that a hand-written kernel is least made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.testing.random_layers import RandomLayer, layer_of

_SEED = 0
# As trained weights are spread, more or less.
_WEIGHT_DEVIATION = 30.0
_IN_ZERO_POINT = -128


@dataclass(frozen=True)
class LayerShape:
    """A layer of ``family``, whose kernels are chosen as one, and of ``shape_class``. ``out`` is
    rows, columns and channels of the result, ``given`` the channels of the operand; there is no
    padding. A dense layer has one row and one column."""

    family: str
    shape_class: str
    kind: str
    out: tuple[int, int, int]
    given: int
    window: tuple[int, int] = (1, 1)
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def name(self) -> str:
        """What tells it from the others."""
        text = f"{self.kind} {'x'.join(map(str, self.window))}" if self.is_windowed else self.kind
        for name in ("stride", "dilation", "groups"):
            if getattr(self, name) != 1:
                text += f", {name} {getattr(self, name)}"
        return f"{text}, {self.given} to {'x'.join(map(str, self.out))}"

    @property
    def is_windowed(self) -> bool:
        return self.kind in ("conv2d", "depthwise")

    @property
    def pixels(self) -> int:
        """Of the result."""
        return self.out[0] * self.out[1]

    @property
    def channels(self) -> int:
        """Of the result, and of a group."""
        return self.out[2] // self.groups

    @property
    def taps(self) -> int:
        """Products that are summed for a result."""
        if self.kind == "binary":
            return 0
        return prod(self.window) * (1 if self.kind == "depthwise" else self.given // self.groups)

    def layer(self) -> RandomLayer:
        """With random weights that hand-written kernels can take, the same each time."""
        rng = np.random.default_rng([_SEED, *self.out, self.given, *self.window])
        if self.kind == "binary":
            shape = (1, *self.out)
            return RandomLayer("binary", shape, shape, (), _ADD, operands=2)
        made = self.out[2]
        if self.kind == "dense":
            weights = _weights(rng, (made, self.given))
            return layer_of(rng, "dense", (1, self.given), (1, made), weights, self.given, {})
        is_depthwise = self.kind == "depthwise"
        depth = self.given // self.groups
        weights = _weights(
            rng, (*self.window, made) if is_depthwise else (made, *self.window, depth)
        )
        return self._windowed(rng, weights, {} if is_depthwise else {"groups": self.groups})

    def _windowed(
        self, rng: np.random.Generator, weights: NDArray[np.int8], more: Mapping[str, Any]
    ) -> RandomLayer:
        reach = [
            (extent - 1) * self.stride + (taps - 1) * self.dilation + 1
            for extent, taps in zip(self.out[:2], self.window, strict=True)
        ]
        attributes = {
            "strides": [self.stride] * 2,
            "dilation": [self.dilation] * 2,
            "padding": [0] * 4,
            "in_zero_point": _IN_ZERO_POINT,
            **more,
        }
        x_shape, out_shape = (1, *reach, self.given), (1, *self.out)
        return layer_of(rng, self.kind, x_shape, out_shape, weights, self.taps, attributes)


#: TFLite's addition of operands on scales of 1 and 0.7.
_ADD: Mapping[str, Any] = {
    "operator": "add",
    **{"a_zero_point": -3, "a_multiplier": 1 << 30, "a_shift": 0},
    **{"b_zero_point": 5, "b_multiplier": 1503238554, "b_shift": -1},
    **{"out_zero_point": 1, "out_multiplier": 1503238554, "out_shift": -18},
    **{"low": -128, "high": 127},
}


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    normal = rng.normal(0, _WEIGHT_DEVIATION, shape)
    return np.clip(np.rint(normal), -127, 127).astype(np.int8)


def _conv2d(
    shape_class: str, out: tuple[int, int, int], given: int, window: int = 1, **more: Any
) -> LayerShape:
    return LayerShape("conv2d", shape_class, "conv2d", out, given, (window, window), **more)


def _dense(shape_class: str, given: int, made: int) -> LayerShape:
    return LayerShape("conv2d", shape_class, "dense", (1, 1, made), given)


def _depthwise(
    shape_class: str, out: tuple[int, int, int], window: tuple[int, int] = (3, 3), **more: Any
) -> LayerShape:
    return LayerShape("depthwise", shape_class, "depthwise", out, out[2], window, **more)


def _add(shape_class: str, out: tuple[int, int, int]) -> LayerShape:
    return LayerShape("add", shape_class, "binary", out, out[2])


_FEW = (1, 2, 3)
_TAPS = (2, 4, 8, 16, 32, 64)


def _few_channels() -> Iterator[LayerShape]:
    """Fewer output channels than the four that hand-written kernels compute at once, by taps: of
    several pixels and of one."""
    for made in _FEW:
        yield from (_conv2d("few channels", (8, 8, made), taps) for taps in _TAPS)
        yield from (_conv2d("few channels", (6, 6, made), given, 3) for given in (1, 2, 3, 7))
        yield from (_conv2d("few channels", (1, 1, made), given, 3) for given in (1, 2, 3, 7))
        yield from (_dense("few channels", taps, made) for taps in _TAPS)


SHAPES: tuple[LayerShape, ...] = (
    _conv2d("pointwise", (8, 8, 64), 64),
    _conv2d("pointwise", (12, 12, 16), 8),
    _conv2d("pointwise", (6, 6, 32), 16, stride=2),
    _conv2d("window", (8, 8, 16), 16, 3),
    _conv2d("window", (6, 6, 32), 16, 3, stride=2),
    _conv2d("window", (6, 6, 8), 8, 5),
    _conv2d("window", (6, 6, 8), 8, 3, dilation=2),
    _conv2d("window", (6, 6, 16), 16, 3, groups=2),
    _conv2d("first layer", (12, 12, 16), 3, 3),
    _conv2d("first layer", (12, 12, 8), 1, 3, stride=2),
    LayerShape("conv2d", "first layer", "conv2d", (8, 5, 32), 1, (10, 4), stride=2),
    _dense("dense", 256, 64),
    _dense("dense", 64, 10),
    _dense("dense", 7, 5),
    _conv2d("narrow", (16, 1, 32), 32),
    _conv2d("narrow", (16, 1, 16), 16, 3),
    _conv2d("tiny box", (1, 1, 16), 16),
    _conv2d("tiny box", (1, 1, 4), 16, 3),
    _dense("tiny box", 4, 4),
    *_few_channels(),
    _depthwise("3x3", (8, 8, 16)),
    _depthwise("3x3", (6, 6, 32), stride=2),
    _depthwise("3x3", (7, 7, 8), dilation=2),
    _depthwise("window", (8, 8, 16), (5, 5)),
    _depthwise("window", (8, 8, 16), (3, 1)),
    _depthwise("window", (8, 8, 16), (2, 2)),
    _depthwise("window", (8, 8, 16), (1, 1)),
    _depthwise("narrow", (16, 1, 16)),
    _depthwise("narrow", (16, 1, 16), (1, 1)),
    _depthwise("four channels", (8, 8, 4)),
    _depthwise("four channels", (8, 8, 4), (2, 2)),
    _depthwise("four channels", (8, 8, 4), (1, 1)),
    _depthwise("tiny box", (1, 1, 16)),
    _depthwise("tiny box", (1, 1, 4)),
    _depthwise("tiny box", (1, 1, 4), (1, 1)),
    _add("elements", (8, 8, 16)),
    _add("few channels", (8, 8, 3)),
    _add("few channels", (8, 8, 1)),
    _add("tiny box", (1, 1, 4)),
    _add("tiny box", (1, 1, 1)),
)

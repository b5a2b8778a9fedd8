# SPDX-License-Identifier: Apache-2.0
"""The values of an ONNX graph on their way to Relax: in any order of axes, dequantised late.

ONNX is NCHW, stages are NHWC. Every tensor therefore says in which order its axes lie, and is
transposed only where an operator needs another. A dequantise is remembered and written where a
float is asked for, so that what moves data between it and a quantise moves bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from weft.importers.onnx_reader import Array, Unsupported

#: Where the axes of an NCHW tensor lie inside.
NHWC = (0, 2, 3, 1)


@dataclass(frozen=True)
class Scale:
    """How integers stand for reals: ``scale * (q - zero_point)``, of a whole tensor."""

    scale: np.float32
    zero_point: int


@dataclass(frozen=True)
class Held:
    """A Relax expression whose axis ``i`` is axis ``order[i]`` of the ONNX value. With ``real``,
    the ONNX value is its dequantise."""

    value: Any
    order: tuple[int, ...]
    real: Scale | None = None

    @property
    def dtype(self) -> str:
        """Of the expression."""
        return str(self.value.ty.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the ONNX value."""
        extents = [int(n) for n in self.value.ty.shape]
        return tuple(extents[self.order.index(axis)] for axis in range(len(extents)))


@dataclass(frozen=True)
class Quantized:
    """A dequantised constant: weights, a bias. One scale and zero point, or one an index of
    ``axis``."""

    values: Array
    scales: Array
    zero_points: Array
    axis: int

    def reshaped(self, shape: Sequence[int]) -> Quantized:
        """With another shape; raises ``Unsupported`` if the axis of several scales is gone then."""
        axis = 0
        if self.scales.size > 1:
            old = self.values.shape
            sides = prod(old[: self.axis]), old[self.axis]
            places = [i for i, n in enumerate(shape) if (prod(shape[:i]), n) == sides]
            if not places:
                raise Unsupported("the axis along which a constant has scales is reshaped")
            axis = places[0]
        return Quantized(self.values.reshape(shape), self.scales, self.zero_points, axis)

    def transposed(self, order: Sequence[int]) -> Quantized:
        """With its axes in another order."""
        axis = list(order).index(self.axis)
        return Quantized(self.values.transpose(order), self.scales, self.zero_points, axis)

    def real(self) -> Array:
        """As float32."""
        shape = [1] * self.values.ndim
        if self.scales.size > 1:
            shape[self.axis] = self.scales.size
        zero_points = np.broadcast_to(self.zero_points.astype(np.int64), self.scales.shape)
        steps = self.values.astype(np.int64) - zero_points.reshape(shape)
        return steps.astype(np.float32) * self.scales.reshape(shape)


class Lost:
    """What a node that could not be imported should have computed."""


class NeedsLost(Unsupported):
    """A node needs what could not be imported, which is reported already."""


#: An ONNX value: computed, a constant as it is in the file, or one that is dequantised.
Value = Held | Array | Quantized


def identity(rank: int) -> tuple[int, ...]:
    """The order of ONNX itself."""
    return tuple(range(rank))


def shape_of(value: Value) -> tuple[int, ...]:
    """Of the ONNX value."""
    if isinstance(value, Quantized):
        return tuple(value.values.shape)
    return tuple(value.shape)

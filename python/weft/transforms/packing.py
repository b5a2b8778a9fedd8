# SPDX-License-Identifier: Apache-2.0
"""How each kind of stage with weights is packed for hand-written kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Operation, SSAValue

from weft.dialects.stages import Stage
from weft.dialects.stages.base import attribute_of, int_of, ints, shape_of
from weft.dialects.stages.conv import Conv2dStage, DenseStage, DepthwiseStage
from weft.dialects.stages.packed import (
    PackedConv2dStage,
    PackedDenseStage,
    PackedDepthwiseStage,
    has_3x3_kernel,
    runs_of,
)
from weft.kernels.depthwise_packed import can_pack_depthwise, pack_depthwise, pack_depthwise_3x3
from weft.kernels.dot_packing import Channels, can_pack, pack

_Data = NDArray[Any]


@dataclass(frozen=True)
class Packing:
    """``family`` is that of the generated kernel; ``groups`` splits weights, bias, multiplier and
    shift into those of every call; ``build`` makes the stage that reads the packed constant."""

    family: str
    groups: Callable[[Any, Sequence[_Data]], list[Channels]]
    can_pack: Callable[[Channels], bool]
    pack: Callable[[Any, Channels], NDArray[np.int32]]
    build: Callable[[Any, SSAValue], Stage]

    def stream(self, op: Stage, data: Sequence[_Data]) -> NDArray[np.int32] | None:
        """The packed constant; None if these weights cannot be packed."""
        groups = self.groups(op, data)
        if not all(self.can_pack(group) for group in groups):
            return None
        return np.concatenate([self.pack(op, group) for group in groups])


def _properties(op: Stage, *names: str) -> dict[str, Any]:
    return {n: op.properties[n] for n in (*names, "label", "zero_point", "low", "high")}


def _conv2d_groups(op: Conv2dStage, data: Sequence[_Data]) -> list[Channels]:
    groups = int_of(op.groups)
    weights = data[0]
    runs_h, runs_w, run = runs_of(weights.shape[1:], ints(op.dilation)[1], groups)
    shaped = weights.reshape(len(weights), runs_h * runs_w, run)
    parts = (np.split(values, groups) for values in (shaped, *data[1:]))
    return [Channels(*part) for part in zip(*parts, strict=True)]


def _conv2d(op: Conv2dStage, packed: SSAValue) -> Stage:
    kept = ("strides", "dilation", "padding", "in_zero_point", "groups")
    window = attribute_of(shape_of(op.weights)[1:])
    return PackedConv2dStage(
        operands=[op.x, packed],
        result_types=[op.result.type],
        properties={"window": window, **_properties(op, *kept)},
    )


def _dense_groups(_: DenseStage, data: Sequence[_Data]) -> list[Channels]:
    weights = data[0]
    return [Channels(weights[:, None, :], *data[1:])]


def _dense(op: DenseStage, packed: SSAValue) -> Stage:
    in_channels = attribute_of(shape_of(op.weights)[1])
    return PackedDenseStage(
        operands=[op.x, packed],
        result_types=[op.result.type],
        properties={"in_channels": in_channels, **_properties(op)},
    )


def _depthwise_groups(_: DepthwiseStage, data: Sequence[_Data]) -> list[Channels]:
    kernel_h, kernel_w, channels = data[0].shape
    return [Channels(data[0].reshape(1, kernel_h * kernel_w, channels).T, *data[1:])]


def _pack_depthwise(op: DepthwiseStage, given: Channels) -> NDArray[np.int32]:
    out_w = shape_of(op.result)[2]
    is_3x3 = has_3x3_kernel(op.filter(), ints(op.strides)[1], ints(op.dilation)[1], out_w)
    return pack_depthwise_3x3(given) if is_3x3 else pack_depthwise(given)


def _depthwise(op: DepthwiseStage, packed: SSAValue) -> Stage:
    kept = ("strides", "dilation", "padding", "in_zero_point")
    return PackedDepthwiseStage(
        operands=[op.x, packed],
        result_types=[op.result.type],
        properties={"window": attribute_of(op.filter()), **_properties(op, *kept)},
    )


def _pack_dot(_: Stage, given: Channels) -> NDArray[np.int32]:
    return pack(given)


_PACKINGS: Mapping[type[Operation], Packing] = {
    Conv2dStage: Packing("conv2d", _conv2d_groups, can_pack, _pack_dot, _conv2d),
    DenseStage: Packing("conv2d", _dense_groups, can_pack, _pack_dot, _dense),
    DepthwiseStage: Packing(
        "depthwise", _depthwise_groups, can_pack_depthwise, _pack_depthwise, _depthwise
    ),
}


def packing_of(op: Operation) -> Packing | None:
    """How to pack a stage; None if no hand-written kernel computes its kind."""
    if isinstance(op, DepthwiseStage) and shape_of(op.weights)[2] != shape_of(op.x)[3]:
        return None  # several results a channel
    return _PACKINGS.get(type(op))

# SPDX-License-Identifier: Apache-2.0
"""Pass: stages whose weights allow it are computed by hand-written kernels on packed weights.

Weights are looked at as they are cut: a template is changed if those of all of its places allow it,
and every place gets a constant of its own, packed, in place of weights, bias, multiplier and shift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ArrayAttr, StringAttr
from xdsl.ir import Operation, SSAValue

from weft.dialects.fabric import MeshOp, PlaceOp, TemplateOp
from weft.dialects.stages import Constant, Conv2dStage, DenseStage, DepthwiseStage, Stage
from weft.dialects.stages.base import attribute_of, int_of, ints, shape_of, tensor_type
from weft.dialects.stages.packed import (
    PackedConv2dStage,
    PackedDenseStage,
    PackedDepthwiseStage,
    has_3x3_kernel,
    runs_of,
)
from weft.kernels.depthwise_packed import (
    can_pack_depthwise,
    pack_depthwise,
    pack_depthwise_3x3,
)
from weft.kernels.dot_packing import Channels, can_pack, pack
from weft.transforms.compilation import Compilation, constant_key

_Data = NDArray[Any]


@dataclass(frozen=True)
class _Packing:
    """How one kind of stage is packed. ``groups`` splits its constants into those of every call."""

    groups: Callable[[Any, Sequence[_Data]], list[Channels]]
    can_pack: Callable[[Channels], bool]
    pack: Callable[[Any, Channels], NDArray[np.int32]]
    build: Callable[[Any, SSAValue], Stage]


def _conv2d_groups(op: Conv2dStage, data: Sequence[_Data]) -> list[Channels]:
    groups = int_of(op.groups)
    weights = data[0]
    runs_h, runs_w, run = runs_of(weights.shape[1:], ints(op.dilation)[1], groups)
    shaped = weights.reshape(len(weights), runs_h * runs_w, run)
    parts = (np.split(values, groups) for values in (shaped, *data[1:]))
    return [Channels(*part) for part in zip(*parts, strict=True)]


def _conv2d(op: Conv2dStage, packed: SSAValue) -> Stage:
    kept = ("strides", "dilation", "padding", "in_zero_point", "groups")
    taps = attribute_of(shape_of(op.weights)[1:])
    return PackedConv2dStage(
        operands=[op.x, packed],
        result_types=[op.result.type],
        properties={"taps": taps, **_properties(op, *kept)},
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


def _properties(op: Stage, *names: str) -> dict[str, Any]:
    return {n: op.properties[n] for n in (*names, "label", "zero_point", "low", "high")}


def _depthwise_groups(op: DepthwiseStage, data: Sequence[_Data]) -> list[Channels]:
    kernel_h, kernel_w, channels = data[0].shape
    return [Channels(data[0].reshape(1, kernel_h * kernel_w, channels).T, *data[1:])]


def _pack_depthwise(op: DepthwiseStage, given: Channels) -> NDArray[np.int32]:
    is_3x3 = has_3x3_kernel(op.filter(), ints(op.strides)[1], ints(op.dilation)[1])
    return pack_depthwise_3x3(given) if is_3x3 else pack_depthwise(given)


def _depthwise(op: DepthwiseStage, packed: SSAValue) -> Stage:
    kept = ("strides", "dilation", "padding", "in_zero_point")
    return PackedDepthwiseStage(
        operands=[op.x, packed],
        result_types=[op.result.type],
        properties={"taps": attribute_of(op.filter()), **_properties(op, *kept)},
    )


_PACKINGS: Mapping[type[Stage], _Packing] = {
    Conv2dStage: _Packing(_conv2d_groups, can_pack, lambda _, given: pack(given), _conv2d),
    DenseStage: _Packing(_dense_groups, can_pack, lambda _, given: pack(given), _dense),
    DepthwiseStage: _Packing(_depthwise_groups, can_pack_depthwise, _pack_depthwise, _depthwise),
}


def _packing_of(op: Operation) -> _Packing | None:
    if isinstance(op, DepthwiseStage) and shape_of(op.weights)[2] != shape_of(op.x)[3]:
        return None  # several results a channel
    return _PACKINGS.get(type(op))  # type: ignore[arg-type]


class _Packer:
    def __init__(self, compilation: Compilation) -> None:
        self.constants = dict(compilation.constants)
        self.streams: dict[tuple[Any, ...], str | None] = {}

    def stream(self, op: Stage, packing: _Packing, keys: Sequence[str]) -> str | None:
        """The key of the packed constant; None if these weights cannot be packed."""
        layout = [str(op.properties.get(n)) for n in ("strides", "dilation", "groups")]
        found = (op.name, *layout, *keys)
        if found not in self.streams:
            groups = packing.groups(op, [self.constants[key] for key in keys])
            if all(packing.can_pack(group) for group in groups):
                data = np.concatenate([packing.pack(op, group) for group in groups])
                self.streams[found] = constant_key(data)
                self.constants[constant_key(data)] = data
            else:
                self.streams[found] = None
        return self.streams[found]

    def template(self, template: TemplateOp, places: Sequence[PlaceOp]) -> None:
        for op in list(template.graph.body.block.ops):
            packing = _packing_of(op)
            if packing is None:
                continue
            assert isinstance(op, Stage)
            given = [value.owner for value in list(op.operands)[1:]]
            if not all(isinstance(owner, Constant) for owner in given):
                continue
            numbers = [int(owner.key.data) for owner in given if isinstance(owner, Constant)]
            streams = [
                self.stream(op, packing, [place.constants.data[n].data for n in numbers])
                for place in places
            ]
            if None not in streams:
                self.replace(op, packing, places, [s for s in streams if s is not None])
        _drop_unused(template, places)

    def replace(
        self, op: Stage, packing: _Packing, places: Sequence[PlaceOp], streams: Sequence[str]
    ) -> None:
        block = op.parent_block()
        assert block is not None
        number = len(places[0].constants)
        constant = Constant(
            properties={"key": StringAttr(str(number))},
            result_types=[tensor_type(self.constants[streams[0]].shape, "int32")],
        )
        for place, key in zip(places, streams, strict=True):
            place.constants = ArrayAttr([*place.constants.data, StringAttr(key)])
        packed = packing.build(op, constant.result)
        block.insert_ops_before([constant, packed], op)
        op.result.replace_all_uses_with(packed.result)
        block.erase_op(op)


def _drop_unused(template: TemplateOp, places: Sequence[PlaceOp]) -> None:
    """Constants that no stage reads any more, in the template and in its places."""
    block = template.graph.body.block
    constants: list[Operation] = [op for op in block.ops if isinstance(op, Constant)]
    kept: list[int] = []
    for op in constants:
        assert isinstance(op, Constant)
        if not list(op.result.uses):
            block.erase_op(op)
            continue
        number = int(op.key.data)
        if number not in kept:
            kept.append(number)
        op.key = StringAttr(str(kept.index(number)))
    for place in places:
        place.constants = ArrayAttr([place.constants.data[n] for n in kept])


def pack_weights(compilation: Compilation) -> Compilation:
    """Chooses hand-written kernels in the templates of a mesh."""
    module = compilation.module.clone()
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    packer = _Packer(compilation)
    places: dict[str, list[PlaceOp]] = {}
    for place in mesh.places:
        places.setdefault(place.template_name, []).append(place)
    for name, template in mesh.templates.items():
        if isinstance(template, TemplateOp):
            packer.template(template, places.get(name, []))
    module.verify()
    return replace(compilation, module=module, constants=packer.constants)

# SPDX-License-Identifier: Apache-2.0
"""Pass: stages with weights are computed by a device of their PE, where it takes them.

A device gives raw sums. How large these can get follows from the weights, as they are cut, of all
places of a template: where an accumulator could overflow, the reduction is cut into parts, each for
a job of its own. Places on PEs with other devices get a template of their own first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ArrayAttr, StringAttr, SymbolRefAttr

from weft.devices.accelerator import Accelerator
from weft.devices.accumulators import split_reduction, sum_range
from weft.devices.layer import Layer
from weft.dialects.fabric import MeshOp, PlaceOp, TemplateOp
from weft.dialects.stages import Constant, Stage
from weft.dialects.stages.base import (
    attribute_of,
    int_of,
    rounding_of,
    shape_of,
    tensor_type,
)
from weft.dialects.stages.conv import Conv2dStage, DenseStage, DepthwiseStage
from weft.dialects.stages.device import DeviceConv2dStage, DeviceDenseStage
from weft.kernels.requantize_sums import can_double, channel_words
from weft.transforms.choose_kernels import drop_unused
from weft.transforms.compilation import Compilation, constant_key

_WEIGHTED = (Conv2dStage, DepthwiseStage, DenseStage)
if TYPE_CHECKING:
    _Weighted = Conv2dStage | DepthwiseStage | DenseStage
_Data = NDArray[Any]


@dataclass(frozen=True)
class Decision:
    """Where a stage of a template runs: ``device`` is a name, or None for the core; then ``reason``
    says why no device has it. ``label`` is its own in the template, a number. ``in_channels`` are
    those of its operand and ``vectors`` how many of these the weights meet, 0 if it has none;
    ``parts`` are those of the reduction, each for jobs of its own."""

    template: str
    label: str
    kind: str
    macs: int
    in_channels: int = 0
    vectors: int = 0
    device: str | None = None
    reason: str = ""
    parts: int = 1


@dataclass(frozen=True)
class _Weights:
    """The constants of a stage at one place; weights [out, kernel_h, kernel_w, channels]."""

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]


def layer_of(op: _Weighted) -> Layer:
    """One group of a stage, in plain numbers."""
    if isinstance(op, DenseStage):
        out_channels, in_channels = shape_of(op.weights)
        rows = prod(shape_of(op.result)) // out_channels
        return Layer("dense", 1, rows, out_channels, 1, 1, in_channels)
    _, out_h, out_w, out_channels = shape_of(op.result)
    kernel_h, kernel_w = op.filter()
    groups, channels = 1, 1
    if isinstance(op, Conv2dStage):
        groups, channels = int_of(op.groups), shape_of(op.weights)[3]
    return Layer(
        op.kind,
        out_h,
        out_w,
        out_channels // groups,
        kernel_h,
        kernel_w,
        channels,
        *op.steps(),
        int_of(op.in_zero_point),
    )


class _Chooser:
    def __init__(self, compilation: Compilation) -> None:
        self.constants = dict(compilation.constants)
        self.alignments = dict(compilation.alignments)
        self.decisions: list[Decision] = []
        self.given: Counter[tuple[int, int]] = Counter()  # MACs, by PE and device

    def template(
        self, template: TemplateOp, places: Sequence[PlaceOp], devices: Sequence[Accelerator]
    ) -> None:
        for op in list(template.graph.body.block.ops):
            if not isinstance(op, Stage):
                continue
            found = Decision(template.sym_name.data, op.label.data, op.kind, op.macs())
            if isinstance(op, _WEIGHTED):
                vectors = prod(shape_of(op.result)[:-1])
                found = replace(found, in_channels=shape_of(op.x)[-1], vectors=vectors)
                device, reason, parts = self.stage(op, places, devices)
                found = replace(found, device=device, reason=reason, parts=parts)
            else:
                found = replace(found, reason=f"no device takes a {op.kind}")
            self.decisions.append(found)
        drop_unused(template, places)

    def stage(
        self, op: _Weighted, places: Sequence[PlaceOp], devices: Sequence[Accelerator]
    ) -> tuple[str | None, str, int]:
        """The device that takes a stage, or None and why; and into how many parts its reduction is
        cut there."""
        given = [value.owner for value in list(op.operands)[1:]]
        numbers = [int(owner.key.data) for owner in given if isinstance(owner, Constant)]
        if len(numbers) < len(given):
            return None, "its weights are computed", 1
        if isinstance(op, DepthwiseStage) and shape_of(op.weights)[2] != shape_of(op.x)[3]:
            return None, "it has several results a channel", 1
        data = [
            _weights(op, [self.constants[place.constants.data[n].data] for n in numbers])
            for place in places
        ]
        layer, reasons = layer_of(op), []
        for device in self.by_load(devices, places):
            refusal = device.refuse(layer) or _misaligned(op, layer, device)
            parts = refusal or self.parts(data, layer, device)
            if isinstance(parts, str):
                reasons.append(parts)
                continue
            for place in places:
                self.given[place.pe_index, device.index] += op.macs()
            self.offload(op, places, data, parts, layer, device)
            return device.name, "", len(parts)
        return None, "; ".join(reasons), 1

    def by_load(
        self, devices: Sequence[Accelerator], places: Sequence[PlaceOp]
    ) -> list[Accelerator]:
        """Those first that have least to do: shards of a PE that wait for different devices run
        beside each other."""

        def load(device: Accelerator) -> int:
            return max(self.given[place.pe_index, device.index] for place in places)

        return sorted(devices, key=load)

    def parts(
        self, data: Sequence[_Weights], layer: Layer, device: Accelerator
    ) -> list[tuple[int, int]] | str:
        """Where the reduction is cut, or why it cannot be."""
        everything = np.concatenate([d.weights for d in data])
        axis = _axis(layer)
        most = device.most_products // (layer.window // everything.shape[axis])
        multiple = device.input_multiple if axis == 3 else 1
        if most < min(multiple, everything.shape[axis]):
            return f"{device.name}: jobs of at most {device.most_products} products are too short"
        found = split_reduction(
            everything,
            device.operands(layer),
            device.accumulator,
            axis,
            multiple=multiple,
            most=most,
        )
        bits = device.accumulator.bits
        return found or f"{device.name}: {bits} bits are too few for its sums"

    def offload(
        self,
        op: _Weighted,
        places: Sequence[PlaceOp],
        data: Sequence[_Weights],
        parts: Sequence[tuple[int, int]],
        layer: Layer,
        device: Accelerator,
    ) -> None:
        """Replaces a stage."""
        scaling = str(rounding_of(op))
        if scaling == "twice" and all(self.can_double(d, device, layer) for d in data):
            scaling = "doubled"
        groups = int_of(op.groups) if isinstance(op, Conv2dStage) else 1
        keys = [self.pack(d, groups, parts, device, layer, scaling) for d in data]
        self.replace(op, places, keys, parts, _axis(layer), scaling, device)

    def can_double(self, data: _Weights, device: Accelerator, layer: Layer) -> bool:
        flat = data.weights.reshape(len(data.weights), -1)
        lowest, highest = sum_range(flat, device.operands(layer))
        bias = _bias(data, device, layer)
        return can_double(lowest + bias, highest + bias, data.shift)

    def pack(
        self,
        data: _Weights,
        groups: int,
        parts: Sequence[tuple[int, int]],
        device: Accelerator,
        layer: Layer,
        scaling: str,
    ) -> tuple[str, str]:
        """The keys of packed weights, and of what requantising wants of each channel."""
        blobs = [
            device.pack(np.ascontiguousarray(group.take(range(first, last), _axis(layer))))
            for group in np.split(data.weights, groups)
            for first, last in parts
        ]
        packed = np.frombuffer(b"".join(blobs), np.int8)
        words = channel_words(
            _bias(data, device, layer).astype(np.int32),
            data.multiplier,
            data.shift,
            doubled=scaling == "doubled",
        )
        self.alignments[constant_key(packed)] = device.description.facts.alignment
        for array in (packed, words):
            self.constants[constant_key(array)] = array
        return constant_key(packed), constant_key(words)

    def replace(
        self,
        op: _Weighted,
        places: Sequence[PlaceOp],
        keys: Sequence[tuple[str, str]],
        parts: Sequence[tuple[int, int]],
        axis: int,
        scaling: str,
        device: Accelerator,
    ) -> None:
        block = op.parent_block()
        assert block is not None
        made = []
        for number, dtype in enumerate(("int8", "int32")):
            shape = self.constants[keys[0][number]].shape
            made.append(
                Constant(
                    properties={"key": StringAttr(str(len(places[0].constants) + number))},
                    result_types=[tensor_type(shape, dtype)],
                )
            )
        for place, found in zip(places, keys, strict=True):
            place.constants = ArrayAttr(
                [*place.constants.data, *(StringAttr(key) for key in found)]
            )
        properties = {
            **{n: op.properties[n] for n in ("label", "zero_point", "low", "high")},
            "stage_kind": StringAttr(op.kind),
            "device": attribute_of(device.index),
            "axis": attribute_of(axis),
            "parts": attribute_of([end for part in parts for end in part]),
            "scaling": StringAttr(scaling),
        }
        operands = [op.x, *(constant.result for constant in made)]
        offloaded: DeviceDenseStage | DeviceConv2dStage
        if isinstance(op, DenseStage):
            properties["in_channels"] = attribute_of(shape_of(op.weights)[1])
            offloaded = DeviceDenseStage(
                operands=operands, result_types=[op.result.type], properties=properties
            )
        else:
            kept = ("strides", "dilation", "padding", "in_zero_point")
            layer = layer_of(op)
            properties |= {n: op.properties[n] for n in kept}
            properties["window"] = attribute_of((layer.kernel_h, layer.kernel_w, layer.channels))
            properties["groups"] = attribute_of(
                int_of(op.groups) if isinstance(op, Conv2dStage) else 1
            )
            offloaded = DeviceConv2dStage(
                operands=operands, result_types=[op.result.type], properties=properties
            )
        block.insert_ops_before([*made, offloaded], op)
        op.result.replace_all_uses_with(offloaded.result)
        block.erase_op(op)


def _axis(layer: Layer) -> int:
    """Of the weights, along which a reduction is cut."""
    return 1 if layer.kind == "depthwise" else 3


def _weights(op: _Weighted, data: Sequence[_Data]) -> _Weights:
    weights, bias, multiplier, shift = data
    if isinstance(op, DenseStage):
        weights = weights[:, None, None, :]
    elif isinstance(op, DepthwiseStage):
        weights = weights.transpose(2, 0, 1)[..., None]
    return _Weights(weights, bias, multiplier, shift)


def _misaligned(op: _Weighted, layer: Layer, device: Accelerator) -> str | None:
    """Why the operands of some jobs would not be aligned as the device wants it, if so. Where a
    tensor as such is not aligned, it is copied."""
    alignment = device.x_alignment
    is_row = layer.kind == "dense" and layer.out_w == 1
    steps = [] if is_row else [shape_of(op.x)[-1]]  # from pixel to pixel
    if layer.kind == "depthwise" and layer.out_channels > device.channels:
        steps.append(device.channels)
    if isinstance(op, Conv2dStage) and int_of(op.groups) > 1:
        steps.append(layer.channels)
    for step in steps:
        if step % alignment:
            return f"{device.name}: operands {step} bytes apart are not aligned to {alignment}"
    return None


def _bias(data: _Weights, device: Accelerator, layer: Layer) -> NDArray[np.int64]:
    """What is added to a device's sums. Stages have the zero point folded into the bias: a device
    that subtracts it by itself wants it out again. As int32 that wraps, in int64."""
    bias = data.bias.astype(np.int64)
    if device.subtracts_zero_points:
        taps = data.weights.reshape(len(data.weights), -1).astype(np.int64)
        bias = bias + layer.x_zero_point * taps.sum(axis=1)
    return bias.astype(np.int32).astype(np.int64)


def _separate(
    mesh: MeshOp, devices: Mapping[int, tuple[Accelerator, ...]]
) -> dict[str, tuple[Accelerator, ...]]:
    """Gives places on PEs with different devices different templates; the devices of each."""
    found: dict[str, tuple[Accelerator, ...]] = {}
    made: dict[tuple[str, tuple[Accelerator, ...]], str] = {}
    templates = dict(mesh.templates)
    for place in mesh.places:
        name, here = place.template_name, devices.get(place.pe_index, ())
        if name not in found:
            found[name] = here
            made[name, here] = name
        elif (name, here) not in made:
            copy = templates[name].clone()
            assert isinstance(copy, TemplateOp)
            copy.sym_name = StringAttr(f"{name}_{len(made)}")
            mesh.body.block.insert_op_after(copy, templates[name])
            made[name, here] = copy.sym_name.data
            found[copy.sym_name.data] = here
        place.template = SymbolRefAttr(made[name, here])
    return found


def choose_devices(compilation: Compilation) -> Compilation:
    """Chooses devices in the templates of a mesh; what it decided is the fact ``decisions``."""
    if not any(compilation.devices.values()):
        return compilation
    module = compilation.module.clone()
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    devices = _separate(mesh, compilation.devices)
    chooser = _Chooser(compilation)
    places: dict[str, list[PlaceOp]] = {}
    for place in mesh.places:
        places.setdefault(place.template_name, []).append(place)
    for name, template in mesh.templates.items():
        if isinstance(template, TemplateOp) and devices.get(name):
            chooser.template(template, places[name], devices[name])
    module.verify()
    facts = {**compilation.facts, "decisions": tuple(chooser.decisions)}
    return replace(
        compilation,
        module=module,
        constants=chooser.constants,
        alignments=chooser.alignments,
        facts=facts,
    )

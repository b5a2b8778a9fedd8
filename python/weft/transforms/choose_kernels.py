# SPDX-License-Identifier: Apache-2.0
"""Pass: stages are computed by hand-written kernels where these give the same bytes.

Whether they do depends on weights and scales. Weights are looked at as they are cut: a template is
changed if those of all of its places allow it, and every place gets a constant of its own, packed,
in place of weights, bias, multiplier and shift. Where measurement says that the generated kernel is
the faster one (``measured_choice``), it stays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, StringAttr
from xdsl.ir import Operation

from weft.dialects.fabric import MeshOp, PlaceOp, TemplateOp
from weft.dialects.stages import Constant, Stage
from weft.dialects.stages.base import rounding_of, tensor_type
from weft.dialects.stages.elementwise import BinaryStage
from weft.kernels.add_exact import exact_operand
from weft.transforms.compilation import Compilation, constant_key
from weft.transforms.measured_choice import is_generated_faster
from weft.transforms.packing import Packing, packing_of

#: The families of generated kernels that hand-written ones can stand in for.
FAMILIES = frozenset({"conv2d", "depthwise", "add"})


class _Chooser:
    def __init__(
        self, compilation: Compilation, generated: Collection[str], by_measurement: bool
    ) -> None:
        self.generated = generated
        self.by_measurement = by_measurement
        self.constants = dict(compilation.constants)
        self.streams: dict[tuple[Any, ...], str | None] = {}

    def template(self, template: TemplateOp, places: Sequence[PlaceOp]) -> None:
        for op in list(template.graph.body.block.ops):
            if isinstance(op, BinaryStage):
                self.binary(op)
            elif (packing := self.packing(op)) is not None:
                assert isinstance(op, Stage)
                self.weighted(op, packing, places)
        drop_unused(template, places)

    def binary(self, op: BinaryStage) -> None:
        if op.operator.data == "add" and "add" not in self.generated:
            exact = exact_operand(op.numbers())
            op.exact = StringAttr(exact) if exact is not None else None

    def packing(self, op: Operation) -> Packing | None:
        """How to pack a stage, if it may be computed by hand."""
        found = packing_of(op) if isinstance(op, Stage) else None
        if found is None or found.family in self.generated:
            return None
        if self.by_measurement and is_generated_faster(op, found.family):
            return None
        assert isinstance(op, Stage)
        return found if _is_rounded_twice(op) else None

    def weighted(self, op: Stage, packing: Packing, places: Sequence[PlaceOp]) -> None:
        given = [value.owner for value in list(op.operands)[1:]]
        numbers = [int(owner.key.data) for owner in given if isinstance(owner, Constant)]
        if len(numbers) < len(given):
            return
        streams = []
        for place in places:
            key = self.stream(op, packing, [place.constants.data[n].data for n in numbers])
            if key is None:
                return
            streams.append(key)
        self.replace(op, packing, places, streams)

    def stream(self, op: Stage, packing: Packing, keys: Sequence[str]) -> str | None:
        """The key of the packed constant."""
        layout = [str(op.properties.get(n)) for n in ("strides", "dilation", "groups")]
        found = (op.name, str(op.result.type), *layout, *keys)
        if found not in self.streams:
            self.streams[found] = None
            data = packing.stream(op, [self.constants[key] for key in keys])
            if data is not None:
                self.streams[found] = constant_key(data)
                self.constants[constant_key(data)] = data
        return self.streams[found]

    def replace(
        self, op: Stage, packing: Packing, places: Sequence[PlaceOp], streams: Sequence[str]
    ) -> None:
        block = op.parent_block()
        assert block is not None
        constant = Constant(
            properties={"key": StringAttr(str(len(places[0].constants)))},
            result_types=[tensor_type(self.constants[streams[0]].shape, "int32")],
        )
        for place, key in zip(places, streams, strict=True):
            place.constants = ArrayAttr([*place.constants.data, StringAttr(key)])
        packed = packing.build(op, constant.result)
        block.insert_ops_before([constant, packed], op)
        op.result.replace_all_uses_with(packed.result)
        block.erase_op(op)


def _is_rounded_twice(op: Stage) -> bool:
    """Hand-written kernels know TensorFlow Lite Micro's rounding only."""
    return rounding_of(op) == "twice"


def drop_unused(template: TemplateOp, places: Sequence[PlaceOp]) -> None:
    """Constants that no stage reads any more, in the template and in its places."""
    block = template.graph.body.block
    kept: list[int] = []
    constants: list[Operation] = [op for op in block.ops if isinstance(op, Constant)]
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


def choose_kernels(
    compilation: Compilation, generated: Collection[str] = (), by_measurement: bool = True
) -> Compilation:
    """Chooses kernels in the templates of a mesh. ``generated`` names families whose kernels are
    generated in any case; without ``by_measurement`` others are hand-written wherever that gives
    the same bytes."""
    module = compilation.module.clone()
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    chooser = _Chooser(compilation, generated, by_measurement)
    places: dict[str, list[PlaceOp]] = {}
    for place in mesh.places:
        places.setdefault(place.template_name, []).append(place)
    for name, template in mesh.templates.items():
        if isinstance(template, TemplateOp) and name in places:
            chooser.template(template, places[name])
    module.verify()
    return replace(compilation, module=module, constants=chooser.constants)

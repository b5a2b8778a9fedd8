# SPDX-License-Identifier: Apache-2.0
"""Pass: stages become several, each of one box of the result, put together again.

Numbers do not change by it. What lies between two stages is still a whole tensor here; channels
take the place of the slices and assemblies where shards lie on different PEs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue

from weft.dialects.stages import Constant, Stage, StageGraph
from weft.dialects.stages.base import attribute_of, dtype_of, shape_of, tensor_type
from weft.dialects.stages.box import Box, Cut, CutError
from weft.dialects.stages.movement import AssembleStage, SliceStage
from weft.transforms.compilation import Compilation, constant_key


class _Cutter:
    def __init__(self, compilation: Compilation, boxes: Mapping[str, Sequence[Box]]) -> None:
        (graph,) = compilation.module.ops
        assert isinstance(graph, StageGraph)
        self.graph = graph
        self.boxes = boxes
        self.constants = dict(compilation.constants)
        self.block = Block(arg_types=[a.type for a in graph.body.block.args])
        self.values: dict[SSAValue, SSAValue] = dict(
            zip(graph.body.block.args, self.block.args, strict=True)
        )
        self.sliced: dict[str, SSAValue] = {}

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def run(self) -> StageGraph:
        for op in self.graph.body.block.ops:
            if isinstance(op, Stage) and len(self.boxes.get(op.label.data, ())) > 1:
                self.values[op.result] = self.cut(op, self.boxes[op.label.data])
                continue
            copy = op.clone(self.values)
            self.block.add_op(copy)
            for old, new in zip(op.results, copy.results, strict=True):
                self.values[old] = new
        return StageGraph(properties=dict(self.graph.properties), regions=[Region(self.block)])

    def cut(self, op: Stage, boxes: Sequence[Box]) -> SSAValue:
        whole = shape_of(op.result)
        shards = []
        for number, box in enumerate(boxes):
            if not box.is_inside(whole):
                raise CutError(f"{op.label.data}: {box} is not inside of {whole}")
            shards.append(self.shard(op, box, op.cut(box), f"{op.label.data}[{number}]"))
        begins = [n for box in boxes for n in box.begin]
        attributes = {"begins": begins, "label": f"{op.label.data}.assemble"}
        return self.add(AssembleStage.make(shards, attributes, _typed(op.result, whole)))

    def shard(self, op: Stage, box: Box, cut: Cut, label: str) -> SSAValue:
        operands = [
            self.part(value, part, f"{label}.operand{i}")
            for i, (value, part) in enumerate(zip(op.operands, cut.operands, strict=True))
            if part is not None
        ]
        changed = {name: attribute_of(value) for name, value in cut.attributes.items()}
        return self.add(
            type(op)(
                operands=type(op).group_operands(operands),
                result_types=[_typed(op.result, box.shape)],
                properties={**op.properties, **changed, "label": StringAttr(label)},
            )
        )

    def part(self, value: SSAValue, part: Box, label: str) -> SSAValue:
        if part == Box.whole(shape_of(value)):
            return self.values[value]
        if isinstance(value.owner, Constant):
            return self.constant_part(value.owner, part)
        attributes = {"begin": part.begin, "steps": [1] * len(part.begin), "label": label}
        return self.add(
            SliceStage.make([self.values[value]], attributes, _typed(value, part.shape))
        )

    def constant_part(self, op: Constant, part: Box) -> SSAValue:
        where = tuple(slice(b, e) for b, e in zip(part.begin, part.end, strict=True))
        data = np.ascontiguousarray(self.constants[op.key.data][where])
        key = constant_key(data)
        if key not in self.sliced:
            self.constants[key] = data
            self.sliced[key] = self.add(
                Constant(
                    properties={"key": StringAttr(key)},
                    result_types=[_typed(op.result, part.shape)],
                )
            )
        return self.sliced[key]


def _typed(value: SSAValue, shape: Sequence[int]) -> Any:
    return tensor_type(shape, dtype_of(value.type))


def cut_stages(compilation: Compilation, boxes: Mapping[str, Sequence[Box]]) -> Compilation:
    """Cuts the stages whose labels ``boxes`` names; the boxes of one must make up its result.

    Raises ``CutError`` if a stage cannot compute one of its boxes on its own.
    """
    cutter = _Cutter(compilation, boxes)
    module = ModuleOp([cutter.run()])
    module.verify()
    return replace(compilation, module=module, constants=cutter.constants)


def stages_of(compilation: Compilation) -> list[Stage]:
    """The stages of a module that holds a stage graph, in order."""
    (graph,) = compilation.module.ops
    assert isinstance(graph, StageGraph)
    return [op for op in graph.body.block.ops if isinstance(op, Stage)]

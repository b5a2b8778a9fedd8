# SPDX-License-Identifier: Apache-2.0
"""Pass: stages cut over their input channels become int32 sums of some channels each.

Where the weights of a stage are too much for its PEs even when its output channels are spread, its
input channels are: ``conv`` becomes ``conv/0``, ``conv/1`` ..., which are then mapped like all
stages, ``conv/sum1`` ..., which add them, and ``conv``, which requantises. Bytes do not change:
addition modulo 2^32 does not mind the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Block, Operation, SSAValue

from weft.dialects.stages import Constant, Stage, StageGraph
from weft.dialects.stages.base import int_of, shape_of, tensor_type
from weft.dialects.stages.conv import Conv2dStage, DenseStage
from weft.dialects.stages.partial import (
    AddPartialStage,
    PartialConv2dStage,
    PartialDenseStage,
    RequantizeStage,
)
from weft.errors import MappingError
from weft.mapping.files import no_such_stage
from weft.transforms.compilation import Compilation, constant_key

_WINDOW = ("strides", "dilation", "padding", "in_zero_point")
_REQUANTIZE = ("zero_point", "low", "high", "rounding")


def input_channels(stage: Stage) -> int:
    """How many input channels a stage can be cut over; 1 if it cannot."""
    if isinstance(stage, Conv2dStage):
        return shape_of(stage.weights)[3] if int_of(stage.groups) == 1 else 1
    if isinstance(stage, DenseStage) and len(shape_of(stage.x)) == len(shape_of(stage.result)):
        return shape_of(stage.weights)[1]
    return 1


def split_inputs(
    compilation: Compilation, pieces: Mapping[str, int], where: str = "mapping"
) -> Compilation:
    """Cuts the stages that ``pieces`` names over their input channels, into so many parts.

    Raises ``MappingError`` for a stage that is not there or cannot be cut so; it begins with
    ``where``.
    """
    module = compilation.module.clone()
    (graph,) = module.ops
    assert isinstance(graph, StageGraph)
    constants = dict(compilation.constants)
    stages = {op.label.data: op for op in graph.body.block.ops if isinstance(op, Stage)}
    for label, count in pieces.items():
        place = f"{where}: split_inputs['{label}']"
        if label not in stages:
            raise MappingError(f"{place}: {no_such_stage(label, stages)}")
        stage = stages[label]
        if not 2 <= count <= input_channels(stage):
            raise MappingError(
                f"{place}: the stage ({stage.kind}) {_why_not(stage)} into {count} parts"
            )
        _split(stage, count, graph.body.block, constants)
    module.verify()
    return replace(compilation, module=module, constants=constants)


def _why_not(stage: Stage) -> str:
    channels = input_channels(stage)
    if channels == 1:
        return "cannot be cut over its input channels,"
    return f"has {channels} input channels, which cannot be cut"


def _split(
    stage: Stage,
    count: int,
    block: Block,
    constants: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int8]]],
) -> None:
    weights, bias, multiplier, shift = stage.operands[1:5]
    assert isinstance(weights.owner, Constant)
    data = constants[weights.owner.key.data]
    channels = data.shape[-1]
    label = stage.label.data
    sums = tensor_type(shape_of(stage.result), "int32")

    def add(op: Operation) -> SSAValue:
        block.insert_op_before(op, stage)
        return op.results[0]

    total: SSAValue | None = None
    for number in range(count):
        first, last = channels * number // count, channels * (number + 1) // count
        part = np.ascontiguousarray(data[..., first:last])
        key = constant_key(part)
        constants[key] = part
        constant = add(
            Constant(
                properties={"key": StringAttr(key)},
                result_types=[tensor_type(part.shape, "int8")],
            )
        )
        kind = PartialConv2dStage if isinstance(stage, Conv2dStage) else PartialDenseStage
        window = {k: stage.properties[k] for k in _WINDOW if k in stage.properties}
        partial = kind.make(
            [stage.operands[0], constant],
            {"first_channel": first, "label": f"{label}/{number}"},
            sums,
        )
        partial.properties.update(window)
        made = add(partial)
        if total is None:
            total = made
        else:
            total = add(
                AddPartialStage.make([total, made], {"label": f"{label}/sum{number}"}, sums)
            )
    assert total is not None
    whole = RequantizeStage.make(
        [total, bias, multiplier, shift], {"label": label}, stage.result.type
    )
    whole.properties.update({k: stage.properties[k] for k in _REQUANTIZE if k in stage.properties})
    add(whole)
    stage.result.replace_all_uses_with(whole.result)
    block.erase_op(stage)

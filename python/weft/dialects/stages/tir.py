# SPDX-License-Identifier: Apache-2.0
"""The stage for every operator that has none of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from xdsl.dialects.builtin import I64, DenseArrayBase, StringAttr, TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    ParsePropInAttrDict,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure

from weft.dialects.stages.base import Stage, ints, shape_of
from weft.dialects.stages.box import Box, Cut, CutError
from weft.kernels.base import KernelCall
from weft.kernels.tir import Region, TirKernel, regions_of, usual_begin
from weft.kernels.view import View


def _box(region: Region | None) -> Box | None:
    if region is None:
        return None
    return Box(tuple(begin for begin, _ in region), tuple(extent for _, extent in region))


@irdl_op_definition
class TirStage(Stage):
    """``source`` is the text of a Relax function, whose operators TVM writes as loops; operands and
    result lie in memory without gaps. With ``begin``, the result is the box of the function's
    result that begins there, or one that has the same loops."""

    name = "stages.tir"
    xs = var_operand_def(TensorType)
    source = prop_def(StringAttr)
    begin = opt_prop_def(DenseArrayBase[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    @classmethod
    def group_operands(cls, operands: Sequence[SSAValue]) -> list[Any]:
        return [list(operands)]

    @property
    def kernel(self) -> TirKernel:
        if self.begin is None:
            return TirKernel(self.source.data)
        box = tuple(zip(ints(self.begin), shape_of(self.result), strict=True))
        return TirKernel(self.source.data, box)

    def needs_dense(self, operand: int) -> bool:
        return True

    def workspace_bytes(self) -> int:
        return sum(self.kernel.loops.scratch_bytes)

    def cut(self, box: Box) -> Cut:
        if box == Box.whole(shape_of(self.result)):
            return Cut(tuple(Box.whole(shape_of(x)) for x in self.xs))
        regions = regions_of(self.source.data, tuple(zip(box.begin, box.shape, strict=True)))
        if regions is None:
            raise CutError("what a part of this operator needs is not known: it is computed whole")
        return Cut(tuple(map(_box, regions)), {"begin": box.begin})

    def settled(self, cut: Cut, box: Box) -> Cut:
        if "begin" not in cut.attributes:
            return cut
        region = tuple(zip(box.begin, box.shape, strict=True))
        return Cut(cut.operands, {"begin": usual_begin(self.source.data, region)})

    def macs(self) -> int:
        return self.kernel.loops.macs

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        kernel = self.kernel
        operands = inputs[: len(self.xs)]
        pointers = [*(x.pointer for x in operands), out.pointer]
        offset = 0
        for size in kernel.loops.scratch_bytes:
            scratch = inputs[-1].pointer
            pointers.append(replace(scratch, byte_offset=scratch.byte_offset + offset))
            offset += size
        return [KernelCall(kernel, dict(zip(kernel.pointers, pointers, strict=True)), {})]

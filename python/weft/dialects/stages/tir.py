# SPDX-License-Identifier: Apache-2.0
"""The stage for every operator that has none of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from xdsl.dialects.builtin import StringAttr, TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    ParsePropInAttrDict,
    irdl_op_definition,
    prop_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure

from weft.dialects.stages.base import Stage, shape_of
from weft.dialects.stages.box import Box, Cut, CutError
from weft.kernels.base import KernelCall
from weft.kernels.tir import TirKernel
from weft.kernels.view import View


@irdl_op_definition
class TirStage(Stage):
    """``source`` is the text of a Relax function, whose operators TVM writes as loops; operands and
    result lie in memory without gaps."""

    name = "stages.tir"
    xs = var_operand_def(TensorType)
    source = prop_def(StringAttr)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    @classmethod
    def group_operands(cls, operands: Sequence[SSAValue]) -> list[Any]:
        return [list(operands)]

    @property
    def kernel(self) -> TirKernel:
        return TirKernel(self.source.data)

    def needs_dense(self, operand: int) -> bool:
        return True

    def workspace_bytes(self) -> int:
        return sum(self.kernel.loops.scratch_bytes)

    def cut(self, box: Box) -> Cut:
        if box != Box.whole(shape_of(self.result)):
            raise CutError("an operator without a stage of its own is computed whole")
        return Cut(tuple(Box.whole(shape_of(x)) for x in self.xs))

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

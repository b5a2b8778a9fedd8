# SPDX-License-Identifier: Apache-2.0
"""Any operator that TVM's operator library can write as loops, computed on the PE's FPU."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.kernels.base import Kernel, ScheduleFunction

if TYPE_CHECKING:
    from xdsl.dialects.func import FuncOp

    from weft.adapter.operator_loops import OperatorLoops

_OPERATOR = re.compile(r"= R\.([\w.]+)\(")
_DIGITS = 8


#: Begin and extent along every axis.
Region = tuple[tuple[int, int], ...]


def regions_of(source: str, box: Region) -> tuple[Region | None, ...] | None:
    """What a box of an operator's result reads of each operand; None if that is not known."""
    from weft.adapter.operator_boxes import UncutError
    from weft.adapter.operator_loops import operator_regions

    try:
        return operator_regions(str(source), box)
    except UncutError:
        return None


def usual_begin(source: str, box: Region) -> tuple[int, ...]:
    """Where a box begins that has the same loops, for boxes to share their kernel."""
    from weft.adapter.operator_loops import usual_begin as begin_of

    return begin_of(str(source), box)


@dataclass(frozen=True)
class TirKernel(Kernel):
    """``source`` is the text of a Relax function of operators on dense tensors of fixed shapes;
    ``box`` is what it computes of the result (begin and extent along every axis), None for all."""

    source: str
    box: Region | None = None

    numbers = ()
    family = "tir"

    @property
    def loops(self) -> OperatorLoops:
        """What TVM makes of it."""
        from weft.adapter.operator_loops import operator_loops

        # TVM's texts are of a type of their own.
        return operator_loops(str(self.source), self.box)

    @property
    def pointers(self) -> tuple[str, ...]:  # type: ignore[override]  # of the instance
        return self.loops.pointers

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.loops.written

    @property
    def operators(self) -> list[str]:
        """The names of its operators, in order."""
        return _OPERATOR.findall(self.source)

    @property
    def name(self) -> str:
        text = self.source if self.box is None else f"{self.source}{self.box}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
        words = [operator.rpartition(".")[2] for operator in self.operators]
        return f"tir_{words[0]}_{digest}"

    @property
    def summary(self) -> str:
        what = "of fixed shapes" if self.box is None else "a box of the result"
        return f"{', '.join(self.operators)} in float32, {what}."

    def function(self, override: ScheduleFunction | None = None) -> FuncOp:
        """Lowers the loops. There is no schedule to replace."""
        return self.loops.to_mlir(self.name)

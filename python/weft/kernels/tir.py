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


@dataclass(frozen=True)
class TirKernel(Kernel):
    """``source`` is the text of a Relax function of operators on dense tensors of fixed shapes."""

    source: str

    numbers = ()
    family = "tir"

    @property
    def loops(self) -> OperatorLoops:
        """What TVM makes of it."""
        from weft.adapter.operator_loops import operator_loops

        return operator_loops(str(self.source))  # TVM's texts are of a type of their own

    @property
    def pointers(self) -> tuple[str, ...]:
        return self.loops.pointers

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.loops.written

    @property
    def operators(self) -> list[str]:
        """The names of its operators, in order."""
        return _OPERATOR.findall(self.source)

    @property
    def name(self) -> str:
        digest = hashlib.sha256(self.source.encode()).hexdigest()[:_DIGITS]
        words = [operator.rpartition(".")[2] for operator in self.operators]
        return f"tir_{words[0]}_{digest}"

    @property
    def summary(self) -> str:
        return f"{', '.join(self.operators)} in float32, of fixed shapes."

    def function(self, override: ScheduleFunction | None = None) -> FuncOp:
        """Lowers the loops. There is no schedule to replace."""
        return self.loops.to_mlir(self.name)

# SPDX-License-Identifier: Apache-2.0
"""Kernels that are written by hand, in C with instructions of the core where they pay.

Their sources are ``runtime/kernels``, declared in ``weft/micro_kernels.h``. Each gives the bytes of
the TensorIR kernel that it stands in for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from weft.kernels.base import Kernel, ScheduleFunction

if TYPE_CHECKING:
    from xdsl.dialects.func import FuncOp

#: The C header that declares them all.
HEADER = "weft/micro_kernels.h"


class HandWritten(Kernel):
    """A C function of the runtime. ``dtypes`` are those of its pointers; ``sources`` the files of
    ``runtime/kernels`` that it consists of."""

    dtypes: ClassVar[tuple[str, ...]]
    sources: ClassVar[tuple[str, ...]]

    def function(self, override: ScheduleFunction | None = None) -> FuncOp:
        """Its declaration. There is nothing to schedule."""
        from xdsl.dialects.builtin import (
            DYNAMIC_INDEX,
            ArrayAttr,
            DictionaryAttr,
            IntegerType,
            MemRefType,
            UnitAttr,
        )
        from xdsl.dialects.func import FuncOp

        i32 = IntegerType(32)
        elements = {"int8": IntegerType(8), "int32": i32}
        types: list[Any] = [MemRefType(elements[d], [DYNAMIC_INDEX]) for d in self.dtypes]
        function = FuncOp.external(self.name, [*types, *(i32 for _ in self.numbers)], [])
        read_only = [p not in self.outputs for p in self.pointers]
        attributes = [DictionaryAttr({"llvm.readonly": UnitAttr()} if r else {}) for r in read_only]
        attributes += [DictionaryAttr({}) for _ in self.numbers]
        function.arg_attrs = ArrayAttr(attributes)
        return function

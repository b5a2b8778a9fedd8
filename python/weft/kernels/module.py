# SPDX-License-Identifier: Apache-2.0
"""All kernels of a compilation as one MLIR module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.ir import Operation

from weft.kernels.base import Kernel, ScheduleFunction


def kernel_module(
    kernels: Iterable[Kernel], schedules: Mapping[str, ScheduleFunction] | None = None
) -> ModuleOp:
    """Lowers every kernel that is a function, once; what they call is declared private."""
    functions = [k.function((schedules or {}).get(k.family)) for k in kernels if k.is_function]
    callees: dict[str, FunctionType] = {}
    for function in functions:
        for op in function.walk():
            if isinstance(op, func.CallOp):
                types = [v.type for v in op.arguments], [r.type for r in op.results]
                callees[op.callee.root_reference.data] = FunctionType.from_lists(*types)
    declarations: list[Operation] = [
        func.FuncOp.external(name, list(type_.inputs), list(type_.outputs))
        for name, type_ in sorted(callees.items())
    ]
    module = ModuleOp([*declarations, *functions])
    module.verify()
    return module

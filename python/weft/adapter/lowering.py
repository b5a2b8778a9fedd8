# SPDX-License-Identifier: Apache-2.0
"""TensorIR to flat loops over one-dimensional buffers: TVM's passes in an order that works.

``MakePackedAPI`` is left out, since a kernel is called with plain pointers and numbers. Layout
flattening must come before ``NarrowDataType``, and simplification after every pass that leaves
tautologies behind.
"""

from __future__ import annotations

from typing import Any

import tvm
from tvm import s_tir, tirx
from tvm.s_tir.stmt import SBlock
from tvm.target import Target
from tvm_ffi import structural_walk

from weft.adapter.to_mlir import UntranslatableError

# What TVM gives a local whose extent it cannot bound. The product of two of them wraps.
_UNBOUNDED = 2**31 - 1


def _compact() -> tvm.ir.transform.Sequential:
    """Up to locals that are as small as can be."""
    scheduled = s_tir.transform
    return tvm.ir.transform.Sequential(
        [
            scheduled.CanonicalizeLoop(),
            scheduled.LowerInitBlock(),
            scheduled.PlanAndUpdateBufferAllocationLocation(),
            scheduled.ConvertBlocksToOpaque(),
            scheduled.CompactBufferAllocation(),
        ]
    )


def _flatten() -> tvm.ir.transform.Sequential:
    scheduled, flat = s_tir.transform, tirx.transform
    return tvm.ir.transform.Sequential(
        [
            scheduled.LowerMatchBuffer(),
            flat.StmtSimplify(),
            scheduled.LowerOpaqueBlock(),
            flat.FlattenBuffer(),
            flat.NarrowDataType(32),
            scheduled.LoopPartition(),
            flat.UnrollLoop(),
            scheduled.RenormalizeSplitPattern(),
            flat.StmtSimplify(),
            flat.RemoveNoOp(),
            flat.CommonSubexprElim(),
        ]
    )


def lower(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """Returns ``function`` as loops, loads and stores; its parameters are unchanged.

    Raises ``UntranslatableError`` for a schedule that leaves a local without bounds.
    """
    name = "kernel"
    module = tvm.IRModule({name: function})
    module = tirx.transform.BindTarget(Target({"kind": "c"}))(module)
    compact = _compact()(module)
    _check_bounded(compact[name])
    return _flatten()(compact)[name]


def _check_bounded(function: tirx.PrimFunc) -> None:
    unbounded: list[str] = []

    def visit(node: Any) -> None:
        if isinstance(node, SBlock):
            for buffer in node.alloc_buffers:
                extents = [int(n) for n in buffer.shape if isinstance(n, tirx.IntImm)]
                unbounded.extend([buffer.name] if max(extents, default=0) >= _UNBOUNDED else [])

    structural_walk(function.body, visit)
    if unbounded:
        raise UntranslatableError(
            f"the schedule leaves local {unbounded[0]} without bounds: before splitting its loops, "
            "give it a layout by the place in a block (transform_layout)"
        )

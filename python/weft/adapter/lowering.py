# SPDX-License-Identifier: Apache-2.0
"""TensorIR to flat loops over one-dimensional buffers: TVM's passes in an order that works.

``MakePackedAPI`` is left out, since a kernel is called with plain pointers and numbers. Layout
flattening must come before ``NarrowDataType``, and simplification after every pass that leaves
tautologies behind.
"""

from __future__ import annotations

import tvm
from tvm import s_tir, tirx
from tvm.target import Target


def _passes() -> tvm.ir.transform.Sequential:
    scheduled, flat = s_tir.transform, tirx.transform
    return tvm.ir.transform.Sequential(
        [
            scheduled.CanonicalizeLoop(),
            scheduled.LowerInitBlock(),
            scheduled.PlanAndUpdateBufferAllocationLocation(),
            scheduled.ConvertBlocksToOpaque(),
            scheduled.CompactBufferAllocation(),
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
    """Returns ``function`` as loops, loads and stores; its parameters are unchanged."""
    name = "kernel"
    module = tvm.IRModule({name: function})
    module = tirx.transform.BindTarget(Target({"kind": "c"}))(module)
    return _passes()(module)[name]

# SPDX-License-Identifier: Apache-2.0
"""Relax operators as TensorIR: what TVM's own operator library makes of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import prod
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.s_tir import Schedule
from tvm_ffi import structural_equal, structural_map, structural_walk
from xdsl.dialects.func import FuncOp

from weft.adapter.lowering import lower
from weft.adapter.operator_boxes import (
    Region,
    UncutError,
    boxed,
    operand_regions,
)
from weft.adapter.to_mlir import MAX_LOCAL_BYTES, UntranslatableError, to_mlir

_ITEM_BYTES = {"bool": 1, "int8": 1, "uint8": 1, "int32": 4, "float32": 4}
# How far from the begin an equal box is looked for: padding of windows is rarely more.
_NEAR = 4
_REDUCES = 2  # the kind of a block's variable that is summed over


@dataclass(frozen=True)
class OperatorLoops:
    """Lowered loops, whose parameters are the operands, the result and scratch buffers, with the
    sizes of these. ``macs`` is how often something is added to a sum."""

    function: tirx.PrimFunc
    scratch_bytes: tuple[int, ...]
    macs: int

    @property
    def pointers(self) -> tuple[str, ...]:
        """The names of the parameters."""
        operands = len(self.function.params) - 1 - len(self.scratch_bytes)
        return (*(f"x{i}" for i in range(operands)), *self.written)

    @property
    def written(self) -> tuple[str, ...]:
        """The names of those that are written."""
        return ("out", *(f"scratch{i}" for i in range(len(self.scratch_bytes))))

    def to_mlir(self, name: str) -> FuncOp:
        """The kernel of that name. Raises ``UntranslatableError``."""
        first = len(self.pointers) - len(self.written)
        written = [p.name for p in self.function.params[first:]]
        kernel = to_mlir(name, self.function, written)
        for argument, hint in zip(kernel.body.block.args, self.pointers, strict=True):
            argument.name_hint = hint
        return kernel


def source_of(function: relax.Function) -> str:
    """The text of a Relax function of one or more operators, as ``operator_loops`` reads it."""
    text = str(function.script(show_meta=False))
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return "\n".join(lines)


@functools.lru_cache(maxsize=4096)
def operator_loops(source: str, box: Region | None = None) -> OperatorLoops:
    """The loops of a Relax function, fused into one, that compute ``box`` of the result, or all.

    Raises ``UntranslatableError``, or ``UncutError`` for a box that cannot be computed alone.
    """
    function = _inlined(source) if box is None else boxed(_inlined(source), box)
    schedule = Schedule(tvm.IRModule({"main": function}))
    macs = _macs(schedule)
    _keep_sums_in_registers(schedule)
    return _with_scratch(lower(schedule.mod["main"]), macs)


@functools.lru_cache(maxsize=4096)
def operator_regions(source: str, box: Region) -> tuple[Region | None, ...]:
    """What a box of the result reads of each operand. Raises ``UncutError``."""
    return operand_regions(_inlined(source), box)


@functools.lru_cache(maxsize=1024)
def _inlined(source: str) -> tirx.PrimFunc:
    function = tvm.script.from_source(f"# from tvm.script import relax as R\n{source}")
    schedule = Schedule(tvm.IRModule({"main": _fused(function)}))
    _inline(schedule)
    return schedule.mod["main"]


def usual_begin(source: str, box: Region) -> tuple[int, ...]:
    """Where a box lies whose loops are the same as those of ``box``, each axis as near to the begin
    as is looked for: shards of equal loops are one program."""
    begin = [b for b, _ in box]
    extents = [n for _, n in box]
    wanted = operator_loops(source, box).function
    for axis, at in enumerate(begin):
        for nearer in range(min(at, _NEAR)):
            moved = [*begin[:axis], nearer, *begin[axis + 1 :]]
            try:
                loops = operator_loops(source, tuple(zip(moved, extents, strict=True)))
            except UncutError:
                continue
            if structural_equal(loops.function, wanted, map_free_vars=True):
                begin = moved
                break
    return tuple(begin)


def _fused(function: relax.Function) -> tirx.PrimFunc:
    builder = relax.BlockBuilder()
    callee = builder.add_func(function.with_attr("Primitive", 1), "operators")
    parameters = [relax.Var(p.name, p.ty) for p in function.params]
    with builder.function("main", parameters):
        with builder.dataflow():
            result = builder.emit_output(relax.Call(callee, parameters))
        builder.emit_func_output(result)
    module = relax.transform.LegalizeOps()(builder.get())
    for name, part in module.functions.items():
        if name.name_hint == "operators" and isinstance(part, relax.Function):
            _refuse_operators(part)
    module = relax.transform.FuseTIR()(module)
    functions = [f for f in module.functions.values() if isinstance(f, tirx.PrimFunc)]
    if len(functions) != 1:
        raise UntranslatableError("TVM does not make one function of it")
    return functions[0]


def _refuse_operators(function: relax.Function) -> None:
    """Of what is left of a function after legalising, all must be loops."""
    for block in function.body.blocks:
        for binding in block.bindings:
            if isinstance(binding.value, relax.Call):
                operator = str(getattr(binding.value.op, "name", "a call"))
                if operator != "relax.call_tir":
                    raise UntranslatableError(f"TVM has no loops for {operator}")


def _blocks(schedule: Schedule) -> list[Any]:
    return list(schedule.get_child_blocks(schedule.get_sblock("root")))


def _reduces(schedule: Schedule, block: Any) -> bool:
    return any(int(v.iter_type) == _REDUCES for v in schedule.get(block).iter_vars)


def _inline(schedule: Schedule) -> None:
    """Folds what is computed element by element into its only reader: memory is scarcer than time.
    A reader that sums up several of its elements would compute it again for each."""
    for block in _blocks(schedule):
        consumers = schedule.get_consumers(block)
        if _reduces(schedule, block) or len(consumers) != 1:
            continue
        if _reduces(schedule, consumers[0]) and not _only_moves(schedule.get(block)):
            continue
        try:
            schedule.compute_inline(block)
        except tvm.s_tir.ScheduleError:
            continue  # its loops are of a kind that is not inlined: it has a buffer


def _only_moves(block: Any) -> bool:
    """Whether a block computes nothing, such as padding."""
    found: list[Any] = []
    structural_walk(
        block.body,
        lambda node: found.append(node) if str(getattr(node, "ty", "")) == "float32" else None,
    )
    kinds = {type(node).__name__ for node in found}
    calls = {str(n.op.name) for n in found if type(n).__name__ == "Call"}
    return kinds <= {"TensorLoad", "FloatImm", "Call", "Select"} and all(
        name.endswith("if_then_else") for name in calls
    )


def _macs(schedule: Schedule) -> int:
    return sum(
        prod(int(v.dom.extent) for v in schedule.get(block).iter_vars)
        for block in _blocks(schedule)
        if _reduces(schedule, block)
    )


def _keep_sums_in_registers(schedule: Schedule) -> None:
    for block in _blocks(schedule):
        if not _reduces(schedule, block):
            continue
        kinds = [int(v.iter_type) == _REDUCES for v in schedule.get(block).iter_vars]
        loops = schedule.get_loops(block)
        is_plain = len(loops) == len(kinds) and kinds == sorted(kinds)
        if not is_plain or len(schedule.get(block).writes) != 1:
            continue  # not loops of results around loops of sums
        first = kinds.index(True)
        if first > 0 and not _finish_inside(schedule, block, loops[first - 1]):
            copied = schedule.cache_write(block, 0, "local")
            schedule.reverse_compute_at(copied, loops[first - 1])
        schedule.decompose_reduction(block, loops[first])


def _finish_inside(schedule: Schedule, block: Any, loop: Any) -> bool:
    """Moves the only reader of a sum into the loop around it: bias and activation."""
    consumers = schedule.get_consumers(block)
    if len(consumers) != 1 or _reduces(schedule, consumers[0]):
        return False
    reader = schedule.get(consumers[0])
    (written,) = schedule.get(block).writes
    regions = [r for r in reader.reads if r.source.same_as(written.source)]
    if len(regions) != 1 or any(int(n.extent) != 1 for n in regions[0].region):
        return False
    elements = prod(int(v.dom.extent) for v in reader.iter_vars)
    if elements != prod(int(n) for n in written.source.ty.shape):
        return False  # it repeats the sum
    try:
        schedule.reverse_compute_at(consumers[0], loop)
    except tvm.s_tir.ScheduleError:
        return False
    return True


def _with_scratch(function: tirx.PrimFunc, macs: int) -> OperatorLoops:
    """Makes parameters of buffers that are too large for a stack."""
    scratch: list[Any] = []
    sizes: list[int] = []

    def visit(statement: Any) -> Any:
        buffer = statement.buffer
        dtype = str(buffer.ty.dtype)
        if dtype not in _ITEM_BYTES:
            raise UntranslatableError(f"it computes in {dtype}")
        size = prod(int(n) for n in buffer.ty.shape) * _ITEM_BYTES[dtype]
        if size <= MAX_LOCAL_BYTES:
            return statement
        scratch.append(buffer)
        sizes.append(size)
        return tirx.Evaluate(tirx.const(0, "int32"))

    body = structural_map(function.body, (tirx.AllocBuffer, visit))
    parameters = [*function.params, *scratch]
    whole = tirx.PrimFunc(parameters, body, function.ret_type, function.attrs)
    return OperatorLoops(whole, tuple(sizes), macs)

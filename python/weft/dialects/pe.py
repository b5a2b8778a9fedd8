# SPDX-License-Identifier: Apache-2.0
"""What runs on PEs: shards with their slots, buffers, constants and tasks; programs with kernels.

A shard is a template: PEs that compute boxes of one form share it and differ by their constants and
by where their results go, which is the placement's matter (``fabric``). All memory is bytes here. A
pointer is a slot, buffer or constant plus a byte offset; types were checked one level up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    DenseArrayBase,
    IntegerAttr,
    IntegerType,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import Dialect, Operation, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    lazy_traits_def,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import HasParent, IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from weft.dialects.accel import (
    WHOLE,
    AwaitOp,
    LaunchOp,
    TokenType,
    YieldOp,
    check_span,
    check_uses,
)
from weft.kernels.device import AWAIT
from weft.kernels.view import ITEM_BYTES

_Op = TypeVar("_Op", bound=Operation)


def bytes_type(count: int) -> MemRefType[IntegerType]:
    """A memref of ``count`` bytes."""
    return MemRefType(IntegerType(8), [count])


@irdl_op_definition
class BufferOp(IRDLOperation):
    """Bytes of the arena. ``lifetime`` holds pairs of first and last task that need them; ``at`` is
    the offset once it is known."""

    name = "pe.buffer"
    label = prop_def(StringAttr)
    lifetime = prop_def(DenseArrayBase[I64])
    at = opt_prop_def(IntegerAttr[I64])
    result = result_def(MemRefType)
    traits = lazy_traits_def(lambda: (HasParent(ShardOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$label `live` $lifetime (`at` $at^)? attr-dict `:` type($result)"

    def __init__(self, label: str, size: int, lifetime: Sequence[int]) -> None:
        super().__init__(
            properties={
                "label": StringAttr(label),
                "lifetime": DenseArrayBase.from_list(i64, list(lifetime)),
            },
            result_types=[bytes_type(size)],
        )

    @property
    def size(self) -> int:
        """In bytes."""
        return _size(self.result)

    @property
    def offset(self) -> int:
        """In bytes, from the start of the arena."""
        if self.at is None:
            raise VerifyException(f"{self.name} has no address yet")
        return int(self.at.value.data)

    @property
    def intervals(self) -> list[tuple[int, int]]:
        """First and last task, inclusive, of every span of life."""
        ends = [int(v) for v in self.lifetime.get_values()]
        return list(zip(ends[::2], ends[1::2], strict=True))

    def verify_(self) -> None:
        if len(self.lifetime) % 2 or any(s > e for s, e in self.intervals):
            raise VerifyException("a lifetime is pairs of first and last task")


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """Read-only bytes: number ``index`` of the constants that the placement names."""

    name = "pe.constant"
    index = prop_def(IntegerAttr[I64])
    result = result_def(MemRefType)
    traits = lazy_traits_def(lambda: (HasParent(ShardOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$index attr-dict `:` type($result)"

    def __init__(self, index: int, size: int) -> None:
        super().__init__(
            properties={"index": IntegerAttr(index, i64)}, result_types=[bytes_type(size)]
        )

    @property
    def size(self) -> int:
        """In bytes."""
        return _size(self.result)


@irdl_op_definition
class StoredOp(IRDLOperation):
    """Read-only bytes in DRAM: number ``index`` of the constants that the placement names. Only
    jobs of devices read them."""

    name = "pe.stored"
    index = prop_def(IntegerAttr[I64])
    result = result_def(MemRefType)
    traits = lazy_traits_def(lambda: (HasParent(ShardOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$index attr-dict `:` type($result)"

    def __init__(self, index: int, size: int) -> None:
        super().__init__(
            properties={"index": IntegerAttr(index, i64)}, result_types=[bytes_type(size)]
        )

    @property
    def size(self) -> int:
        """In bytes."""
        return _size(self.result)

    def verify_(self) -> None:
        if not all(isinstance(use.operation, LaunchOp) for use in self.result.uses):
            raise VerifyException("what is in DRAM is read by jobs of devices alone")


@irdl_op_definition
class SlotOp(IRDLOperation):
    """Room for one frame of an input, filled by other shards: one more operand of the shard.

    The tensor lies in it from ``byte_offset`` on, with strides in bytes; what lies around is the
    border that its reader asks for.
    """

    name = "pe.slot"
    byte_offset = prop_def(IntegerAttr[I64])
    shape = prop_def(DenseArrayBase[I64])
    strides = prop_def(DenseArrayBase[I64])
    dtype = prop_def(StringAttr)
    result = result_def(MemRefType)
    traits = lazy_traits_def(lambda: (HasParent(ShardOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$dtype $shape `at` $byte_offset `every` $strides attr-dict `:` type($result)"

    @property
    def size(self) -> int:
        """In bytes."""
        return _size(self.result)

    def verify_(self) -> None:
        _verify_view(self, self.size)


@irdl_op_definition
class ResultOp(IRDLOperation):
    """What a firing leaves for other shards: a tensor in a buffer, or in a slot passed on."""

    name = "pe.result"
    memory = operand_def(MemRefType)
    byte_offset = prop_def(IntegerAttr[I64])
    shape = prop_def(DenseArrayBase[I64])
    strides = prop_def(DenseArrayBase[I64])
    dtype = prop_def(StringAttr)
    traits = lazy_traits_def(lambda: (HasParent(ShardOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$memory $dtype $shape `at` $byte_offset `every` $strides attr-dict `:` type($memory)"
    )

    def verify_(self) -> None:
        _verify_view(self, _size(self.memory))


def _size(value: SSAValue) -> int:
    assert isinstance(value.type, MemRefType)
    return int(value.type.get_shape()[0])


def _verify_view(op: SlotOp | ResultOp, size: int) -> None:
    shape, strides = op.shape.get_values(), op.strides.get_values()
    if op.dtype.data not in ITEM_BYTES:
        raise VerifyException(f"{op.name} of {op.dtype.data}")
    if len(shape) != len(strides) or any(int(n) < 1 for n in shape):
        raise VerifyException(f"{op.name}: one stride an extent, and extents of at least 1")
    steps = [(int(n) - 1) * int(s) for n, s in zip(shape, strides, strict=True)]
    first = int(op.byte_offset.value.data)
    if first < 0 or any(s < 0 for s in steps):
        raise VerifyException(f"{op.name} starts {first} bytes into its memory, or goes backwards")
    end = first + sum(steps) + ITEM_BYTES[op.dtype.data]
    if end > size:
        raise VerifyException(f"{op.name} ends {end} bytes into memory of {size}")


@irdl_op_definition
class CallOp(IRDLOperation):
    """Calls a kernel with pointers (operand plus byte offset) and numbers, in its order. ``spans``
    says how many bytes it touches from each pointer on, where that is known."""

    name = "pe.call"
    kernel = prop_def(SymbolRefAttr)
    pointers = var_operand_def(MemRefType)
    byte_offsets = prop_def(DenseArrayBase[I64])
    numbers = prop_def(DenseArrayBase[I64])
    spans = opt_prop_def(DenseArrayBase[I64])
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$kernel `(` $pointers `)` `+` $byte_offsets (`over` $spans^)? `with` $numbers attr-dict "
        "`:` type($pointers)"
    )

    def __init__(
        self,
        kernel: str,
        pointers: Sequence[SSAValue],
        byte_offsets: Sequence[int],
        numbers: Sequence[int],
        spans: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            operands=[list(pointers)],
            properties={
                "kernel": SymbolRefAttr(kernel),
                "byte_offsets": DenseArrayBase.from_list(i64, list(byte_offsets)),
                "numbers": DenseArrayBase.from_list(i64, list(numbers)),
                "spans": None if spans is None else DenseArrayBase.from_list(i64, list(spans)),
            },
        )

    @property
    def kernel_name(self) -> str:
        return str(self.kernel.root_reference.data)

    def verify_(self) -> None:
        offsets = self.byte_offsets.get_values()
        if len(offsets) != len(self.pointers):
            raise VerifyException("one byte offset a pointer")
        for pointer, offset in zip(self.pointers, offsets, strict=True):
            assert isinstance(pointer.type, MemRefType)
            if not 0 <= offset < pointer.type.get_shape()[0]:
                raise VerifyException(
                    f"{self.kernel_name}: pointer {offset} bytes into a buffer of "
                    f"{pointer.type.get_shape()[0]}"
                )
        if self.spans is not None:
            spans = self.spans.get_values()
            if len(spans) != len(offsets):
                raise VerifyException("one span a pointer")
            for pointer, offset, span in zip(self.pointers, offsets, spans, strict=True):
                if span != WHOLE:
                    check_span(self.kernel_name, pointer, offset, span)
        if any(not -(1 << 31) <= n < 1 << 32 for n in self.numbers.get_values()):
            raise VerifyException(f"{self.kernel_name}: a number does not fit in 32 bits")


@irdl_op_definition
class TaskOp(IRDLOperation):
    """Calls that run to completion, one after another. ``stage`` is the kind of stage it is for.

    It starts when the jobs are done that it awaits. Its results are the tokens of jobs that it
    launches and others await.
    """

    name = "pe.task"
    label = prop_def(StringAttr)
    stage = prop_def(StringAttr)
    macs = prop_def(IntegerAttr[I64])
    body = region_def("single_block")
    tokens = var_result_def(TokenType)
    traits = lazy_traits_def(lambda: (HasParent(ShardOp), NoTerminator()))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$stage $label `macs` $macs (`->` type($tokens)^)? attr-dict-with-keyword $body"
    )

    def __init__(self, label: str, stage: str, macs: int, body: Region, tokens: int = 0) -> None:
        super().__init__(
            properties={
                "label": StringAttr(label),
                "stage": StringAttr(stage),
                "macs": IntegerAttr(macs, i64),
            },
            regions=[body],
            result_types=[[TokenType()] * tokens],
        )

    @property
    def calls(self) -> Iterator[CallOp]:
        return (op for op in self.body.block.ops if isinstance(op, CallOp))

    @property
    def launches(self) -> Iterator[LaunchOp]:
        return (op for op in self.body.block.ops if isinstance(op, LaunchOp))

    @property
    def awaits(self) -> Iterator[AwaitOp]:
        return (op for op in self.body.block.ops if isinstance(op, AwaitOp))

    def verify_(self) -> None:
        last = self.body.block.last_op
        yielded = list(last.tokens) if isinstance(last, YieldOp) else []
        if len(yielded) != len(self.tokens):
            raise VerifyException(f"task {self.label.data} gives {len(self.tokens)} tokens")
        for token in self.tokens:
            check_uses(token, f"a job of task {self.label.data}")


@irdl_op_definition
class ShardOp(IRDLOperation):
    """What fires together, once a frame: reads its slots, runs its tasks, leaves its results.

    ``scratch`` is the bytes of the arena that its buffers take, once they have addresses; the next
    firing on the PE, of whatever shard, takes them again.
    """

    name = "pe.shard"
    sym_name = prop_def(SymbolNameConstraint())
    scratch = opt_prop_def(IntegerAttr[I64])
    body = region_def("single_block")
    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface(), NoTerminator())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$sym_name (`scratch` $scratch^)? attr-dict-with-keyword $body"

    def of_type(self, kind: type[_Op]) -> list[_Op]:
        return [op for op in self.body.block.ops if isinstance(op, kind)]

    @property
    def scratch_bytes(self) -> int:
        if self.scratch is None:
            raise VerifyException(f"shard {self.sym_name.data} has no addresses yet")
        return int(self.scratch.value.data)

    @property
    def kernel_names(self) -> list[str]:
        """Of the kernels that it calls, launches and awaits among them, sorted."""
        tasks = self.of_type(TaskOp)
        names = {call.kernel_name for task in tasks for call in task.calls}
        names |= {launch.kernel_name for task in tasks for launch in task.launches}
        return sorted(names | {AWAIT.name for task in tasks for _ in task.awaits})

    def verify_(self) -> None:
        """Buffers alive at one time must not overlap. Quadratic in the buffers of one shard."""
        placed = [b for b in self.of_type(BufferOp) if b.at is not None]
        for i, a in enumerate(placed):
            if a.offset < 0:
                raise VerifyException(f"buffer {a.label.data} starts before the scratch memory")
            if self.scratch is not None and a.offset + a.size > self.scratch_bytes:
                raise VerifyException(f"buffer {a.label.data} ends behind the scratch memory")
            for b in placed[:i]:
                apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
                if not apart and _meet(a.intervals, b.intervals):
                    raise VerifyException(f"buffers {a.label.data} and {b.label.data} overlap")


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """Code of one kind of PE: the kernels that it can call, by name, in the order of its table, and
    the devices that it may use, which are those of PE number ``devices_of``."""

    name = "pe.program"
    sym_name = prop_def(SymbolNameConstraint())
    kernels = prop_def(ArrayAttr[StringAttr])
    devices_of = opt_prop_def(IntegerAttr[I64])
    traits = traits_def(SymbolOpInterface())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$sym_name $kernels (`devices` `of` $devices_of^)? attr-dict-with-keyword"

    def verify_(self) -> None:
        names = [k.data for k in self.kernels]
        if len(set(names)) != len(names):
            raise VerifyException(f"program {self.sym_name.data} lists a kernel twice")


def dram_bytes(launch: LaunchOp) -> int:
    """What a job copies from DRAM."""
    spans = zip(launch.pointers, launch.spans.get_values(), strict=True)
    return sum(int(span) for memory, span in spans if isinstance(memory.owner, StoredOp))


def _meet(a: Sequence[tuple[int, int]], b: Sequence[tuple[int, int]]) -> bool:
    return any(s <= f and t <= e for s, e in a for t, f in b)


PE = Dialect(
    "pe",
    [ProgramOp, ShardOp, SlotOp, BufferOp, ConstantOp, StoredOp, ResultOp, TaskOp, CallOp],
    [],
)

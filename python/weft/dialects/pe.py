# SPDX-License-Identifier: Apache-2.0
"""One program: its channels, statically addressed buffers, constants and tasks.

All memory is bytes here. A pointer is a buffer or constant plus a byte offset; types were checked
one level up.
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
)
from xdsl.traits import HasParent, IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

_Op = TypeVar("_Op", bound=Operation)


def bytes_type(count: int) -> MemRefType[IntegerType]:
    """A memref of ``count`` bytes."""
    return MemRefType(IntegerType(8), [count])


class _Memory(IRDLOperation):
    """A range of bytes; ``at`` is its offset once it is known."""

    at = opt_prop_def(IntegerAttr[I64])
    result = result_def(MemRefType)
    irdl_options = (ParsePropInAttrDict(),)

    @property
    def size(self) -> int:
        """In bytes."""
        assert isinstance(self.result.type, MemRefType)
        return int(self.result.type.get_shape()[0])

    @property
    def offset(self) -> int:
        """In bytes, from the start of the arena or of the constants."""
        if self.at is None:
            raise VerifyException(f"{self.name} has no address yet")
        return int(self.at.value.data)


@irdl_op_definition
class BufferOp(_Memory):
    """Bytes of the arena. ``lifetime`` holds pairs of first and last task that need them."""

    name = "pe.buffer"
    label = prop_def(StringAttr)
    lifetime = prop_def(DenseArrayBase[I64])
    traits = lazy_traits_def(lambda: (HasParent(ProgramOp),))
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
    def intervals(self) -> list[tuple[int, int]]:
        """First and last task, inclusive, of every span of life."""
        ends = [int(v) for v in self.lifetime.get_values()]
        return list(zip(ends[::2], ends[1::2], strict=True))


@irdl_op_definition
class ConstantOp(_Memory):
    """Read-only bytes, found beside the module under ``key``."""

    name = "pe.constant"
    key = prop_def(StringAttr)
    traits = lazy_traits_def(lambda: (HasParent(ProgramOp),))
    assembly_format = "$key (`at` $at^)? attr-dict `:` type($result)"

    def __init__(self, key: str, size: int) -> None:
        super().__init__(properties={"key": StringAttr(key)}, result_types=[bytes_type(size)])


@irdl_op_definition
class ChannelOp(IRDLOperation):
    """An input or output of the program: where its slot lies, and the tensor that it carries."""

    name = "pe.channel"
    direction = prop_def(StringAttr)
    label = prop_def(StringAttr)
    slot = operand_def(MemRefType)
    byte_offset = prop_def(IntegerAttr[I64])
    rows = prop_def(IntegerAttr[I64])
    row_bytes = prop_def(IntegerAttr[I64])
    row_stride = prop_def(IntegerAttr[I64])
    shape = prop_def(DenseArrayBase[I64])
    dtype = prop_def(StringAttr)
    traits = lazy_traits_def(lambda: (HasParent(ProgramOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$direction $label `in` $slot `+` $byte_offset `rows` $rows `of` $row_bytes `every` "
        "$row_stride `as` $dtype $shape attr-dict `:` type($slot)"
    )

    def verify_(self) -> None:
        if self.direction.data not in ("in", "out"):
            raise VerifyException(f"a channel goes in or out, not {self.direction.data}")
        first, rows = self.byte_offset.value.data, self.rows.value.data
        end = first + (rows - 1) * self.row_stride.value.data + self.row_bytes.value.data
        assert isinstance(self.slot.type, MemRefType)
        if rows < 1 or end > self.slot.type.get_shape()[0]:
            raise VerifyException(f"channel {self.label.data} ends {end} bytes into its buffer")


@irdl_op_definition
class CallOp(IRDLOperation):
    """Calls a kernel with pointers (operand plus byte offset) and numbers, in its order."""

    name = "pe.call"
    kernel = prop_def(SymbolRefAttr)
    pointers = var_operand_def(MemRefType)
    byte_offsets = prop_def(DenseArrayBase[I64])
    numbers = prop_def(DenseArrayBase[I64])
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$kernel `(` $pointers `)` `+` $byte_offsets `with` $numbers attr-dict `:` type($pointers)"
    )

    def __init__(
        self,
        kernel: str,
        pointers: Sequence[SSAValue],
        byte_offsets: Sequence[int],
        numbers: Sequence[int],
    ) -> None:
        super().__init__(
            operands=[list(pointers)],
            properties={
                "kernel": SymbolRefAttr(kernel),
                "byte_offsets": DenseArrayBase.from_list(i64, list(byte_offsets)),
                "numbers": DenseArrayBase.from_list(i64, list(numbers)),
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
        if any(not -(1 << 31) <= n < 1 << 32 for n in self.numbers.get_values()):
            raise VerifyException(f"{self.kernel_name}: a number does not fit in 32 bits")


@irdl_op_definition
class TaskOp(IRDLOperation):
    """Calls that run to completion, one after another. ``stage`` is the kind of stage it is for."""

    name = "pe.task"
    label = prop_def(StringAttr)
    stage = prop_def(StringAttr)
    macs = prop_def(IntegerAttr[I64])
    body = region_def("single_block")
    traits = lazy_traits_def(lambda: (HasParent(ProgramOp), NoTerminator()))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$stage $label `macs` $macs attr-dict-with-keyword $body"

    def __init__(self, label: str, stage: str, macs: int, body: Region) -> None:
        super().__init__(
            properties={
                "label": StringAttr(label),
                "stage": StringAttr(stage),
                "macs": IntegerAttr(macs, i64),
            },
            regions=[body],
        )

    @property
    def calls(self) -> Iterator[CallOp]:
        return (op for op in self.body.block.ops if isinstance(op, CallOp))


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """Code and buffer layout of one kind of PE."""

    name = "pe.program"
    sym_name = prop_def(SymbolNameConstraint())
    kernels = prop_def(ArrayAttr[StringAttr])
    body = region_def("single_block")
    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface(), NoTerminator())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$sym_name `kernels` $kernels attr-dict-with-keyword $body"

    def of_type(self, kind: type[_Op]) -> list[_Op]:
        return [op for op in self.body.block.ops if isinstance(op, kind)]

    def verify_(self) -> None:
        known = {k.data for k in self.kernels}
        for task in self.of_type(TaskOp):
            for call in task.calls:
                if call.kernel_name not in known:
                    raise VerifyException(f"call of {call.kernel_name}, which is not listed")
        self._verify_addresses()

    def _verify_addresses(self) -> None:
        """Buffers alive at one time must not overlap. Quadratic in the buffers of one program."""
        placed = [b for b in self.of_type(BufferOp) if b.at is not None]
        for i, a in enumerate(placed):
            for b in placed[:i]:
                apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
                if not apart and _meet(a.intervals, b.intervals):
                    raise VerifyException(f"buffers {a.label.data} and {b.label.data} overlap")


def _meet(a: Sequence[tuple[int, int]], b: Sequence[tuple[int, int]]) -> bool:
    return any(s <= f and t <= e for s, e in a for t, f in b)


PE = Dialect("pe", [ProgramOp, BufferOp, ConstantOp, ChannelOp, TaskOp, CallOp], [])

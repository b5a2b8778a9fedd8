# SPDX-License-Identifier: Apache-2.0
"""Jobs of devices: a launch gives a token, an await consumes it.

A job reads and writes memory from its launch to its await; what the core does in between must not
touch it. Devices are those of the PE's class, by index; what they are is data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import (
    I64,
    DenseArrayBase,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import Dialect, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import IsTerminator
from xdsl.utils.exceptions import VerifyException

#: A span that is not known: the whole of the memory that the pointer leads into.
WHOLE = -1


@irdl_attr_definition
class TokenType(ParametrizedAttribute, TypeAttribute):
    """A job that has been launched and not yet awaited."""

    name = "accel.token"


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """Hands a job to device number ``device``: pointers (operand plus byte offset) and numbers fill
    its descriptor. From each pointer on, the job touches ``spans`` bytes. ``cycles`` of the
    device's clock is what it takes there; ``label`` names it in errors."""

    name = "accel.launch"
    kernel = prop_def(SymbolRefAttr)
    label = prop_def(StringAttr)
    device = prop_def(IntegerAttr[I64])
    cycles = prop_def(IntegerAttr[I64])
    pointers = var_operand_def(MemRefType)
    byte_offsets = prop_def(DenseArrayBase[I64])
    spans = prop_def(DenseArrayBase[I64])
    numbers = prop_def(DenseArrayBase[I64])
    token = result_def(TokenType)
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$kernel $label `on` $device `for` $cycles `(` $pointers `)` `+` $byte_offsets `over` "
        "$spans `with` $numbers attr-dict `:` type($pointers)"
    )

    def __init__(
        self,
        kernel: str,
        label: str,
        device: int,
        cycles: int,
        pointers: Sequence[SSAValue],
        byte_offsets: Sequence[int],
        spans: Sequence[int],
        numbers: Sequence[int],
    ) -> None:
        super().__init__(
            operands=[list(pointers)],
            properties={
                "kernel": SymbolRefAttr(kernel),
                "label": StringAttr(label),
                "device": IntegerAttr(device, i64),
                "cycles": IntegerAttr(cycles, i64),
                "byte_offsets": DenseArrayBase.from_list(i64, list(byte_offsets)),
                "spans": DenseArrayBase.from_list(i64, list(spans)),
                "numbers": DenseArrayBase.from_list(i64, list(numbers)),
            },
            result_types=[TokenType()],
        )

    @property
    def kernel_name(self) -> str:
        return str(self.kernel.root_reference.data)

    @property
    def device_index(self) -> int:
        return int(self.device.value.data)

    @property
    def device_cycles(self) -> int:
        return int(self.cycles.value.data)

    def verify_(self) -> None:
        offsets, spans = self.byte_offsets.get_values(), self.spans.get_values()
        if not len(offsets) == len(spans) == len(self.pointers):
            raise VerifyException("one byte offset and one span a pointer")
        for pointer, offset, span in zip(self.pointers, offsets, spans, strict=True):
            check_span(self.kernel_name, pointer, offset, span)
        if any(not -(1 << 31) <= n < 1 << 32 for n in self.numbers.get_values()):
            raise VerifyException(f"{self.kernel_name}: a number does not fit in 32 bits")
        check_uses(self.token, f"job {self.label.data}")


@irdl_op_definition
class AwaitOp(IRDLOperation):
    """The rest of its task starts when the job is done."""

    name = "accel.await"
    token = operand_def(TokenType)
    assembly_format = "$token attr-dict"


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Hands the tokens of jobs that a task has launched to later ones."""

    name = "accel.yield"
    tokens = var_operand_def(TokenType)
    traits = traits_def(IsTerminator())
    assembly_format = "$tokens attr-dict"


def check_span(kernel: str, pointer: SSAValue[Any], offset: int, span: int) -> None:
    """What ``kernel`` touches from a pointer on lies in its memory. Raises ``VerifyException``."""
    assert isinstance(pointer.type, MemRefType)
    size = int(pointer.type.get_shape()[0])
    if span < 1 or not 0 <= offset <= size - span:
        raise VerifyException(f"{kernel}: {span} bytes from {offset} of a buffer of {size}")


def check_uses(token: SSAValue[Any], job: str) -> None:
    """A token is awaited, or handed on, once. Raises ``VerifyException``."""
    uses = sum(1 for _ in token.uses)
    if uses != 1:
        raise VerifyException(f"{'nobody awaits' if uses == 0 else 'several await'} {job}")


ACCEL = Dialect("accel", [LaunchOp, AwaitOp, YieldOp], [TokenType])

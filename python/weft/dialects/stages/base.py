# SPDX-License-Identifier: Apache-2.0
"""What all stages share: the graph that holds them, constants, and the interface they implement."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    Float32Type,
    IntegerAttr,
    IntegerType,
    Signedness,
    StringAttr,
    TensorType,
    UnitAttr,
    i64,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import IsolatedFromAbove, IsTerminator, NoTerminator, Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.stages.box import Box, Cut
from weft.kernels.base import KernelCall
from weft.kernels.rounding import ROUNDINGS
from weft.kernels.view import View

_DTYPES = {
    "int8": IntegerType(8),
    "uint8": IntegerType(8, Signedness.UNSIGNED),  # what enters or leaves a network, and no more
    "int32": IntegerType(32),
    "float32": Float32Type(),
}


def tensor_type(shape: Sequence[int], dtype: str) -> TensorType[Any]:
    """A tensor type; ``dtype`` is ``int8``, ``uint8``, ``int32`` or ``float32``."""
    return TensorType(_DTYPES[dtype], list(shape))


def dtype_of(type_: Attribute) -> str:
    """``int8``, ``uint8``, ``int32`` or ``float32``: the element type of a tensor type."""
    assert isinstance(type_, TensorType)
    for name, element in _DTYPES.items():
        if type_.element_type == element:
            return name
    raise VerifyException(f"no stage works on {type_}")


def shape_of_type(type_: Attribute) -> tuple[int, ...]:
    """The extents of a tensor type."""
    assert isinstance(type_, TensorType)
    return tuple(type_.get_shape())


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The extents of a value of tensor type."""
    return shape_of_type(value.type)


class Border(NamedTuple):
    """Rows and columns of ``value`` that an operand needs around its NHWC tensor."""

    top: int
    bottom: int
    left: int
    right: int
    value: int

    def union(self, other: Border) -> Border:
        """The smallest border that contains both, which have one value."""
        top, bottom, left, right = (max(a, b) for a, b in zip(self[:4], other[:4], strict=True))
        return Border(top, bottom, left, right, self.value)


@irdl_op_definition
class StageGraph(IRDLOperation):
    """A network: block arguments are its inputs, in order; ends in ``stages.output``."""

    name = "stages.graph"
    input_names = prop_def(ArrayAttr[StringAttr])
    output_names = prop_def(ArrayAttr[StringAttr])
    body = region_def("single_block")
    traits = traits_def(IsolatedFromAbove(), NoTerminator())

    def verify_(self) -> None:
        if len(self.input_names) != len(self.body.block.args):
            raise VerifyException("one name an input")
        last = self.body.block.last_op
        if not isinstance(last, StageOutput) or len(last.values) != len(self.output_names):
            raise VerifyException("stages.graph ends in stages.output, one name a value")


@irdl_op_definition
class StageOutput(IRDLOperation):
    """The values that leave the network."""

    name = "stages.output"
    values = var_operand_def(TensorType)
    traits = traits_def(IsTerminator())
    assembly_format = "$values attr-dict `:` type($values)"


@irdl_op_definition
class Constant(IRDLOperation):
    """A tensor whose data lie beside the module, under ``key``. ``stored`` says that they are in
    DRAM, out of the PE's reach until they are copied."""

    name = "stages.constant"
    key = prop_def(StringAttr)
    stored = opt_prop_def(UnitAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$key (`stored` $stored^)? attr-dict `:` type($result)"


class Stage(IRDLOperation):
    """The interface of every stage: how much it computes, what it needs, which kernels it calls.

    ``label`` names the operators of the model that the stage stands for.
    """

    label = prop_def(StringAttr)
    result = result_def(TensorType)

    @property
    def kind(self) -> str:
        """The name without its dialect, for instance ``conv2d``."""
        return self.name.removeprefix("stages.")

    @classmethod
    def make(
        cls, operands: Sequence[SSAValue], attributes: Mapping[str, Any], result: TensorType[Any]
    ) -> Stage:
        """Builds the op from plain Python attributes: int, str, bool or sequences of int."""
        operand_lists = cls.group_operands(operands)
        properties = {key: attribute_of(value) for key, value in attributes.items()}
        return cls(operands=operand_lists, result_types=[result], properties=properties)

    @classmethod
    def group_operands(cls, operands: Sequence[SSAValue]) -> list[Any]:
        """The operands in the groups that its definition has."""
        return list(operands)

    @property
    def is_view(self) -> bool:
        """Whether the result is the operand's bytes under another shape."""
        return False

    def alias(self, x: View) -> View | None:
        """The result as a part of the memory of the first operand, which then need not be copied;
        None if it is not there."""
        return None

    def border(self, operand: int) -> Border | None:
        """What must surround operand ``operand`` in memory, if anything."""
        return None

    def needs_dense(self, operand: int) -> bool:
        """Whether operand ``operand`` must lie in memory without gaps."""
        return False

    def workspace_bytes(self) -> int:
        """Scratch memory that its kernels want besides operands and result."""
        return 0

    @abstractmethod
    def cut(self, box: Box) -> Cut:
        """What computing only ``box`` of the result takes. Raises ``CutError`` if it cannot be
        computed on its own."""

    def settled(self, cut: Cut, box: Box) -> Cut:
        """The cut of ``box`` with the attributes of an equal one, if its own are of its place.
        Asked once, of the boxes that are chosen, so that equal shards are one program."""
        return cut

    @abstractmethod
    def macs(self) -> int:
        """Multiply-accumulate operations a frame, taps on padding included."""

    def taps(self) -> int:
        """How many elements of an operand a stage without MACs looks at for one of its result,
        where that is more than a fixed number for its kind; else 0."""
        return 0

    @abstractmethod
    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        """The kernel calls that compute ``out``, in order. ``inputs`` are views of all operands,
        constants included, laid out as ``border`` and ``needs_dense`` ask; the last one is the
        workspace, if there is any."""


def attribute_of(value: Any) -> Attribute:
    """A property from a text, an integer or a sequence of integers."""
    if isinstance(value, str):
        return StringAttr(value)
    if isinstance(value, int):
        return IntegerAttr(int(value), i64)
    return DenseArrayBase.from_list(i64, [int(v) for v in value])


def ints(attribute: DenseArrayBase[Any]) -> tuple[int, ...]:
    """The numbers of an array attribute."""
    return tuple(int(v) for v in attribute.get_values())


def int_of(attribute: IntegerAttr[Any]) -> int:
    """The number of an integer attribute."""
    return int(attribute.value.data)


def rounding_of(stage: Any) -> str:
    """How a stage rounds (``weft.kernels.rounding``): its attribute ``rounding``, else twice."""
    attribute = stage.rounding
    name = "twice" if attribute is None else str(attribute.data)
    if name not in ROUNDINGS:
        raise VerifyException(f"{stage.name}: no rounding {name}")
    return name


def elements(value: SSAValue) -> int:
    """How many elements a value has."""
    return prod(shape_of(value))


def variables(stage: Stage) -> Iterator[SSAValue]:
    """The operands that are no constants, in order."""
    return (v for v in stage.operands if not isinstance(v.owner, Constant))

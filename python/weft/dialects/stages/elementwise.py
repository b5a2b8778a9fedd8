# SPDX-License-Identifier: Apache-2.0
"""Stages that treat every element alone: two operands, a table, quantisation of floats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr, TensorType
from xdsl.irdl import (
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.stages.base import Stage, dtype_of, int_of, rounding_of, shape_of
from weft.dialects.stages.box import Box, Cut
from weft.kernels.add_exact import AddExact
from weft.kernels.base import Kernel, KernelCall
from weft.kernels.binary import Add, Extremum, Mul
from weft.kernels.movement import Lookup, Quantize
from weft.kernels.view import View, loops_of


def loop_numbers(
    views: Sequence[tuple[str, View]], out: View, inner: bool = False
) -> dict[str, int]:
    """``extentN`` of ``out`` and ``<name>_strideN`` of every view; the innermost stride only if it
    is an argument."""
    numbers = {f"extent{axis}": extent for axis, extent in enumerate(out.shape)}
    for name, view in views:
        strides = view.strides if inner else view.strides[:-1]
        numbers |= {f"{name}_stride{axis}": stride for axis, stride in enumerate(strides)}
    return numbers


def broadcast_box(shape: Sequence[int], box: Box) -> Box:
    """The part of an operand that ``box`` of the result reads, by NumPy's rules."""
    missing = len(box.shape) - len(shape)
    begin = [0 if n == 1 else b for n, b in zip(shape, box.begin[missing:], strict=True)]
    extents = [1 if n == 1 else e for n, e in zip(shape, box.shape[missing:], strict=True)]
    return Box(tuple(begin), tuple(extents))


def _add_exact(given: Mapping[str, int], exact: str, a: View, b: View, result: View) -> KernelCall:
    """An addition whose operand ``exact`` is ``a`` or ``b``."""
    views = {"exact": a, "other": b} if exact == "a" else {"exact": b, "other": a}
    other = "b" if exact == "a" else "a"
    return KernelCall(
        AddExact(),
        pointers={**{name: view.pointer for name, view in views.items()}, "out": result.pointer},
        numbers={
            **loop_numbers([*views.items(), ("out", result)], result),
            "exact_zero_point": given[f"{exact}_zero_point"],
            "other_zero_point": given[f"{other}_zero_point"],
            "other_multiplier": given[f"{other}_multiplier"],
            "other_shift": given[f"{other}_shift"],
            **{name: given[name] for name in ("out_zero_point", "out_multiplier", "out_shift")},
            **{name: given[name] for name in ("low", "high")},
        },
    )


@irdl_op_definition
class BinaryStage(Stage):
    """``add``, ``sub`` or ``mul`` of two int8 tensors, with broadcasting.

    The operand multipliers exist for ``add`` and ``sub`` only. ``exact`` is ``a`` or ``b`` where
    the kernel ``AddExact`` is to be used, and names its operand.
    """

    name = "stages.binary"
    a = operand_def(TensorType)
    b = operand_def(TensorType)
    operator = prop_def(StringAttr)
    a_zero_point = prop_def(IntegerAttr[I64])
    b_zero_point = prop_def(IntegerAttr[I64])
    a_multiplier = opt_prop_def(IntegerAttr[I64])
    a_shift = opt_prop_def(IntegerAttr[I64])
    b_multiplier = opt_prop_def(IntegerAttr[I64])
    b_shift = opt_prop_def(IntegerAttr[I64])
    out_zero_point = prop_def(IntegerAttr[I64])
    out_multiplier = prop_def(IntegerAttr[I64])
    out_shift = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    exact = opt_prop_def(StringAttr)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def verify_(self) -> None:
        if self.operator.data not in ("add", "sub", "mul"):
            raise VerifyException(f"no binary operator {self.operator.data}")

    def numbers(self) -> dict[str, int]:
        """The scalars that it has, by name."""
        names = [
            *("a_zero_point", "a_multiplier", "a_shift"),
            *("b_zero_point", "b_multiplier", "b_shift"),
            *("out_zero_point", "out_multiplier", "out_shift", "low", "high"),
        ]
        return {n: int_of(v) for n in names if (v := getattr(self, n)) is not None}

    def cut(self, box: Box) -> Cut:
        return Cut(tuple(broadcast_box(shape_of(v), box) for v in (self.a, self.b)))

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        given = self.numbers()
        made = []
        views = [*(v.broadcast(out.shape) for v in inputs), out]
        for a, b, result in loops_of(views, 4, inner=True):
            if self.exact is not None and a.strides[-1] == b.strides[-1] == 1:
                made.append(_add_exact(given, self.exact.data, a, b, result))
                continue
            made.append(
                KernelCall(
                    self._kernel(a, b),
                    pointers={"a": a.pointer, "b": b.pointer, "out": result.pointer},
                    numbers={
                        **loop_numbers([("a", a), ("b", b), ("out", result)], result),
                        **given,
                    },
                )
            )
        return made

    def _kernel(self, a: View, b: View) -> Kernel:
        inner = (min(a.strides[-1], 1), min(b.strides[-1], 1))
        if self.operator.data == "mul":
            return Mul(*inner)
        return Add(*inner, subtract=self.operator.data == "sub")


@irdl_op_definition
class ExtremumStage(Stage):
    """``maximum`` or ``minimum`` of two int8 tensors of one quantisation, with broadcasting."""

    name = "stages.extremum"
    a = operand_def(TensorType)
    b = operand_def(TensorType)
    operator = prop_def(StringAttr)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def verify_(self) -> None:
        if self.operator.data not in ("maximum", "minimum"):
            raise VerifyException(f"no extremum {self.operator.data}")

    def cut(self, box: Box) -> Cut:
        return Cut(tuple(broadcast_box(shape_of(v), box) for v in (self.a, self.b)))

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        made = []
        views = [*(v.broadcast(out.shape) for v in inputs), out]
        for a, b, result in loops_of(views, 4, inner=True):
            inner = (min(a.strides[-1], 1), min(b.strides[-1], 1))
            made.append(
                KernelCall(
                    Extremum(*inner, largest=self.operator.data == "maximum"),
                    pointers={"a": a.pointer, "b": b.pointer, "out": result.pointer},
                    numbers=loop_numbers([("a", a), ("b", b), ("out", result)], result),
                )
            )
        return made


@irdl_op_definition
class LookupStage(Stage):
    """``table[x + 128]``: every function of one int8, such as an activation or dequantisation."""

    name = "stages.lookup"
    x = operand_def(TensorType)
    table = operand_def(TensorType)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def verify_(self) -> None:
        if dtype_of(self.table.type) != dtype_of(self.result.type):
            raise VerifyException("stages.lookup gives what its table holds")

    def cut(self, box: Box) -> Cut:
        return Cut((box, Box.whole(shape_of(self.table))))

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, table = inputs
        return [
            KernelCall(
                Lookup(table.byte_dtype),
                pointers={"x": part.pointer, "table": table.pointer, "out": result.pointer},
                numbers=loop_numbers([("x", part), ("out", result)], result),
            )
            for part, result in loops_of([x, out], 4, inner=True)
        ]


@irdl_op_definition
class QuantizeStage(Stage):
    """float32 to int8: ``round(x / scale) + zero_point``; ``scale`` is a tensor of one float."""

    name = "stages.quantize"
    x = operand_def(TensorType)
    scale = operand_def(TensorType)
    zero_point = prop_def(IntegerAttr[I64])
    rounding = opt_prop_def(StringAttr)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def cut(self, box: Box) -> Cut:
        return Cut((box, Box.whole(shape_of(self.scale))))

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, scale = inputs
        return [
            KernelCall(
                Quantize(rounding_of(self)),
                pointers={"x": part.pointer, "scale": scale.pointer, "out": result.pointer},
                numbers={
                    **loop_numbers([("x", part), ("out", result)], result),
                    "zero_point": int_of(self.zero_point),
                },
            )
            for part, result in loops_of([x, out], 4, inner=True)
        ]

# SPDX-License-Identifier: Apache-2.0
"""Reading Relax: bindings, constants and quantisation parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
from tvm import relax

from weft.relax.tflite_contract import Array, ContractError


@dataclass(frozen=True)
class Quantization:
    """``real = scale * (q - zero_point)``; arrays of one, or of one a channel along ``axis``.

    Of an activation that is uint8 in the model, ``q`` and ``zero_point`` are those numbers less
    128, which is its ``offset``.
    """

    scale: Array
    zero_point: Array
    axis: int
    offset: int = 0

    @property
    def is_per_tensor(self) -> bool:
        return self.scale.size == 1 and self.zero_point.size == 1

    @property
    def single(self) -> tuple[np.float32, int]:
        """Scale and zero point of a tensor that has one of each."""
        return np.float32(self.scale.flat[0]), int(self.zero_point.flat[0])

    def same_as(self, other: Quantization) -> bool:
        return self.is_per_tensor and other.is_per_tensor and self.single == other.single


@dataclass(frozen=True)
class QuantizedConstant:
    """An integer constant under a dequantise, after reshapes and transpositions of it."""

    values: Array
    quantization: Quantization


def shape_of(expression: Any) -> tuple[int, ...]:
    """Raises ``TypeError`` for what is no tensor, or if an extent is not known when compiling."""
    shape = _tensor_type(expression).shape
    if shape is None or any(type(e).__name__ != "IntImm" for e in shape):
        raise TypeError("an extent is not known when compiling")
    return tuple(int(e) for e in shape)


def dtype_of(expression: Any) -> str:
    """The element type of a tensor expression. Raises ``TypeError`` for what is no tensor."""
    return str(_tensor_type(expression).dtype)


def offset_of(dtype: str) -> int | None:
    """How much less than the model's numbers those of the stages are; None for other types."""
    return {"int8": 0, "uint8": 128}.get(dtype)


def is_tensor(expression: Any) -> bool:
    """Whether ``expression`` is a tensor, and no tuple, shape or the like."""
    return isinstance(expression.ty, relax.TensorType)


def is_empty(expression: Any) -> bool:
    """Whether a tensor has no elements. TVM counts some that have none as less than none."""
    return any(n < 1 for n in shape_of(expression))


def _tensor_type(expression: Any) -> relax.TensorType:
    if not is_tensor(expression):
        raise TypeError("it is no tensor")
    return expression.ty


def op_name(expression: Any) -> str | None:
    """``relax.nn.conv2d`` without the ``relax.``; None for what is not a call of an operator."""
    if isinstance(expression, relax.Call) and isinstance(expression.op, tvm.ir.Op):
        return str(expression.op.name).removeprefix("relax.")
    return None


def is_constant(expression: Any) -> bool:
    """Whether ``expression`` is a constant itself."""
    return type(expression).__name__ in ("GenericConst", "Constant")


def ints(values: Sequence[Any]) -> list[int]:
    """Plain integers."""
    return [int(v) for v in values]


class Bindings:
    """The definitions of a function's variables."""

    def __init__(self, function: relax.Function) -> None:
        self._value: dict[Any, Any] = {}
        self._readers: Counter[Any] = Counter(relax.analysis.free_vars(function.body.body))
        for block in function.body.blocks:
            for binding in block.bindings:
                self._value[binding.var] = binding.value
                self._readers.update(relax.analysis.free_vars(binding.value))

    def __iter__(self) -> Iterator[Any]:
        """The variables, in the order of the function."""
        return iter(self._value)

    def needed_by(self, expression: Any) -> set[Any]:
        """The variables of this function that the value of ``expression`` depends on."""
        needed: set[Any] = set()
        pending = list(relax.analysis.free_vars(expression))
        while pending:
            variable = pending.pop()
            if variable in self._value and variable not in needed:
                needed.add(variable)
                pending.extend(relax.analysis.free_vars(self._value[variable]))
        return needed

    def readers(self, variable: Any) -> int:
        """How many definitions read a variable, the function's result among them."""
        return self._readers[variable]

    def define(self, expression: Any) -> Any:
        """Follows variables to what they are bound to; parameters stay themselves."""
        while isinstance(expression, relax.Var) and expression in self._value:
            expression = self._value[expression]
        return expression

    def call(self, expression: Any, *names: str) -> Any | None:
        """The call behind ``expression`` if it is of one of these operators."""
        defined = self.define(expression)
        return defined if op_name(defined) in names else None

    def number(self, expression: Any) -> float | None:
        """The value of a constant scalar that is an argument and no tensor."""
        value = getattr(self.define(expression), "value", None)
        return float(value) if isinstance(value, int | float) else None

    def array(self, expression: Any) -> Array | None:
        """The value of a constant expression: constants, and movement of constants."""
        defined = self.define(expression)
        if is_constant(defined):
            return np.asarray(defined.value.numpy())
        name = op_name(defined)
        if name == "reshape":
            inner = self.array(defined.args[0])
            return None if inner is None else inner.reshape(shape_of(defined))
        if name == "permute_dims":
            inner = self.array(defined.args[0])
            axes = defined.attrs.axes
            return None if inner is None else inner.transpose(None if axes is None else ints(axes))
        if name == "astype":
            inner = self.array(defined.args[0])
            return None if inner is None else inner.astype(dtype_of(defined))
        return None

    def quantization(self, call: Any) -> Quantization | None:
        """Scale, zero point and axis of a quantise or dequantise with constant parameters.

        Raises ``ContractError`` for scales and zero points that have no meaning.
        """
        scale, zero_point = self.array(call.args[1]), self.array(call.args[2])
        if scale is None or zero_point is None:
            return None
        if not (np.isfinite(scale) & (scale > 0)).all():
            raise ContractError("a scale is not a positive number")
        if zero_point.dtype.kind not in "iu":
            raise ContractError("a zero point is no integer")
        rank = len(shape_of(call.args[0]))
        axis = int(call.attrs.axis) % rank if rank else 0
        return Quantization(
            np.atleast_1d(scale).astype(np.float32), np.atleast_1d(zero_point), axis
        )

    def quantized_constant(self, expression: Any) -> QuantizedConstant | None:
        """The integer constant that ``expression`` dequantises, moved as the float would be."""
        defined = self.define(expression)
        name = op_name(defined)
        if name == "dequantize":
            values, quantization = self.array(defined.args[0]), self.quantization(defined)
            if values is None or quantization is None:
                return None
            return QuantizedConstant(values, quantization)
        if name not in ("reshape", "permute_dims"):
            return None
        inner = self.quantized_constant(defined.args[0])
        if inner is None:
            return None
        rank, axis = inner.values.ndim, inner.quantization.axis
        if name == "reshape":
            values = inner.values.reshape(shape_of(defined))
            axis = _axis_after_reshape(inner.values.shape, values.shape, axis)
        else:
            axes = defined.attrs.axes
            order = list(range(rank))[::-1] if axes is None else ints(axes)
            values, axis = inner.values.transpose(order), order.index(axis)
        if axis < 0 and not inner.quantization.is_per_tensor:
            return None
        quantization = inner.quantization
        return QuantizedConstant(
            values, Quantization(quantization.scale, quantization.zero_point, max(axis, 0))
        )


def _axis_after_reshape(before: Sequence[int], after: Sequence[int], axis: int) -> int:
    """Where an axis of the same extent and stride went, or -1."""
    inner = int(np.prod(before[axis + 1 :], dtype=np.int64))
    for candidate, extent in enumerate(after):
        behind = int(np.prod(after[candidate + 1 :], dtype=np.int64))
        if extent == before[axis] and behind == inner:
            return candidate
    return -1

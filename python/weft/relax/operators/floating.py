# SPDX-License-Identifier: Apache-2.0
"""Operators on float32: what has no stage of its own becomes the generic one.

Operators that work element by element join the one before them: bias and activation are computed
where the sum is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tvm import relax

from weft.adapter.operator_loops import operator_loops, source_of
from weft.adapter.to_mlir import UntranslatableError
from weft.relax.context import Context, Unmatched
from weft.relax.expressions import (
    QuantizedConstant,
    dtype_of,
    is_constant,
    is_tensor,
    op_name,
    shape_of,
)
from weft.relax.tflite_contract import Array

#: Operators of which every element of the result needs one of each operand, without ``nn.``.
ELEMENTWISE = frozenset(
    [
        *("abs", "add", "ceil", "clip", "cos", "divide", "erf", "exp", "floor", "leakyrelu", "log"),
        *("maximum", "minimum", "mod", "multiply", "negative", "power", "relu", "round", "rsqrt"),
        *("sigmoid", "sign", "sin", "sqrt", "square", "subtract", "tanh", "trunc", "gelu", "silu"),
    ]
)
#: Operators whose float32 results are not computed here, but by stages that move bytes.
_MOVES = frozenset(
    [
        *("concat", "expand_dims", "flatten", "nn.batch_flatten", "permute_dims", "reshape"),
        *("squeeze", "strided_slice", "take", "dequantize"),
    ]
)


def is_elementwise(call: Any) -> bool:
    """Whether every element of the result needs one element of each operand."""
    return (op_name(call) or "").removeprefix("nn.") in ELEMENTWISE


def computes_float(expression: Any) -> bool:
    """Whether a definition is an operator with a float32 result that is more than movement."""
    name = op_name(expression)
    if name is None or name in _MOVES or not is_tensor(expression):
        return False
    if name == "image.resize2d" and str(expression.attrs.method) == "nearest_neighbor":
        return False
    return dtype_of(expression) == "float32"


def real_values(constant: QuantizedConstant) -> Array:
    """A dequantised constant as float32."""
    quantization, values = constant.quantization, constant.values
    shape = [1] * values.ndim
    if not quantization.is_per_tensor:
        shape[quantization.axis] = quantization.scale.size
    zero_point = np.broadcast_to(quantization.zero_point, quantization.scale.shape)
    steps = values.astype(np.int64) - zero_point.astype(np.int64).reshape(shape)
    return (steps.astype(np.float32) * quantization.scale.reshape(shape)).astype(np.float32)


def lower_float(context: Context, call: Any) -> Any:
    """Lowers an operator with a float32 result. What it needs comes first, without recursion,
    however deep the network."""
    pending = [call]
    while pending:
        current = pending[-1]
        waiting = [o for o in _needed(context, current) if o not in context.done]
        if waiting and not set(map(id, waiting)) & set(map(id, pending)):
            pending += waiting
            continue
        pending.pop()
        if current is not call:
            context.lower(current)
    return _Group(context, call).lowered()


def _needed(context: Context, call: Any) -> list[Any]:
    """The definitions of computed float32 operands."""
    operands = _Group(context, call).operands if computes_float(call) else call.args

    def known(expression: Any) -> bool:
        is_quantized = context.bindings.quantized_constant(expression) is not None
        return is_quantized or context.bindings.array(expression) is not None

    defined = [context.bindings.define(o) for o in operands]
    flat = [f for d in defined for f in (d.fields if isinstance(d, relax.Tuple) else [d])]
    calls = map(context.bindings.define, flat)
    return [c for c in calls if op_name(c) is not None and is_float(c) and not known(c)]


def is_float(expression: Any) -> bool:
    """Whether a definition is of float32."""
    return is_tensor(expression) and dtype_of(expression) == "float32"


class _Group:
    """Operators that become one stage: ``call``, and what comes before it and only for it."""

    def __init__(self, context: Context, call: Any) -> None:
        self.context = context
        self.call = call
        self.members: set[Any] = {call}
        self.operands: dict[Any, None] = {}
        self._collect(call, is_open=is_elementwise(call))

    def _collect(self, call: Any, is_open: bool) -> None:
        for operand in call.args:
            defined = self.context.bindings.define(operand)
            if is_open and self._joins(operand, defined):
                self.members.add(defined)
                self._collect(defined, is_open=is_elementwise(defined))
            elif _is_tensor_operand(defined):
                self.operands[defined] = None

    def _joins(self, operand: Any, defined: Any) -> bool:
        if not computes_float(defined) or self.context.bindings.readers(operand) != 1:
            return False
        if shape_of(defined) != shape_of(self.call) or defined in self.context.done:
            return False
        has_sum = any(not is_elementwise(m) for m in self.members)
        return is_elementwise(defined) or not has_sum

    def lowered(self) -> Any:
        context = self.context
        operands: list[Any] = []
        parameters: list[Any] = []
        replaced: dict[Any, Any] = {}
        for operand in self.operands:
            value = self._operand(operand)
            if is_constant(value) and value.value.numpy().ndim == 0:
                replaced[operand] = value
                continue
            type_ = relax.TensorType(list(shape_of(operand)), dtype_of(value))
            parameter = relax.Var(f"x{len(parameters)}", type_)
            replaced[operand] = parameter
            operands.append(value)
            parameters.append(parameter)
        if not operands:
            raise Unmatched("all of its operands are constants")
        source = source_text(parameters, self._rebuilt(replaced))
        shape, label = shape_of(self.call), context.label(self.call)
        return context.emit("tir", operands, {"source": source}, shape, label, "float32")

    def _operand(self, operand: Any) -> Any:
        """An operand of the stage: lowered, or a constant."""
        context = self.context
        quantized = context.bindings.quantized_constant(operand)
        if quantized is not None:
            return context.constant(real_values(quantized), "float32")
        array = context.bindings.array(operand)
        if array is not None:
            if array.dtype.kind in "iu":
                return context.constant(array, "int32")
            return context.constant(array, "float32")
        if dtype_of(operand) != "float32":
            raise Unmatched(f"it computes on {dtype_of(operand)}")
        return context.lower(operand)

    def _rebuilt(self, replaced: Mapping[Any, Any]) -> Callable[[relax.BlockBuilder], Any]:
        """The operators on the new parameters."""

        def build(builder: relax.BlockBuilder) -> Any:
            made: dict[Any, Any] = {}

            def rebuilt(call: Any) -> Any:
                if call not in made:
                    arguments = [argument(a) for a in call.args]
                    made[call] = builder.emit(relax.Call(call.op, arguments, call.attrs))
                return made[call]

            def argument(operand: Any) -> Any:
                defined = self.context.bindings.define(operand)
                if defined in self.members:
                    return rebuilt(defined)
                return replaced.get(defined, defined)

            return rebuilt(self.call)

        return build


def _is_tensor_operand(defined: Any) -> bool:
    if isinstance(defined, relax.Tuple) and any(is_tensor(f) for f in defined.fields):
        raise Unmatched("its operands are a tuple")
    return is_tensor(defined)


def source_text(parameters: list[Any], build: Callable[[relax.BlockBuilder], Any]) -> str:
    """The text of a function of ``parameters``, of which TVM and the C printer are known to make
    loops. Raises ``Unmatched``."""
    try:
        source = source_of(_function(parameters, build))
        operator_loops(source).to_mlir("check")
    except UntranslatableError as error:
        raise Unmatched(str(error).splitlines()[0][:100]) from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, ValueError) as error:
        # What contradicts itself, and what TVM's library does not manage, it says itself.
        detail = str(error).strip().splitlines() or [type(error).__name__]
        raise Unmatched(f"TVM makes no loops of it ({detail[0][:100]})") from None
    return source


def _function(parameters: list[Any], build: Callable[[relax.BlockBuilder], Any]) -> relax.Function:
    builder = relax.BlockBuilder()
    with builder.function("main", parameters):
        builder.emit_func_output(build(builder))
    return builder.get()["main"]

# SPDX-License-Identifier: Apache-2.0
"""How each operator becomes an integer stage: one file a group, found by the operator's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tvm import relax

from weft.adapter.stand_in import is_stand_in
from weft.relax.context import Context, NotDequantized, Result, Unmatched
from weft.relax.expressions import is_constant, is_empty, is_tensor, op_name
from weft.relax.operators import (
    arithmetic,
    floating,
    movement,
    onnx,
    products,
    reduction,
    weighted,
)

# Operators on floats between a dequantise and a quantise.
Between = Callable[[Context, Any, Result], Any]
# Operators on int8 tensors themselves, and dequantise.
Direct = Callable[[Context, Any], Any]

BETWEEN: dict[str, Between] = {
    **arithmetic.BETWEEN,
    **movement.BETWEEN,
    **reduction.BETWEEN,
    **weighted.BETWEEN,
}
# Where ONNX Runtime's numbers need other stages than TensorFlow Lite Micro's.
BETWEEN_OF: dict[str, dict[str, Between]] = {
    "tflite": BETWEEN,
    "onnxruntime": {**movement.BETWEEN, **reduction.BETWEEN, **products.BETWEEN, **onnx.BETWEEN},
}
DIRECT: dict[str, Direct] = {**arithmetic.DIRECT, **movement.DIRECT, **reduction.DIRECT}


class NoStage(Unmatched):
    """Nothing is known of an operator between a dequantise and a quantise."""


def lower_call(context: Context, call: Any) -> Any:
    """Lowers what defines an int8 or float32 tensor."""
    if is_constant(call):
        return context.constant_less_offset(call)
    if is_stand_in(call):
        return context.builder.emit(call)
    if not is_tensor(call):
        raise Unmatched("it is no tensor")
    if is_empty(call):
        raise Unmatched("its result is empty")
    if isinstance(call, relax.TupleGetItem):
        return movement.lower_tuple_item(context, call)
    name = op_name(call)
    if name == "quantize":
        return lower_quantize(context, call, context.result_of(call))
    if name == "clip":
        inner = context.bindings.call(call.args[0], "quantize")
        if inner is not None:
            result = context.result_of(inner)
            bounds = arithmetic.int8_limits(context, call)
            return lower_quantize(
                context,
                inner,
                replace(result, low=bounds[0], high=bounds[1], label=context.label(call)),
            )
    if floating.computes_float(call):
        return floating.lower_float(context, call)
    if name in DIRECT:
        return DIRECT[name](context, call)
    if name in BETWEEN_OF[context.contract.name]:
        raise Unmatched("not between a dequantise and a quantise to int8")
    raise Unmatched("no stage for this operator")


def lower_quantize(context: Context, call: Any, result: Result) -> Any:
    """A quantise and what comes before it: activation, then operator. What ONNX Runtime leaves in
    float32 is computed so, and quantised."""
    real = context.bindings.define(call.args[0])
    may_be_float = context.contract.name == "onnxruntime" and floating.is_float(real)
    try:
        return _lower_between(context, real, result)
    except (NotDequantized, NoStage):
        if not may_be_float:
            raise
    return arithmetic.lower_float_quantize(context, real, result, False)


def _lower_between(context: Context, source: Any, result: Result) -> Any:
    between = BETWEEN_OF[context.contract.name]
    if context.contract.name == "onnxruntime":
        table = onnx.lower_function_of_one(context, source, result)
        if table is not None:
            return table
    activation = None
    while op_name(source) in ("nn.relu", "clip", "nn.relu6"):
        activation = op_name(source)
        limits: tuple[float | None, float | None] = (0.0, None)
        if activation == "nn.relu6":
            limits = (0.0, 6.0)
        elif activation == "clip":
            limits = context.limits_of(source)
        result = result.limited(*limits)
        source = context.bindings.define(source.args[0])
    name = op_name(source)
    if name == "dequantize":
        return arithmetic.lower_requantize(context, source, result, activation is not None)
    if name in between:
        return between[name](context, source, result)
    if name is None and isinstance(source, relax.Var):
        return arithmetic.lower_float_quantize(context, source, result, activation is not None)
    raise NoStage(f"no stage for {name or type(source).__name__} before it")

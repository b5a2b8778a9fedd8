# SPDX-License-Identifier: Apache-2.0
"""Element-wise operators: sums, products, activations, quantise and dequantise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from weft.relax.context import Context, Result, Unmatched, clamped
from weft.relax.expressions import Quantization, dtype_of, offset_of, op_name, shape_of
from weft.relax.operators.reduction import lower_int8_pool
from weft.relax.operators.weighted import lower_biased
from weft.relax.tflite_activations import (
    hard_swish_table,
    leaky_relu_table,
    logistic_table,
    tanh_table,
)
from weft.relax.tflite_contract import (
    INT8_MAX,
    INT8_MIN,
    Array,
    add_parameters,
    dequantize_table,
    mul_multiplier,
)


def lookup(context: Context, x: Any, table: Array, label: str, dtype: str = "int8") -> Any:
    """Emits a lookup of the lowered int8 tensor ``x`` in a table of 256."""
    operands = [context.lower(x), context.constant(table, dtype)]
    return context.emit("lookup", operands, {}, shape_of(x), label, dtype)


def operand_of(context: Context, expression: Any) -> tuple[Any, Quantization]:
    """A lowered operand of a binary operator: a tensor or a quantised constant."""
    constant = context.bindings.quantized_constant(expression)
    if constant is not None:
        offset = offset_of(str(constant.values.dtype))
        if offset is None or not constant.quantization.is_per_tensor:
            raise Unmatched("a constant operand must be int8 or uint8 with one scale")
        zero_point = constant.quantization.zero_point.astype(np.int64) - offset
        values = constant.values.astype(np.int64) - offset
        quantization = replace(constant.quantization, zero_point=zero_point, offset=offset)
        return context.constant(values, "int8"), quantization
    x, quantization = context.dequantized(expression)
    return context.lower(x), quantization


def _binary(context: Context, call: Any, result: Result, operator: str) -> Any:
    (a, a_quantization), (b, b_quantization) = (operand_of(context, e) for e in call.args)
    (a_scale, a_zero_point), (b_scale, b_zero_point) = (
        a_quantization.single,
        b_quantization.single,
    )
    attributes: dict[str, Any] = {
        "operator": operator,
        "a_zero_point": a_zero_point,
        "b_zero_point": b_zero_point,
        "out_zero_point": result.zero_point,
        "low": result.low,
        "high": result.high,
    }
    if operator == "mul":
        out = mul_multiplier(a_scale, b_scale, result.scale)
    else:
        parameters = add_parameters(a_scale, b_scale, result.scale)
        out = parameters.out
        for name, scaled in (("a", parameters.a), ("b", parameters.b)):
            attributes[f"{name}_multiplier"] = scaled.multiplier
            attributes[f"{name}_shift"] = scaled.shift
    attributes |= {"out_multiplier": out.multiplier, "out_shift": out.shift}
    return context.emit("binary", [a, b], attributes, result.shape, result.label)


def lower_add(context: Context, call: Any, result: Result) -> Any:
    biased = lower_biased(context, call, result)
    return biased if biased is not None else _binary(context, call, result, "add")


def lower_subtract(context: Context, call: Any, result: Result) -> Any:
    return _binary(context, call, result, "sub")


def lower_multiply(context: Context, call: Any, result: Result) -> Any:
    operand = _hard_swish_operand(context, call)
    if operand is not None:
        x, quantization = context.dequantized(operand)
        table = hard_swish_table(*quantization.single, result.scale, result.zero_point)
        return lookup(context, x, np.clip(table, result.low, result.high), result.label)
    return _binary(context, call, result, "mul")


def _extremum(context: Context, call: Any, operands: list[Any], label: str) -> Any:
    operator = str(op_name(call))
    return context.emit("extremum", operands, {"operator": operator}, shape_of(call), label)


def lower_int8_extremum(context: Context, call: Any) -> Any:
    if offset_of(dtype_of(call)) is None:
        raise Unmatched(f"of {dtype_of(call)}")
    return _extremum(context, call, [context.lower(e) for e in call.args], context.label(call))


def lower_extremum(context: Context, call: Any, result: Result) -> Any:
    operands = [operand_of(context, e) for e in call.args]
    if not all(quantization.same_as(result.quantization) for _, quantization in operands):
        raise Unmatched("its operands and result have different scales or zero points")
    if (result.low, result.high) != (INT8_MIN, INT8_MAX):
        raise Unmatched(f"an activation after a {op_name(call)}")
    return _extremum(context, call, [x for x, _ in operands], result.label)


def lower_requantize(context: Context, call: Any, result: Result, has_activation: bool) -> Any:
    """A dequantise straight before a quantise, perhaps with an activation between."""
    x, quantization = context.dequantized(call)
    is_same = quantization.same_as(result.quantization)
    if is_same and (result.low, result.high) == (INT8_MIN, INT8_MAX):
        return context.lower(x)
    sides = (*quantization.single, *result.quantization.single)
    if has_activation:
        table = context.contract.relu_table(*sides, result.low, result.high)
    else:
        table = np.clip(context.contract.requantize_table(*sides), result.low, result.high)
    return lookup(context, x, table, result.label)


def lower_float_quantize(
    context: Context, source: Any, result: Result, has_activation: bool
) -> Any:
    """Quantisation of a float input of the network, or of what was computed in float32."""
    if has_activation or dtype_of(source) != "float32":
        raise Unmatched("only a float32 input can be quantised, without an activation")
    operands = [context.lower(source), context.constant([result.scale], "float32")]
    attributes: dict[str, Any] = {
        "zero_point": result.zero_point,
        **context.contract.rounding_attribute,
    }
    return context.emit("quantize", operands, attributes, result.shape, result.label)


def lower_dequantize(context: Context, call: Any) -> Any:
    """A float32 tensor that leaves the network."""
    x, quantization = context.dequantized(call)
    table = dequantize_table(*quantization.single)
    return lookup(context, x, table, context.label(call), "float32")


def int8_limits(context: Context, call: Any) -> tuple[int, int]:
    """The limits of a clip of an int8 tensor, in its own numbers."""
    low, high = context.limits_of(call)
    if low > high:
        raise Unmatched(f"no number is within its limits of {low} and {high}")
    offset = offset_of(dtype_of(call)) or 0
    return clamped(low - offset), clamped(high - offset)


def lower_int8_clip(context: Context, call: Any) -> Any:
    table = np.clip(np.arange(INT8_MIN, INT8_MAX + 1), *int8_limits(context, call))
    return lookup(context, call.args[0], table, context.label(call))


def lower_cast(context: Context, call: Any) -> Any:
    """A cast to the same type; or around an integer average pool, as TVM's importer writes it."""
    source, target = dtype_of(call.args[0]), dtype_of(call)
    if source == target:
        return context.lower(call.args[0])
    pool = context.bindings.call(call.args[0], "nn.avg_pool2d")
    widened = context.bindings.call(pool.args[0], "astype") if pool is not None else None
    if widened is None or dtype_of(widened.args[0]) != "int8" or target != "int8":
        raise Unmatched(f"a cast from {source} to {target}")
    return lower_int8_pool(context, pool, context.lower(widened.args[0]))


def _activation(table_of: Callable[..., Array], out_scale: float, out_zero_point: int) -> Any:
    """Logistic or tanh, whose result has one possible quantisation."""

    def lower(context: Context, call: Any, result: Result) -> Any:
        if (result.scale, result.zero_point) != (np.float32(out_scale), out_zero_point):
            raise Unmatched(f"its result needs scale {out_scale} and zero point {out_zero_point}")
        x, quantization = context.dequantized(call.args[0])
        table = np.clip(table_of(*quantization.single), result.low, result.high)
        return lookup(context, x, table, result.label)

    return lower


def lower_leaky_relu(context: Context, call: Any, result: Result) -> Any:
    x, quantization = context.dequantized(call.args[0])
    alpha = float(call.attrs.alpha)
    table = leaky_relu_table(alpha, *quantization.single, result.scale, result.zero_point)
    return lookup(context, x, np.clip(table, result.low, result.high), result.label)


def _hard_swish_operand(context: Context, call: Any) -> Any | None:
    """``x`` of ``x * (clip(x + 3, 0, 6) / 6)``, a dequantise; None if ``call`` is another product.

    This is how the importer writes it, Relax having no operator of that name.
    """
    gate = context.bindings.call(call.args[1], "divide")
    clipped = context.bindings.call(gate.args[0], "clip") if gate is not None else None
    shifted = context.bindings.call(clipped.args[0], "add") if clipped is not None else None
    if gate is None or clipped is None or shifted is None:
        return None
    limits = context.limits_of(clipped)
    numbers = [context.bindings.array(e) for e in (shifted.args[1], gate.args[1])]
    values = [None if n is None or n.size != 1 else float(n.reshape(())) for n in numbers]
    same = context.bindings.define(shifted.args[0]).same_as(context.bindings.define(call.args[0]))
    return call.args[0] if same and limits == (0.0, 6.0) and values == [3.0, 6.0] else None


BETWEEN = {
    "add": lower_add,
    "subtract": lower_subtract,
    "multiply": lower_multiply,
    "maximum": lower_extremum,
    "minimum": lower_extremum,
    "nn.leakyrelu": lower_leaky_relu,
    "sigmoid": _activation(logistic_table, 1 / 256, -128),
    "tanh": _activation(tanh_table, 1 / 128, 0),
}
DIRECT = {
    "dequantize": lower_dequantize,
    "clip": lower_int8_clip,
    "astype": lower_cast,
    "maximum": lower_int8_extremum,
    "minimum": lower_int8_extremum,
}

# SPDX-License-Identifier: Apache-2.0
"""Operators whose numbers under ONNX Runtime's contract need stages of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.relax.context import Context, Result, Unmatched
from weft.relax.expressions import shape_of
from weft.relax.onnx_contract import (
    add_factors,
    mul_factors,
    pool_factors,
    quantized,
    softmax_factor,
    softmax_table,
)
from weft.relax.operators.arithmetic import lookup, operand_of
from weft.relax.operators.functions import values_of
from weft.relax.operators.products import lower_biased
from weft.relax.operators.reduction import pool_attributes
from weft.relax.tflite_contract import INT8_MAX, INT8_MIN, Array


def lower_function_of_one(context: Context, source: Any, result: Result) -> Any | None:
    """A table, if ``source`` is a function of one dequantised element; else None."""
    found = values_of(context, source)
    if found is None:
        return None
    x, values = found
    quantization = context.dequantized(x)[1]
    table = quantized(values, result.scale, result.zero_point)
    is_identity = quantization.same_as(result.quantization) and np.array_equal(
        table, np.arange(INT8_MIN, INT8_MAX + 1)
    )
    if is_identity and (result.low, result.high) == (INT8_MIN, INT8_MAX):
        return context.lower(x.args[0])
    table = np.clip(table, result.low, result.high)
    return lookup(context, x.args[0], table, result.label)


def _binary(context: Context, call: Any, result: Result, operator: str) -> Any:
    operands = [operand_of(context, e) for e in call.args]
    # ONNX Runtime puts the operand that is broadcast second where order changes the rounding.
    is_broadcast = [int(np.prod(shape_of(x))) < int(np.prod(result.shape)) for x, _ in operands]
    if operator == "add" and is_broadcast == [True, False]:
        operands.reverse()
    (a, a_quantization), (b, b_quantization) = operands
    quantizations = (a_quantization, b_quantization, result.quantization)
    # An add computes with the model's own numbers, a product and a difference without zero points.
    zero_points = [-q.offset if operator == "add" else q.single[1] for q in quantizations]
    factors: Array
    if operator == "add":
        factors = add_factors(*quantizations)
    elif operator == "mul":
        factors = mul_factors(*quantizations)
        zero_points[2] = -result.quantization.offset
    else:
        factors = np.array([q.single[0] for q in quantizations])
    attributes = {
        "operator": operator,
        "a_zero_point": zero_points[0],
        "b_zero_point": zero_points[1],
        "out_zero_point": zero_points[2],
        "low": result.low,
        "high": result.high,
    }
    constant = context.constant(factors, "float32")
    return context.emit("float_binary", [a, b, constant], attributes, result.shape, result.label)


def lower_add(context: Context, call: Any, result: Result) -> Any:
    biased = lower_biased(context, call, result)
    return biased if biased is not None else _binary(context, call, result, "add")


def lower_subtract(context: Context, call: Any, result: Result) -> Any:
    return _binary(context, call, result, "sub")


def lower_multiply(context: Context, call: Any, result: Result) -> Any:
    return _binary(context, call, result, "mul")


def lower_average_pool(context: Context, call: Any, result: Result) -> Any:
    x, quantization = context.dequantized(call.args[0])
    attributes = {
        **pool_attributes(call),
        "counts_padding": int(bool(call.attrs.count_include_pad)),
        "in_zero_point": quantization.single[1],
        "out_zero_point": -result.quantization.offset,
        "low": result.low,
        "high": result.high,
    }
    factors = context.constant(pool_factors(quantization, result.quantization), "float32")
    operands = [context.lower(x), factors]
    return context.emit("float_pool", operands, attributes, result.shape, result.label)


def lower_max_pool(context: Context, call: Any, result: Result) -> Any:
    x, quantization = context.dequantized(call.args[0])
    lowered = context.lower(x)
    if not quantization.same_as(result.quantization):
        sides = (*quantization.single, *result.quantization.single)
        table = context.contract.requantize_table(*sides)
        lowered = lookup(context, x, table, f"{result.label}.requantize")
    attributes = {**pool_attributes(call), "low": result.low, "high": result.high}
    return context.emit("pool", [lowered], attributes, result.shape, result.label)


def lower_softmax(context: Context, call: Any, result: Result) -> Any:
    rank = len(result.shape)
    if int(call.attrs.axis) % rank != rank - 1:
        raise Unmatched("a softmax over another axis than the last")
    if (result.low, result.high) != (INT8_MIN, INT8_MAX):
        raise Unmatched("an activation after a softmax")
    x, quantization = context.dequantized(call.args[0])
    table = softmax_table(quantization.single[0], result.shape[-1])
    if not (np.isfinite(table).all() and table[0] > 0):
        raise Unmatched(f"the scale {float(quantization.single[0]):.3g} of a softmax")
    operands = [
        context.lower(x),
        context.constant(table, "float32"),
        context.constant(softmax_factor(result.scale), "float32"),
    ]
    attributes = {"zero_point": result.zero_point}
    return context.emit("float_softmax", operands, attributes, result.shape, result.label)


BETWEEN = {
    "add": lower_add,
    "subtract": lower_subtract,
    "multiply": lower_multiply,
    "nn.avg_pool2d": lower_average_pool,
    "nn.max_pool2d": lower_max_pool,
    "nn.softmax": lower_softmax,
}

# SPDX-License-Identifier: Apache-2.0
"""Operators that reduce: pooling, mean, softmax."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from weft.relax.context import Context, Result, Unmatched
from weft.relax.expressions import dtype_of, ints, offset_of, shape_of
from weft.relax.tflite_contract import INT8_MAX, INT8_MIN, softmax_table

# Beyond this the sum of exponentials could leave 32 bits.
_MAX_SOFTMAX_DEPTH = 4095


def pool_attributes(call: Any) -> dict[str, Any]:
    """Of a stage that pools as ``call`` does, but for its limits."""
    attrs = call.attrs
    operator = "max" if str(call.op.name).endswith("max_pool2d") else "average"
    if str(attrs.layout) != "NHWC" or ints(attrs.dilation) != [1, 1]:
        raise Unmatched(f"layout {attrs.layout}, dilation {ints(attrs.dilation)}")
    top, left, bottom, right = ints(attrs.padding)
    extents = shape_of(call.args[0])[1:3]
    sizes = [n + p for n, p in zip(extents, (top + bottom, left + right), strict=True)]
    steps = zip(shape_of(call)[1:3], ints(attrs.strides), ints(attrs.pool_size), sizes, strict=True)
    if any((count - 1) * stride + taps > size for count, stride, taps, size in steps):
        raise Unmatched("windows that reach over the padded edge")
    return {
        "operator": operator,
        "window": ints(attrs.pool_size),
        "strides": ints(attrs.strides),
        "padding": [top, bottom, left, right],
    }


def _pool(context: Context, call: Any, x: Any, limits: tuple[int, int], label: str) -> Any:
    attributes = pool_attributes(call)
    is_average = attributes["operator"] == "average"
    if is_average and any(ints(call.attrs.padding)) and call.attrs.count_include_pad:
        raise Unmatched("padding counts into the average")
    attributes |= {"low": limits[0], "high": limits[1]}
    return context.emit("pool", [x], attributes, shape_of(call), label)


def lower_int8_pool(context: Context, call: Any, x: Any) -> Any:
    """Pooling of the lowered int8 tensor ``x``."""
    return _pool(context, call, x, (INT8_MIN, INT8_MAX), context.label(call))


def lower_pool(context: Context, call: Any) -> Any:
    """Pooling of an int8 tensor."""
    if offset_of(dtype_of(call)) is None:
        raise Unmatched(f"pooling of {dtype_of(call)}")
    return lower_int8_pool(context, call, context.lower(call.args[0]))


def lower_pool_between(context: Context, call: Any, result: Result) -> Any:
    x, quantization = context.dequantized(call.args[0])
    if not quantization.same_as(result.quantization):
        raise Unmatched("its input and output have different scales or zero points")
    return _pool(context, call, context.lower(x), (result.low, result.high), result.label)


def lower_mean(context: Context, call: Any, result: Result) -> Any:
    x, quantization = context.dequantized(call.args[0])
    scale, zero_point = quantization.single
    shape = shape_of(x)
    rank = len(shape)
    given = call.attrs.axis
    axes = sorted({a % rank for a in ints(given)}) if given is not None else list(range(rank))
    if (result.low, result.high) != (INT8_MIN, INT8_MAX):
        raise Unmatched("an activation after a mean")
    if not axes:
        raise Unmatched("a mean over no axes")
    lowered = context.lower(x)
    if axes != list(range(axes[0], axes[0] + len(axes))):
        kept = [a for a in range(rank) if a not in axes]
        shape = tuple(shape[a] for a in (*kept, *axes))
        attributes = {"permutation": [*kept, *axes]}
        lowered = context.emit("transpose", [lowered], attributes, shape, f"{result.label}.order")
        axes = list(range(len(kept), rank))
    count = prod(shape[a] for a in axes)
    if len(axes) > 2:
        first, behind = axes[0], axes[-1] + 1
        shape = (*shape[:first], count, *shape[behind:])
        lowered = context.emit("reshape", [lowered], {}, shape, f"{result.label}.flat")
        axes = [first]
    by = context.contract.mean_multiplier(scale, result.scale, count)
    scaling: dict[str, Any] = {
        "axes": axes,
        "offset": zero_point * count,
        "multiplier": by.multiplier,
        "shift": by.shift,
        "zero_point": result.zero_point,
        **context.contract.rounding_attribute,
    }
    return context.emit("mean", [lowered], scaling, result.shape, result.label)


def lower_softmax(context: Context, call: Any, result: Result) -> Any:
    rank = len(result.shape)
    if int(call.attrs.axis) % rank != rank - 1:
        raise Unmatched("a softmax over another axis than the last")
    if (result.scale, result.zero_point) != (np.float32(1 / 256), -128):
        raise Unmatched("the output of a softmax needs scale 1/256 and zero point -128")
    if result.shape[-1] > _MAX_SOFTMAX_DEPTH:
        raise Unmatched(f"a softmax over {result.shape[-1]} elements (at most 4095)")
    beta, source = 1.0, call.args[0]
    scaled = context.bindings.call(source, "multiply")
    if scaled is not None:
        factor = context.bindings.array(scaled.args[1])
        if factor is None or factor.size != 1:
            raise Unmatched("a softmax of a product with something not constant")
        beta, source = float(factor.reshape(())), scaled.args[0]
    x, quantization = context.dequantized(source)
    table = softmax_table(quantization.single[0], beta)
    operands = [context.lower(x), context.constant(table, "int32")]
    return context.emit("softmax", operands, {}, result.shape, result.label)


BETWEEN = {
    "nn.avg_pool2d": lower_pool_between,
    "nn.max_pool2d": lower_pool_between,
    "mean": lower_mean,
    "nn.softmax": lower_softmax,
}
DIRECT = {"nn.max_pool2d": lower_pool, "nn.avg_pool2d": lower_pool}

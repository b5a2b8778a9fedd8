# SPDX-License-Identifier: Apache-2.0
"""Operators that move data: the same on int8 as on floats of one quantisation."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from tvm import relax

from weft.kernels import nearest
from weft.relax.context import Context, Result, Unmatched
from weft.relax.expressions import dtype_of, ints, offset_of, op_name, shape_of
from weft.relax.operators.arithmetic import lookup
from weft.relax.tflite_contract import INT8_MAX, INT8_MIN, nearest_indices


def _reshape(context: Context, call: Any, x: Any, label: str) -> Any:
    return context.emit("reshape", [x], {}, shape_of(call), label, dtype_of(x))


def _permute_dims(context: Context, call: Any, x: Any, label: str) -> Any:
    rank = len(shape_of(call))
    axes = call.attrs.axes
    order = list(range(rank))[::-1] if axes is None else [a % rank for a in ints(axes)]
    return context.emit(
        "transpose", [x], {"permutation": order}, shape_of(call), label, dtype_of(x)
    )


def _pad(context: Context, call: Any, x: Any, value: int, label: str) -> Any:
    if str(call.attrs.pad_mode) != "constant":
        raise Unmatched(f"padding mode {call.attrs.pad_mode}")
    if dtype_of(x) != "int8":
        raise Unmatched(f"padding of {dtype_of(x)}")
    before = ints(call.attrs.pad_width)[::2]
    attributes = {"before": before, "value": value}
    return context.emit("pad", [x], attributes, shape_of(call), label)


def _strided_slice(context: Context, call: Any, x: Any, label: str) -> Any:
    source = shape_of(call.args[0])
    axes, begins, _, *rest = (_tuple_ints(context, a) for a in call.args[1:])
    steps_given = rest[0] if rest else [1] * len(axes)
    begin, steps = [0] * len(source), [1] * len(source)
    for axis, given, step in zip(axes, begins, steps_given, strict=True):
        extent = source[axis]
        first = given + extent if given < 0 else given
        begin[axis] = min(max(first, 0), extent - 1 if step < 0 else extent)
        steps[axis] = step
    attributes = {"begin": begin, "steps": steps}
    return context.emit("slice", [x], attributes, shape_of(call), label, dtype_of(x))


# How Relax says what TFLite's align_corners and half_pixel_centers say.
_NEAREST = {
    ("asymmetric", "floor"): (False, False),
    ("align_corners", "round_prefer_ceil"): (True, False),
    ("tf_half_pixel_for_nn", "floor"): (False, True),
}


def _resize2d(context: Context, call: Any, x: Any, label: str) -> Any:
    attrs = call.attrs
    if (str(attrs.method), str(attrs.layout)) != ("nearest_neighbor", "NHWC"):
        raise Unmatched(f"method {attrs.method}, layout {attrs.layout}")
    mode = str(attrs.coordinate_transformation_mode), str(attrs.rounding_method)
    sizes = zip(shape_of(call.args[0])[1:3], shape_of(call)[1:3], strict=True)
    try:
        if context.contract.name == "onnxruntime":
            rows, columns = (nearest.nearest_indices(*size, *mode) for size in sizes)
        else:
            rows, columns = (nearest_indices(*size, *_NEAREST[mode]) for size in sizes)
    except KeyError:
        raise Unmatched(f"coordinates by {mode[0]}, rounded by {mode[1]}") from None
    attributes = {"rows": rows, "columns": columns}
    return context.emit("resize", [x], attributes, shape_of(call), label, dtype_of(x))


def _take(context: Context, call: Any, x: Any, label: str) -> Any:
    """Elements along one axis by constant indices, as the rows of an image."""
    indices = context.bindings.array(call.args[1])
    shape = shape_of(call.args[0])
    if indices is None or call.attrs.axis is None:
        raise Unmatched("its indices are not constant, or without an axis")
    axis = int(call.attrs.axis) % len(shape)
    rows = [int(i) % shape[axis] if -shape[axis] <= i < 0 else int(i) for i in indices.reshape(-1)]
    if any(not 0 <= row < shape[axis] for row in rows):
        raise Unmatched(f"an index beyond its {shape[axis]} elements")
    dtype = dtype_of(x)
    image = [prod(shape[:axis]), shape[axis], 1, prod(shape[axis + 1 :])]
    flat = context.emit("reshape", [x], {}, image, f"{label}.rows", dtype)
    image[1] = len(rows)
    attributes = {"rows": rows, "columns": [0]}
    chosen = context.emit("resize", [flat], attributes, image, label, dtype)
    return context.emit("reshape", [chosen], {}, shape_of(call), f"{label}.shape", dtype)


def _tuple_ints(context: Context, expression: Any) -> list[int]:
    defined = context.bindings.define(expression)
    fields = defined.fields if isinstance(defined, relax.Tuple) else []
    numbers = [context.bindings.number(f) for f in fields]
    if any(n is None for n in numbers):
        raise Unmatched("its axes, begins or steps are not constant")
    return [int(n) for n in numbers if n is not None]


_ONE_OPERAND = {
    "reshape": _reshape,
    "flatten": _reshape,
    "nn.batch_flatten": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "permute_dims": _permute_dims,
    "strided_slice": _strided_slice,
    "image.resize2d": _resize2d,
    "take": _take,
}


def lower_direct(context: Context, call: Any) -> Any:
    """Movement of an int8 tensor."""
    x = context.lower(call.args[0])
    return _ONE_OPERAND[str(op_name(call))](context, call, x, context.label(call))


def lower_between(context: Context, call: Any, result: Result) -> Any:
    """Movement of a dequantised tensor that is quantised again."""
    x = _requantized(context, call.args[0], result)
    return _ONE_OPERAND[str(op_name(call))](context, call, x, result.label)


def _requantized(context: Context, expression: Any, result: Result) -> Any:
    """The lowered int8 tensor under a dequantise, in the quantisation of ``result``."""
    x, quantization = context.dequantized(expression)
    has_limits = (result.low, result.high) != (-128, 127)
    if quantization.same_as(result.quantization) and not has_limits:
        return context.lower(x)
    table = context.contract.requantize_table(*quantization.single, *result.quantization.single)
    return lookup(context, x, np.clip(table, result.low, result.high), f"{result.label}.requantize")


def _pad_value(context: Context, call: Any) -> float:
    if len(call.args) == 1:
        return float(call.attrs.pad_value)
    value = context.bindings.array(call.args[1])
    if value is None or value.size != 1:
        raise Unmatched("what it pads with is not a constant number")
    return float(value.reshape(()))


def lower_pad(context: Context, call: Any) -> Any:
    offset = offset_of(dtype_of(call))
    value = _pad_value(context, call) - (0 if offset is None else offset)
    if not (INT8_MIN <= value <= INT8_MAX and value.is_integer()):
        raise Unmatched(f"padding with {value}")
    return _pad(context, call, context.lower(call.args[0]), int(value), context.label(call))


def lower_pad_between(context: Context, call: Any, result: Result) -> Any:
    value = _pad_value(context, call)
    if not np.isfinite(value):
        raise Unmatched(f"padding with {value}")
    x = _requantized(context, call.args[0], result)
    return _pad(context, call, x, result.limited(value, value).low, result.label)


def _concat(context: Context, call: Any, xs: list[Any], label: str) -> Any:
    rank = len(shape_of(call))
    axis = 0 if call.attrs.axis is None else int(call.attrs.axis) % rank
    return context.emit("concat", xs, {"axis": axis}, shape_of(call), label, dtype_of(xs[0]))


def _fields(context: Context, call: Any) -> list[Any]:
    operands = context.bindings.define(call.args[0])
    return list(operands.fields)


def lower_concat(context: Context, call: Any) -> Any:
    xs = [context.lower(x) for x in _fields(context, call)]
    return _concat(context, call, xs, context.label(call))


def lower_concat_between(context: Context, call: Any, result: Result) -> Any:
    xs = [_requantized(context, x, result) for x in _fields(context, call)]
    return _concat(context, call, xs, result.label)


def lower_tuple_item(context: Context, item: Any) -> Any:
    """One part of a split."""
    call = context.bindings.call(item.tuple_value, "split")
    if call is None:
        raise Unmatched("an item of a tuple that is not a split")
    axis = int(call.attrs.axis) % len(shape_of(call.args[0]))
    begin = [0] * len(shape_of(call.args[0]))
    for part in call.ty.fields[: int(item.index)]:
        begin[axis] += int(part.shape[axis])
    attributes = {"begin": begin, "steps": [1] * len(begin)}
    label = context.label(item)
    x = context.lower(call.args[0])
    return context.emit("slice", [x], attributes, shape_of(item), label, dtype_of(x))


BETWEEN = {
    **dict.fromkeys(_ONE_OPERAND, lower_between),
    "concat": lower_concat_between,
    "nn.pad": lower_pad_between,
}
DIRECT = {
    **dict.fromkeys(_ONE_OPERAND, lower_direct),
    "concat": lower_concat,
    "nn.pad": lower_pad,
}

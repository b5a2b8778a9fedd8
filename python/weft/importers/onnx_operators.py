# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that compute without weights: quantise, element-wise, pooling, softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax

from weft.importers.onnx_attributes import (
    axes_of,
    axis_of,
    integer,
    integers,
    number,
    window,
)
from weft.importers.onnx_reader import Array, Node, Unsupported, shortened
from weft.importers.onnx_values import NHWC, Held, Quantized, Scale, identity, shape_of

if TYPE_CHECKING:
    from weft.importers.onnx import Importer

_INTEGERS = ("int8", "uint8")
_FLOAT = np.finfo(np.float32)


# --- quantise and dequantise ---


def _scales(importer: Importer, node: Node) -> Array:
    scales = importer.array(node.input(1))
    if scales.dtype != np.float32 or scales.ndim > 1 or scales.size == 0:
        raise Unsupported(f"its scale is {scales.dtype} of shape {scales.shape}")
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise Unsupported("its scale is not a positive number")
    if integer(node, "block_size", 0):
        raise Unsupported("scales of blocks")
    return scales.reshape(-1)


def _zero_points(importer: Importer, node: Node, dtype: str | None, count: int) -> Array:
    """Those of the node, or zeros of ``dtype``, or of uint8, which is ONNX's default."""
    if not node.input(2):
        return np.zeros(count, dtype or "uint8")
    zero_points = importer.array(node.input(2)).reshape(-1)
    if zero_points.size != count:
        raise Unsupported(f"{zero_points.size} zero points for {count} scales")
    if dtype is not None and zero_points.dtype.name != dtype:
        raise Unsupported(f"a zero point of {zero_points.dtype} for {dtype}")
    return zero_points


def _axis(node: Node, rank: int, scales: Array) -> int:
    return axis_of(integer(node, "axis", 1), rank) if scales.size > 1 else 0


def _quantize(importer: Importer, node: Node) -> None:
    scales = _scales(importer, node)
    zero_points = _zero_points(importer, node, None, scales.size)
    dtype = zero_points.dtype.name
    if dtype not in _INTEGERS or integer(node, "output_dtype", 0) not in (0, 2, 3):
        raise Unsupported(f"it quantises to {dtype}, not int8 or uint8")
    x = importer.value(node.input(0))
    if isinstance(x, np.ndarray):
        importer.values[node.outputs[0]] = _quantized(node, x, scales, zero_points)
        return
    if scales.size != 1:
        _quantize_along(importer, node, scales, zero_points)
        return
    held = importer.held(node.input(0))
    scale = Scale(scales[0], int(zero_points[0]))
    if held.real == scale and held.dtype == dtype:
        importer.values[node.outputs[0]] = Held(held.value, held.order)
        return
    data = importer.real(node.input(0), held.order)
    parameters = importer.constant(scales.reshape(())), relax.const(np.int32(scale.zero_point))
    call = relax.op.quantize(data, *parameters, out_dtype=dtype)
    importer.define(node.outputs[0], call, held.order)


def _along(node: Node, held: Held, scales: Array) -> list[int]:
    """The shape of one number an index of the node's axis, in the order of ``held``."""
    axis = _axis(node, len(held.shape), scales)
    if held.shape[axis] != scales.size:
        raise Unsupported(f"{scales.size} scales along axis {axis} of {held.shape}")
    return [scales.size if a == axis else 1 for a in held.order]


def _quantize_along(importer: Importer, node: Node, scales: Array, zero_points: Array) -> None:
    """An activation with several scales: as float32, of which the last step is a quantise by 1."""
    held = importer.held(node.input(0))
    shape = _along(node, held, scales)
    data = importer.real(node.input(0), held.order)
    steps = relax.op.round(relax.op.divide(data, importer.constant(scales.reshape(shape))))
    zeros = importer.constant(zero_points.astype(np.float32).reshape(shape))
    whole = importer.builder.emit(relax.op.add(steps, zeros))
    one, zero = relax.const(np.float32(1)), relax.const(np.int32(0))
    call = relax.op.quantize(whole, one, zero, out_dtype=zero_points.dtype.name)
    importer.define(node.outputs[0], call, held.order)


def _dequantize_along(importer: Importer, node: Node, scales: Array, zero_points: Array) -> None:
    held = importer.held(node.input(0))
    shape = _along(node, held, scales)
    data = importer.dequantize(held.value, np.float32(1), 0, 0)
    zeros = importer.constant(zero_points.astype(np.float32).reshape(shape))
    by = importer.constant(scales.reshape(shape))
    call = relax.op.multiply(relax.op.subtract(data, zeros), by)
    importer.define(node.outputs[0], call, held.order)


def _quantized(node: Node, x: Array, scales: Array, zero_points: Array) -> Array:
    """A constant of float32."""
    if x.dtype != np.float32 or not np.isfinite(x).all():
        raise Unsupported(f"a constant of {x.dtype} that is no finite float32 is quantised")
    axis = _axis(node, x.ndim, scales)
    shape = [1] * x.ndim
    if scales.size > 1:
        if x.shape[axis] != scales.size:
            raise Unsupported(f"{scales.size} scales along axis {axis} of {x.shape}")
        shape[axis] = scales.size
    limits = np.iinfo(zero_points.dtype)
    steps = np.rint(x / scales.reshape(shape)) + zero_points.astype(np.float32).reshape(shape)
    return np.clip(steps, limits.min, limits.max).astype(zero_points.dtype)


def _dequantize(importer: Importer, node: Node) -> None:
    scales = _scales(importer, node)
    x = importer.value(node.input(0))
    if isinstance(x, np.ndarray):
        zero_points = _zero_points(importer, node, x.dtype.name, scales.size)
        if x.dtype.name not in (*_INTEGERS, "int32"):
            raise Unsupported(f"it dequantises {x.dtype}")
        axis = _axis(node, x.ndim, scales)
        if scales.size > 1 and x.shape[axis] != scales.size:
            raise Unsupported(f"{scales.size} scales along axis {axis} of {x.shape}")
        importer.values[node.outputs[0]] = Quantized(x, scales, zero_points, axis)
        return
    held = importer.held(node.input(0))
    if held.real is not None or held.dtype not in _INTEGERS:
        raise Unsupported(f"it dequantises {'float32' if held.real else held.dtype}")
    zero_points = _zero_points(importer, node, held.dtype, scales.size)
    if scales.size != 1:
        _dequantize_along(importer, node, scales, zero_points)
        return
    real = Scale(scales[0], int(zero_points[0]))
    importer.values[node.outputs[0]] = Held(held.value, held.order, real)


# --- element-wise ---


def _unary(make: Callable[[Any, Node], Any]) -> Callable[[Importer, Node], None]:
    """An operator on every element of a float tensor."""

    def convert(importer: Importer, node: Node) -> None:
        order = importer.held(node.input(0)).order
        value = importer.real(node.input(0), order)
        if str(value.ty.dtype) != "float32":
            raise Unsupported(f"its operand is {value.ty.dtype}, not float32")
        importer.define(node.outputs[0], make(importer.builder.emit(value), node), order)

    return convert


def _number(importer: Importer, name: str) -> float:
    """A constant number, dequantised or not."""
    value = importer.value(name)
    array = value.real() if isinstance(value, Quantized) else importer.array(name)
    if array.size != 1 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise Unsupported(f"'{shortened(name)}' is not a constant number")
    return float(array.reshape(()))


def _clip(importer: Importer, node: Node) -> None:
    limits = [number(node, "min", float(_FLOAT.min)), number(node, "max", float(_FLOAT.max))]
    for index in (0, 1):
        if node.input(1 + index):
            limits[index] = _number(importer, node.input(1 + index))
    low, high = limits
    low = min(low, high)  # as ONNX has it: the upper limit is applied last
    held = importer.held(node.input(0))
    if held.real is None and held.dtype in _INTEGERS:
        importer.define(node.outputs[0], relax.op.clip(held.value, low, high), held.order)
        return
    _unary(lambda x, _: relax.op.clip(x, low, high))(importer, node)


def _constant(value: float) -> Any:
    return relax.const(np.float32(value), "float32")


def _hard_sigmoid_of(x: Any, alpha: float, beta: float) -> Any:
    scaled = relax.op.add(relax.op.multiply(x, _constant(alpha)), _constant(beta))
    return relax.op.clip(scaled, 0.0, 1.0)


def _hard_sigmoid(x: Any, node: Node) -> Any:
    return _hard_sigmoid_of(x, number(node, "alpha", 0.2), number(node, "beta", 0.5))


def _hard_swish(x: Any, _: Node) -> Any:
    return relax.op.multiply(x, _hard_sigmoid_of(x, 1 / 6, 0.5))


def _leaky_relu(x: Any, node: Node) -> Any:
    return relax.op.nn.leakyrelu(x, number(node, "alpha", 0.01))


def _binary(make: Callable[[Any, Any], Any]) -> Callable[[Importer, Node], None]:
    """An operator of two float tensors, with broadcasting by NumPy's rules."""

    def convert(importer: Importer, node: Node) -> None:
        shapes = [shape_of(importer.value(name)) for name in node.inputs[:2]]
        if len(shapes) != 2:
            raise Unsupported("an operand is missing")
        if importer.opset < 7 and "axis" in node.attributes:
            node = _aligned(importer, node, shapes)
            shapes[1] = shape_of(importer.value(node.inputs[1]))
        if all(isinstance(importer.value(name), np.ndarray) for name in node.inputs[:2]):
            importer.values[node.outputs[0]] = _of_constants(importer, node)
            return
        try:
            out = np.broadcast_shapes(*shapes)
        except ValueError:
            raise Unsupported(f"operands of shapes {shapes[0]} and {shapes[1]}") from None
        order = _common_order(importer, node.inputs[:2], len(out))
        operands = [_broadcast(importer, name, order) for name in node.inputs[:2]]
        importer.define(node.outputs[0], make(*operands), order)

    return convert


_OF_SIZES: dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add,
    "Div": np.floor_divide,
    "Mul": np.multiply,
    "Sub": np.subtract,
}
#: Of constants that are made of others: sizes, not weights.
_MOST_SIZES = 64


def _of_constants(importer: Importer, node: Node) -> Array:
    """How exporters compute sizes: of integers that are not negative."""
    a, b = (importer.array(name) for name in node.inputs[:2])
    is_size = all(v.dtype.kind == "i" and v.size <= _MOST_SIZES and (v >= 0).all() for v in (a, b))
    if not is_size or a.dtype != b.dtype or (node.kind == "Div" and (b == 0).any()):
        raise Unsupported("both of its operands are constants")
    return np.asarray(_OF_SIZES[node.kind](a, b), a.dtype)


def _aligned(importer: Importer, node: Node, shapes: Sequence[tuple[int, ...]]) -> Node:
    """Before operator set 7, the second operand's axes begin at ``axis`` of the first one's."""
    from weft.importers.onnx_movement import CONVERTERS as MOVEMENT

    behind = len(shapes[0]) - axis_of(integer(node, "axis", 0), len(shapes[0])) - len(shapes[1])
    if behind < 1:
        return node
    name = f"{node.outputs[0]}\naligned"
    axes = [len(shapes[1]) + i for i in range(behind)]
    moved = Node("Unsqueeze", node.name, (node.inputs[1],), (name,), {"axes": axes})
    MOVEMENT["Unsqueeze"](importer, moved)
    return Node(node.kind, node.name, (node.inputs[0], name), node.outputs, {})


def _common_order(importer: Importer, names: Sequence[str], rank: int) -> tuple[int, ...]:
    """The order of the largest operand that is computed."""
    computed = [v for v in map(importer.value, names) if isinstance(v, Held)]
    for held in sorted(computed, key=lambda h: -prod(h.shape)):
        if len(held.order) == rank:
            return held.order
    return identity(rank)


def _broadcast(importer: Importer, name: str, order: Sequence[int]) -> Any:
    """An operand with all axes, in that order; a constant number as it is."""
    value = importer.value(name)
    shape = shape_of(value)
    missing = len(order) - len(shape)
    if isinstance(value, np.ndarray):
        if value.dtype != np.float32:
            raise Unsupported(f"'{shortened(name)}' is {value.dtype}, not float32")
        if value.size == 1:
            return importer.constant(value.reshape(()))
        return importer.constant(value.reshape((*[1] * missing, *shape)).transpose(order))
    if isinstance(value, Quantized):
        if missing:
            value = value.reshaped((*[1] * missing, *shape))
        return importer.dequantized(value.transposed(order))
    if missing:
        moved = tuple(range(missing)) + tuple(a + missing for a in value.order)
        extents = [1] * missing + [int(n) for n in value.value.ty.shape]
        reshaped = importer.builder.emit(relax.op.reshape(value.value, extents))
        value = Held(reshaped, moved, value.real)
    value = importer.in_order(value, order)
    if value.real is None:
        if value.dtype != "float32":
            raise Unsupported(f"'{shortened(name)}' is {value.dtype}, not float32")
        return value.value
    return importer.dequantize(value.value, value.real.scale, value.real.zero_point, 0)


# --- reductions ---


def _image(importer: Importer, node: Node) -> Held:
    held = importer.held(node.input(0))
    if len(held.shape) not in (4, 5):
        raise Unsupported(f"'{shortened(node.input(0))}' has {len(held.shape)} axes")
    if len(list(filter(None, node.outputs))) != 1:
        raise Unsupported("it has several results")
    return held


def _order_of_image(held: Held) -> tuple[tuple[int, ...], str]:
    """The order of axes that pooling wants, and its name."""
    return (NHWC, "NHWC") if len(held.shape) == 4 else (identity(5), "NCDHW")


def _pool_window(node: Node, size: Sequence[int]) -> tuple[list[int], dict[str, Any]]:
    rank = len(size)
    taps = integers(node, "kernel_shape", None)
    strides, dilations, pads = window(node, size, taps)
    if integer(node, "ceil_mode", 0):
        # What reaches over the edge is left out, as padding is; no window lies beyond it.
        for axis in range(rank):
            reach = (taps[axis] - 1) * dilations[axis] + 1
            padded = size[axis] + pads[axis] + pads[axis + rank]
            count = -(-(padded - reach) // strides[axis]) + 1
            if (count - 1) * strides[axis] >= size[axis] + pads[axis]:
                count -= 1
            more = max((count - 1) * strides[axis] + reach - padded, 0)
            if more and integer(node, "count_include_pad", 0):
                raise Unsupported("ceil_mode with padding that counts")
            pads[axis + rank] += more
    return taps, {"strides": strides, "padding": pads, "dilation": dilations}


def _average_pool(importer: Importer, node: Node) -> None:
    held = _image(importer, node)
    order, layout = _order_of_image(held)
    taps, attributes = _pool_window(node, held.shape[2:])
    include = bool(integer(node, "count_include_pad", 0))
    pool = relax.op.nn.avg_pool2d if len(order) == 4 else relax.op.nn.avg_pool3d
    data = importer.real(node.input(0), order)
    call = pool(data, taps, count_include_pad=include, layout=layout, **attributes)
    importer.define(node.outputs[0], call, order)


def _max_pool(importer: Importer, node: Node) -> None:
    """On the integers, before a dequantise: scales are positive."""
    held = _image(importer, node)
    if integer(node, "storage_order", 0):
        raise Unsupported("its storage_order is 1")
    taps, attributes = _pool_window(node, held.shape[2:])
    _define_max_pool(importer, node, held, taps, attributes)


def _define_max_pool(
    importer: Importer, node: Node, held: Held, taps: Sequence[int], attributes: dict[str, Any]
) -> None:
    order, layout = _order_of_image(held)
    if held.dtype not in (*_INTEGERS, "float32"):
        raise Unsupported(f"its operand is {held.dtype}")
    held = importer.in_order(held, order)
    pool = relax.op.nn.max_pool2d if len(order) == 4 else relax.op.nn.max_pool3d
    call = pool(held.value, list(taps), layout=layout, **attributes)
    importer.define(node.outputs[0], call, order, held.real)


def _global_max_pool(importer: Importer, node: Node) -> None:
    held = _image(importer, node)
    _define_max_pool(importer, node, held, held.shape[2:], {})


def _global_average_pool(importer: Importer, node: Node) -> None:
    order, layout = _order_of_image(_image(importer, node))
    axes = [i for i, letter in enumerate(layout) if letter in "DHW"]
    call = relax.op.mean(importer.real(node.input(0), order), axis=axes, keepdims=True)
    importer.define(node.outputs[0], call, order)


def _reduce_mean(importer: Importer, node: Node) -> None:
    held = importer.held(node.input(0))
    rank = len(held.shape)
    given = importer.ints(node.input(1)) if node.input(1) else integers(node, "axes", [])
    if not given and integer(node, "noop_with_empty_axes", 0):
        importer.values[node.outputs[0]] = held
        return
    axes = axes_of(given, rank) if given else list(range(rank))
    keeps = bool(integer(node, "keepdims", 1))
    places = [held.order.index(axis) for axis in axes]
    order = held.order
    if not keeps:
        kept = [axis for axis in held.order if axis not in axes]
        order = tuple(sorted(kept).index(axis) for axis in kept)
    data = importer.real(node.input(0), held.order)
    call = relax.op.mean(data, axis=sorted(places), keepdims=keeps)
    importer.define(node.outputs[0], call, order)


def _softmax(importer: Importer, node: Node) -> None:
    held = importer.held(node.input(0))
    rank = len(held.shape)
    # QLinearSoftmax carries the operator set that its axis is meant in.
    opset = integer(node, "opset", importer.opset)
    axis = axis_of(integer(node, "axis", -1 if opset >= 13 else 1), rank)
    if opset < 13 and prod(held.shape[axis + 1 :]) != 1:
        data = importer.real(node.input(0), identity(rank))
        rows = [prod(held.shape[:axis]), prod(held.shape[axis:])]
        flat = importer.builder.emit(relax.op.reshape(data, rows))
        flat = importer.builder.emit(relax.op.nn.softmax(flat, axis=-1))
        importer.define(node.outputs[0], relax.op.reshape(flat, held.shape), identity(rank))
        return
    order = (*(a for a in range(rank) if a != axis), axis)
    call = relax.op.nn.softmax(importer.real(node.input(0), order), axis=-1)
    importer.define(node.outputs[0], call, order)


CONVERTERS: dict[str, Callable[[Any, Node], None]] = {
    "Add": _binary(relax.op.add),
    "AveragePool": _average_pool,
    "Clip": _clip,
    "DequantizeLinear": _dequantize,
    "Div": _binary(relax.op.divide),
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "HardSigmoid": _unary(_hard_sigmoid),
    "HardSwish": _unary(_hard_swish),
    "LeakyRelu": _unary(_leaky_relu),
    "MaxPool": _max_pool,
    "Mul": _binary(relax.op.multiply),
    "QuantizeLinear": _quantize,
    "ReduceMean": _reduce_mean,
    "Relu": _unary(lambda x, _: relax.op.nn.relu(x)),
    "Sigmoid": _unary(lambda x, _: relax.op.sigmoid(x)),
    "Softmax": _softmax,
    "Sub": _binary(relax.op.subtract),
    "Tanh": _unary(lambda x, _: relax.op.tanh(x)),
    # ONNX Runtime's own, of the time before ONNX had all types.
    "com.microsoft.DequantizeLinear": _dequantize,
    "com.microsoft.QuantizeLinear": _quantize,
}

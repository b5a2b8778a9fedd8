# SPDX-License-Identifier: Apache-2.0
"""How the operators of a TFLite file become Relax: one function a kind, see ``CONVERTERS``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import tflite
from tvm import relax

from weft.importers.tflite_reader import Array, Operator, Tensor

if TYPE_CHECKING:
    from weft.importers.tflite import Importer


class Unsupported(Exception):
    """Why one operator cannot be imported."""


def parameters(scales: Array, zero_points: Array) -> tuple[Any, Any]:
    """Scale and zero point, one for all or one a channel, as Relax constants."""
    if scales.size == 1:
        return (
            relax.const(np.float32(scales[0]), "float32"),
            relax.const(np.int32(zero_points[0]), "int32"),
        )
    points = np.broadcast_to(zero_points, scales.shape).astype(np.int32)
    return relax.const(scales, "float32"), relax.const(np.ascontiguousarray(points), "int32")


def clip(value: Any, low: float, high: float) -> Any:
    """``value`` limited to ``low..high``."""
    return relax.op.clip(value, low, high)


def _operands(operator: Operator, least: int, most: int | None = None) -> list[Tensor | None]:
    most = least if most is None else most
    if not least <= len(operator.inputs) <= most or len(operator.outputs) != 1:
        raise Unsupported(f"it has {len(operator.inputs)} operands")
    return [*operator.inputs, *([None] * (most - len(operator.inputs)))]


def _needed(tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise Unsupported("an operand is missing")
    return tensor


def _constant_ints(tensor: Tensor | None) -> list[int]:
    data = _needed(tensor).data
    if data is None:
        raise Unsupported("an operand that gives sizes or axes is not constant")
    return [int(v) for v in np.asarray(data).reshape(-1)]


def _rank(tensor: Tensor, rank: int) -> Tensor:
    if len(tensor.shape) != rank:
        raise Unsupported(f"'{tensor.name}' has {len(tensor.shape)} axes, not {rank}")
    return tensor


def _window_padding(
    sizes: Sequence[int],
    taps: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: int,
) -> tuple[int, int, int, int]:
    """Top, left, bottom, right, as TFLite computes them."""
    if min(*strides, *dilation, *taps) < 1:
        raise Unsupported("a stride, dilation or window of 0")
    if padding == tflite.Padding.VALID:
        return 0, 0, 0, 0
    sides = []
    for size, tap, stride, step in zip(sizes, taps, strides, dilation, strict=True):
        count = -(-size // stride)
        total = max((count - 1) * stride + (tap - 1) * step + 1 - size, 0)
        sides.append((total // 2, total - total // 2))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _bias(importer: Importer, tensor: Tensor | None, x: Tensor, w: Tensor, count: int) -> Any:
    """The dequantised int32 bias, or None. Its scale is by definition that of the product."""
    if tensor is None:
        return None
    if tensor.dtype != "int32" or tensor.data is None or tensor.data.size != count:
        raise Unsupported(f"its bias '{tensor.name}' is not an int32 constant of {count}")
    scales = (x.scales[0] * w.scales).astype(np.float32)
    value = relax.const(np.ascontiguousarray(tensor.data.reshape(-1)), "int32")
    return importer.dequantize(value, scales, np.zeros(1, np.int64), 0)


def _convolution(
    importer: Importer, operator: Operator, options: Any, weights: Array, w: Tensor, groups: int
) -> None:
    x, _, bias = _operands(operator, 2, 3)
    x = _rank(_needed(x), 4)
    strides = options.StrideH(), options.StrideW()
    dilation = options.DilationHFactor(), options.DilationWFactor()
    taps = weights.shape[1:3]
    padding = _window_padding(x.shape[1:3], taps, strides, dilation, options.Padding())
    data = importer.real(x)
    constant = relax.const(np.ascontiguousarray(weights), "int8")
    real_weights = importer.dequantize(constant, w.scales, w.zero_points, 0)
    if weights.shape[3] * groups != x.shape[3] or weights.shape[0] % groups:
        raise Unsupported(f"weights {w.shape} do not go with an input of {x.shape}")
    call = relax.op.nn.conv2d(
        data,
        real_weights,
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=groups,
        data_layout="NHWC",
        kernel_layout="OHWI",
    )
    addend = _bias(importer, bias, x, w, weights.shape[0])
    if addend is not None:
        call = relax.op.add(importer.builder.emit(call), addend)
    active = importer.activate(call, options.FusedActivationFunction())
    importer.define_quantized(operator.outputs[0], active)


def _weights(tensor: Tensor | None, rank: int, channel_axis: int) -> tuple[Tensor, Array]:
    w = _rank(_needed(tensor), rank)
    if w.data is None or w.dtype != "int8" or w.scales.size == 0:
        raise Unsupported(f"its weights '{w.name}' are not an int8 constant with scales")
    if w.scales.size > 1 and w.axis != channel_axis:
        raise Unsupported(f"its weights are quantised along axis {w.axis}")
    if np.any(w.zero_points):
        raise Unsupported("its weights have a zero point other than 0")
    return w, w.data


def _conv_2d(importer: Importer, operator: Operator) -> None:
    w, weights = _weights(_operands(operator, 2, 3)[1], 4, 0)
    x = _rank(_needed(operator.inputs[0]), 4)
    if weights.shape[3] == 0 or x.shape[3] % weights.shape[3]:
        raise Unsupported(f"weights {w.shape} do not divide the {x.shape[3]} input channels")
    options = operator.options(tflite.Conv2DOptions)
    _convolution(importer, operator, options, weights, w, x.shape[3] // weights.shape[3])


def _depthwise_conv_2d(importer: Importer, operator: Operator) -> None:
    w, weights = _weights(_operands(operator, 2, 3)[1], 4, 3)
    x = _rank(_needed(operator.inputs[0]), 4)
    if x.shape[3] == 0 or weights.shape[3] % x.shape[3] or weights.shape[0] != 1:
        raise Unsupported(f"weights {w.shape} do not go with {x.shape[3]} input channels")
    options = operator.options(tflite.DepthwiseConv2DOptions)
    _convolution(importer, operator, options, weights.transpose(3, 1, 2, 0), w, x.shape[3])


def _fully_connected(importer: Importer, operator: Operator) -> None:
    x, _, bias = _operands(operator, 2, 3)
    x = _needed(x)
    w, weights = _weights(operator.inputs[1], 2, 0)
    options = operator.options(tflite.FullyConnectedOptions)
    if options.WeightsFormat() != 0:
        raise Unsupported("shuffled weights")
    out_channels, in_channels = weights.shape
    rows, rest = divmod(prod(x.shape), in_channels)
    if rest:
        raise Unsupported(f"weights {w.shape} do not go with an input of {x.shape}")
    value = importer.value(x)
    if x.shape != (rows, in_channels):
        value = importer.builder.emit(relax.op.reshape(value, (rows, in_channels)))
    if x.scales.size != 1:
        raise Unsupported(f"its operand '{x.name}' has {x.scales.size} scales")
    data = importer.dequantize(value, x.scales, x.zero_points, 0)
    constant = relax.const(np.ascontiguousarray(weights.T), "int8")
    call = relax.op.matmul(data, importer.dequantize(constant, w.scales, w.zero_points, 1))
    addend = _bias(importer, bias, x, w, out_channels)
    if addend is not None:
        call = relax.op.add(importer.builder.emit(call), addend)
    active = importer.activate(call, options.FusedActivationFunction())
    importer.define_quantized(operator.outputs[0], active)


def _binary(op: Callable[[Any, Any], Any], options_class: type[Any]) -> Callable[..., None]:
    def convert(importer: Importer, operator: Operator) -> None:
        a, b = (_needed(t) for t in _operands(operator, 2))
        options = operator.options(options_class)
        call = op(importer.real(a), importer.real(b))
        active = importer.activate(call, options.FusedActivationFunction())
        importer.define_quantized(operator.outputs[0], active)

    return convert


def _extremum(op: Callable[[Any, Any], Any]) -> Callable[..., None]:
    def convert(importer: Importer, operator: Operator) -> None:
        operands = [_needed(t) for t in _operands(operator, 2)]
        for tensor in operands:
            if tensor.dtype != "int8":
                raise Unsupported(f"its operand '{tensor.name}' is {tensor.dtype}, not int8")
            _same_quantization(tensor, operator.outputs[0])
        importer.define_moved(operator.outputs[0], op(*map(importer.value, operands)))

    return convert


def _pool_2d(op: Callable[..., Any]) -> Callable[..., None]:
    def convert(importer: Importer, operator: Operator) -> None:
        x = _rank(_needed(_operands(operator, 1)[0]), 4)
        options = operator.options(tflite.Pool2DOptions)
        window = options.FilterHeight(), options.FilterWidth()
        strides = options.StrideH(), options.StrideW()
        padding = _window_padding(x.shape[1:3], window, strides, (1, 1), options.Padding())
        _same_quantization(x, operator.outputs[0])
        call = op(
            importer.real(x),
            pool_size=window,
            strides=strides,
            padding=padding,
            layout="NHWC",
            count_include_pad=False,
        )
        active = importer.activate(call, options.FusedActivationFunction())
        importer.define_quantized(operator.outputs[0], active)

    return convert


def _same_quantization(x: Tensor, out: Tensor) -> None:
    """The source framework does not rescale here, so different scales have no meaning."""
    if x.scales.size == 0 and out.scales.size == 0:
        return
    if (
        x.scales.size != 1
        or out.scales.size != 1
        or x.scales[0] != out.scales[0]
        or x.zero_points[0] != out.zero_points[0]
    ):
        raise Unsupported("its operand and result have different scales or zero points")


def _mean(importer: Importer, operator: Operator) -> None:
    x, axes = _operands(operator, 2)
    x = _needed(x)
    rank = len(x.shape)
    given = _constant_ints(axes)
    if any(not -rank <= a < rank for a in given):
        raise Unsupported(f"axes {given} of a tensor with {rank}")
    reduced = sorted({a % rank for a in given})
    keep = operator.options(tflite.ReducerOptions).KeepDims()
    call = relax.op.mean(importer.real(x), reduced, keepdims=bool(keep))
    importer.define_quantized(operator.outputs[0], call)


def _relu(low: float, high: float | None, rescales: bool) -> Callable[..., None]:
    def convert(importer: Importer, operator: Operator) -> None:
        x = _needed(_operands(operator, 1)[0])
        if not rescales:
            _same_quantization(x, operator.outputs[0])
        real = importer.real(x)
        call = relax.op.nn.relu(real) if high is None else clip(real, low, high)
        importer.define_quantized(operator.outputs[0], call)

    return convert


def _unary(op: Callable[[Any], Any]) -> Callable[..., None]:
    def convert(importer: Importer, operator: Operator) -> None:
        x = _needed(_operands(operator, 1)[0])
        importer.define_quantized(operator.outputs[0], op(importer.real(x)))

    return convert


def _leaky_relu(importer: Importer, operator: Operator) -> None:
    x = _needed(_operands(operator, 1)[0])
    alpha = float(operator.options(tflite.LeakyReluOptions).Alpha())
    importer.define_quantized(operator.outputs[0], relax.op.nn.leakyrelu(importer.real(x), alpha))


def _hard_swish(importer: Importer, operator: Operator) -> None:
    x = importer.real(_needed(_operands(operator, 1)[0]))
    emit = importer.builder.emit
    shifted = emit(relax.op.add(x, relax.const(3.0, "float32")))
    gate = emit(relax.op.divide(emit(clip(shifted, 0.0, 6.0)), relax.const(6.0, "float32")))
    importer.define_quantized(operator.outputs[0], relax.op.multiply(x, gate))


def _softmax(importer: Importer, operator: Operator) -> None:
    x = _needed(_operands(operator, 1)[0])
    beta = float(operator.options(tflite.SoftmaxOptions).Beta())
    real = importer.real(x)
    if beta != 1.0:
        real = importer.builder.emit(relax.op.multiply(real, relax.const(beta, "float32")))
    importer.define_quantized(operator.outputs[0], relax.op.nn.softmax(real, axis=-1))


def _concatenation(importer: Importer, operator: Operator) -> None:
    options = operator.options(tflite.ConcatenationOptions)
    if options.FusedActivationFunction() != tflite.ActivationFunctionType.NONE:
        raise Unsupported("a fused activation")
    tensors = [_needed(t) for t in operator.inputs]
    for tensor in tensors:
        _same_quantization(tensor, operator.outputs[0])
    values = [importer.value(t) for t in tensors]
    rank = len(operator.outputs[0].shape)
    axis = options.Axis()
    if not -rank <= axis < rank or any(len(t.shape) != rank for t in tensors):
        raise Unsupported(f"axis {axis} of tensors with {rank} axes")
    importer.define_moved(operator.outputs[0], relax.op.concat(values, axis=axis % rank))


def _pad(importer: Importer, operator: Operator) -> None:
    x, paddings, value = _operands(operator, 2, 3)
    x = _needed(x)
    widths = _constant_ints(paddings)
    if len(widths) != 2 * len(x.shape) or min(widths, default=0) < 0:
        raise Unsupported(f"paddings {widths}")
    if value is not None:
        (number,) = _constant_ints(value)
    else:
        number = int(operator.outputs[0].zero_points[0]) if operator.outputs[0].scales.size else 0
    _same_quantization(x, operator.outputs[0])
    call = relax.op.nn.pad(importer.value(x), widths, "constant", float(number))
    importer.define_moved(operator.outputs[0], call)


# TFLite's align_corners and half_pixel_centers, as Relax says them.
_NEAREST = {
    (False, False): ("asymmetric", "floor"),
    (True, False): ("align_corners", "round_prefer_ceil"),
    (False, True): ("tf_half_pixel_for_nn", "floor"),
}


def _resize_nearest(importer: Importer, operator: Operator) -> None:
    x, size = _operands(operator, 2)
    x, out = _rank(_needed(x), 4), operator.outputs[0]
    options = operator.options(tflite.ResizeNearestNeighborOptions)
    mode = bool(options.AlignCorners()), bool(options.HalfPixelCenters())
    if mode not in _NEAREST:
        raise Unsupported("aligned corners and half pixels at once")
    height, width = _constant_ints(size)
    if (x.shape[0], height, width, x.shape[3]) != out.shape:
        raise Unsupported(f"{x.shape} to {out.shape} by a size of {(height, width)}")
    _same_quantization(x, out)
    coordinates, rounding = _NEAREST[mode]
    call = relax.op.image.resize2d(
        importer.value(x),
        (height, width),
        layout="NHWC",
        method="nearest_neighbor",
        coordinate_transformation_mode=coordinates,
        rounding_method=rounding,
    )
    importer.define_moved(out, call)


def _reshape(importer: Importer, operator: Operator) -> None:
    x = _needed(operator.inputs[0]) if operator.inputs else _needed(None)
    out = operator.outputs[0]
    if prod(x.shape) != prod(out.shape):
        raise Unsupported(f"{x.shape} to {out.shape}")
    importer.define_moved(out, relax.op.reshape(importer.value(x), out.shape))


def _transpose(importer: Importer, operator: Operator) -> None:
    x, order = _operands(operator, 2)
    x = _needed(x)
    axes = _constant_ints(order)
    if sorted(a % max(len(x.shape), 1) for a in axes) != list(range(len(x.shape))):
        raise Unsupported(f"permutation {axes} of {len(x.shape)} axes")
    importer.define_moved(operator.outputs[0], relax.op.permute_dims(importer.value(x), axes))


def _quantize(importer: Importer, operator: Operator) -> None:
    x = _needed(_operands(operator, 1)[0])
    real = importer.value(x) if x.dtype == "float32" else importer.real(x)
    out = operator.outputs[0]
    if out.dtype != "int8" or out.scales.size != 1:
        raise Unsupported(f"its result is {out.dtype} with {out.scales.size} scales")
    scale, zero_point = parameters(out.scales, out.zero_points)
    importer.define(out, relax.op.quantize(real, scale, zero_point, out_dtype="int8"))


def _dequantize(importer: Importer, operator: Operator) -> None:
    x = _needed(_operands(operator, 1)[0])
    if operator.outputs[0].dtype != "float32":
        raise Unsupported(f"its result is {operator.outputs[0].dtype}")
    importer.values[operator.outputs[0].index] = importer.real(x)


def _slice_of(
    importer: Importer,
    x: Tensor,
    begin: Sequence[int],
    extents: Sequence[int],
    steps: Sequence[int],
    out: Tensor,
) -> None:
    """``out`` is made of ``extents`` elements from ``begin`` on, along the axes of ``x``."""
    what = f"begin {list(begin)}, steps {list(steps)}, result {list(extents)} of {x.shape}"
    if not len(begin) == len(steps) == len(extents) == len(x.shape):
        raise Unsupported(what)
    ends = []
    for first, count, step, size in zip(begin, extents, steps, x.shape, strict=True):
        last = first + (count - 1) * step
        if step == 0 or not (0 <= first < size and 0 <= last < size):
            raise Unsupported(what)
        end = last + step
        ends.append(end if end >= 0 else end - size)  # below 0 counts from the end

    def numbers(values: Sequence[int]) -> Any:
        return relax.Tuple([relax.prim_value(int(v)) for v in values])

    call = relax.op.strided_slice(
        importer.value(x), *map(numbers, (range(len(ends)), begin, ends, steps))
    )
    importer.define_moved(out, call)


def _slice(importer: Importer, operator: Operator) -> None:
    x, begin, _ = _operands(operator, 3)
    first, out = _constant_ints(begin), operator.outputs[0]
    _slice_of(importer, _needed(x), first, out.shape, [1] * len(first), out)


def _strided_slice(importer: Importer, operator: Operator) -> None:
    x, *bounds = _operands(operator, 4)
    x = _needed(x)
    begin, end, steps = (_constant_ints(t) for t in bounds)
    options = operator.options(tflite.StridedSliceOptions)
    if options.EllipsisMask() or options.NewAxisMask() or options.Offset():
        raise Unsupported("an ellipsis, a new axis or ends counted from the begin")
    if not len(begin) == len(end) == len(steps) == len(x.shape) or 0 in steps:
        raise Unsupported(f"begin {begin}, end {end}, steps {steps} of {x.shape}")
    firsts, extents, kept = [], [], []
    for axis, (size, step) in enumerate(zip(x.shape, steps, strict=True)):
        low = None if options.BeginMask() >> axis & 1 else begin[axis]
        high = None if options.EndMask() >> axis & 1 else end[axis]
        if options.ShrinkAxisMask() >> axis & 1:
            if low is None or step < 1:
                raise Unsupported(f"axis {axis} is dropped, masked or read backwards at once")
            first = begin[axis] % size if -size <= begin[axis] < size else size
            taken = range(first, first + 1)
        else:
            taken = range(size)[low:high:step]
            kept.append(len(taken))
        firsts.append(taken.start)
        extents.append(len(taken))
    if tuple(kept) != operator.outputs[0].shape:
        raise Unsupported(f"its result has the shape {operator.outputs[0].shape}, not {kept}")
    _slice_of(importer, x, firsts, extents, steps, operator.outputs[0])


def _split(importer: Importer, operator: Operator) -> None:
    if len(operator.inputs) != 2:
        raise Unsupported(f"it has {len(operator.inputs)} operands")
    axes, x = _constant_ints(operator.inputs[0]), _needed(operator.inputs[1])
    axis = axes[0] % max(len(x.shape), 1)
    begin = [0] * len(x.shape)
    for out in operator.outputs:
        _slice_of(importer, x, begin, out.shape, [1] * len(begin), out)
        begin[axis] += out.shape[axis]


#: By the name of the kind in the file.
CONVERTERS: dict[str, Callable[[Importer, Operator], None]] = {
    "ADD": _binary(relax.op.add, tflite.AddOptions),
    "AVERAGE_POOL_2D": _pool_2d(relax.op.nn.avg_pool2d),
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "DEQUANTIZE": _dequantize,
    "EXPAND_DIMS": _reshape,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _unary(relax.op.sigmoid),
    "MAXIMUM": _extremum(relax.op.maximum),
    "MAX_POOL_2D": _pool_2d(relax.op.nn.max_pool2d),
    "MEAN": _mean,
    "MINIMUM": _extremum(relax.op.minimum),
    "MUL": _binary(relax.op.multiply, tflite.MulOptions),
    "PAD": _pad,
    "PADV2": _pad,
    "QUANTIZE": _quantize,
    "RELU": _relu(0.0, None, rescales=True),
    "RELU6": _relu(0.0, 6.0, rescales=False),
    "RESHAPE": _reshape,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _binary(relax.op.subtract, tflite.SubOptions),
    "TANH": _unary(relax.op.tanh),
    "TRANSPOSE": _transpose,
}

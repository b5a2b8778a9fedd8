# SPDX-License-Identifier: Apache-2.0
"""Operators with weights: convolution, depthwise convolution, dense."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.relax.context import Context, Result, Unmatched
from weft.relax.expressions import Quantization, QuantizedConstant, ints, shape_of
from weft.relax.tflite_contract import Array

_INT32 = np.iinfo(np.int32)
# Relative: converters multiply the two scales in float or in double.
_BIAS_TOLERANCE = 1e-6


class NoKernel(Unmatched):
    """Sums of products for which there is no kernel of their own."""


def _weights(context: Context, expression: Any) -> QuantizedConstant:
    weights = context.bindings.quantized_constant(expression)
    if weights is None:
        raise NoKernel("its weights are not a constant under a dequantise")
    return weights


def _symmetric(weights: QuantizedConstant, channel_axis: int) -> Array:
    """The weights with their zero point taken off; still int8."""
    quantization = weights.quantization
    if not quantization.is_per_tensor and quantization.axis != channel_axis:
        raise Unmatched(f"its weights are quantised along axis {quantization.axis}")
    zero_point = quantization.zero_point.astype(np.int64)
    if zero_point.size > 1:
        shape = [1] * weights.values.ndim
        shape[channel_axis] = zero_point.size
        zero_point = zero_point.reshape(shape)
    values = weights.values.astype(np.int64) - zero_point
    if values.size and (values.min() < -128 or values.max() > 127):
        raise NoKernel("its weights, less their zero point, do not fit in int8")
    return values


def folded_bias(bias: Array, weight_sums: Array, in_zero_point: int) -> Array:
    """The bias less what the input's zero point adds to every sum, modulo 2^32."""
    folded = bias.astype(np.int64) - in_zero_point * weight_sums.astype(np.int64)
    return (folded & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def split_bias(
    context: Context, call: Any, *producers: str
) -> tuple[Any, QuantizedConstant] | None:
    """For ``producer + constant``: the producer's call and the bias."""
    for first, second in ((0, 1), (1, 0)):
        producer = context.bindings.call(call.args[first], *producers)
        if producer is None:
            continue
        bias = context.bindings.quantized_constant(call.args[second])
        real = context.bindings.array(call.args[second])
        if real is not None and real.dtype == np.float32 and context.contract.has_float_bias:
            one = Quantization(np.ones(1, np.float32), np.zeros(1, np.int32), 0)
            return producer, QuantizedConstant(real, one)
        if bias is None or bias.values.dtype not in (np.int32, np.int64):
            raise Unmatched("its bias is not an int32 constant under a dequantise")
        return producer, bias
    return None


def int32_bias(bias: QuantizedConstant | None, scales: Array) -> Array:
    """One number an output channel, in the ``scales`` of the products; zeros without a bias. One
    that is float32 is quantised: to nearest, ties to even."""
    channels = scales.size
    if bias is None:
        return np.zeros(channels, np.int32)
    if bias.values.size not in (1, channels) or bias.values.shape[-1:] != (bias.values.size,):
        raise Unmatched(f"its bias of shape {bias.values.shape} is not one number a channel")
    quantization = bias.quantization
    if bias.values.dtype == np.float32:
        steps = np.rint(np.broadcast_to(bias.values.reshape(-1), (channels,)) / scales)
        if not (np.abs(steps) < _INT32.max).all():
            raise Unmatched("its bias does not fit in int32")
        return steps.astype(np.int32)
    if not quantization.is_per_tensor and quantization.axis != bias.values.ndim - 1:
        raise Unmatched(f"its bias is quantised along axis {quantization.axis}")
    if not np.allclose(quantization.scale, scales, rtol=_BIAS_TOLERANCE, atol=0):
        raise Unmatched("the scale of its bias is not the operand's times that of the weights")
    values = bias.values.reshape(-1).astype(np.int64) - quantization.zero_point.astype(np.int64)
    if values.min() < _INT32.min or values.max() > _INT32.max:
        raise Unmatched("its bias, less its zero point, does not fit in int32")
    return np.broadcast_to(values, (channels,))


def _stage_operands(
    context: Context, x: Any, weights: Array, bias: Array, scaling: Array
) -> list[Any]:
    return [
        context.lower(x),
        context.constant(weights, "int8"),
        context.constant(bias, "int32"),
        context.constant(scaling[:, 0], "int32"),
        context.constant(scaling[:, 1], "int8"),
    ]


def lower_conv2d(
    context: Context, call: Any, result: Result, bias: QuantizedConstant | None = None
) -> Any:
    attrs = call.attrs
    if str(attrs.data_layout) != "NHWC":
        raise Unmatched(f"its layout is {attrs.data_layout}, not NHWC")
    x, x_quantization = context.dequantized(call.args[0])
    weights = _weights(context, call.args[1])
    layout = str(attrs.kernel_layout)
    values = _symmetric(weights, layout.index("O"))
    x_scale, x_zero_point = x_quantization.single
    in_channels, out_channels = shape_of(x)[3], result.shape[3]
    groups = int(attrs.groups)
    top, left, bottom, right = ints(attrs.padding)
    attributes = {
        "strides": ints(attrs.strides),
        "dilation": ints(attrs.dilation),
        "padding": [top, bottom, left, right],
        "in_zero_point": x_zero_point,
        **result.output_attributes,
        **context.contract.rounding_attribute,
    }
    scales = np.broadcast_to(weights.quantization.scale, (out_channels,))
    scaling = context.contract.channel_multipliers(x_scale, scales, result.scale)
    per_channel = values.transpose([layout.index(c) for c in "OHWI"])
    is_depthwise = groups == in_channels and groups > 1
    if is_depthwise:
        taps = values.transpose([layout.index(c) for c in "HWOI"])
        stage_weights = taps.reshape(*taps.shape[:2], out_channels)
        sums = stage_weights.sum(axis=(0, 1))
    else:
        stage_weights = per_channel
        sums = per_channel.sum(axis=(1, 2, 3))
        attributes["groups"] = groups
    folded = folded_bias(int32_bias(bias, x_scale * scales), sums, x_zero_point)
    operands = _stage_operands(context, x, stage_weights, folded, scaling)
    kind = "depthwise" if is_depthwise else "conv2d"
    return context.emit(kind, operands, attributes, result.shape, result.label)


def lower_matmul(
    context: Context, call: Any, result: Result, bias: QuantizedConstant | None = None
) -> Any:
    x, x_quantization = context.dequantized(call.args[0])
    weights = _weights(context, call.args[1])
    if weights.values.ndim != 2:
        raise NoKernel(f"its weights have {weights.values.ndim} axes, not 2")
    values = _symmetric(weights, 1).T
    x_scale, x_zero_point = x_quantization.single
    out_channels = values.shape[0]
    scales = np.broadcast_to(weights.quantization.scale, (out_channels,))
    scaling = context.contract.channel_multipliers(x_scale, scales, result.scale)
    folded = folded_bias(int32_bias(bias, x_scale * scales), values.sum(axis=1), x_zero_point)
    operands = _stage_operands(context, x, values, folded, scaling)
    attributes = {**result.output_attributes, **context.contract.rounding_attribute}
    return context.emit("dense", operands, attributes, result.shape, result.label)


def lower_biased(context: Context, call: Any, result: Result) -> Any | None:
    """``conv + bias`` or ``matmul + bias``; None if ``call`` (an add) is neither."""
    split = split_bias(context, call, "nn.conv2d", "matmul")
    if split is None:
        return None
    producer, bias = split
    lower = lower_matmul if producer.op.name == "relax.matmul" else lower_conv2d
    return lower(context, producer, result, bias)


BETWEEN = {"nn.conv2d": lower_conv2d, "matmul": lower_matmul}

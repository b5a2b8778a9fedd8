# SPDX-License-Identifier: Apache-2.0
"""ONNX operators with weights: convolution, dense, and batch normalisation, which is folded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax

from weft.importers import onnx_floating as floating
from weft.importers.onnx_attributes import integer, integers, number, window
from weft.importers.onnx_reader import Array, Node, Unsupported, shortened
from weft.importers.onnx_values import NHWC, Held, Quantized, Scale, identity, shape_of

if TYPE_CHECKING:
    from weft.importers.onnx import Importer

_INT32 = np.iinfo(np.int32)


def _operand(importer: Importer, name: str, rank: int | None) -> tuple[Held, Scale]:
    """What is computed on: dequantised integers."""
    x = importer.held(name)
    if x.real is None:
        raise Unsupported(f"its operand '{shortened(name)}' is not dequantised")
    if rank is not None and len(x.shape) != rank:
        raise Unsupported(f"'{shortened(name)}' has {len(x.shape)} axes, not {rank}")
    return x, x.real


def _weights(importer: Importer, name: str, rank: int) -> Quantized:
    weights = importer.value(name)
    if not isinstance(weights, Quantized):
        raise Unsupported(f"its weights '{shortened(name)}' are not a dequantised constant")
    if weights.values.ndim != rank:
        raise Unsupported(f"its weights have {weights.values.ndim} axes, not {rank}")
    return weights


def _bias(
    importer: Importer, name: str, scale: Scale, weights: Quantized, count: int
) -> Quantized | None:
    """The bias as int32 constants of ``count``. One that is float is quantised: with the scale of
    the products, to nearest, ties to even."""
    if not name:
        return None
    bias = importer.value(name)
    scales = np.broadcast_to(scale.scale * weights.scales, (count,)).astype(np.float32)
    if isinstance(bias, np.ndarray) and bias.dtype == np.float32:
        values = np.broadcast_to(_of_channels(bias, count), (count,))
        return _quantized_bias(values, scales)
    if not isinstance(bias, Quantized) or bias.values.dtype != np.int32:
        raise Unsupported(f"its bias '{shortened(name)}' is no constant of int32 or float32")
    values = np.broadcast_to(_of_channels(bias.values, count), (count,))
    zeros = np.zeros(1, np.int32)
    if bias.zero_points.any():
        raise Unsupported(f"its bias '{shortened(name)}' has a zero point")
    return Quantized(values, np.broadcast_to(bias.scales, (count,)), zeros, 0)


def _of_channels(values: Array, count: int) -> Array:
    if values.size not in (1, count) or values.shape[-1:] not in ((), (values.size,)):
        raise Unsupported(f"its bias of shape {values.shape} is not one number a channel")
    return values.reshape(-1)


def _quantized_bias(values: Array, scales: Array) -> Quantized:
    with np.errstate(all="ignore"):
        steps = np.rint(values.astype(np.float32) / scales)
    if not (np.isfinite(steps).all() and (np.abs(steps) < _INT32.max).all()):
        raise Unsupported("its bias does not fit in int32")
    return Quantized(steps.astype(np.int32), scales, np.zeros(1, np.int32), 0)


def _define_conv(
    importer: Importer, node: Node, weights: Quantized, bias: Quantized | None
) -> None:
    """``weights`` are OIHW."""
    x, _ = _operand(importer, node.input(0), 4)
    out_channels, in_a_group, *taps = weights.values.shape
    if integers(node, "kernel_shape", taps) != taps:
        raise Unsupported(f"its kernel_shape is not that of its weights, {taps}")
    strides, dilations, pads = window(node, x.shape[2:], taps)
    groups = integer(node, "group", 1)
    if groups < 1 or in_a_group * groups != x.shape[1] or out_channels % groups:
        raise Unsupported(
            f"{groups} groups of weights {weights.values.shape} for an input of {x.shape}"
        )
    call = relax.op.nn.conv2d(
        importer.real(node.input(0), NHWC),
        importer.dequantized(weights.transposed(NHWC)),
        strides=strides,
        padding=pads,
        dilation=dilations,
        groups=groups,
        data_layout="NHWC",
        kernel_layout="OHWI",
    )
    if bias is not None:
        call = relax.op.add(importer.builder.emit(call), importer.dequantized(bias))
    importer.define(node.outputs[0], call, NHWC)


def _conv(importer: Importer, node: Node) -> None:
    importer.convolutions[node.outputs[0]] = node
    if not floating.is_quantized(importer, node.input(0), node.input(1)):
        floating.conv(importer, node)
        return
    _, scale = _operand(importer, node.input(0), 4)
    weights = _weights(importer, node.input(1), 4)
    _check_axis(weights, 0)
    bias = _bias(importer, node.input(2), scale, weights, weights.values.shape[0])
    _define_conv(importer, node, weights, bias)


def _check_axis(weights: Quantized, axis: int) -> None:
    if weights.scales.size > 1 and weights.axis != axis:
        raise Unsupported(f"its weights are quantised along axis {weights.axis}, not {axis}")


def _matmul_of(
    importer: Importer, node: Node, x: Held, weights: Quantized, bias: Quantized | None
) -> None:
    """``weights`` are [in, out]."""
    _check_axis(weights, 1)
    if not x.shape or x.shape[-1] != weights.values.shape[0]:
        raise Unsupported(f"{x.shape} times {weights.values.shape}")
    order = identity(len(x.shape))
    data = importer.real_of(x, order)
    call = relax.op.matmul(data, importer.dequantized(weights))
    if bias is not None:
        call = relax.op.add(importer.builder.emit(call), importer.dequantized(bias))
    importer.define(node.outputs[0], call, order)


def _gemm(importer: Importer, node: Node) -> None:
    if not floating.is_quantized(importer, node.input(0), node.input(1)):
        floating.gemm(importer, node)
        return
    alpha, beta = number(node, "alpha", 1.0), number(node, "beta", 1.0)
    if alpha <= 0 or (node.input(2) and (alpha, beta) != (1.0, 1.0)):
        floating.gemm(importer, node)  # ONNX Runtime computes it on floats too
        return
    held, scale = _operand(importer, node.input(0), 2)
    if integer(node, "transA", 0):
        held = Held(held.value, tuple(1 - axis for axis in held.order), held.real)
    # A factor of the products is one of the first operand, as ONNX Runtime has it.
    held = replace(held, real=replace(scale, scale=np.float32(alpha) * scale.scale))
    weights = _weights(importer, node.input(1), 2)
    if integer(node, "transB", 0):
        weights = weights.transposed((1, 0))
    bias = _bias(importer, node.input(2), scale, weights, weights.values.shape[1])
    _matmul_of(importer, node, held, weights, bias)


def _matmul(importer: Importer, node: Node) -> None:
    if not floating.is_quantized(importer, node.input(0), node.input(1)):
        floating.matmul(importer, node)
        return
    x, _ = _operand(importer, node.input(0), None)
    if len(shape_of(importer.value(node.input(1)))) != 2:
        floating.matmul(importer, node)  # the same operator; the passes see that it is quantised
        return
    _matmul_of(importer, node, x, _weights(importer, node.input(1), 2), None)


# The weight of an element in a batch normalisation that stands alone: the larger, the finer is
# the grid of its bias.
_ONE = 127


def _batch_normalization(importer: Importer, node: Node) -> None:
    """A factor and an addend a channel: into the weights of the convolution before it, or as a
    convolution of 1x1 of its own."""
    parameters = node.inputs[1:5]
    if len(parameters) != 4:
        raise Unsupported("a parameter is missing")
    gamma, beta, mean, variance = (importer.array(name) for name in parameters)
    if integer(node, "training_mode", 0) or len(list(filter(None, node.outputs))) != 1:
        raise Unsupported("training mode")
    epsilon = number(node, "epsilon", 1e-5)
    sizes = {a.shape for a in (gamma, beta, mean, variance)}
    if len(sizes) != 1 or gamma.ndim != 1 or variance.min(initial=0.0) + epsilon <= 0:
        raise Unsupported(f"parameters of shapes {sorted(sizes)}, or a variance below 0")
    factor = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    addend = beta.astype(np.float64) - mean.astype(np.float64) * factor
    if not (np.isfinite(factor).all() and np.isfinite(addend).all()):
        raise Unsupported("a parameter is not a finite number")
    before = importer.convolutions.get(node.input(0))
    if before is not None and not floating.is_quantized(importer, *before.inputs[:2]):
        before = None
    held = importer.held(node.input(0))
    if before is None and (held.real is None or len(held.shape) != 4):
        floating.batch_normalization(importer, node, factor, addend)
        return
    data = node if before is None else before
    x, scale = _operand(importer, data.input(0), 4)
    count = x.shape[1] if before is None else importer.held(node.input(0)).shape[1]
    if gamma.size != count:
        raise Unsupported(f"{gamma.size} parameters for {count} channels")
    if before is None:
        values = np.full((count, 1, 1, 1), _ONE, np.int8)
        weights = Quantized(values, np.full(count, 1 / _ONE, np.float32), np.zeros(1, np.int8), 0)
        attributes = {"group": count, "kernel_shape": [1, 1]}
        before = Node("Conv", node.name, (node.input(0),), node.outputs, attributes)
        real_bias = np.zeros(count)
    else:
        weights = _weights(importer, before.input(1), 4)
        bias = _bias(importer, before.input(2), scale, weights, count)
        real_bias = np.zeros(count) if bias is None else bias.real().astype(np.float64)
    folded = _scaled(weights, factor)
    products = scale.scale * folded.scales
    bias = _quantized_bias(real_bias * factor + addend, products.astype(np.float32))
    _define_conv(importer, replace(before, outputs=node.outputs), folded, bias)


def _scaled(weights: Quantized, factor: Array) -> Quantized:
    """Weights times a factor a channel, their axis 0."""
    shape = (-1, *[1] * (weights.values.ndim - 1))
    signs = np.where(factor < 0, -1, 1).reshape(shape)
    zero_points = weights.zero_points.astype(np.int64)
    if zero_points.size > 1:
        zero_points = zero_points.reshape(shape)
    values = (weights.values.astype(np.int64) - zero_points) * signs
    if np.abs(values).max(initial=0) > _ONE:
        raise Unsupported("weights of -128 times a negative factor")
    scales = (weights.scales.astype(np.float64) * np.abs(factor)).astype(np.float32)
    none = scales < np.finfo(np.float32).tiny
    values = np.where(none.reshape(shape), 0, values).astype(np.int8)
    whole = np.where(none, np.float32(np.max(scales, initial=1e-6)), scales)
    return Quantized(values, whole.astype(np.float32), np.zeros(1, np.int8), 0)


CONVERTERS: dict[str, Callable[[Any, Node], None]] = {
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
}

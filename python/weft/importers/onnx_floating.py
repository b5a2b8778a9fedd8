# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that are computed in float32, because the model is or because there is no stage
on integers for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax

from weft.importers.onnx_attributes import (
    axes_of,
    axis_of,
    integer,
    integers,
    number,
    text,
    window,
)
from weft.importers.onnx_reader import Array, Node, Unsupported, shortened
from weft.importers.onnx_values import NHWC, Held, Quantized, identity, shape_of

if TYPE_CHECKING:
    from weft.importers.onnx import Importer


def real(importer: Importer, name: str, order: Sequence[int] | None = None) -> Any:
    """A float32 operand; raises ``Unsupported`` for other types."""
    value = importer.value(name)
    rank = len(shape_of(value))
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        axes = identity(rank) if order is None else tuple(order)
        return importer.constant(value.transpose(axes))
    expression = importer.real(name, identity(rank) if order is None else order)
    expression = importer.builder.emit(expression)
    if str(expression.ty.dtype) != "float32":
        raise Unsupported(f"'{shortened(name)}' is {expression.ty.dtype}, not float32")
    return expression


def _number(value: float) -> Any:
    return relax.const(np.float32(value), "float32")


def is_quantized(importer: Importer, data: str, weights: str) -> bool:
    """Whether an operator with weights works on dequantised integers."""
    value = importer.value(data)
    is_dequantized = isinstance(value, Held) and value.real is not None
    return is_dequantized and isinstance(importer.value(weights), Quantized)


# --- operators with weights ---


def conv(importer: Importer, node: Node) -> None:
    """A convolution over two or three axes."""
    shape, weights = (shape_of(importer.value(node.input(i))) for i in (0, 1))
    rank = len(shape)
    if rank not in (4, 5) or len(weights) != rank:
        raise Unsupported(f"weights of {weights} for an input of {shape}")
    taps = list(weights[2:])
    if integers(node, "kernel_shape", taps) != taps:
        raise Unsupported(f"its kernel_shape is not that of its weights, {taps}")
    groups = integer(node, "group", 1)
    if groups < 1 or weights[1] * groups != shape[1] or weights[0] % groups:
        raise Unsupported(f"{groups} groups of weights {weights} for an input of {shape}")
    strides, dilations, pads = window(node, shape[2:], taps)
    order = NHWC if rank == 4 else identity(5)
    attributes: dict[str, Any] = {"strides": strides, "padding": pads, "dilation": dilations}
    operands = real(importer, node.input(0), order), real(importer, node.input(1), order)
    if rank == 4:
        layouts = {"data_layout": "NHWC", "kernel_layout": "OHWI"}
        call = relax.op.nn.conv2d(*operands, groups=groups, **layouts, **attributes)
    else:
        call = relax.op.nn.conv3d(*operands, groups=groups, **attributes)
    if node.input(2):
        bias = real(importer, node.input(2))
        bias = relax.op.reshape(bias, _along(order, 1, weights[0]))
        call = relax.op.add(importer.builder.emit(call), importer.builder.emit(bias))
    importer.define(node.outputs[0], call, order)


def _along(order: Sequence[int], axis: int, extent: int) -> list[int]:
    """A shape of 1 along all axes but one."""
    return [extent if a == axis else 1 for a in order]


def gemm(importer: Importer, node: Node) -> None:
    """``alpha * a' * b' + beta * c``."""
    orders = [(1, 0) if integer(node, name, 0) else (0, 1) for name in ("transA", "transB")]
    if any(len(shape_of(importer.value(node.input(i)))) != 2 for i in (0, 1)):
        raise Unsupported("an operand has not two axes")
    operands = [real(importer, node.input(i), order) for i, order in enumerate(orders)]
    call = relax.op.matmul(*operands)
    alpha, beta = number(node, "alpha", 1.0), number(node, "beta", 1.0)
    if alpha != 1.0:
        call = relax.op.multiply(importer.builder.emit(call), _number(alpha))
    if node.input(2) and beta != 0.0:
        addend = real(importer, node.input(2))
        if beta != 1.0:
            addend = relax.op.multiply(addend, _number(beta))
        call = relax.op.add(importer.builder.emit(call), importer.builder.emit(addend))
    importer.define(node.outputs[0], call, (0, 1))


def matmul(importer: Importer, node: Node) -> None:
    """NumPy's, with broadcasting of leading axes."""
    call = relax.op.matmul(real(importer, node.input(0)), real(importer, node.input(1)))
    importer.define(node.outputs[0], call, identity(len(importer.builder.normalize(call).ty.shape)))


def batch_normalization(importer: Importer, node: Node, factor: Array, addend: Array) -> None:
    """A factor and an addend a channel."""
    held = importer.held(node.input(0))
    if len(held.shape) < 2 or factor.size != held.shape[1]:
        raise Unsupported(f"{factor.size} parameters for an input of {held.shape}")
    shape = _along(held.order, 1, factor.size)
    by, more = (importer.constant(a.astype(np.float32).reshape(shape)) for a in (factor, addend))
    call = relax.op.multiply(real(importer, node.input(0), held.order), by)
    call = relax.op.add(importer.builder.emit(call), more)
    importer.define(node.outputs[0], call, held.order)


def _conv_transpose(importer: Importer, node: Node) -> None:
    shape, weights = (shape_of(importer.value(node.input(i))) for i in (0, 1))
    if len(shape) != 4 or len(weights) != 4:
        raise Unsupported(f"weights of {weights} for an input of {shape}")
    taps, groups = list(weights[2:]), integer(node, "group", 1)
    strides, dilations = (integers(node, name, [1, 1]) for name in ("strides", "dilations"))
    pads = integers(node, "pads", [0] * 4)
    more = integers(node, "output_padding", [0, 0])
    is_strange = text(node, "auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes
    if is_strange or dilations != [1, 1] or groups < 1 or weights[0] != shape[1]:
        raise Unsupported("auto_pad, output_shape or dilations of a transposed convolution")
    if integers(node, "kernel_shape", taps) != taps or len(strides) != 2 or len(pads) != 4:
        raise Unsupported(f"weights of {taps}, strides {strides}, pads {pads}")
    call = relax.op.nn.conv2d_transpose(
        real(importer, node.input(0)),
        real(importer, node.input(1)),
        strides=strides,
        padding=pads,
        output_padding=more,
        groups=groups,
    )
    if node.input(2):
        bias = real(importer, node.input(2))
        bias = relax.op.reshape(bias, [1, weights[1] * groups, 1, 1])
        call = relax.op.add(importer.builder.emit(call), importer.builder.emit(bias))
    importer.define(node.outputs[0], call, identity(4))


# --- element by element ---


def _unary(make: Callable[[Any, Node], Any]) -> Callable[[Importer, Node], None]:
    def convert(importer: Importer, node: Node) -> None:
        order = importer.held(node.input(0)).order
        data = real(importer, node.input(0), order)
        importer.define(node.outputs[0], make(data, node), order)

    return convert


def _plain(make: Callable[[Any], Any]) -> Callable[[Importer, Node], None]:
    return _unary(lambda x, _: make(x))


def _positive(x: Any) -> Any:
    return relax.op.maximum(x, _number(0.0))


def _expm1_below_zero(x: Any, by: float) -> Any:
    """``by * (e^x - 1)`` where x is negative, else 0."""
    below = relax.op.exp(relax.op.minimum(x, _number(0.0)))
    return relax.op.multiply(relax.op.subtract(below, _number(1.0)), _number(by))


def _elu(x: Any, node: Node) -> Any:
    return relax.op.add(_positive(x), _expm1_below_zero(x, number(node, "alpha", 1.0)))


def _selu(x: Any, node: Node) -> Any:
    alpha = number(node, "alpha", 1.6732632423543772)
    gamma = number(node, "gamma", 1.0507009873554805)
    both = relax.op.add(_positive(x), _expm1_below_zero(x, alpha))
    return relax.op.multiply(both, _number(gamma))


def _celu(x: Any, node: Node) -> Any:
    alpha = number(node, "alpha", 1.0)
    scaled = relax.op.divide(x, _number(alpha))
    return relax.op.add(_positive(x), _expm1_below_zero(scaled, alpha))


def _softplus(x: Any) -> Any:
    """Without overflow: max(x, 0) + log(1 + e^-|x|)."""
    e = relax.op.exp(relax.op.negative(relax.op.abs(x)))
    return relax.op.add(_positive(x), relax.op.log(relax.op.add(e, _number(1.0))))


def _softsign(x: Any) -> Any:
    return relax.op.divide(x, relax.op.add(relax.op.abs(x), _number(1.0)))


def _gelu(x: Any, node: Node) -> Any:
    approximation = text(node, "approximate", "none")
    if approximation == "none":
        inner = relax.op.erf(relax.op.multiply(x, _number(sqrt(0.5))))
    elif approximation == "tanh":
        cube = relax.op.multiply(relax.op.multiply(x, x), x)
        polynomial = relax.op.add(x, relax.op.multiply(cube, _number(0.044715)))
        inner = relax.op.tanh(relax.op.multiply(polynomial, _number(sqrt(2 / np.pi))))
    else:
        raise Unsupported(f"approximate {approximation:.40}")
    half = relax.op.multiply(x, _number(0.5))
    return relax.op.multiply(half, relax.op.add(inner, _number(1.0)))


def _variadic(make: Callable[[Any, Any], Any]) -> Callable[[Importer, Node], None]:
    """An operator of any number of operands, with broadcasting."""

    def convert(importer: Importer, node: Node) -> None:
        operands = [real(importer, name) for name in node.inputs]
        if not operands:
            raise Unsupported("an operand is missing")
        call = operands[0]
        for operand in operands[1:]:
            call = importer.builder.emit(make(call, operand))
        if node.kind == "Mean":
            call = relax.op.divide(call, _number(len(operands)))
        elif len(operands) == 1:
            importer.values[node.outputs[0]] = importer.value(node.input(0))
            return
        rank = len(importer.builder.normalize(call).ty.shape)
        importer.define(node.outputs[0], call, identity(rank))

    return convert


def _prelu(importer: Importer, node: Node) -> None:
    x, slope = (real(importer, name) for name in node.inputs[:2])
    zero = _number(0.0)
    below = relax.op.multiply(relax.op.minimum(x, zero), slope)
    call = relax.op.add(relax.op.maximum(x, zero), importer.builder.emit(below))
    importer.define(node.outputs[0], call, identity(len(x.ty.shape)))


# --- reductions and normalisations ---


def _reduction(make: Callable[..., Any]) -> Callable[[Importer, Node], None]:
    def convert(importer: Importer, node: Node) -> None:
        rank = len(shape_of(importer.value(node.input(0))))
        given = importer.ints(node.input(1)) if node.input(1) else integers(node, "axes", [])
        if not given and integer(node, "noop_with_empty_axes", 0):
            raise Unsupported("a reduction over no axes")
        axes = axes_of(given, rank) if given else list(range(rank))
        keeps = bool(integer(node, "keepdims", 1))
        call = make(real(importer, node.input(0)), axes, keeps)
        importer.define(node.outputs[0], call, identity(rank if keeps else rank - len(axes)))

    return convert


def _log_sum_exp(x: Any, axes: Sequence[int], keeps: bool) -> Any:
    largest = relax.op.max(x, axes, True)
    total = relax.op.sum(relax.op.exp(relax.op.subtract(x, largest)), axes, keeps)
    return relax.op.add(relax.op.log(total), relax.op.max(x, axes, keeps))


def _log_softmax(importer: Importer, node: Node) -> None:
    rank = len(shape_of(importer.value(node.input(0))))
    axis = axis_of(integer(node, "axis", -1 if importer.opset >= 13 else 1), rank)
    if importer.opset < 13 and axis != rank - 1:
        raise Unsupported("a softmax over several axes")
    order = (*(a for a in range(rank) if a != axis), axis)
    x = real(importer, node.input(0), order)
    shifted = importer.builder.emit(relax.op.subtract(x, relax.op.max(x, [-1], True)))
    total = relax.op.sum(relax.op.exp(shifted), [-1], True)
    importer.define(node.outputs[0], relax.op.subtract(shifted, relax.op.log(total)), order)


def _layer_normalization(importer: Importer, node: Node) -> None:
    shape = shape_of(importer.value(node.input(0)))
    axis = axis_of(integer(node, "axis", -1), len(shape))
    if len(list(filter(None, node.outputs))) != 1:
        raise Unsupported("it has several results")
    axes = list(range(axis, len(shape)))
    x = real(importer, node.input(0))
    normal = _normalized(importer, x, axes, number(node, "epsilon", 1e-5))
    call = relax.op.multiply(normal, real(importer, node.input(1)))
    if node.input(2):
        call = relax.op.add(importer.builder.emit(call), real(importer, node.input(2)))
    importer.define(node.outputs[0], call, identity(len(shape)))


def _normalized(importer: Importer, x: Any, axes: Sequence[int], epsilon: float) -> Any:
    """Less its mean, divided by its standard deviation."""
    centred = importer.builder.emit(relax.op.subtract(x, relax.op.mean(x, axes, True)))
    variance = relax.op.mean(relax.op.multiply(centred, centred), axes, True)
    deviation = relax.op.sqrt(relax.op.add(variance, _number(epsilon)))
    return importer.builder.emit(relax.op.divide(centred, deviation))


def _instance_normalization(importer: Importer, node: Node) -> None:
    shape = shape_of(importer.value(node.input(0)))
    x = real(importer, node.input(0))
    axes = list(range(2, len(shape)))
    normal = _normalized(importer, x, axes, number(node, "epsilon", 1e-5))
    broadcast = [shape[1], *[1] * len(axes)]
    by, more = (relax.op.reshape(real(importer, node.input(i)), broadcast) for i in (1, 2))
    call = relax.op.add(relax.op.multiply(normal, by), more)
    importer.define(node.outputs[0], call, identity(len(shape)))


# --- movement that no stage on bytes does ---


def _expand(importer: Importer, node: Node) -> None:
    shape = np.broadcast_shapes(
        shape_of(importer.value(node.input(0))), tuple(importer.ints(node.input(1)))
    )
    call = relax.op.broadcast_to(real(importer, node.input(0)), list(shape))
    importer.define(node.outputs[0], call, identity(len(shape)))


def _tile(importer: Importer, node: Node) -> None:
    repeats = importer.ints(node.input(1))
    call = relax.op.tile(real(importer, node.input(0)), repeats)
    importer.define(node.outputs[0], call, identity(len(repeats)))


def _depth_to_space(importer: Importer, node: Node) -> None:
    n, c, h, w = shape_of(importer.value(node.input(0)))
    block = integer(node, "blocksize", 0)
    if block < 1 or c % (block * block):
        raise Unsupported(f"blocks of {block} of {c} channels")
    rest = c // (block * block)
    mode = text(node, "mode", "DCR")
    split, axes = {
        "DCR": ([n, block, block, rest, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD": ([n, rest, block, block, h, w], [0, 1, 4, 2, 5, 3]),
    }[mode]
    moved = relax.op.permute_dims(relax.op.reshape(real(importer, node.input(0)), split), axes)
    call = relax.op.reshape(moved, [n, rest, h * block, w * block])
    importer.define(node.outputs[0], call, identity(4))


def _space_to_depth(importer: Importer, node: Node) -> None:
    n, c, h, w = shape_of(importer.value(node.input(0)))
    block = integer(node, "blocksize", 0)
    if block < 1 or h % block or w % block:
        raise Unsupported(f"blocks of {block} of an image of {h} x {w}")
    split = [n, c, h // block, block, w // block, block]
    moved = relax.op.reshape(real(importer, node.input(0)), split)
    axes = {"DCR": [0, 3, 5, 1, 2, 4], "CRD": [0, 1, 3, 5, 2, 4]}[text(node, "mode", "DCR")]
    moved = relax.op.permute_dims(moved, axes)
    call = relax.op.reshape(moved, [n, c * block * block, h // block, w // block])
    importer.define(node.outputs[0], call, identity(4))


CONVERTERS: dict[str, Callable[[Any, Node], None]] = {
    "Abs": _plain(relax.op.abs),
    "Ceil": _plain(relax.op.ceil),
    "Celu": _unary(_celu),
    "ConvTranspose": _conv_transpose,
    "Cos": _plain(relax.op.cos),
    "DepthToSpace": _depth_to_space,
    "Elu": _unary(_elu),
    "Erf": _plain(relax.op.erf),
    "Exp": _plain(relax.op.exp),
    "Expand": _expand,
    "Floor": _plain(relax.op.floor),
    "Gelu": _unary(_gelu),
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "Log": _plain(relax.op.log),
    "LogSoftmax": _log_softmax,
    "Max": _variadic(relax.op.maximum),
    "Mean": _variadic(relax.op.add),
    "Min": _variadic(relax.op.minimum),
    "Mish": _plain(lambda x: relax.op.multiply(x, relax.op.tanh(_softplus(x)))),
    "Neg": _plain(relax.op.negative),
    "PRelu": _prelu,
    "Pow": _variadic(relax.op.power),
    "Reciprocal": _plain(lambda x: relax.op.divide(_number(1.0), x)),
    "ReduceL1": _reduction(lambda x, axes, keeps: relax.op.sum(relax.op.abs(x), axes, keeps)),
    "ReduceL2": _reduction(
        lambda x, axes, keeps: relax.op.sqrt(relax.op.sum(relax.op.multiply(x, x), axes, keeps))
    ),
    "ReduceLogSum": _reduction(lambda x, axes, keeps: relax.op.log(relax.op.sum(x, axes, keeps))),
    "ReduceLogSumExp": _reduction(_log_sum_exp),
    "ReduceMax": _reduction(relax.op.max),
    "ReduceMin": _reduction(relax.op.min),
    "ReduceProd": _reduction(relax.op.prod),
    "ReduceSum": _reduction(relax.op.sum),
    "ReduceSumSquare": _reduction(
        lambda x, axes, keeps: relax.op.sum(relax.op.multiply(x, x), axes, keeps)
    ),
    "Round": _plain(relax.op.round),
    "Selu": _unary(_selu),
    "Sign": _plain(relax.op.sign),
    "Sin": _plain(relax.op.sin),
    "Softplus": _plain(_softplus),
    "Softsign": _plain(_softsign),
    "SpaceToDepth": _space_to_depth,
    "Sqrt": _plain(relax.op.sqrt),
    "Sum": _variadic(relax.op.add),
    "Swish": _unary(
        lambda x, node: relax.op.multiply(
            x, relax.op.sigmoid(relax.op.multiply(x, _number(number(node, "alpha", 1.0))))
        )
    ),
    "Tile": _tile,
}

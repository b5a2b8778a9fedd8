"""Builds small int8 TFLite models, operator by operator.

The builder writes what the schema allows and infers shapes; it does not check whether a runtime
accepts the quantisation, so tests can also write models that must be refused.

    m = ModelBuilder()
    x = m.input((1, 9, 7, 5), scale=0.03, zero_point=-4)
    y = m.conv2d(x, weights, bias, w_scales, strides=(2, 1), scale=0.1, zero_point=3)
    m.output(y)
    model = m.build()

Pairs such as strides and dilation are (height, width). Weights have TFLite's own layout: OHWI for
a convolution, (1, height, width, channels) for a depthwise one, (outputs, inputs) for a dense one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from support.tflite_graph import GraphWriter, Scales, Tensor

Pair = tuple[int, int]


def window_output_size(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Output positions of a sliding window along one axis, as TFLite counts them."""
    reach = (kernel - 1) * dilation + 1
    if padding == "SAME":
        return -(-size // stride)
    return (size - reach) // stride + 1


class ModelBuilder(GraphWriter):
    """Writes one subgraph: each method adds an operator and returns its output."""

    # Convolutions and dense layers

    def conv2d(
        self,
        x: Tensor,
        weights: np.ndarray,
        bias: np.ndarray | None,
        w_scales: Scales,
        **attributes: Any,
    ) -> Tensor:
        """CONV_2D; one weight scale per output channel or one for all. A filter depth that divides
        the input depth makes a grouped convolution. Keywords scale, zero_point, strides, dilation,
        padding, activation."""
        operands = [x, *self._weights(x, weights, bias, w_scales, axis=0)]
        version = 6 if weights.shape[3] != x.shape[3] else None
        options = schema.Conv2DOptionsT()
        return self._convolution("CONV_2D", operands, options, version, 0, **attributes)

    def depthwise_conv2d(
        self,
        x: Tensor,
        weights: np.ndarray,
        bias: np.ndarray | None,
        w_scales: Scales,
        **attributes: Any,
    ) -> Tensor:
        """DEPTHWISE_CONV_2D; the depth multiplier follows from the channels of the weights.
        Keywords as for conv2d."""
        operands = [x, *self._weights(x, weights, bias, w_scales, axis=3)]
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = weights.shape[3] // x.shape[3]
        return self._convolution("DEPTHWISE_CONV_2D", operands, options, None, 3, **attributes)

    def fully_connected(
        self,
        x: Tensor,
        weights: np.ndarray,
        bias: np.ndarray | None,
        w_scales: Scales,
        *,
        scale: float,
        zero_point: int,
        keep_num_dims: bool = False,
        activation: str = "NONE",
    ) -> Tensor:
        """FULLY_CONNECTED; without keep_num_dims all but the last axis become one batch axis."""
        units, depth = weights.shape
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = _activation(activation)
        options.keepNumDims = keep_num_dims
        rows = int(np.prod(x.shape)) // depth
        shape = (*x.shape[:-1], units) if keep_num_dims else (rows, units)
        operands = self._weights(x, weights, bias, w_scales, axis=0)
        version = 5 if keep_num_dims else None
        version = 12 if np.size(w_scales) > 1 else version
        name = "FULLY_CONNECTED"
        return self._emit(name, [x, *operands], options, shape, scale, zero_point, version)

    # Elementwise; keywords scale and zero_point, and activation where the schema has it

    def add(self, a: Tensor, b: Tensor, **attributes: Any) -> Tensor:
        """ADD with broadcasting."""
        return self._binary("ADD", schema.AddOptionsT(), a, b, **attributes)

    def sub(self, a: Tensor, b: Tensor, **attributes: Any) -> Tensor:
        """SUB with broadcasting."""
        return self._binary("SUB", schema.SubOptionsT(), a, b, **attributes)

    def mul(self, a: Tensor, b: Tensor, **attributes: Any) -> Tensor:
        """MUL with broadcasting."""
        return self._binary("MUL", schema.MulOptionsT(), a, b, **attributes)

    def maximum(self, a: Tensor, b: Tensor, **attributes: Any) -> Tensor:
        """MAXIMUM with broadcasting."""
        return self._binary("MAXIMUM", schema.MaximumMinimumOptionsT(), a, b, **attributes)

    def minimum(self, a: Tensor, b: Tensor, **attributes: Any) -> Tensor:
        """MINIMUM with broadcasting."""
        return self._binary("MINIMUM", schema.MaximumMinimumOptionsT(), a, b, **attributes)

    def relu(self, x: Tensor, scale: float, zero_point: int) -> Tensor:
        """RELU."""
        return self._emit("RELU", [x], None, x.shape, scale, zero_point)

    def relu6(self, x: Tensor) -> Tensor:
        """RELU6, with the quantisation of its input."""
        return self._emit("RELU6", [x], None, x.shape, *x.quantisation)

    def leaky_relu(self, x: Tensor, alpha: float, scale: float, zero_point: int) -> Tensor:
        """LEAKY_RELU."""
        options = schema.LeakyReluOptionsT()
        options.alpha = alpha
        return self._emit("LEAKY_RELU", [x], options, x.shape, scale, zero_point)

    def hard_swish(self, x: Tensor, scale: float, zero_point: int) -> Tensor:
        """HARD_SWISH."""
        options = schema.HardSwishOptionsT()
        return self._emit("HARD_SWISH", [x], options, x.shape, scale, zero_point)

    def logistic(self, x: Tensor) -> Tensor:
        """LOGISTIC; the int8 kernel fixes the output to 1/256 and -128."""
        return self._emit("LOGISTIC", [x], None, x.shape, 1 / 256, -128)

    def tanh(self, x: Tensor) -> Tensor:
        """TANH; the int8 kernel fixes the output to 1/128 and 0."""
        return self._emit("TANH", [x], None, x.shape, 1 / 128, 0)

    def softmax(self, x: Tensor, beta: float = 1.0) -> Tensor:
        """SOFTMAX over the last axis; the int8 kernel fixes the output to 1/256 and -128."""
        options = schema.SoftmaxOptionsT()
        options.beta = beta
        return self._emit("SOFTMAX", [x], options, x.shape, 1 / 256, -128)

    def quantize(self, x: Tensor, scale: float, zero_point: int) -> Tensor:
        """QUANTIZE to int8, from float32 or from int8."""
        options = schema.QuantizeOptionsT()
        version = 2 if x.dtype == np.int8 else 1
        return self._emit("QUANTIZE", [x], options, x.shape, scale, zero_point, version)

    def dequantize(self, x: Tensor) -> Tensor:
        """DEQUANTIZE to float32."""
        options = schema.DequantizeOptionsT()
        return self._emit("DEQUANTIZE", [x], options, x.shape, 0.0, 0, dtype=np.float32)

    # Pooling and reduction

    def average_pool2d(self, x: Tensor, kernel: Pair, **window: Any) -> Tensor:
        """AVERAGE_POOL_2D; keywords strides, padding, activation."""
        return self._pool("AVERAGE_POOL_2D", x, kernel, **window)

    def max_pool2d(self, x: Tensor, kernel: Pair, **window: Any) -> Tensor:
        """MAX_POOL_2D; keywords strides, padding, activation."""
        return self._pool("MAX_POOL_2D", x, kernel, **window)

    def mean(
        self, x: Tensor, axes: Sequence[int], keep_dims: bool, scale: float, zero_point: int
    ) -> Tensor:
        """MEAN over axes, which may be negative."""
        options = schema.ReducerOptionsT()
        options.keepDims = keep_dims
        reduced = {axis % len(x.shape) for axis in axes}
        kept = [(axis, 1 if axis in reduced else size) for axis, size in enumerate(x.shape)]
        shape = [size for axis, size in kept if keep_dims or axis not in reduced]
        return self._emit("MEAN", [x, self._ints(axes)], options, shape, scale, zero_point)

    # Data movement; none of these changes the quantisation

    def concatenation(self, parts: Sequence[Tensor], axis: int) -> Tensor:
        """CONCATENATION; axis may be negative."""
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return self._emit("CONCATENATION", parts, options, shape, *parts[0].quantisation)

    def pad(self, x: Tensor, paddings: Sequence[Pair]) -> Tensor:
        """PAD with the zero point; paddings are (before, after) for each axis."""
        shape = [size + sum(pair) for size, pair in zip(x.shape, paddings, strict=True)]
        operands = [x, self._ints(paddings)]
        return self._emit("PAD", operands, schema.PadOptionsT(), shape, *x.quantisation)

    def padv2(self, x: Tensor, paddings: Sequence[Pair], value: int) -> Tensor:
        """PADV2 with a quantised value."""
        shape = [size + sum(pair) for size, pair in zip(x.shape, paddings, strict=True)]
        fill = self.constant(np.array([value], np.int8), *x.quantisation)
        operands = [x, self._ints(paddings), fill]
        return self._emit("PADV2", operands, schema.PadV2OptionsT(), shape, *x.quantisation)

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """RESHAPE; one extent of shape may be -1."""
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        known = np.empty(x.shape, np.int8).reshape(shape).shape
        return self._emit("RESHAPE", [x, self._ints(shape)], options, known, *x.quantisation)

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """TRANSPOSE."""
        shape = [x.shape[axis] for axis in order]
        options = schema.TransposeOptionsT()
        return self._emit("TRANSPOSE", [x, self._ints(order)], options, shape, *x.quantisation)

    def expand_dims(self, x: Tensor, axis: int) -> Tensor:
        """EXPAND_DIMS; axis may be negative."""
        shape = np.expand_dims(np.empty(x.shape, np.int8), axis).shape
        options = schema.ExpandDimsOptionsT()
        return self._emit("EXPAND_DIMS", [x, self._ints([axis])], options, shape, *x.quantisation)

    def squeeze(self, x: Tensor, axes: Sequence[int] = ()) -> Tensor:
        """SQUEEZE of the axes, or of every axis of extent 1."""
        options = schema.SqueezeOptionsT()
        options.squeezeDims = list(axes)
        shape = np.empty(x.shape, np.int8).squeeze(tuple(axes) or None).shape
        return self._emit("SQUEEZE", [x], options, shape, *x.quantisation)

    def strided_slice(
        self,
        x: Tensor,
        begin: Sequence[int],
        end: Sequence[int],
        strides: Sequence[int],
        *,
        begin_mask: int = 0,
        end_mask: int = 0,
        shrink_axis_mask: int = 0,
    ) -> Tensor:
        """STRIDED_SLICE; the masks have one bit for each axis."""
        options = schema.StridedSliceOptionsT()
        options.beginMask, options.endMask = begin_mask, end_mask
        options.shrinkAxisMask = shrink_axis_mask
        index: list[int | slice] = []
        for axis, (first, stop, step) in enumerate(zip(begin, end, strides, strict=True)):
            low = None if begin_mask >> axis & 1 else first
            high = None if end_mask >> axis & 1 else stop
            index.append(first if shrink_axis_mask >> axis & 1 else slice(low, high, step))
        shape = np.empty(x.shape, np.int8)[tuple(index)].shape
        operands = [x, *map(self._ints, (begin, end, strides))]
        return self._emit("STRIDED_SLICE", operands, options, shape, *x.quantisation)

    def split(self, x: Tensor, parts: int, axis: int) -> list[Tensor]:
        """SPLIT into equal parts; axis may be negative."""
        options = schema.SplitOptionsT()
        options.numSplits = parts
        shape = list(x.shape)
        shape[axis] //= parts
        results = [self._tensor(shape, x.dtype, *x.quantisation) for _ in range(parts)]
        self._operator("SPLIT", [self.constant(np.array(axis, np.int32)), x], options, results)
        return results

    def resize_nearest_neighbor(
        self, x: Tensor, size: Pair, align_corners: bool = False, half_pixel_centers: bool = False
    ) -> Tensor:
        """RESIZE_NEAREST_NEIGHBOR of an NHWC tensor to size (height, width)."""
        options = schema.ResizeNearestNeighborOptionsT()
        options.alignCorners, options.halfPixelCenters = align_corners, half_pixel_centers
        shape = (x.shape[0], *size, x.shape[3])
        version = 3 if half_pixel_centers else None
        operands = [x, self._ints(size)]
        name = "RESIZE_NEAREST_NEIGHBOR"
        return self._emit(name, operands, options, shape, *x.quantisation, version)

    # Shared parts

    def _ints(self, values: Any) -> Tensor:
        return self.constant(np.asarray(values, np.int32))

    def _weights(
        self, x: Tensor, weights: np.ndarray, bias: np.ndarray | None, w_scales: Scales, axis: int
    ) -> list[Tensor]:
        w = np.asarray(weights, np.int8)
        operands = [self._tensor(w.shape, np.int8, w_scales, value=w, axis=axis)]
        if bias is not None:
            # Runtimes want the scale of the accumulator here; it is a float32 in the file.
            b_scales = np.float32(x.scale) * np.asarray(w_scales, np.float32)
            b = np.asarray(bias, np.int32)
            operands.append(self._tensor(b.shape, np.int32, b_scales, value=b))
        return operands

    def _convolution(
        self,
        name: str,
        operands: Sequence[Tensor],
        options: Any,
        version: int | None,
        channel_axis: int,
        *,
        scale: float,
        zero_point: int,
        strides: Pair = (1, 1),
        dilation: Pair = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
    ) -> Tensor:
        x, w = operands[0], operands[1]
        _set_window(options, padding, strides, activation)
        options.dilationHFactor, options.dilationWFactor = dilation
        channels = w.shape[channel_axis]
        shape = _window_shape(x, w.shape[1:3], strides, dilation, padding, channels)
        return self._emit(name, operands, options, shape, scale, zero_point, version)

    def _binary(
        self,
        name: str,
        options: Any,
        a: Tensor,
        b: Tensor,
        *,
        scale: float,
        zero_point: int,
        activation: str = "NONE",
    ) -> Tensor:
        if hasattr(options, "fusedActivationFunction"):
            options.fusedActivationFunction = _activation(activation)
        shape = np.broadcast_shapes(a.shape, b.shape)
        return self._emit(name, [a, b], options, shape, scale, zero_point)

    def _pool(
        self,
        name: str,
        x: Tensor,
        kernel: Pair,
        *,
        strides: Pair = (1, 1),
        padding: str = "VALID",
        activation: str = "NONE",
    ) -> Tensor:
        options = schema.Pool2DOptionsT()
        _set_window(options, padding, strides, activation)
        options.filterHeight, options.filterWidth = kernel
        shape = _window_shape(x, kernel, strides, (1, 1), padding, x.shape[3])
        return self._emit(name, [x], options, shape, *x.quantisation)


def _activation(name: str) -> int:
    return getattr(schema.ActivationFunctionType, name)


def _set_window(options: Any, padding: str, strides: Pair, activation: str) -> None:
    options.padding = getattr(schema.Padding, padding)
    options.strideH, options.strideW = strides
    options.fusedActivationFunction = _activation(activation)


def _window_shape(
    x: Tensor,
    kernel: Sequence[int],
    strides: Pair,
    dilation: Pair,
    padding: str,
    channels: int,
) -> tuple[int, ...]:
    axes = zip(x.shape[1:3], kernel, strides, dilation, strict=True)
    height, width = (window_output_size(*axis, padding) for axis in axes)
    return x.shape[0], height, width, channels

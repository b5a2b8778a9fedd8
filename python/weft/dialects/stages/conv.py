# SPDX-License-Identifier: Apache-2.0
"""Stages with weights: convolution, depthwise convolution, dense.

All have a bias with the input's zero point folded in (int32), and a multiplier (int32) and shift
(int8) a channel of the result. ``rounding`` says how these scale: ``weft.kernels.rounding``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, StringAttr, TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.stages.base import Border, Stage, int_of, ints, rounding_of, shape_of
from weft.dialects.stages.box import Box, Cut, CutError, Span, window_span
from weft.kernels.base import KernelCall
from weft.kernels.conv2d import Conv2d
from weft.kernels.depthwise import DepthwiseConv2d
from weft.kernels.view import View


def output_numbers(stage: Any) -> dict[str, int]:
    """Zero point and limits of a stage with int8 results."""
    return {
        "zero_point": int_of(stage.zero_point),
        "low": int_of(stage.low),
        "high": int_of(stage.high),
    }


def along_channels(box: Box, operands: int) -> tuple[Box, ...]:
    """The box of one number a channel, for bias, multiplier and shift."""
    return (Box(box.begin[-1:], box.shape[-1:]),) * operands


class Windowed(Stage):
    """NHWC, a window of weights moved over it. ``padding`` is top, bottom, left, right, filled with
    ``in_zero_point``. Operands are the subclass's: the first two are these."""

    if TYPE_CHECKING:
        x: SSAValue
        weights: SSAValue
    strides = prop_def(DenseArrayBase[I64])
    dilation = prop_def(DenseArrayBase[I64])
    padding = prop_def(DenseArrayBase[I64])
    in_zero_point = prop_def(IntegerAttr[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def border(self, operand: int) -> Border | None:
        padding = ints(self.padding)
        if operand != 0 or all(side <= 0 for side in padding):
            return None
        sides = [max(side, 0) for side in padding]
        return Border(sides[0], sides[1], sides[2], sides[3], int_of(self.in_zero_point))

    @abstractmethod
    def filter(self) -> tuple[int, int]:
        """Height and width of the window."""

    def steps(self) -> tuple[int, int, int, int]:
        """Strides and dilation, each down and across."""
        (stride_h, stride_w), (dilation_h, dilation_w) = ints(self.strides), ints(self.dilation)
        return stride_h, stride_w, dilation_h, dilation_w

    def verify_(self) -> None:
        if len(shape_of(self.x)) != 4 or len(shape_of(self.result)) != 4:
            raise VerifyException(f"{self.name} works on NHWC tensors")
        height, width = shape_of(self.x)[1:3]
        top, bottom, left, right = ints(self.padding)
        sizes = (height + top + bottom, width + left + right)
        for axis, (size, taps, stride, dilation) in enumerate(
            zip(sizes, self.filter(), ints(self.strides), ints(self.dilation), strict=True)
        ):
            reach = (shape_of(self.result)[1 + axis] - 1) * stride + (taps - 1) * dilation + 1
            if reach > size:
                raise VerifyException(
                    f"{self.name}: axis {1 + axis} reads {reach} of {size} padded elements"
                )

    def spatial_cut(self, box: Box) -> tuple[list[Span], list[int]]:
        """What it reads down and across, and the padding of the box."""
        top, _, left, _ = ints(self.padding)
        spans = [
            window_span(box.begin[axis], box.shape[axis], size, taps, stride, dilation, before)
            for axis, size, taps, stride, dilation, before in zip(
                (1, 2),
                shape_of(self.x)[1:3],
                self.filter(),
                ints(self.strides),
                ints(self.dilation),
                (top, left),
                strict=True,
            )
        ]
        return spans, [side for span in spans for side in (span.before, span.after)]

    def spatial_numbers(self, x: View, out: View) -> dict[str, int]:
        return {
            "out_h": out.shape[0],
            "out_w": out.shape[1],
            "x_row": x.strides[0],
            "x_pixel": x.strides[1],
            "out_row": out.strides[0],
            "out_pixel": out.strides[1],
        }

    def first_tap(self, x: View) -> View:
        """The image ``x`` (HWC) from the corner of its border on."""
        top, _, left, _ = ints(self.padding)
        return x.moved(-top * x.strides[0] - left * x.strides[1])


class _Convolution(Windowed):
    """With bias, multiplier and shift as every stage with weights has them."""

    x = operand_def(TensorType)
    weights = operand_def(TensorType)
    bias = operand_def(TensorType)
    multiplier = operand_def(TensorType)
    shift = operand_def(TensorType)
    zero_point = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    rounding = opt_prop_def(StringAttr)


@irdl_op_definition
class Conv2dStage(_Convolution):
    """Weights are ``[out, kernel_h, kernel_w, in / groups]``."""

    name = "stages.conv2d"
    groups = prop_def(IntegerAttr[I64])

    def filter(self) -> tuple[int, int]:
        _, kernel_h, kernel_w, _ = shape_of(self.weights)
        return kernel_h, kernel_w

    def cut(self, box: Box) -> Cut:
        out_channels, *taps, in_channels = shape_of(self.weights)
        (rows, columns), padding = self.spatial_cut(box)
        groups = int_of(self.groups)
        a_group = out_channels // groups
        first, last = box.begin[3] // a_group, -(-box.end[3] // a_group)
        if last - first > 1 and (box.begin[3] % a_group or box.end[3] % a_group):
            raise CutError(f"channels {box.begin[3]} to {box.end[3]} cut a group of {a_group}")
        x = Box(
            (box.begin[0], rows.first, columns.first, first * in_channels),
            (
                box.shape[0],
                rows.last - rows.first,
                columns.last - columns.first,
                (last - first) * in_channels,
            ),
        )
        weights = Box((box.begin[3], 0, 0, 0), (box.shape[3], *taps, in_channels))
        return Cut(
            (x, weights, *along_channels(box, 3)), {"padding": padding, "groups": last - first}
        )

    def macs(self) -> int:
        return prod(shape_of(self.result)) * prod(shape_of(self.weights)[1:])

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, weights, bias, multiplier, shift = inputs
        out_channels, kernel_h, kernel_w, in_channels = weights.shape
        kernel = Conv2d(kernel_h, kernel_w, *self.steps(), in_channels, rounding_of(self))
        groups = int_of(self.groups)
        channels = out_channels // groups
        made = []
        for frame in range(x.shape[0]):
            for group in range(groups):
                image, result = self.first_tap(x.at(frame)), out.at(frame)
                first = group * channels
                made.append(
                    KernelCall(
                        kernel,
                        pointers={
                            "x": image.moved(group * in_channels * image.strides[2]).pointer,
                            "w": weights.at(first).pointer,
                            "bias": bias.at(first).pointer,
                            "multiplier": multiplier.at(first).pointer,
                            "shift": shift.at(first).pointer,
                            "out": result.moved(first * result.strides[2]).pointer,
                        },
                        numbers={
                            **self.spatial_numbers(image, result),
                            **output_numbers(self),
                            "out_channels": channels,
                        },
                    )
                )
        return made


@irdl_op_definition
class DepthwiseStage(_Convolution):
    """Weights are ``[kernel_h, kernel_w, channels * channel_multiplier]``."""

    name = "stages.depthwise"

    def filter(self) -> tuple[int, int]:
        kernel_h, kernel_w, _ = shape_of(self.weights)
        return kernel_h, kernel_w

    def cut(self, box: Box) -> Cut:
        (rows, columns), padding = self.spatial_cut(box)
        multiplier = shape_of(self.weights)[2] // shape_of(self.x)[3]
        if box.begin[3] % multiplier or box.end[3] % multiplier:
            raise CutError(
                f"channels {box.begin[3]} to {box.end[3]} cut the {multiplier} results of one"
            )
        x = Box(
            (box.begin[0], rows.first, columns.first, box.begin[3] // multiplier),
            (
                box.shape[0],
                rows.last - rows.first,
                columns.last - columns.first,
                box.shape[3] // multiplier,
            ),
        )
        weights = Box((0, 0, box.begin[3]), (*self.filter(), box.shape[3]))
        return Cut((x, weights, *along_channels(box, 3)), {"padding": padding})

    def macs(self) -> int:
        return prod(shape_of(self.result)) * prod(self.filter())

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, weights, bias, multiplier, shift = inputs
        kernel_h, kernel_w, out_channels = weights.shape
        channels = x.shape[3]
        kernel = DepthwiseConv2d(
            kernel_h, kernel_w, *self.steps(), out_channels // channels, rounding_of(self)
        )
        made = []
        for frame in range(x.shape[0]):
            image, result = self.first_tap(x.at(frame)), out.at(frame)
            made.append(
                KernelCall(
                    kernel,
                    pointers={
                        "x": image.pointer,
                        "w": weights.pointer,
                        "bias": bias.pointer,
                        "multiplier": multiplier.pointer,
                        "shift": shift.pointer,
                        "out": result.pointer,
                    },
                    numbers={
                        **self.spatial_numbers(image, result),
                        **output_numbers(self),
                        "channels": channels,
                        "w_tap": weights.strides[1],
                    },
                )
            )
        return made


@irdl_op_definition
class DenseStage(Stage):
    """``x[..., in]`` by weights ``[out, in]``: a 1x1 convolution along one row of vectors."""

    name = "stages.dense"
    x = operand_def(TensorType)
    weights = operand_def(TensorType)
    bias = operand_def(TensorType)
    multiplier = operand_def(TensorType)
    shift = operand_def(TensorType)
    zero_point = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    rounding = opt_prop_def(StringAttr)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def cut(self, box: Box) -> Cut:
        in_channels = shape_of(self.weights)[1]
        rank = len(shape_of(self.x))
        if rank != len(box.shape) or shape_of(self.x)[:-1] != shape_of(self.result)[:-1]:
            if Box.whole(shape_of(self.result)[:-1]) != Box(box.begin[:-1], box.shape[:-1]):
                raise CutError("its rows are not the operand's: cut output channels only")
            x = Box.whole(shape_of(self.x))
        else:
            x = Box((*box.begin[:-1], 0), (*box.shape[:-1], in_channels))
        weights = Box((box.begin[-1], 0), (box.shape[-1], in_channels))
        return Cut((x, weights, *along_channels(box, 3)))

    def needs_dense(self, operand: int) -> bool:
        return operand == 0

    def macs(self) -> int:
        return prod(shape_of(self.result)) * shape_of(self.weights)[1]

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, weights, bias, multiplier, shift = inputs
        out_channels, in_channels = weights.shape
        rows = prod(out.shape) // out_channels
        x, out = x.reshaped((rows, in_channels)), out.reshaped((rows, out_channels))
        return [
            KernelCall(
                Conv2d(1, 1, 1, 1, 1, 1, in_channels, rounding_of(self)),
                pointers={
                    "x": x.pointer,
                    "w": weights.pointer,
                    "bias": bias.pointer,
                    "multiplier": multiplier.pointer,
                    "shift": shift.pointer,
                    "out": out.pointer,
                },
                numbers={
                    **output_numbers(self),
                    "out_h": 1,
                    "out_w": rows,
                    "out_channels": out_channels,
                    "x_row": rows * in_channels,
                    "x_pixel": in_channels,
                    "out_row": rows * out_channels,
                    "out_pixel": out_channels,
                },
            )
        ]

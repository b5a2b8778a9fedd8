# SPDX-License-Identifier: Apache-2.0
"""Stages whose weights are packed for hand-written kernels.

``transforms/choose_kernels.py`` makes them, where weights allow it, of what computes the same from
plain weights. They are made of boxes that are cut already.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, TensorType
from xdsl.irdl import ParsePropInAttrDict, irdl_op_definition, operand_def, prop_def, traits_def
from xdsl.traits import Pure

from weft.dialects.stages.base import Stage, int_of, ints, shape_of
from weft.dialects.stages.box import Box, Cut, CutError
from weft.dialects.stages.conv import Windowed, output_numbers
from weft.kernels.base import KernelCall
from weft.kernels.conv2d_packed import Conv2dPacked
from weft.kernels.depthwise_packed import Depthwise3x3, DepthwisePacked
from weft.kernels.dot_packing import pair_count, stream_words
from weft.kernels.view import View

_WORD = 4


def runs_of(taps: Sequence[int], dilation_w: int, groups: int) -> tuple[int, int, int]:
    """How the taps ``[kernel_h, kernel_w, in_channels]`` of a window lie in memory: rows of runs,
    runs in a row, elements that lie next to each other."""
    kernel_h, kernel_w, in_channels = taps
    if dilation_w == 1 and groups == 1:
        return kernel_h, 1, kernel_w * in_channels
    return kernel_h, kernel_w, in_channels


def has_3x3_kernel(taps: Sequence[int], stride_w: int, dilation_w: int, out_w: int) -> bool:
    """Whether the kernel for 3x3 serves a depthwise window and the width of its result."""
    return tuple(taps) == (3, 3) and stride_w == dilation_w == 1 and out_w > 1


def _workspace(runs: Sequence[int], pixels: int) -> int:
    return min(pixels, 2) * pair_count(runs[0] * runs[1], runs[2]) * _WORD


@irdl_op_definition
class PackedConv2dStage(Windowed):
    """``conv2d``. ``window`` is ``[kernel_h, kernel_w, in / groups]``; ``packed`` holds the stream
    of every group, one after the other."""

    name = "stages.packed_conv2d"
    x = operand_def(TensorType)
    packed = operand_def(TensorType)
    window = prop_def(DenseArrayBase[I64])
    groups = prop_def(IntegerAttr[I64])
    zero_point = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])

    @property
    def kind(self) -> str:
        return "conv2d"

    def filter(self) -> tuple[int, int]:
        kernel_h, kernel_w, _ = ints(self.window)
        return kernel_h, kernel_w

    def cut(self, box: Box) -> Cut:
        raise CutError("packed weights are not cut")

    def macs(self) -> int:
        return prod(shape_of(self.result)) * prod(ints(self.window))

    def runs(self) -> tuple[int, int, int]:
        """See ``runs_of``."""
        return runs_of(ints(self.window), ints(self.dilation)[1], int_of(self.groups))

    def workspace_bytes(self) -> int:
        return _workspace(self.runs(), prod(shape_of(self.result)[1:3]))

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, packed, workspace = inputs
        runs_h, runs_w, run = self.runs()
        stride_h, stride_w, dilation_h, dilation_w = self.steps()
        in_channels = ints(self.window)[2]
        if run > in_channels and x.strides[2] != in_channels:
            raise AssertionError("a window of packed taps reads pixels that lie apart")
        groups = int_of(self.groups)
        channels = out.shape[3] // groups
        made = []
        for frame in range(x.shape[0]):
            image, result = self.first_tap(x.at(frame)), out.at(frame)
            for group in range(groups):
                stream = packed.moved(group * stream_words(channels, runs_h * runs_w, run))
                made.append(
                    KernelCall(
                        Conv2dPacked(),
                        pointers={
                            "x": image.moved(group * in_channels).pointer,
                            "packed": stream.pointer,
                            "workspace": workspace.pointer,
                            "out": result.moved(group * channels).pointer,
                        },
                        numbers={
                            **output_numbers(self),
                            "out_h": result.shape[0],
                            "out_w": result.shape[1],
                            "out_channels": channels,
                            "runs_h": runs_h,
                            "runs_w": runs_w,
                            "run": run,
                            "run_row": dilation_h * image.strides[0],
                            "run_tap": dilation_w * image.strides[1],
                            "x_down": stride_h * image.strides[0],
                            "x_right": stride_w * image.strides[1],
                            "out_row": result.strides[0],
                            "out_pixel": result.strides[1],
                        },
                    )
                )
        return made


@irdl_op_definition
class PackedDepthwiseStage(Windowed):
    """``depthwise`` with one result a channel. ``window`` is ``[kernel_h, kernel_w]``; which stream
    ``packed`` is follows from ``is_3x3``."""

    name = "stages.packed_depthwise"
    x = operand_def(TensorType)
    packed = operand_def(TensorType)
    window = prop_def(DenseArrayBase[I64])
    zero_point = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])

    @property
    def kind(self) -> str:
        return "depthwise"

    def filter(self) -> tuple[int, int]:
        kernel_h, kernel_w = ints(self.window)
        return kernel_h, kernel_w

    def cut(self, box: Box) -> Cut:
        raise CutError("packed weights are not cut")

    def macs(self) -> int:
        return prod(shape_of(self.result)) * prod(ints(self.window))

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, packed = inputs
        kernel_h, kernel_w = self.filter()
        stride_h, stride_w, dilation_h, dilation_w = self.steps()
        is_3x3 = has_3x3_kernel(self.filter(), stride_w, dilation_w, out.shape[2])
        made = []
        for frame in range(x.shape[0]):
            image, result = self.first_tap(x.at(frame)), out.at(frame)
            row, pixel = image.strides[:2]
            numbers = {
                **output_numbers(self),
                "out_h": result.shape[0],
                "out_w": result.shape[1],
                "channels": result.shape[2],
                "x_row": dilation_h * row,
                "x_down": stride_h * row,
                "out_row": result.strides[0],
                "out_pixel": result.strides[1],
            }
            if is_3x3:
                numbers |= {"x_pixel": pixel}
            else:
                numbers |= {
                    "kernel_h": kernel_h,
                    "kernel_w": kernel_w,
                    "x_tap": dilation_w * pixel,
                    "x_right": stride_w * pixel,
                }
            made.append(
                KernelCall(
                    Depthwise3x3() if is_3x3 else DepthwisePacked(),
                    {"x": image.pointer, "packed": packed.pointer, "out": result.pointer},
                    numbers,
                )
            )
        return made


@irdl_op_definition
class PackedDenseStage(Stage):
    """``dense``. The last axis of ``x`` has ``in_channels`` elements."""

    name = "stages.packed_dense"
    x = operand_def(TensorType)
    packed = operand_def(TensorType)
    in_channels = prop_def(IntegerAttr[I64])
    zero_point = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    @property
    def kind(self) -> str:
        return "dense"

    def cut(self, box: Box) -> Cut:
        raise CutError("packed weights are not cut")

    def needs_dense(self, operand: int) -> bool:
        return operand == 0

    def macs(self) -> int:
        return prod(shape_of(self.result)) * int_of(self.in_channels)

    def workspace_bytes(self) -> int:
        return _workspace((1, 1, int_of(self.in_channels)), prod(shape_of(self.result)[:-1]))

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, packed, workspace = inputs
        in_channels, out_channels = int_of(self.in_channels), out.shape[-1]
        rows = prod(out.shape) // out_channels
        out = out.reshaped((rows, out_channels))
        pointers = {
            "x": x.pointer,
            "packed": packed.pointer,
            "workspace": workspace.pointer,
            "out": out.pointer,
        }
        numbers = {
            **output_numbers(self),
            "out_h": 1,
            "out_w": rows,
            "out_channels": out_channels,
            "runs_h": 1,
            "runs_w": 1,
            "run": in_channels,
            "run_row": 0,
            "run_tap": 0,
            "x_down": 0,
            "x_right": in_channels,
            "out_row": 0,
            "out_pixel": out_channels,
        }
        return [KernelCall(Conv2dPacked(), pointers, numbers)]

# SPDX-License-Identifier: Apache-2.0
"""A stage cut over its input channels: int32 sums of some channels each, added, then requantised.

``transforms/split_inputs.py`` makes them of a convolution or a dense stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr, TensorType
from xdsl.irdl import (
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    traits_def,
)
from xdsl.traits import Pure

from weft.dialects.stages.base import Stage, int_of, rounding_of, shape_of
from weft.dialects.stages.box import Box, Cut, CutError
from weft.dialects.stages.conv import Windowed, along_channels, output_numbers
from weft.kernels.base import KernelCall
from weft.kernels.partial import AddPartial, PartialConv2d, Requantize
from weft.kernels.view import View, loops_of


@irdl_op_definition
class PartialConv2dStage(Windowed):
    """Sums over the channels of ``x`` from ``first_channel`` on, as many as the weights
    ``[out, kernel_h, kernel_w, in]`` have."""

    name = "stages.partial_conv2d"
    x = operand_def(TensorType)
    weights = operand_def(TensorType)
    first_channel = prop_def(IntegerAttr[I64])

    def filter(self) -> tuple[int, int]:
        _, kernel_h, kernel_w, _ = shape_of(self.weights)
        return kernel_h, kernel_w

    def cut(self, box: Box) -> Cut:
        _, *taps, in_channels = shape_of(self.weights)
        (rows, columns), padding = self.spatial_cut(box)
        x = Box(
            (box.begin[0], rows.first, columns.first, int_of(self.first_channel)),
            (box.shape[0], rows.last - rows.first, columns.last - columns.first, in_channels),
        )
        weights = Box((box.begin[3], 0, 0, 0), (box.shape[3], *taps, in_channels))
        return Cut((x, weights), {"padding": padding, "first_channel": 0})

    def macs(self) -> int:
        return prod(shape_of(self.result)) * prod(shape_of(self.weights)[1:])

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, weights = inputs
        out_channels, kernel_h, kernel_w, in_channels = weights.shape
        kernel = PartialConv2d(kernel_h, kernel_w, *self.steps(), in_channels)
        made = []
        for frame in range(x.shape[0]):
            image, result = self.first_tap(x.at(frame)), out.at(frame)
            image = image.moved(int_of(self.first_channel) * image.strides[2])
            made.append(
                KernelCall(
                    kernel,
                    {"x": image.pointer, "w": weights.pointer, "out": result.pointer},
                    {**self.spatial_numbers(image, result), "out_channels": out_channels},
                )
            )
        return made


@irdl_op_definition
class PartialDenseStage(Stage):
    """Sums over the inputs of ``x[..., in]`` from ``first_channel`` on, as many as the weights
    ``[out, in]`` have."""

    name = "stages.partial_dense"
    x = operand_def(TensorType)
    weights = operand_def(TensorType)
    first_channel = prop_def(IntegerAttr[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def cut(self, box: Box) -> Cut:
        in_channels = shape_of(self.weights)[1]
        shape = shape_of(self.x)
        if len(shape) != len(box.shape) or shape[:-1] != shape_of(self.result)[:-1]:
            raise CutError("its rows are not the operand's")
        x = Box((*box.begin[:-1], int_of(self.first_channel)), (*box.shape[:-1], in_channels))
        weights = Box((box.begin[-1], 0), (box.shape[-1], in_channels))
        return Cut((x, weights), {"first_channel": 0})

    def needs_dense(self, operand: int) -> bool:
        return operand == 0

    def macs(self) -> int:
        return prod(shape_of(self.result)) * shape_of(self.weights)[1]

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, weights = inputs
        out_channels, in_channels = weights.shape
        rows, pixel = prod(out.shape) // out_channels, x.shape[-1]
        x, out = x.reshaped((rows, pixel)), out.reshaped((rows, out_channels))
        numbers = {
            "out_h": 1,
            "out_w": rows,
            "out_channels": out_channels,
            "x_row": rows * pixel,
            "x_pixel": pixel,
            "out_row": rows * out_channels,
            "out_pixel": out_channels,
        }
        first = x.moved(int_of(self.first_channel))
        pointers = {"x": first.pointer, "w": weights.pointer, "out": out.pointer}
        return [KernelCall(PartialConv2d(1, 1, 1, 1, 1, 1, in_channels), pointers, numbers)]


@irdl_op_definition
class AddPartialStage(Stage):
    """Two sums over different channels, added."""

    name = "stages.add_partial"
    a = operand_def(TensorType)
    b = operand_def(TensorType)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def cut(self, box: Box) -> Cut:
        return Cut((box, box))

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        return [
            KernelCall(
                AddPartial(),
                {"a": a.pointer, "b": b.pointer, "out": result.pointer},
                _numbers(result, a=a, b=b, out=result),
            )
            for a, b, result in loops_of([*inputs, out], 3, inner=True)
        ]


@irdl_op_definition
class RequantizeStage(Stage):
    """int8 results of whole sums: bias, multiplier and shift a channel, zero point and limits."""

    name = "stages.requantize"
    x = operand_def(TensorType)
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
        return Cut((box, *along_channels(box, 3)))

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, bias, multiplier, shift = inputs
        made = []
        for part, result in _rows_of_channels(x, out):
            pointers = {
                "x": part.pointer,
                "bias": bias.pointer,
                "multiplier": multiplier.pointer,
                "shift": shift.pointer,
                "out": result.pointer,
            }
            numbers = {**_numbers(result, x=part, out=result), **output_numbers(self)}
            made.append(KernelCall(Requantize(rounding_of(self)), pointers, numbers))
        return made


def _rows_of_channels(x: View, out: View) -> list[tuple[View, View]]:
    """Three axes each, the last one the channels."""
    missing = max(0, 3 - len(x.shape))
    padded = [
        View(v.base, v.offset, (1,) * missing + v.shape, (0,) * missing + v.strides, v.dtype)
        for v in (x, out)
    ]
    pairs = [(padded[0], padded[1])]
    while len(pairs[0][0].shape) > 3:
        pairs = [(a.at(i), b.at(i)) for a, b in pairs for i in range(a.shape[0])]
    return pairs


def _numbers(result: View, **operands: View) -> dict[str, int]:
    numbers = {f"extent{axis}": extent for axis, extent in enumerate(result.shape)}
    for name, view in operands.items():
        numbers |= {f"{name}_stride{axis}": view.strides[axis] for axis in range(2)}
    return numbers

# SPDX-License-Identifier: Apache-2.0
"""Stages whose sums a device computes; the core makes results of them.

``transforms/choose_devices.py`` makes them of stages with weights. They are made of boxes that are
cut already. ``parts`` says where the reduction is cut so that no accumulator overflows: pairs of
first and last along ``axis``, 1 for rows of the window, 3 for input channels. ``packed`` holds the
weights of every part of every group, in the device's order; ``channels`` what
``weft.kernels.requantize_sums`` says.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, StringAttr, TensorType
from xdsl.irdl import ParsePropInAttrDict, irdl_op_definition, operand_def, prop_def, traits_def
from xdsl.traits import Pure

from weft.devices.layer import Layer
from weft.dialects.stages.base import Stage, int_of, ints, shape_of
from weft.dialects.stages.box import Box, Cut, CutError
from weft.dialects.stages.conv import Windowed
from weft.kernels.base import KernelCall
from weft.kernels.view import View


@dataclass(frozen=True)
class Geometry:
    """Where a layer lies: its first tap and first result; strides in elements, which are bytes."""

    layer: Layer
    x: View
    x_row: int
    x_pixel: int
    out: View
    out_row: int
    out_pixel: int


class DeviceStage(Stage):
    """What both kinds share: numbers of the result, and which of the PE's devices it is for.

    ``scaling`` is ``doubled``, ``twice`` or ``float``: which kernel makes results of sums.
    """

    x = operand_def(TensorType)
    packed = operand_def(TensorType)
    channels = operand_def(TensorType)
    stage_kind = prop_def(StringAttr)
    device = prop_def(IntegerAttr[I64])
    axis = prop_def(IntegerAttr[I64])
    parts = prop_def(DenseArrayBase[I64])
    scaling = prop_def(StringAttr)
    zero_point = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])

    @property
    def kind(self) -> str:
        return str(self.stage_kind.data)

    def cut(self, box: Box) -> Cut:
        raise CutError("what is for a device is not cut any further")

    def calls(self, inputs: list[View], out: View) -> list[KernelCall]:  # type: ignore[override]
        raise AssertionError("a device's jobs are made by weft.transforms.device_jobs")

    def part_pairs(self) -> list[tuple[int, int]]:
        """Where the reduction is cut."""
        ends = ints(self.parts)
        return list(zip(ends[::2], ends[1::2], strict=True))

    @abstractmethod
    def geometries(self, x: View, out: View) -> list[Geometry]:
        """One for every image and every group, in the order in which ``packed`` has the groups'
        weights for each image."""


@irdl_op_definition
class DeviceConv2dStage(Windowed, DeviceStage):
    """``conv2d`` or ``depthwise``. ``window`` is ``[kernel_h, kernel_w, channels of a tap]``."""

    name = "stages.device_conv2d"
    window = prop_def(DenseArrayBase[I64])
    groups = prop_def(IntegerAttr[I64])

    def filter(self) -> tuple[int, int]:
        kernel_h, kernel_w, _ = ints(self.window)
        return kernel_h, kernel_w

    def macs(self) -> int:
        return prod(shape_of(self.result)) * prod(ints(self.window))

    def geometries(self, x: View, out: View) -> list[Geometry]:
        kernel_h, kernel_w, channels = ints(self.window)
        groups = int_of(self.groups)
        per_group = out.shape[3] // groups
        found = []
        for frame in range(x.shape[0]):
            image, result = self.first_tap(x.at(frame)), out.at(frame)
            for group in range(groups):
                layer = Layer(
                    self.kind,
                    result.shape[0],
                    result.shape[1],
                    per_group,
                    kernel_h,
                    kernel_w,
                    channels,
                    *self.steps(),
                    int_of(self.in_zero_point),
                )
                found.append(
                    Geometry(
                        layer,
                        image.moved(group * channels),
                        image.strides[0],
                        image.strides[1],
                        result.moved(group * per_group),
                        result.strides[0],
                        result.strides[1],
                    )
                )
        return found


@irdl_op_definition
class DeviceDenseStage(DeviceStage):
    """``dense``. The last axis of ``x`` has ``in_channels`` elements, whose zero point no device
    needs to subtract: it is in the bias."""

    name = "stages.device_dense"
    in_channels = prop_def(IntegerAttr[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def needs_dense(self, operand: int) -> bool:
        return operand == 0

    def macs(self) -> int:
        return prod(shape_of(self.result)) * int_of(self.in_channels)

    def geometries(self, x: View, out: View) -> list[Geometry]:
        in_channels, out_channels = int_of(self.in_channels), out.shape[-1]
        rows = prod(out.shape) // out_channels
        layer = Layer("dense", 1, rows, out_channels, 1, 1, in_channels)
        result = out.reshaped((rows, out_channels))
        return [Geometry(layer, x, 0, in_channels, result, 0, out_channels)]

# SPDX-License-Identifier: Apache-2.0
"""What a device is asked to compute, in plain numbers: the raw sums of a layer, part by part."""

from __future__ import annotations

from dataclasses import dataclass

#: The kinds of layers that a device can be asked for.
KINDS = ("conv2d", "depthwise", "dense")


@dataclass(frozen=True)
class Layer:
    """A layer with weights, or one group of it: every result is the sum over a window.

    ``kind`` is ``conv2d``, ``depthwise`` or ``dense``; a dense layer is a convolution with a window
    of 1x1 along a row. ``channels`` are the input channels of a tap; 1 for ``depthwise``, whose
    input channel is that of the result. ``x_zero_point`` is what every operand has in place of 0.
    """

    kind: str
    out_h: int
    out_w: int
    out_channels: int
    kernel_h: int
    kernel_w: int
    channels: int
    stride_h: int = 1
    stride_w: int = 1
    dilation_h: int = 1
    dilation_w: int = 1
    x_zero_point: int = 0

    @property
    def macs(self) -> int:
        """Products a frame."""
        return self.out_h * self.out_w * self.out_channels * self.window

    @property
    def window(self) -> int:
        """Products of a result."""
        return self.kernel_h * self.kernel_w * self.channels


@dataclass(frozen=True)
class Part:
    """What one job computes: ``out_h`` x ``out_w`` pixels of ``out_channels`` channels, of
    ``kernel_h`` rows of the window, of ``channels`` input channels.

    Distances are in bytes: ``x_row`` and ``x_pixel`` from one element of the (int8) operand to that
    below and that to the right, ``out_row`` and ``out_pixel`` from one int32 sum to the same.
    """

    out_h: int
    out_w: int
    out_channels: int
    kernel_h: int
    channels: int
    x_row: int
    x_pixel: int
    out_row: int
    out_pixel: int

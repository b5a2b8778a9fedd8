# SPDX-License-Identifier: Apache-2.0
"""What the array takes of a network, and how that becomes jobs for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.devices.layer import Layer, Part

from .timing import CHANNELS, DEPTHWISE, PIXELS, cycles
from .weights import pack

__all__ = ["CHANNELS", "KINDS", "PIXELS", "X_ALIGNMENT", "cycles", "numbers", "pack", "refuse"]

#: The kinds of layers whose sums it computes.
KINDS = ("conv2d", "depthwise", "dense")
#: Operands may lie anywhere.
X_ALIGNMENT = 1


def refuse(layer: Layer, options: Mapping[str, Any]) -> str | None:
    """Why the array does not take a layer; None if it does. It takes all of its kinds."""
    return None


def numbers(layer: Layer, part: Part, options: Mapping[str, Any]) -> dict[str, int]:
    """The numbers of a ``weft_mac_array_job_t``."""
    return {
        "flags": DEPTHWISE if layer.kind == "depthwise" else 0,
        "out_h": part.out_h,
        "out_w": part.out_w,
        "out_channels": part.out_channels,
        "kernel_h": part.kernel_h,
        "kernel_w": layer.kernel_w,
        "channels": part.channels,
        "x_down": layer.stride_h * part.x_row,
        "x_right": layer.stride_w * part.x_pixel,
        "tap_down": layer.dilation_h * part.x_row,
        "tap_right": layer.dilation_w * part.x_pixel,
        "out_down": part.out_row,
        "out_right": part.out_pixel,
        "x_zero_point": layer.x_zero_point if options["subtracts_zero_points"] else 0,
        "shift": 0,
        "out_bits": 32,
    }

# SPDX-License-Identifier: Apache-2.0
"""Convolution and dense layers on packed weights."""

from __future__ import annotations

from dataclasses import dataclass

from weft.kernels.hand_written import HandWritten


@dataclass(frozen=True)
class Conv2dPacked(HandWritten):
    """What ``Conv2d`` computes, for any window: ``runs_h`` times ``runs_w`` runs of ``run``
    elements. ``packed`` is of ``dot_packing``."""

    pointers = ("x", "packed", "workspace", "out")
    dtypes = ("int8", "int32", "int32", "int8")
    numbers = (
        *("out_h", "out_w", "out_channels", "runs_h", "runs_w", "run", "run_row", "run_tap"),
        *("x_down", "x_right", "out_row", "out_pixel", "zero_point", "low", "high"),
    )
    outputs = ("workspace", "out")
    sources = ("conv2d_packed.c", "dot.c", "limits.c")
    family = "conv2d_packed"
    name = "weft_conv2d_packed_s8"
    summary = "Convolution on packed weights, two pixels by four channels at a time."

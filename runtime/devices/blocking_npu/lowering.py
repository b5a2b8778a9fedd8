# SPDX-License-Identifier: Apache-2.0
"""What the NPU takes of a network: dense layers, as matrix products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from weft.devices.layer import Layer, Part

__all__ = ["CHANNELS", "KINDS", "PIXELS", "cycles", "numbers", "pack", "refuse"]

KINDS = ("dense",)
#: Rows and columns of any number are as good as any other.
CHANNELS = 1
PIXELS = 1
# Of the wrapper.
_ALIGNMENT = 4
_MOST = 65535


def refuse(layer: Layer, options: Mapping[str, Any]) -> str | None:
    """Why it does not take a layer; None if it does."""
    if layer.channels % _ALIGNMENT:
        return f"takes rows of a multiple of {_ALIGNMENT} elements, not {layer.channels}"
    if max(layer.channels, layer.out_channels, layer.out_w) > _MOST:
        return f"takes extents of {_MOST} at most"
    return None


def pack(weights: np.ndarray[Any, Any]) -> bytes:
    """A row of the matrix for each output channel."""
    return weights.tobytes()


def numbers(layer: Layer, part: Part, options: Mapping[str, Any]) -> dict[str, int]:
    """The numbers of a ``weft_blocking_npu_job_t``."""
    return {
        "rows": part.out_h * part.out_w,
        "columns": part.out_channels,
        "depth": part.channels,
    }


def cycles(
    numbers: Mapping[str, int], timing: Mapping[str, int], options: Mapping[str, Any]
) -> int:
    """How long the wrapper blocks, in cycles of the PE's clock."""
    macs = numbers["rows"] * numbers["columns"] * numbers["depth"]
    return timing["call_cycles"] + -(-macs // timing["macs_per_cycle"])

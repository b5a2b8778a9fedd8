# SPDX-License-Identifier: Apache-2.0
"""How integer sums become int8: the two ways, one of each contract, as a constant of a kernel.

``twice`` is TensorFlow Lite Micro's: fixed point, rounded after the multiplication and after the
shift. ``float`` is ONNX Runtime's: the sum as a float32 times a float32, rounded once, ties to
even. Both take the factor as a multiplier and a shift (``weft/arith.h``, ``weft/arith_float.h``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ROUNDINGS = ("twice", "float")


def suffix(rounding: str) -> str:
    """What a kernel's name ends in."""
    return "" if rounding == "twice" else f"_{rounding}"


def requantizer(rounding: str) -> Callable[..., Any]:
    """The function of ``weft.kernels.requantize`` that ends a kernel."""
    from weft.kernels.requantize import requantize_s8, rescale_s8

    return {"twice": requantize_s8, "float": rescale_s8}[rounding]

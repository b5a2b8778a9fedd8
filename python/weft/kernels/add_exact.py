# SPDX-License-Identifier: Apache-2.0
"""Addition where one operand comes to the common grid by a shift, as TFLite's always does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weft.kernels.hand_written import HandWritten

_HALF = (1 << 30, 0)
_LEAST_SHIFT, _MOST_SHIFT = 2, 31


@dataclass(frozen=True)
class AddExact(HandWritten):
    """What ``Add`` computes of operands that both vary along the last axis; ``exact`` is one whose
    multiplier is one half."""

    pointers = ("exact", "other", "out")
    dtypes = ("int8", "int8", "int8")
    numbers = (
        *("extent0", "extent1", "extent2", "extent3"),
        *(f"{name}_stride{axis}" for name in ("exact", "other", "out") for axis in range(3)),
        *("exact_zero_point", "other_zero_point", "other_multiplier", "other_shift"),
        *("out_zero_point", "out_multiplier", "out_shift", "low", "high"),
    )
    outputs = ("out",)
    sources = ("add.c", "limits.c")
    family = "add_exact"
    name = "weft_add_s8"
    summary = "Element-wise add; one operand needs no multiplication."


def exact_operand(numbers: Mapping[str, int]) -> str | None:
    """Which operand, ``a`` or ``b``, is the exact one; None if the kernel cannot compute this."""
    if not _LEAST_SHIFT <= -numbers["out_shift"] <= _MOST_SHIFT:
        return None
    for exact, other in (("a", "b"), ("b", "a")):
        scale = numbers[f"{other}_multiplier"], numbers[f"{other}_shift"]
        is_exact = (numbers[f"{exact}_multiplier"], numbers[f"{exact}_shift"]) == _HALF
        if is_exact and (scale == _HALF or 1 <= -scale[1] <= _MOST_SHIFT):
            return exact
    return None

# SPDX-License-Identifier: Apache-2.0
"""Copies of elements that lie next to each other, whatever their type."""

from __future__ import annotations

from dataclasses import dataclass

from weft.kernels.hand_written import HandWritten


@dataclass(frozen=True)
class CopyRows(HandWritten):
    """What ``Copy`` does where the last axis has no gaps: ``bytes`` in a row, strides in bytes."""

    pointers = ("x", "out")
    dtypes = ("int8", "int8")
    numbers = (
        *("extent0", "extent1", "extent2", "bytes"),
        *(f"{operand}_stride{axis}" for operand in ("x", "out") for axis in range(3)),
    )
    outputs = ("out",)
    sources = ("copy.c",)
    family = "copy_rows"
    name = "weft_copy_rows"
    summary = "Copy of rows without gaps."

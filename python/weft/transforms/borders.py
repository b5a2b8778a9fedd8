# SPDX-License-Identifier: Apache-2.0
"""Tensors with a border in memory, and the calls that fill it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from weft.dialects.stages.base import Border
from weft.dialects.stages.movement import fill_calls
from weft.kernels.base import KernelCall
from weft.kernels.view import View, contiguous_strides


def with_border(shape: Sequence[int], dtype: str, border: Border | None) -> tuple[View, int]:
    """A view of a tensor with room for ``border`` around it, without a base; its bytes in all.

    What lies between two rows is the border to the right of one and to the left of the next.
    """
    shape = tuple(shape)
    strides, offset, size = contiguous_strides(shape), 0, prod(shape)
    if border is not None:
        n, height, width, channels = shape
        row = (width + max(border.left, border.right)) * channels
        head = border.top * row + border.left * channels
        tail = border.right * channels + border.bottom * row
        image = head + (height - 1) * row + width * channels + tail
        strides, offset, size = (image, row, channels, 1), head, n * image
    view = View(None, offset, shape, strides, dtype)
    return view, max(1, size) * view.item_bytes


def fill_border(view: View, border: Border) -> list[KernelCall]:
    """Sets the border of every image of an int8 NHWC tensor."""
    _, height, width, channels = view.shape
    row = view.strides[1]
    # Rows above, then what lies between the end of one row and the start of the next, rows
    # below: all of it is one run of bytes but for the tensor itself.
    head = border.top * row + border.left * channels
    gap = row - width * channels
    tail = border.right * channels + border.bottom * row
    runs = (
        (-head, 1, head),
        (width * channels, height - 1, gap),
        ((height - 1) * row + width * channels, 1, tail),
    )
    made: list[KernelCall] = []
    for image in range(view.shape[0]):
        for start, rows, columns in runs:
            if rows > 0 and columns > 0:
                at = view.offset + image * view.strides[0] + start
                made += fill_calls(
                    View(view.base, at, (rows, columns), (row, 1), "int8"), border.value
                )
    return made

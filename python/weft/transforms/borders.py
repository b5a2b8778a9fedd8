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
    gap = row - width * channels
    above = border.top * row + border.left * channels
    below = border.right * channels + border.bottom * row
    behind = (height - 1) * row + width * channels
    # The first run's place, how many there are, from one to the next, bytes of each.
    if above == below:  # of which what is next to the tensor is like a gap between rows
        runs = [(-above, 2, above + behind + gap, above - gap), (-gap, height + 1, row, gap)]
    else:
        runs = [
            (-above, 1, row, above),
            (width * channels, height - 1, row, gap),
            (behind, 1, row, below),
        ]
    made: list[KernelCall] = []
    for image in range(view.shape[0]):
        for start, count, step, run in runs:
            if count > 0 and run > 0:
                at = view.offset + image * view.strides[0] + start
                made += fill_calls(
                    View(view.base, at, (count, run), (step, 1), "int8"), border.value
                )
    return made

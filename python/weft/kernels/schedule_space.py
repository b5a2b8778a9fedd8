# SPDX-License-Identifier: Apache-2.0
"""What may be decided about the loops of a generated kernel, and the schedule that decisions make.

Extents are arguments of kernels, so a schedule must do for all of them: blocks of results have a
guarded rest, and what is written out in full divides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from weft.kernels.base import Kernel, TensorKernel
from weft.kernels.conv2d import Conv2d
from weft.kernels.depthwise import DepthwiseConv2d

if TYPE_CHECKING:
    from tvm.s_tir import Schedule

#: Decisions by name: ``pixels`` of a row and ``channels`` that are computed at once, of each of
#: which a register holds the sum; ``window``, how many of its axes are written out, columns first;
#: ``unroll``, how many input channels are.
Decisions = Mapping[str, int]

_BLOCKS = (1, 2, 4)
_UNROLLED = (1, 2, 4, 8)
# A Cortex-M has some dozen registers for sums, operands and addresses; and code costs memory.
_MOST_SUMS = 8
_MOST_PRODUCTS = 32


def space_of(kernel: Kernel) -> Mapping[str, tuple[int, ...]]:
    """The options of every decision about a kernel; none for one that has nothing to decide."""
    if not isinstance(kernel, Conv2d | DepthwiseConv2d):
        return {}
    options: dict[str, tuple[int, ...]] = {"pixels": _BLOCKS, "channels": _BLOCKS}
    if kernel.kernel_h * kernel.kernel_w > 1:
        options["window"] = (0, 1, 2)
    if isinstance(kernel, Conv2d):
        options["unroll"] = tuple(n for n in _UNROLLED if kernel.in_channels % n == 0)
    return options


def choices(kernel: Kernel) -> Iterator[Decisions]:
    """All decisions that make sense together, in a fixed order."""
    options = space_of(kernel)
    for values in product(*options.values()):
        decisions = dict(zip(options, values, strict=True))
        if options and _is_sensible(kernel, decisions):
            yield decisions


def _is_sensible(kernel: Kernel, decisions: Decisions) -> bool:
    assert isinstance(kernel, Conv2d | DepthwiseConv2d)
    sums = decisions["pixels"] * decisions["channels"]
    taps = (1, kernel.kernel_w, kernel.kernel_w * kernel.kernel_h)[decisions.get("window", 0)]
    return sums <= _MOST_SUMS and sums * taps * decisions.get("unroll", 1) <= _MOST_PRODUCTS


def apply(kernel: Kernel, sch: Schedule, decisions: Decisions) -> None:
    """Schedules a kernel as decided. The decisions are some of ``choices``."""
    assert isinstance(kernel, TensorKernel)
    pixels, channels = decisions["pixels"], decisions["channels"]
    accumulate: Any = sch.get_sblock("accumulate")
    requantize: Any = sch.get_sblock("requantize")
    # Sums of a block by their place in it: TVM cannot bound the memory of a guarded block else.
    sch.transform_layout(
        accumulate,
        ("write", 0),
        lambda i, j, c, *rest: (i, j // pixels, c // channels, *rest, j % pixels, c % channels),
        assume_injective_transform=True,
    )
    _, column, channel, *inner = sch.get_loops(accumulate)
    pixel_block, pixel = sch.split(column, [None, pixels])
    channel_block, part = sch.split(channel, [None, channels])
    *results, filter_row, filter_column = inner[: len(inner) - isinstance(kernel, Conv2d)]
    reduction = [filter_row, filter_column]
    unrolled: list[Any] = []
    if isinstance(kernel, Conv2d):
        depth, step = sch.split(inner[-1], [None, decisions["unroll"]])
        reduction.append(depth)
        unrolled.append(step)
    sch.reorder(pixel_block, channel_block, *results, *reduction, *unrolled, pixel, part)
    last = [pixel_block, channel_block, *results][-1]
    sch.reverse_compute_at(requantize, last)
    first = sch.decompose_reduction(accumulate, filter_row)
    for loop in (pixel_block, channel_block):
        # The blocks that are whole get loops of their own, without guards.
        sch.annotate(loop, "pragma_loop_partition_hint", True)
    around = 3 + len(results)
    for block in (first, requantize):
        for loop in sch.get_loops(block)[around:]:
            sch.unroll(loop)
    written_out = [filter_column, filter_row][: decisions.get("window", 0)]
    for loop in [*written_out, *unrolled, pixel, part]:
        sch.unroll(loop)

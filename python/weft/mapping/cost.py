# SPDX-License-Identifier: Apache-2.0
"""What computing a box of a stage costs a PE: cycles, bytes by section, the boxes that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

from weft.dialects.stages import Constant, Stage
from weft.dialects.stages.base import dtype_of, shape_of
from weft.dialects.stages.box import Box
from weft.kernels.view import ITEM_BYTES
from weft.machines.model import CostData, PeClass
from weft.mapping.weights import room_for_weights

#: Messages that a box takes of the PE that sends it to another, itself and the word that it is
#: there; and of the PE that reads it, the word that it was consumed.
MESSAGES_TO_SEND, MESSAGES_TO_RETURN = 2, 1


@dataclass(frozen=True)
class ShardCost:
    """``cycles`` of the PE's clock a frame; the rest in bytes. ``inputs`` has the operand's number
    and box of every operand that is no constant. ``streamed_bytes`` is room for weights that come
    from DRAM, while the box is computed."""

    cycles: int
    macs: int
    constants_bytes: int
    input_bytes: int
    output_bytes: int
    inputs: tuple[tuple[int, Box], ...]
    streamed_bytes: int = 0

    @property
    def memory_bytes(self) -> int:
        """What it takes of a PE, slots for two frames included."""
        weights = self.constants_bytes + self.streamed_bytes
        return weights + 2 * self.input_bytes + self.output_bytes


def _macs(stage: Stage, count: int) -> int:
    return ceil(stage.macs() * count / prod(shape_of(stage.result)))


def cycles_for(stage: Stage, count: int, pe_class: PeClass) -> int:
    """What computing ``count`` elements of a stage's result takes at least, wherever they lie. More
    elements never take fewer cycles."""
    channels = _channels(shape_of(stage.result))
    return ceil(work_cycles(stage, count, channels, pe_class.cost) + pe_class.cost.firing)


def _channels(shape: Sequence[int]) -> int:
    return shape[-1] if shape else 1


def work_cycles(stage: Stage, count: int, channels: int, data: CostData) -> float:
    """What ``count`` elements take, of which ``channels`` are of one pixel, as one task of a
    firing: the firing as such and messages come on top."""
    if stage.is_view:
        return 0.0
    kind, macs, pixels = stage.kind, _macs(stage, count), count / channels
    inner = macs * data.per_mac(kind)
    if macs == 0:
        inner = count * stage.taps() * data.per_tap(kind)
    windows = macs / channels * data.windows.get(kind, 0.0)
    outside = count * data.per_element(kind) + pixels * data.pixels.get(kind, 0.0)
    return inner + windows + outside + data.task


def cost(stage: Stage, box: Box, pe_class: PeClass) -> ShardCost:
    """The cost of one box of a stage's result on a PE of that class.

    Cycles follow the cost data of the machine file: multiply-accumulates by the kind of stage, or
    the elements that it looks at, every element of the result, its pixels and their windows, the
    task and the firing itself. Raises ``CutError`` if the stage cannot compute the box on its own.
    """
    data = pe_class.cost
    constants_bytes = input_bytes = streamed_bytes = 0
    inputs = []
    cut = stage.cut(box)
    for index, (value, part) in enumerate(zip(stage.operands, cut.operands, strict=True)):
        if part is None:
            continue
        size = part.size * ITEM_BYTES[dtype_of(value.type)]
        if isinstance(value.owner, Constant):
            room = room_for_weights(stage, index, size, pe_class)
            constants_bytes += size if room is None else 0
            streamed_bytes += room or 0
        else:
            input_bytes += size
            inputs.append((index, part))
    return ShardCost(
        ceil(work_cycles(stage, box.size, _channels(box.shape), data) + data.firing),
        _macs(stage, box.size),
        constants_bytes,
        input_bytes,
        box.size * ITEM_BYTES[dtype_of(stage.result.type)],
        tuple(inputs),
        streamed_bytes,
    )


class Costs:
    """``cost``, which answers the same question again at once."""

    def __init__(self) -> None:
        self.known: dict[tuple[Stage, Box, str], ShardCost] = {}

    def of(self, stage: Stage, box: Box, pe_class: PeClass) -> ShardCost:
        key = stage, box, pe_class.name
        if key not in self.known:
            self.known[key] = cost(stage, box, pe_class)
        return self.known[key]

    def work(self, stage: Stage, box: Box, pe_class: PeClass) -> float:
        """The cycles of a box that a PE computes beside others in one firing."""
        return self.of(stage, box, pe_class).cycles - pe_class.cost.firing

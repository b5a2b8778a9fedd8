# SPDX-License-Identifier: Apache-2.0
"""Weights of a device's layer, cut into chunks of output channels that come from DRAM in turn.

A chunk is a layer of its own, of fewer channels: all its tiles are computed while its weights are
there, so each is loaded once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd

from weft.devices.accelerator import Accelerator
from weft.dialects.stages.base import int_of, ints, shape_of
from weft.dialects.stages.device import DeviceConv2dStage, DeviceStage
from weft.kernels.requantize_sums import CHANNEL_WORDS
from weft.kernels.view import Pointer, View
from weft.mapping.weights import CHUNK_BYTES
from weft.transforms.device_jobs import Division, LayerJobs

#: Bytes for the weights of two chunks: where the fewest channels take more, there is room for one.
MOST_ROOM = 64 << 10


def has_chunks(stage: DeviceStage, device: Accelerator, alignment: int) -> bool:
    """Whether chunks of a stage's weights begin where another device can copy from, which copies
    multiples of ``alignment`` bytes."""
    groups, taps = 1, [1, 1, 0]
    if isinstance(stage, DeviceConv2dStage):
        groups, taps = int_of(stage.groups), list(ints(stage.window))
    parts = stage.part_pairs()
    if groups == len(parts) == 1:
        return True  # as many blocks make a chunk as it takes
    per_group = shape_of(stage.result)[-1] // groups
    for first, last in parts:
        taps[int_of(stage.axis) - 1] = last - first
        sizes = (device.packed_bytes(n, *taps) for n in (device.channels, per_group))
        if any(size % alignment for size in sizes):
            return False
    return True


@dataclass(frozen=True)
class Chunk:
    """``channels`` output channels of a layer, from ``first`` on. ``division`` is how it is cut
    into tiles, where that is known from another chunk."""

    whole: LayerJobs
    first: int
    channels: int
    alignment: int
    division: Division | None = None

    def jobs_in(self, room: View) -> LayerJobs:
        """Its jobs, when its weights are in ``room``."""
        geometry, layer = self.whole.geometry, self.whole.layer
        is_depthwise = layer.kind == "depthwise"
        return LayerJobs(
            self.whole.stage,
            replace(
                geometry,
                layer=replace(layer, out_channels=self.channels),
                x=geometry.x.moved(self.first) if is_depthwise else geometry.x,
                out=geometry.out.moved(self.first),
            ),
            room,
            self.whole.channels.moved(self.first * CHANNEL_WORDS),
            self.whole.device,
            self.whole.cost,
            self.division,
        )

    @property
    def bytes(self) -> int:
        """What its weights take."""
        parts = range(len(self.whole.parts))
        return sum(self._part_bytes(part) for part in parts)

    def copies(self, jobs: LayerJobs) -> Iterator[tuple[Pointer, Pointer, int]]:
        """From where, to where and how many bytes: what brings its weights to where ``jobs`` read
        them."""
        for part in range(len(self.whole.parts)):
            source = self.whole.packed.moved(self.whole.packed_at(part, self.first))
            target = jobs.packed.moved(jobs.packed_at(part, 0))
            yield source.pointer, target.pointer, self._part_bytes(part)

    def _part_bytes(self, index: int) -> int:
        """Of a part's weights, as copies take them."""
        size = self.whole.part_bytes(index, self.channels)
        return -(-size // self.alignment) * self.alignment


def chunks_of(jobs: LayerJobs, alignment: int) -> list[Chunk]:
    """The chunks of a layer, each of as many channels as ``CHUNK_BYTES`` allow."""
    total = jobs.layer.out_channels
    blocks = [jobs.part_bytes(part, jobs.device.channels) for part in range(len(jobs.parts))]
    least = alignment // gcd(alignment, *blocks)  # blocks, for a whole number of words
    count = max(1, CHUNK_BYTES // (least * sum(blocks))) * least
    size = count * jobs.device.channels
    divisions: dict[int, Division] = {}
    chunks = []
    for first in range(0, total, size):
        chunk = Chunk(jobs, first, min(size, total - first), alignment)
        if chunk.channels not in divisions:
            divisions[chunk.channels] = chunk.jobs_in(jobs.packed).division
        chunks.append(replace(chunk, division=divisions[chunk.channels]))
    return chunks

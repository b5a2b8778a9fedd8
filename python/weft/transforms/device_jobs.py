# SPDX-License-Identifier: Apache-2.0
"""How a layer becomes jobs for a device and work for the core: tiles, whose sums the core makes
results of while the device computes the next ones.

Sums of two tiles have room. Which tiles are best is found by going through the time of each
division, with what jobs cost on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, prod

from weft.devices.accelerator import Accelerator
from weft.devices.layer import Layer, Part
from weft.dialects.stages.base import int_of
from weft.dialects.stages.conv import output_numbers
from weft.dialects.stages.device import DeviceStage, Geometry
from weft.kernels.base import KernelCall
from weft.kernels.device import Await, DeviceLaunch, Launch
from weft.kernels.requantize_sums import CHANNEL_WORDS, RequantizeSums, RescaleSums
from weft.kernels.view import View
from weft.machines.model import CostData

#: Tiles whose sums have room at a time: one is computed while the other is requantised.
BUFFERS = 2
# Sums of a tile at most, in bytes: more would hardly be faster.
_MOST_SUMS = 8 << 10
_SUM_BYTES = 4
# Divisions of an axis that are looked at.
_MOST_TILES = 64


@dataclass(frozen=True)
class Tile:
    """A box of a layer's result."""

    y: int
    x: int
    c: int
    h: int
    w: int
    n: int

    @property
    def elements(self) -> int:
        return self.h * self.w * self.n


def _pieces(extent: int, size: int) -> list[tuple[int, int]]:
    return [(at, min(size, extent - at)) for at in range(0, extent, size)]


@dataclass(frozen=True)
class Division:
    """A layer cut into tiles of ``h`` rows of ``w`` pixels of ``n`` channels; less at the end."""

    layer: Layer
    h: int
    w: int
    n: int

    @property
    def elements(self) -> int:
        """Of a whole tile."""
        return self.h * self.w * self.n

    def tiles(self) -> Iterator[Tile]:
        """In the order in which results lie, all channels of some pixels first."""
        for y, h in _pieces(self.layer.out_h, self.h):
            for x, w in _pieces(self.layer.out_w, self.w):
                for c, n in _pieces(self.layer.out_channels, self.n):
                    yield Tile(y, x, c, h, w, n)


def _sizes(extent: int, unit: int) -> list[int]:
    """Sizes of tiles along an axis, multiples of ``unit`` or all of it."""
    counts = range(1, min(_MOST_TILES, ceil(extent / unit)) + 1)
    return sorted({min(extent, ceil(ceil(extent / n) / unit) * unit) for n in counts})


def _divisions(layer: Layer, device: Accelerator, parts: int) -> Iterator[Division]:
    room = _MOST_SUMS // (_SUM_BYTES * parts)
    for n in _sizes(layer.out_channels, device.channels):
        for h in _sizes(layer.out_h, 1):
            if h * layer.out_w * n <= room:
                yield Division(layer, h, layer.out_w, n)
        if layer.out_w * n > room or layer.out_h == 1:
            for w in _sizes(layer.out_w, device.pixels):
                if w * n <= room:
                    yield Division(layer, 1, w, n)


def overlapped_cycles(device: Sequence[int], core: Sequence[int], job: float) -> float:
    """How long tiles take that are ``device`` cycles on the device and ``core`` cycles on the core,
    where two may be under way and each costs the core ``job`` cycles to hand over and collect."""
    free = now = 0.0
    done: list[float] = []
    for tile in range(len(device) + BUFFERS):
        if tile >= BUFFERS:
            now = max(now, done[tile - BUFFERS]) + core[tile - BUFFERS]
        if tile < len(device):
            now += job
            free = max(free, now) + device[tile]
            done.append(free)
    return now


class LayerJobs:
    """The jobs of one layer of a stage, for one image and group of it."""

    def __init__(
        self,
        stage: DeviceStage,
        geometry: Geometry,
        packed: View,
        channels: View,
        device: Accelerator,
        cost: CostData,
        division: Division | None = None,
    ) -> None:
        """``division`` is known of a layer that is alike, or is looked for."""
        if division is not None:
            self.division = division
        self.stage = stage
        self.geometry = _flattened(geometry)
        self.layer = self.geometry.layer
        self.packed = packed
        self.channels = channels
        self.device = device
        self.cost = cost
        self.parts = stage.part_pairs()

    # --- tiles ---

    @cached_property
    def division(self) -> Division:
        """The fastest one; of equals the one whose sums take least."""
        known: dict[tuple[int, int, int], int] = {}

        def cycles(tile: Tile) -> int:
            shape = tile.h, tile.w, tile.n
            if shape not in known:
                jobs = [self.part(tile, *part) for part in self.parts]
                known[shape] = sum(self.device_cycles(part) for part in jobs)
            return known[shape]

        def time(division: Division) -> tuple[float, int]:
            tiles = list(division.tiles())
            core = [self.core_cycles(tile) for tile in tiles]
            job = self.cost.job * len(self.parts)
            device = [cycles(tile) for tile in tiles]
            if self.device.description.facts.is_blocking:
                return sum(device) + sum(core) + job * len(tiles), division.elements
            return overlapped_cycles(device, core, job), division.elements

        return min(_divisions(self.layer, self.device, len(self.parts)), key=time)

    @property
    def sums_bytes(self) -> int:
        """Of one tile, all parts."""
        return self.division.elements * len(self.parts) * _SUM_BYTES

    def core_cycles(self, tile: Tile) -> int:
        """What requantising a tile takes."""
        rows = tile.h * tile.n
        return ceil(self.cost.requantize_cycles(tile.elements, rows, is_quick=self.is_quick))

    @property
    def is_quick(self) -> bool:
        """Whether the quick kernel makes results of its sums."""
        return str(self.stage.scaling.data) == "doubled"

    def part(self, tile: Tile, first: int, last: int) -> Part:
        """A tile's sums over one part of the reduction."""
        along_rows = int_of(self.stage.axis) == 1
        return Part(
            tile.h,
            tile.w,
            tile.n,
            last - first if along_rows else self.layer.kernel_h,
            self.layer.channels if along_rows else last - first,
            self.geometry.x_row,
            self.geometry.x_pixel,
            tile.w * tile.n * _SUM_BYTES,
            tile.n * _SUM_BYTES,
        )

    def device_cycles(self, part: Part) -> int:
        return self.device.cycles(self.device.numbers(self.layer, part))

    # --- jobs ---

    def work(self, sums: Sequence[View], where: str = "") -> Iterator[Launch | Await | KernelCall]:
        """Tile after tile, one after the other: what of it may overlap is found later. ``sums`` has
        room for those of a tile in each; ``where`` goes behind the tile's number in labels."""
        for number, tile in enumerate(self.division.tiles()):
            room = sums[number % len(sums)]
            launches = [
                self.launch(f"{number}{where}", tile, room, index)
                for index in range(len(self.parts))
            ]
            yield from launches
            for launch in launches:
                yield Await(launch)
            yield self.requantize(tile, room)

    @property
    def work_of_tile(self) -> int:
        """How many pieces the work of a tile has: launches, awaits and a call."""
        return 2 * len(self.parts) + 1

    def launch(self, number: str, tile: Tile, room: View, index: int) -> Launch:
        first, last = self.parts[index]
        layer, geometry = self.layer, self.geometry
        part = self.part(tile, first, last)
        numbers = self.device.numbers(layer, part)
        along_rows = int_of(self.stage.axis) == 1
        begin = (
            (tile.y * layer.stride_h + (first * layer.dilation_h if along_rows else 0))
            * geometry.x_row
            + tile.x * layer.stride_w * geometry.x_pixel
            + (0 if along_rows else first)
            + (tile.c if layer.kind == "depthwise" else 0)
        )
        span = (
            (tile.h - 1) * layer.stride_h * geometry.x_row
            + (tile.w - 1) * layer.stride_w * geometry.x_pixel
            + (part.kernel_h - 1) * layer.dilation_h * geometry.x_row
            + (layer.kernel_w - 1) * layer.dilation_w * geometry.x_pixel
            + (tile.n if layer.kind == "depthwise" else part.channels)
        )
        kernel = launch_kernel(self.device)
        x, weights, sums = kernel.pointers
        call = KernelCall(
            kernel,
            pointers={
                x: geometry.x.moved(begin).pointer,
                weights: self.packed.moved(self.packed_at(index, tile.c)).pointer,
                sums: room.moved(index * tile.elements).pointer,
            },
            numbers=numbers,
            spans={
                x: span,
                weights: self.packed_bytes(part, tile.n),
                sums: tile.elements * _SUM_BYTES,
            },
        )
        label = (
            f"{self.stage.label.data}:tile {number}"
            if len(self.parts) == 1
            else (f"{self.stage.label.data}:tile {number}.{index}")
        )
        return Launch(call, self.device.index, self.device.cycles(numbers), label)

    def packed_bytes(self, part: Part, channels: int) -> int:
        """What weights of some output channels take, in the device's order."""
        taps = part.kernel_h, self.layer.kernel_w, part.channels
        return self.device.packed_bytes(channels, *taps)

    def packed_at(self, index: int, channel: int) -> int:
        """Where the weights of a part begin, from an output channel on."""
        before = sum(self.part_bytes(part, self.layer.out_channels) for part in range(index))
        return before + self.part_bytes(index, channel)

    def part_bytes(self, index: int, channels: int) -> int:
        """What a part's weights of some output channels take."""
        part = self.part(Tile(0, 0, 0, 1, 1, channels), *self.parts[index])
        return self.packed_bytes(part, channels)

    def requantize(self, tile: Tile, room: View) -> KernelCall:
        geometry = self.geometry
        at = tile.y * geometry.out_row + tile.x * geometry.out_pixel + tile.c
        span = (tile.h - 1) * geometry.out_row + (tile.w - 1) * geometry.out_pixel + tile.n
        scaling = str(self.stage.scaling.data)
        numbers = {
            "parts": len(self.parts),
            "out_h": tile.h,
            "out_w": tile.w,
            "out_channels": tile.n,
            "out_row": geometry.out_row,
            "out_pixel": geometry.out_pixel,
            **output_numbers(self.stage),
        }
        if scaling != "doubled":
            numbers["is_float"] = int(scaling == "float")
        return KernelCall(
            RequantizeSums() if scaling == "doubled" else RescaleSums(),
            pointers={
                "sums": room.pointer,
                "channels": self.channels.moved(tile.c * CHANNEL_WORDS).pointer,
                "out": geometry.out.moved(at).pointer,
            },
            numbers=numbers,
            spans={
                "sums": tile.elements * len(self.parts) * _SUM_BYTES,
                "channels": tile.n * CHANNEL_WORDS * 4,
                "out": span,
            },
        )


def launch_kernel(device: Accelerator) -> DeviceLaunch:
    """What tables call to hand a device a job."""
    about, descriptor = device.description, device.description.descriptor
    return DeviceLaunch(
        kind=about.name,
        descriptor=descriptor.type,
        header=about.header.name,
        pointers=descriptor.pointers,
        numbers=descriptor.numbers,
        outputs=descriptor.written,
    )


def _flattened(geometry: Geometry) -> Geometry:
    """Pixels of a window of 1x1 that lie one behind the other are one row: fewer ends of rows."""
    layer = geometry.layer
    is_point = (layer.kernel_h, layer.kernel_w, layer.stride_h, layer.stride_w) == (1, 1, 1, 1)
    if not is_point or layer.out_h == 1:
        return geometry
    if geometry.x_row != layer.out_w * geometry.x_pixel:
        return geometry
    if geometry.out_row != layer.out_w * geometry.out_pixel:
        return geometry
    pixels = layer.out_h * layer.out_w
    return replace(geometry, layer=replace(layer, out_h=1, out_w=pixels))


def jobs_of(
    stage: DeviceStage,
    inputs: Sequence[View],
    out: View,
    device: Accelerator,
    cost: CostData,
) -> list[LayerJobs]:
    """The jobs of every image and group of a stage. ``inputs`` are views of all its operands."""
    x, packed, channels = inputs
    geometries = stage.geometries(x, out)
    groups = len(geometries) // max(1, _images(x, geometries))
    packed_step = prod(packed.shape) // groups
    made = []
    for number, geometry in enumerate(geometries):
        group = number % groups
        first = group * geometry.layer.out_channels * CHANNEL_WORDS
        made.append(
            LayerJobs(
                stage,
                geometry,
                packed.moved(group * packed_step),
                channels.moved(first),
                device,
                cost,
            )
        )
    return made


def _images(x: View, geometries: Sequence[Geometry]) -> int:
    return x.shape[0] if geometries and geometries[0].layer.kind != "dense" else 1

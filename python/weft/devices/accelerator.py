# SPDX-License-Identifier: Apache-2.0
"""A device as the compiler uses it: its description, the options of an instance, and the functions
of its ``lowering.py``.

``lowering.py`` says what the device takes, in plain functions (docs/own-accelerator.md):

- ``KINDS``: the kinds of layers; ``CHANNELS`` and ``PIXELS``: how many results it computes side by
  side, which parts of a layer are best multiples of;
- ``refuse(layer, options)``: why it does not take a layer, or None;
- ``pack(weights)``: int8 [out_channels, kernel_h, kernel_w, channels] of at most ``CHANNELS``
  output channels as the bytes it reads, a multiple of the device's alignment; such blocks lie one
  behind the other;
- ``numbers(layer, part, options)``: the numbers of a descriptor, a dict by name;
- ``cycles(numbers, timing, options)``: how long the job takes, in whole cycles of its clock;
- ``X_ALIGNMENT``, if there: to how many bytes operands are aligned, in place of the device's
  alignment. Sums are aligned as int32 are;
- ``INPUT_CHANNELS``, if there: where a reduction is cut, it is at multiples of so many;
- ``MOST_PRODUCTS``, if there: how many products a job can add up for one result.

That of a device that copies has ``cycles`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import lcm
from typing import Any

import numpy as np

from weft.devices.accumulators import Accumulator, Operands
from weft.devices.description import DeviceDescription
from weft.devices.files import load_device
from weft.devices.layer import Layer, Part
from weft.devices.lowering import Lowering, Timing
from weft.errors import DeviceError

_INT8 = (-128, 127)
# Sums are int32, whatever they are added up in.
_MOST_BITS = 32


@dataclass(frozen=True, eq=False)
class Accelerator:
    """Number ``index`` of a PE's devices, called ``name`` there."""

    name: str
    index: int
    description: DeviceDescription
    options: Mapping[str, Any]
    timing: Timing | None = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Accelerator) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self.name, self.index, self.description.folder, tuple(sorted(self.options.items()))

    @property
    def lowering(self) -> Lowering | None:
        """What computes has one, if the compiler is to use it."""
        return self.timing if isinstance(self.timing, Lowering) else None

    @property
    def _lowering(self) -> Lowering:
        assert self.lowering is not None
        return self.lowering

    @property
    def channels(self) -> int:
        """How many output channels it computes side by side."""
        return self._lowering.channels

    @property
    def pixels(self) -> int:
        """How many pixels of a row it computes side by side."""
        return self._lowering.pixels

    @property
    def x_alignment(self) -> int:
        """To how many bytes its operands are aligned."""
        return self._lowering.x_alignment

    @property
    def input_multiple(self) -> int:
        """Of how many input channels all parts of a reduction begin at multiples."""
        return lcm(self._lowering.input_channels, self.x_alignment)

    @property
    def most_products(self) -> int:
        """How many products a job can add up for one result."""
        return self._lowering.most_products

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of layers that it computes, if it takes them."""
        return () if self.lowering is None else self.lowering.kinds

    def refuse(self, layer: Layer) -> str | None:
        """Why it does not take ``layer``; None if it does."""
        if self.description.takes_copies:
            return f"{self.name} copies, and computes nothing"
        if self.lowering is None:
            return f"{self.name} gets nothing from the compiler: it has no lowering"
        reason = self.lowering.refuse(layer, self.options)
        return None if reason is None else f"{self.name}: {reason}"

    @property
    def subtracts_zero_points(self) -> bool:
        """Whether its sums are of operands minus their zero point."""
        return bool(self.options.get("subtracts_zero_points", False))

    def operands(self, layer: Layer) -> Operands:
        """What it multiplies weights with, at least and at most."""
        zero = layer.x_zero_point if self.subtracts_zero_points else 0
        return Operands(_INT8[0] - zero, _INT8[1] - zero)

    @property
    def accumulator(self) -> Accumulator:
        """How wide its sums are."""
        saturates = self.options.get("overflow", "wrap") == "saturate"
        bits = min(int(self.options["accumulator_bits"]), _MOST_BITS)
        return Accumulator(bits, saturates)

    def pack(self, weights: np.ndarray[Any, Any]) -> bytes:
        """Weights [out_channels, kernel_h, kernel_w, channels] in its order."""
        return self._lowering.pack(weights)

    def packed_bytes(self, out_channels: int, kernel_h: int, kernel_w: int, channels: int) -> int:
        """What such weights take."""
        return self._lowering.packed_bytes(out_channels, kernel_h, kernel_w, channels)

    def numbers(self, layer: Layer, part: Part) -> dict[str, int]:
        """The numbers of the descriptor of a job."""
        return self._lowering.numbers(layer, part, self.options)

    def cycles(self, numbers: Mapping[str, int]) -> int:
        """How long a job takes, in cycles of the PE's clock."""
        assert self.timing is not None
        return self.timing.cycles(numbers, self.options)

    def option_words(self) -> tuple[int, ...]:
        """What the driver is given."""
        chosen = {name: self.options[name] for name in self.description.options}
        return self.description.option_words(chosen)


#: A device of a PE: its name there, its kind, and options that differ.
Use = tuple[str, str, Mapping[str, Any]]


def accelerators(uses: Sequence[Use]) -> tuple[Accelerator, ...]:
    """The devices of a PE. Those that have no ``lowering`` are there for the user's own code and
    get nothing from the compiler.

    Raises ``DeviceError``.
    """
    made: list[Accelerator] = []
    for index, (name, kind, options) in enumerate(uses):
        if any(name == other.name for other in made):
            raise DeviceError(
                f"two devices of a PE are called {name}; give one another name: OTHER={kind}"
            )
        description = load_device(kind)
        description.option_words(options)  # raises if there are no such options
        facts = description.facts
        given = {
            "accumulator_bits": facts.accumulator_bits,
            "overflow": facts.overflow,
            "subtracts_zero_points": facts.subtracts_zero_points,
            **facts.more,
            **options,
        }
        path, kind_of = description.lowering, Timing if description.takes_copies else Lowering
        timing = None if path is None else kind_of(description, path)
        made.append(Accelerator(name, index, description, given, timing))
    _check_kinds(made)
    return tuple(made)


def accelerators_by_class(
    uses: Mapping[str, Sequence[Use]],
) -> dict[str, tuple[Accelerator, ...]]:
    """The devices of every class of PEs, where it has any. Raises ``DeviceError``."""
    found = {name: accelerators(own) for name, own in uses.items() if own}
    _check_kinds([device for devices in found.values() for device in devices])
    return found


def _check_kinds(devices: Iterable[Accelerator]) -> None:
    """Files and C names go by what a description says: two that say the same clash."""
    seen: dict[str, DeviceDescription] = {}
    for about in (device.description for device in devices):
        for what, name in ("name", about.name), ("driver", about.driver):
            other = seen.setdefault(f"{what} '{name}'", about)
            if other.folder != about.folder:
                raise DeviceError(
                    f"the devices in {other.folder} and {about.folder} have the same {what} "
                    f"'{name}'; change it in one of them"
                )

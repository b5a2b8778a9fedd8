# SPDX-License-Identifier: Apache-2.0
"""A device as the compiler uses it: its description, the options of an instance, and the functions
of its ``lowering.py``.

``lowering.py`` says what the device takes, in plain functions (docs/own-accelerator.md):

- ``KINDS``: the kinds of layers; ``CHANNELS`` and ``PIXELS``: how many results it computes side by
  side, which parts of a layer are best multiples of;
- ``refuse(layer, options)``: why it does not take a layer, or None;
- ``pack(weights)``: int8 [out_channels, kernel_h, kernel_w, channels] as the bytes it reads;
- ``numbers(layer, part, options)``: the numbers of a descriptor;
- ``cycles(numbers, timing, options)``: how long the job takes, in cycles of the device's clock.

That of a device that copies has ``cycles`` alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from weft.devices.accumulators import Accumulator, Operands
from weft.devices.description import DeviceDescription
from weft.devices.files import load_device
from weft.devices.layer import Layer, Part
from weft.errors import DeviceError

_INT8 = (-128, 127)
# What a lowering.py has; for a device that copies.
_LOWERING = ("KINDS", "CHANNELS", "PIXELS", "refuse", "pack", "numbers", "cycles")
_LOWERING_OF_COPIES = ("cycles",)


@dataclass(frozen=True, eq=False)
class Accelerator:
    """Number ``index`` of a PE's devices, called ``name`` there."""

    name: str
    index: int
    description: DeviceDescription
    options: Mapping[str, Any]
    lowering: ModuleType | None = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Accelerator) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self.name, self.index, self.description.folder, tuple(sorted(self.options.items()))

    @property
    def _functions(self) -> ModuleType:
        assert self.lowering is not None
        return self.lowering

    @property
    def channels(self) -> int:
        """How many output channels it computes side by side."""
        return int(self._functions.CHANNELS)

    @property
    def pixels(self) -> int:
        """How many pixels of a row it computes side by side."""
        return int(self._functions.PIXELS)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of layers that it computes, if it takes them."""
        if self.lowering is None or self.description.takes_copies:
            return ()
        return tuple(self.lowering.KINDS)

    def refuse(self, layer: Layer) -> str | None:
        """Why it does not take ``layer``; None if it does."""
        if self.description.takes_copies:
            return f"{self.name} copies, and computes nothing"
        if self.lowering is None:
            return f"{self.name} gets nothing from the compiler: it has no lowering"
        if layer.kind not in self._functions.KINDS:
            return f"{self.name} computes no {layer.kind}"
        reason = self._functions.refuse(layer, self.options)
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
        return Accumulator(int(self.options.get("accumulator_bits", 32)), saturates)

    def pack(self, weights: np.ndarray[Any, Any]) -> bytes:
        """Weights [out_channels, kernel_h, kernel_w, channels] in its order."""
        return bytes(self._functions.pack(weights))

    def numbers(self, layer: Layer, part: Part) -> dict[str, int]:
        """The numbers of the descriptor of a job."""
        return dict(self._functions.numbers(layer, part, self.options))

    def cycles(self, numbers: Mapping[str, int]) -> int:
        """How long a job takes, in cycles of the PE's clock."""
        return int(self._functions.cycles(numbers, self.description.timing, self.options))

    def option_words(self) -> list[int]:
        """What the driver is given: one word an option, in the order of the description. Texts are
        their place among the values that are allowed."""
        words = []
        for name, allowed in self.description.options.items():
            value = self.options[name]
            words.append(allowed.index(value) if isinstance(value, str) else int(value))
        return words


def accelerators(uses: Sequence[tuple[str, str, Mapping[str, Any]]]) -> tuple[Accelerator, ...]:
    """The devices of a PE: names on the PE, kinds, and options that differ. Those that have no
    ``lowering`` are there for the user's own code and get nothing from the compiler.

    Raises ``DeviceError``.
    """
    made = []
    for index, (name, kind, options) in enumerate(uses):
        description = load_device(kind)
        given = {
            "accumulator_bits": description.facts.accumulator_bits,
            "overflow": description.facts.overflow,
            "subtracts_zero_points": description.facts.subtracts_zero_points,
            **description.facts.more,
            **_checked(description, name, options),
        }
        made.append(Accelerator(name, index, description, given, load_lowering(description)))
    return tuple(made)


def _checked(
    description: DeviceDescription, name: str, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    for key, value in options.items():
        allowed = description.options.get(key)
        if allowed is None:
            known = ", ".join(description.options) or "none"
            raise DeviceError(
                f"device {name}: {description.name} has no option '{key}'; its options: {known}"
            )
        if value not in allowed or type(value) not in {type(v) for v in allowed}:
            raise DeviceError(
                f"device {name}: {key} is {value!r}; {description.name} can have "
                f"{', '.join(map(repr, allowed))}"
            )
    return options


def load_lowering(description: DeviceDescription) -> ModuleType | None:
    """The Python file of a device, None if it has none. It may import others of its folder
    (``from .timing import cycles``). Raises ``DeviceError``."""
    path = description.lowering
    if path is None:
        return None
    digest = hashlib.sha256(str(description.folder).encode()).hexdigest()[:8]
    package = f"weft_device_{description.name}_{digest}"
    parent = ModuleType(package)
    parent.__path__ = [str(description.folder)]
    sys.modules[package] = parent
    full = f"{package}.{path.stem}"
    spec = importlib.util.spec_from_file_location(full, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DeviceError(f"{path} fails: {type(error).__name__}: {error}") from None
    wanted = _LOWERING_OF_COPIES if description.takes_copies else _LOWERING
    missing = [name for name in wanted if not hasattr(module, name)]
    if missing:
        raise DeviceError(f"{path} lacks {', '.join(missing)}: see docs/own-accelerator.md")
    return module

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
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from weft.devices.accumulators import Accumulator, Operands
from weft.devices.layer import Layer, Part
from weft.kernels.device import DeviceLaunch

_INT8 = (-128, 127)


@dataclass(frozen=True)
class Accelerator:
    """Number ``index`` of a PE's devices, called ``name`` there."""

    name: str
    index: int
    description: Any
    options: Mapping[str, Any]
    lowering: ModuleType = field(repr=False, compare=False)

    @property
    def channels(self) -> int:
        """How many output channels it computes side by side."""
        return int(self.lowering.CHANNELS)

    @property
    def pixels(self) -> int:
        """How many pixels of a row it computes side by side."""
        return int(self.lowering.PIXELS)

    def refuse(self, layer: Layer) -> str | None:
        """Why it does not take ``layer``; None if it does."""
        if layer.kind not in self.lowering.KINDS:
            return f"{self.name} computes no {layer.kind}"
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
        return Accumulator(int(self.options.get("accumulator_bits", 32)), saturates)

    def pack(self, weights: np.ndarray[Any, Any]) -> bytes:
        """Weights [out_channels, kernel_h, kernel_w, channels] in its order."""
        return bytes(self.lowering.pack(weights))

    def numbers(self, layer: Layer, part: Part) -> dict[str, int]:
        """The numbers of the descriptor of a job."""
        return dict(self.lowering.numbers(layer, part, self.options))

    def cycles(self, numbers: Mapping[str, int]) -> int:
        """How long a job takes, in cycles of the PE's clock."""
        return int(self.lowering.cycles(numbers, self.description.timing, self.options))

    @property
    def launch(self) -> DeviceLaunch:
        """What tables call to hand it a job."""
        given = self.description
        return DeviceLaunch(
            given.name,
            given.descriptor_type,
            given.header,
            tuple(given.pointers),
            tuple(given.numbers),
            tuple(given.written),
        )


def load_lowering(name: str, folder: Path, file: str) -> ModuleType:
    """The Python file of a device. It may import others of its folder (``from .timing import``)."""
    package = f"weft_device_{name}"
    if package not in sys.modules:
        parent = ModuleType(package)
        parent.__path__ = [str(folder)]
        sys.modules[package] = parent
    full = f"{package}.{Path(file).stem}"
    spec = importlib.util.spec_from_file_location(full, folder / file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module

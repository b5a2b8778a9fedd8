# SPDX-License-Identifier: Apache-2.0
"""A device's lowering against the core: random layers, compiled with the device and without."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weft.devices.accelerator import accelerators_by_class
from weft.errors import DeviceError, EngineError
from weft.machines import DeviceUse, load_machine
from weft.program import Program
from weft.testing.random_layers import RandomLayer, random_layers

# One PE, with room for all layers.
_MACHINE = "single-m4-1m"
_NAME = "device"


class LoweringMismatchError(AssertionError):
    """A layer has other bytes on the device than on the core."""


@dataclass(frozen=True)
class ComparedLayer:
    """A layer whose bytes are the same: what it was, whether the device had it, in how many
    ``parts`` of its reduction, and why if it did not."""

    layer: str
    is_on_device: bool
    parts: int
    reason: str


def compare_lowering(
    device: str | Path,
    options: Mapping[str, Any] | None = None,
    *,
    layers: int = 32,
    seed: int = 0,
) -> list[ComparedLayer]:
    """Compiles ``layers`` random layers with the device (a name, or its folder) and without, and
    runs both on this computer: every byte must agree. The same ``seed`` gives the same layers.

    Raises ``LoweringMismatchError`` that shows the smallest layer which differs, ``DeviceError`` if
    the device takes none of them or its ``lowering.py`` is wrong.
    """
    from weft.testing.layer_programs import compile_layers  # which needs the compiler

    kind = str(Path(device).absolute()) if Path(device).is_dir() else str(device)
    use = DeviceUse(_NAME, kind, tuple(sorted((options or {}).items())))
    machine = load_machine(_MACHINE)
    with_device = machine.with_devices([use])
    accelerators_by_class(with_device.device_uses())
    rng = np.random.default_rng(seed)
    chosen = random_layers(rng, layers)
    frames = [list(frame) for frame in zip(*(c.frames(rng) for c in chosen), strict=True)]
    with tempfile.TemporaryDirectory(prefix="weft-") as scratch:
        plain = compile_layers(chosen, machine, Path(scratch) / "core")
        offloaded = compile_layers(chosen, with_device, Path(scratch) / "device")
        rows = {int(row["stage"]): row for row in offloaded.manifest["offload"]}
        if not any(_NAME in row["on"] for row in rows.values()):
            reasons = "; ".join(sorted({r for row in rows.values() for r in row["reasons"]}))
            raise DeviceError(f"the device {device} takes none of {layers} layers: {reasons}")
        expected = _results(plain, frames)
        try:
            found = _results(offloaded, frames)
        except EngineError as error:
            raise LoweringMismatchError(f"device {device}: {error}") from error
    for wanted, got in zip(expected, found, strict=True):
        _compare(str(device), chosen, wanted, got)
    return [
        ComparedLayer(
            str(layer), _NAME in rows[n]["on"], rows[n]["parts"], "; ".join(rows[n]["reasons"])
        )
        for n, layer in enumerate(chosen)
    ]


def _results(program: Program, frames: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    with program.open("native") as session:
        results = list(session.stream(frames))
    return [r if isinstance(r, tuple) else (r,) for r in results]


def _compare(
    device: str, layers: Sequence[RandomLayer], wanted: Sequence[Any], got: Sequence[Any]
) -> None:
    wrong = [
        (layer, a, b) for layer, a, b in zip(layers, wanted, got, strict=True) if (a != b).any()
    ]
    if not wrong:
        return
    layer, core, there = min(wrong, key=lambda found: found[0].size)
    different = np.argwhere(core != there)
    at = tuple(int(i) for i in different[0])
    raise LoweringMismatchError(
        f"device {device}: {len(different)} of {core.size} bytes differ; at {list(at)} the device "
        f"has {there[at]}, the core {core[at]}; layer: {layer}"
    )

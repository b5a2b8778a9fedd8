# SPDX-License-Identifier: Apache-2.0
"""What weights that come from DRAM take of a PE's memory while they are used."""

from __future__ import annotations

from functools import lru_cache

from weft.devices.accelerator import accelerators
from weft.dialects.stages import Stage
from weft.machines.model import STREAMED_BYTES, DeviceUse, PeClass

#: Bytes of weights that a device gets at a time, unless the fewest channels that it computes side
#: by side take more; while it has them the next are copied.
CHUNK_BYTES = 16 << 10


def room_for_weights(stage: Stage, operand: int, size: int, pe_class: PeClass) -> int | None:
    """Bytes for a constant of ``size`` bytes that a stage reads; None if it stays with the PE.

    A kernel of the core reads the weights of a stage when they are all there. Whether a device
    takes the stage is known by its kind alone: one that refuses it after all needs more room, which
    shows when memory is laid out.
    """
    if pe_class.weights != "dram" or operand == 0 or stage.macs() == 0 or size < STREAMED_BYTES:
        return None
    if stage.kind in _kinds_on_devices(pe_class.devices):
        return min(size, 2 * CHUNK_BYTES)
    return size


@lru_cache(maxsize=64)
def _kinds_on_devices(devices: tuple[DeviceUse, ...]) -> frozenset[str]:
    found = accelerators([(use.name, use.kind, dict(use.options)) for use in devices])
    return frozenset(kind for device in found for kind in device.kinds)

# SPDX-License-Identifier: Apache-2.0
"""The machine model and the bundled machine files."""

from __future__ import annotations

from weft.machines.files import bundled_machines, device_use, load_machine
from weft.machines.model import DeviceUse, Machine, MemoryRegion, Pe, PeClass

__all__ = [
    "DeviceUse",
    "Machine",
    "MemoryRegion",
    "Pe",
    "PeClass",
    "bundled_machines",
    "device_use",
    "load_machine",
]

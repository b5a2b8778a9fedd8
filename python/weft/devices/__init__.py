# SPDX-License-Identifier: Apache-2.0
"""Descriptions of devices: the bundled ones, and those of users."""

from __future__ import annotations

from weft.devices.description import Descriptor, DeviceDescription, Facts
from weft.devices.files import bundled_devices, load_device

__all__ = ["Descriptor", "DeviceDescription", "Facts", "bundled_devices", "load_device"]

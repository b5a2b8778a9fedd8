# SPDX-License-Identifier: Apache-2.0
"""For tests, Weft's own and its users': kernels and devices called with NumPy arrays.

``weft.testing.fixtures`` has fixtures for pytest, ``weft.testing.conformance`` the suite for
devices.
"""

from __future__ import annotations

from weft.testing.device_comparison import DeviceMismatchError, compare_device, compare_job
from weft.testing.device_library import DeviceLibrary
from weft.testing.kernels import KernelLibrary, load_kernels

__all__ = [
    "DeviceLibrary",
    "DeviceMismatchError",
    "KernelLibrary",
    "compare_device",
    "compare_job",
    "load_kernels",
]

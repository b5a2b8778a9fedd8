# SPDX-License-Identifier: Apache-2.0
"""For tests, Weft's own and its users': kernels and devices called with NumPy arrays.

``weft.testing.fixtures`` has fixtures for pytest, ``weft.testing.conformance`` the suite for
devices.
"""

from __future__ import annotations

from weft.testing.device_comparison import DeviceMismatchError, compare_device, compare_job
from weft.testing.device_library import DeviceLibrary
from weft.testing.kernels import KernelLibrary, load_kernels
from weft.testing.lowering_comparison import (
    ComparedLayer,
    LoweringMismatchError,
    compare_lowering,
)

__all__ = [
    "ComparedLayer",
    "DeviceLibrary",
    "DeviceMismatchError",
    "KernelLibrary",
    "LoweringMismatchError",
    "compare_device",
    "compare_job",
    "compare_lowering",
    "load_kernels",
]

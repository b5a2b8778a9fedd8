# SPDX-License-Identifier: Apache-2.0
"""For tests, Weft's own and its users': single kernels called with NumPy arrays."""

from __future__ import annotations

from weft.testing.kernels import KernelLibrary, load_kernels

__all__ = ["KernelLibrary", "load_kernels"]

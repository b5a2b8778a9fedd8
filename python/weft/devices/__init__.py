# SPDX-License-Identifier: Apache-2.0
"""Devices: what the compiler must know of engines that it does not know by name."""

# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: one file each, all behind ``weft bench NAME``. They measure and report; what they
measure is in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping

#: What there is, in a line each.
BENCHMARKS: Mapping[str, str] = {
    "cortex-m4": "instructions, cycles and bytes of models as machine code, beside other engines",
    "native": "a frame on the engine native, beside ONNX Runtime with one thread",
    "devices": "layers on an accelerator: its cycles and the core's, apart and overlapped",
    "kernels": "hand-written kernels beside generated ones, layer by layer",
    "costs": "cost data of machine files, fitted to the cycles of counted machine code",
}

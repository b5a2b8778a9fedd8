# SPDX-License-Identifier: Apache-2.0
"""How long the engine takes for a copy: docs/design/dma.md has the formula in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: weft_space_t of weft/device.h.
LOCAL, PE, DRAM = 0, 1, 2


def cycles(job: Mapping[str, int], timing: Mapping[str, int], options: Mapping[str, Any]) -> int:
    """Cycles from the start of ``job`` to its completion, with links and DRAM to itself.

    ``job`` has the numbers of ``weft_copy_t`` by name, ``timing`` is that table of
    ``device.toml``. There are no options.
    """
    spaces = {job["from_space"], job["to_space"]}
    kind = "dram" if DRAM in spaces else "pe" if PE in spaces else "local"
    latency = timing["dram_latency_cycles"] if job["from_space"] == DRAM else 0
    words = -(-job["row_bytes"] // timing["word_bytes"])
    row = timing["row_cycles"] + words * timing[f"{kind}_word_cycles"]
    return timing["setup_cycles"] + latency + job["rows"] * row

# SPDX-License-Identifier: Apache-2.0
"""What other engines take for the same models: figures in ``peers/``, with how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_FILE = Path(__file__).with_name("peers") / "cortex-m4.json"


@dataclass(frozen=True)
class Peer:
    """One engine on one model: instructions of a frame, of the layers by label where they are
    known, and bytes of code."""

    name: str
    instructions: int
    text: int | None = None
    layers: Mapping[str, int] = field(default_factory=dict)


def peers_of(model_sha256: str | None) -> list[Peer]:
    """The figures for the model file of that hash, the one to compare with first; none if it is not
    known."""
    data = json.loads(_FILE.read_text(encoding="utf-8"))
    return [
        Peer(peer["name"], model["instructions"], model.get("text"), model.get("layers", {}))
        for peer in data["peers"]
        for model in peer["models"]
        if model["sha256"] == model_sha256
    ]

# SPDX-License-Identifier: Apache-2.0
"""A mapping: for every stage the boxes of its result, and the PE that computes each."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass, field

from weft.dialects.stages.box import Box

#: Where frames come from, unless a PE is named: the host's link, or the chip's DRAM.
HOST, DRAM = "host", "dram"

#: Frames that a slot has room for: one is worked on while the next one arrives.
DEFAULT_DEPTH = 2


@dataclass(frozen=True)
class Shard:
    """One box of a stage's result. ``pe`` is a number among the usable PEs of the machine."""

    box: Box
    pe: int


@dataclass(frozen=True)
class Mapping:
    """``stages`` by label. ``source`` is ``HOST``, ``DRAM``, or the number of the PE that scatters
    inputs and gathers outputs. ``depths`` gives slots room for a power of two of frames: (label of
    the reading stage, number of its shard) to a depth for each operand that is no constant;
    ``default_depth`` is for all others. ``split_inputs`` has the stages that were cut over their
    input channels, and into how many parts: those are stages of their own here. ``most_work`` is
    what the rule may spend on the rest (``balanced``), None where nothing is said."""

    stages: Table[str, tuple[Shard, ...]]
    source: str | int = HOST
    depths: Table[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    default_depth: int = DEFAULT_DEPTH
    split_inputs: Table[str, int] = field(default_factory=dict)
    most_work: float | None = None

    @property
    def pes(self) -> list[int]:
        """The PEs that it uses, sorted."""
        used = {shard.pe for shards in self.stages.values() for shard in shards}
        return sorted(used | ({self.source} if isinstance(self.source, int) else set()))

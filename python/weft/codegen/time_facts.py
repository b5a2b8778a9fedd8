# SPDX-License-Identifier: Apache-2.0
"""What the manifest says of time: cycles of tasks and firings, links, the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.codegen.mesh_tables import PeTask
from weft.dialects.fabric import MeshOp
from weft.machines.describe import network_facts
from weft.machines.model import Machine
from weft.mapping.firing_cycles import FiringCycles


def network_row(machine: Machine) -> dict[str, Any]:
    """The network's own facts, and the clock of the ticks that ``link_ticks`` are counted in."""
    return {"tick_hz": machine.tick_hz, **network_facts(machine)}


def firings_of(mesh: MeshOp, firings: Sequence[FiringCycles], pe: int) -> list[FiringCycles]:
    """Those on one PE, in the order of its shards, from those of all places."""
    return [f for place, f in zip(mesh.places, firings, strict=True) if place.pe_index == pe]


def firing_row(firing: FiringCycles, tasks: Sequence[PeTask]) -> dict[str, int]:
    """What the tasks of a shard leave of its firing."""
    left = sum(task_cycles(firing, tasks))
    return {
        "start_cycles": firing.start,
        "send_cycles": firing.total - firing.start - left,
    }


def task_cycles(firing: FiringCycles, tasks: Sequence[PeTask]) -> list[int]:
    """Cycles of every task: of the stage that it is for, with those before it that have none, views
    for instance. Tasks and stages are in one order. Of several tasks for one stage the first has
    them all; borders and copies are for none."""
    found, at = [], 0
    for task in tasks:
        end = _behind(firing, task.part, at)
        found.append(sum(cycles for _, cycles in firing.stages[at:end]))
        at = end
    return found


def _behind(firing: FiringCycles, label: str | None, at: int) -> int:
    """The place behind the next stage of that label; ``at`` if none comes."""
    for place in range(at, len(firing.stages)):
        if firing.stages[place][0] == label:
            return place + 1
    return at

# SPDX-License-Identifier: Apache-2.0
"""Machines for people and for ``--json``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from weft.machines.model import Machine, PeClass


def summary(machine: Machine) -> dict[str, Any]:
    """What ``weft machines --json`` prints. Sizes in bytes, clock in Hz."""
    return {
        "machine": machine.name,
        "description": machine.description,
        "pes": sum(1 for _ in machine.pes()),
        "pes_usable": len(machine.usable()),
        "links": dict(machine.links),
        "network": network_facts(machine),
        "classes": {name: _class(c) for name, c in machine.classes.items()},
    }


def network_facts(machine: Machine) -> dict[str, Any]:
    """What messages between PEs take: ``clock_hz`` in Hz, ``host`` a node, cycles of that clock."""
    return {
        **asdict(machine.network),
        "clock_hz": machine.network_clock_hz,
        "host": list(machine.host_node),
    }


def _class(pe_class: PeClass) -> dict[str, Any]:
    return {
        "core": pe_class.core,
        "clock_hz": pe_class.clock_hz,
        "stack_bytes": pe_class.stack_bytes,
        "memory_bytes": pe_class.memory_bytes,
        "memory": [
            {"name": r.name, "origin": r.origin, "bytes": r.length, "holds": list(r.holds)}
            for r in pe_class.memory
        ],
        "cost": asdict(pe_class.cost),
        "devices": [
            {"name": d.name, "kind": d.kind, "options": dict(d.options)} for d in pe_class.devices
        ],
    }


def describe(machine: Machine) -> str:
    """Some lines of text, with a map of the grid where there is one."""
    pes = list(machine.pes())
    lines = [f"{machine.name}: {machine.description}"]
    lines.append(f"  PEs: {len(pes)}, usable {len(machine.usable())}")
    for pe_class in machine.classes.values():
        count = sum(machine.class_of(pe) is pe_class for pe in pes)
        stack = "as computed" if pe_class.stack_bytes is None else f"{pe_class.stack_bytes} bytes"
        lines.append(
            f"  class {pe_class.name}: {count} x {pe_class.core} at "
            f"{pe_class.clock_hz // 1_000_000} MHz, stack {stack}"
        )
        for region in pe_class.memory:
            lines.append(
                f"    {region.name}: {region.length} bytes at {region.origin:#x} for "
                f"{', '.join(region.holds)}"
            )
        for use in pe_class.devices:
            options = "".join(f", {key} {value}" for key, value in use.options)
            lines.append(f"    device {use.name}: {use.kind}{options}")
    lines += [f"  link {name}: {rate} bytes/s" for name, rate in machine.links.items()]
    if len(pes) > 1:
        network = machine.network
        lines.append(
            f"  network: {network.bytes_per_cycle} bytes a cycle and link, {network.hop_cycles} "
            f"cycles a hop, at {machine.network_clock_hz / 1e6:g} MHz; host at {machine.host_node}"
        )
    if machine.width * machine.height > 1:
        lines.append("  nodes, by usable PEs ('.' is missing), first row at the bottom:")
        usable = machine.usable()
        for y in reversed(range(machine.y0, machine.y0 + machine.height)):
            cells = []
            for x in range(machine.x0, machine.x0 + machine.width):
                count = sum((pe.x, pe.y) == (x, y) for pe in usable)
                cells.append("." if (x, y) in machine.missing else str(count))
            lines.append(f"    y={y:<3} " + " ".join(cells))
    return "\n".join(lines)

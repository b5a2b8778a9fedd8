# SPDX-License-Identifier: Apache-2.0
"""What a manifest says of time, in ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from weft.engines.timed.network import NetworkTimes, Node
from weft.errors import EngineError
from weft.program import Program


@dataclass(frozen=True)
class FiringTimes:
    """Of a shard: ``tasks`` in order; the first is preceded by ``start``, the last followed by
    ``sends``."""

    start: int
    tasks: tuple[int, ...]
    sends: int

    def of_task(self, task: int, is_last: bool) -> int:
        """What a step takes that runs this task, if there is one."""
        ticks = self.tasks[task] if task < len(self.tasks) else 0
        return ticks + (self.start if task == 0 else 0) + (self.sends if is_last else 0)


@dataclass(frozen=True)
class Job:
    """A job of a device: what it is, the ticks that it takes there, and those for which DRAM gives
    it what it copies."""

    label: str
    ticks: int
    dram_ticks: int = 0


@dataclass(frozen=True)
class DeviceTimes:
    """The devices of a PE by name, and all their jobs by the labels that they have there."""

    names: tuple[str, ...]
    jobs: Mapping[int, Job]


@dataclass(frozen=True)
class Times:
    """``firings``, ``devices``, ``cycles`` (ticks of one of its clock) and ``nodes`` by the number
    of the PE; ``links``, the link and the ticks of every channel. ``tick_hz`` in Hz."""

    tick_hz: int
    network: NetworkTimes
    nodes: dict[int, Node]
    firings: list[list[FiringTimes]]
    cycles: list[int]
    devices: list[DeviceTimes]
    links: list[tuple[str | None, int]]


def read_times(program: Program) -> Times:
    """Raises ``EngineError`` if the program was compiled before manifests told times."""
    manifest = program.manifest
    try:
        return _times(manifest)
    except (KeyError, TypeError) as error:
        raise EngineError(
            f"{program.folder} does not say what its tasks take ({error}); compile it again"
        ) from None


def _times(manifest: Mapping[str, Any]) -> Times:
    network = manifest["network"]
    tick_hz = network["tick_hz"]
    cycle = tick_hz // network["clock_hz"]
    times = NetworkTimes(
        network["bytes_per_cycle"], network["signal_bytes"], cycle, network["hop_cycles"] * cycle
    )
    nodes, firings, cycles, devices = {}, [], [], []
    stored = manifest.get("dram")
    dram = tick_hz / stored["bytes_per_second"] if stored is not None else 0.0
    for number, row in enumerate(manifest["pes"]):
        has_work = row["program"] is not None
        clock_hz = manifest["pe_classes"][row["pe_class"]]["clock_hz"] if has_work else tick_hz
        if has_work or row["arena_bytes"]:  # the host may have slots alone
            x, y = row["node"] if has_work else network["host"]
            nodes[number] = (x, y)
        cycles.append(tick_hz // clock_hz)
        firings.append(_firings(row, cycles[-1]))
        devices.append(_devices(row, tick_hz, cycles[-1], dram))
    links = [(channel["link"], channel["link_ticks"]) for channel in manifest["channels"]]
    return Times(tick_hz, times, nodes, firings, cycles, devices, links)


def _devices(row: Mapping[str, Any], tick_hz: int, cycle: int, dram: float) -> DeviceTimes:
    """``dram`` is the ticks of a byte from there."""
    devices = row.get("devices", [])
    ticks = [tick_hz / d["clock_hz"] if d["clock_hz"] else cycle for d in devices]
    jobs = {
        job["number"]: Job(
            job["label"],
            ceil(job["cycles"] * ticks[job["device"]]),
            ceil(job.get("dram_bytes", 0) * dram),
        )
        for shard in row["shards"]
        for task in shard
        for job in task.get("jobs", [])
    }
    return DeviceTimes(tuple(d["name"] for d in devices), jobs)


def _firings(row: Mapping[str, Any], cycle: int) -> list[FiringTimes]:
    return [
        FiringTimes(
            firing["start_cycles"] * cycle,
            tuple(task["core_cycles"] * cycle for task in tasks),
            firing["send_cycles"] * cycle,
        )
        for firing, tasks in zip(row["firings"], row["shards"], strict=True)
    ]

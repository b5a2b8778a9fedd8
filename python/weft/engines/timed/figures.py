# SPDX-License-Identifier: Apache-2.0
"""What the clock of a session has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weft.engines.timed.pes import Cause, TimedPe
from weft.engines.timed.simulation import Simulation

_DIGITS = 4
# Frames of the longest pattern that is looked for.
_MAX_PATTERN = 64


def figures(
    simulation: Simulation, names: Mapping[int, str], tick_hz: int, predicted_fps: float
) -> dict[str, Any]:
    """For reports: docs/command-line.md says what the keys mean. ``names`` of the PEs to tell of,
    by number."""
    now = simulation.events.now
    begun, ended = simulation.outside.begun_at, simulation.outside.ended_at
    latencies = [(end - begin) / tick_hz for begin, end in zip(begun, ended, strict=False)]
    under_way = most_under_way(begun, ended)
    fps = steady_fps(begun, ended, tick_hz)
    error = fps / predicted_fps - 1 if fps and predicted_fps else None
    return {
        "measured_fps": fps and float(f"{fps:.7g}"),
        "is_steady": 4 * under_way <= len(ended),
        "frames_under_way": under_way,
        "prediction_error": None if error is None else round(error, 6) + 0.0,  # no -0.0
        "latency_s": {
            "mean": sum(latencies) / len(latencies) if latencies else None,
            "max": max(latencies, default=None),
        },
        "simulated_s": now / tick_hz,
        "pes": [_pe(simulation.pes[number], name, now) for number, name in names.items()],
        "devices": [
            {
                "pe": name,
                "device": device.name,
                "utilisation": _share(device.busy - max(0, device.free_at - now), now),
            }
            for number, name in names.items()
            for device in simulation.devices.all[number]
        ],
        "links": _links(simulation, now),
        "network": _network(simulation, now),
    }


def _links(simulation: Simulation, now: int) -> list[dict[str, Any]]:
    """Those to the outside; DRAM apart, where weights come from there."""
    held = {link.name: link.held for link in simulation.outside.links if link.name is not None}
    if simulation.devices.dram.held:
        held["weights from DRAM"] = simulation.devices.dram.held
    return [
        {"link": name, "utilisation": _share(min(ticks, now), now)} for name, ticks in held.items()
    ]


def steady_fps(begun: Sequence[int], ended: Sequence[int], tick_hz: int) -> float | None:
    """Frames a second between the first and the last quarter of the results, where the pipeline
    fills and drains. Results may come in a pattern of several frames: if it repeats itself, whole
    patterns count. Of a single frame, by its latency. None if no time has passed."""
    count = len(ended)
    if count == 0:
        return None
    if count == 1:
        frames, ticks = 1, ended[0] - begun[0]
    else:
        times = ended[count // 4 : count - count // 4]
        frames = pattern(times) or len(times) - 1
        ticks = times[frames] - times[0]
    return frames * tick_hz / ticks if ticks else None


def pattern(times: Sequence[int]) -> int | None:
    """The least number of frames after which times repeat themselves, at least once; None if they
    do not."""
    for frames in range(1, min(_MAX_PATTERN, len(times) // 2) + 1):
        distance = times[frames] - times[0]
        if all(b - a == distance for a, b in zip(times, times[frames:], strict=False)):
            return frames
    return None


def most_under_way(begun: Sequence[int], ended: Sequence[int]) -> int:
    """Frames that had begun and not ended, at most at a time."""
    most = done = 0
    for number, begin in enumerate(begun):
        while done < len(ended) and ended[done] <= begin:
            done += 1
        most = max(most, number + 1 - done)
    return most


def summary(found: Mapping[str, Any]) -> str:
    """One line for people."""
    if found["measured_fps"] is None:
        return "no time has passed: nothing costs any"
    busiest = max(found["pes"], key=lambda pe: float(pe["utilisation"]))
    latency = found["latency_s"]
    rate = f"{found['measured_fps']:g} frames/s"
    parts = [
        f"latency {latency['mean'] * 1e3:.4g} ms, at most {latency['max'] * 1e3:.4g} ms",
        f"PE {busiest['pe']} busy for {busiest['utilisation']:.1%}",
    ]
    for device in _busiest_devices(found["devices"]):
        parts.append(
            f"{device['device']} of {device['pe']} busy for {device['utilisation']:.1%} and idle "
            f"for {1 - device['utilisation']:.1%}"
        )
    if found["prediction_error"] is not None:
        percent = round(100 * found["prediction_error"], 2) + 0.0  # no -0.00
        rate += f", {percent:+.2f}% to the prediction"
    if not found["is_steady"]:
        parts.append("not steady: more frames give a better rate")
    return f"on the machine's clock {rate}; {'; '.join(parts)}"


def _busiest_devices(devices: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One of each name."""
    most: dict[str, Mapping[str, Any]] = {}
    for device in devices:
        other = most.setdefault(device["device"], device)
        if device["utilisation"] > other["utilisation"]:
            most[device["device"]] = device
    return list(most.values())


def _pe(pe: TimedPe, name: str, now: int) -> dict[str, Any]:
    return {
        "pe": name,
        "utilisation": _share(pe.busy_until(now), now),
        "stalls": {cause.value: _share(pe.stalls[cause], now) for cause in Cause},
    }


def _network(simulation: Simulation, now: int) -> dict[str, Any]:
    network = simulation.network
    busiest = max(network.links, key=lambda link: link.held)
    return {
        "messages": network.messages,
        "bytes": network.bytes,
        "busiest_link": busiest.name if network.messages else None,
        "utilisation": _share(min(busiest.held, now), now),
    }


def _share(ticks: int, of: int) -> float:
    return round(ticks / of, _DIGITS) if of else 0.0

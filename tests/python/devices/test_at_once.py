# SPDX-License-Identifier: Apache-2.0
"""What of a PE works at one time, by the clock's own record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from weft.engines.timed.devices import Span
from weft.engines.timed.session import TimedSession
from weft.machines import Machine, load_machine
from weft.program import Program

_FRAMES = 3


@pytest.fixture(scope="module")
def machine() -> Machine:
    """PEs with room for all of the network."""
    found = load_machine("grid-4x4")
    classes = {
        name: replace(c, memory=(replace(c.memory[0], length=1 << 22),))
        for name, c in found.classes.items()
    }
    return replace(found, classes=classes)


@pytest.fixture(scope="module")
def network(trained_file: Callable[..., Path]) -> Path:
    return trained_file("ic_int8.tflite")


def _on_two_pes(
    path: Path, machine: Machine, devices: Sequence[str], middle: range, **options: Any
) -> Program:
    """The network with its middle on another PE, so that its ends on the first are two shards."""
    stages = weft.compile(path, machine).manifest["stages"]
    pes = {n: [[1, 0, 0]] if i in middle else [[0, 0, 0]] for i, n in enumerate(stages)}
    mapping = {"format": 1, "stages": {name: {"pes": where} for name, where in pes.items()}}
    return weft.compile(path, machine, mapping=mapping, devices=devices, **options)


def _run(program: Program) -> tuple[list[Span], list[Any]]:
    rng = np.random.default_rng(3)
    shape = program.inputs[0].shape
    frames = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(_FRAMES)]
    with program.open("timed") as session:
        assert isinstance(session, TimedSession)
        session.record()
        results = list(session.stream(frames))
        return session.spans, results


def _ticks_at_once(spans: Sequence[Span], who: Sequence[str]) -> int:
    """In which all of them are busy on PE 0; the empty name is the core."""
    own = [span for span in spans if span.pe == 0]
    total = 0
    for begin, end in pairwise(sorted({t for s in own for t in (s.begin, s.end)})):
        busy = {s.device for s in own if s.begin <= begin and s.end >= end}
        total += end - begin if busy.issuperset(who) else 0
    return total


def _one_job_at_a_time(spans: Sequence[Span], devices: Sequence[str]) -> None:
    for name in devices:
        own = sorted((s.begin, s.end) for s in spans if s.pe == 0 and s.device == name)
        assert own, name
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own)), name


def _same(results: Sequence[Any], expected: Sequence[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(results, expected, strict=True))


def test_two_arrays_and_the_core_of_one_pe_work_at_once(network: Path, machine: Machine) -> None:
    program = _on_two_pes(network, machine, ["a=mac_array", "b=mac_array"], range(5, 9))
    spans, results = _run(program)
    assert _ticks_at_once(spans, ["a", "b", ""]) > 10_000
    _one_job_at_a_time(spans, ["a", "b"])
    again, same = _run(program)
    assert again == spans
    _, expected = _run(weft.compile(network, machine))
    assert _same(results, expected) and _same(same, expected)


def test_two_arrays_dma_and_the_core_of_one_pe_work_at_once(
    network: Path, machine: Machine
) -> None:
    # DRAM so slow that fetching weights takes as long as computing.
    slow = replace(machine, links={**machine.links, "dram": 400_000_000})
    program = _on_two_pes(
        network, slow, ["a=mac_array", "b=mac_array", "dma"], range(5, 7), weights="dram"
    )
    spans, results = _run(program)
    assert _ticks_at_once(spans, ["a", "b", "dma", ""]) > 1_000
    _one_job_at_a_time(spans, ["a", "b", "dma"])
    again, same = _run(program)
    assert again == spans
    _, expected = _run(weft.compile(network, machine))
    assert _same(results, expected) and _same(same, expected)

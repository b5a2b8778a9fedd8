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


def _on_two_pes(path: Path, machine: Machine, devices: Sequence[str], **options: Any) -> Program:
    """The network with its middle on another PE, so that its ends on the first are two shards."""
    stages = weft.compile(path, machine).manifest["stages"]
    pes = {n: [[1, 0, 0]] if 5 <= i < 9 else [[0, 0, 0]] for i, n in enumerate(stages)}
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


def test_two_arrays_and_the_core_of_one_pe_work_at_once(network: Path, machine: Machine) -> None:
    program = _on_two_pes(network, machine, ["a=mac_array", "b=mac_array"])
    spans, results = _run(program)
    assert _ticks_at_once(spans, ["a", "b", ""]) > 10_000
    again, same = _run(program)
    assert again == spans
    alone = [span for span in spans if span.pe == 0 and span.device]
    for name in ("a", "b"):  # a device has one job at a time
        own = sorted((s.begin, s.end) for s in alone if s.device == name)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own))
    _, expected = _run(weft.compile(network, machine))
    for result, other, wanted in zip(results, same, expected, strict=True):
        assert np.array_equal(result, wanted)
        assert np.array_equal(other, wanted)

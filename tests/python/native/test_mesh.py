# SPDX-License-Identifier: Apache-2.0
"""Many models on one machine: streams beside each other, none of which another one changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.errors import EngineError
from weft.machines import Pe, load_machine
from weft.program import Program

MACHINE = "spinn2-chip"
COPIES = 100

Trained = Callable[..., Path]


@pytest.fixture(scope="module")
def kws(trained_file: Trained) -> Program:
    return weft.compile(trained_file("kws_int8.tflite"), MACHINE, pes=1)


@pytest.fixture(scope="module")
def ic(trained_file: Trained) -> Program:
    return weft.compile(trained_file("ic_int8.tflite"), MACHINE, pes=40)


@pytest.fixture
def mesh() -> Iterator[weft.Mesh]:
    with weft.Mesh(MACHINE, threads=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def references(trained_file: Trained) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    found = {}
    for name in ("kws", "ic"):
        with np.load(trained_file(f"{name}_ref.npz")) as arrays:
            found[name] = [(arrays[f"in{i}"], arrays[f"tflm{i}"]) for i in range(3)]
    return found


def same(result: np.ndarray, expected: np.ndarray) -> bool:
    return result.tobytes() == expected.tobytes()


def test_a_hundred_copies_beside_a_pipeline(
    mesh: weft.Mesh, kws: Program, ic: Program, references: dict
) -> None:
    """One copy stopped and one made to fail in the middle: the others go on, byte for byte."""
    pipeline = mesh.load(ic)
    copies = [mesh.load(kws) for _ in range(COPIES)]
    assert len(mesh.free_pes) == 148 - len(pipeline.pes) - COPIES
    assert len({pe for s in mesh.sessions for pe in s.pes}) == len(pipeline.pes) + COPIES
    wrong: list[str] = []

    def run_pipeline() -> None:
        cases = references["ic"] * 8
        results = pipeline.stream(frame for frame, _ in cases)
        for number, (result, (_, expected)) in enumerate(zip(results, cases, strict=True)):
            if not same(result, expected):
                wrong.append(f"ic frame {number}")

    thread = threading.Thread(target=run_pipeline)
    thread.start()
    stopped, failed = copies[17], copies[42]
    for number in range(6):
        frame, expected = references["kws"][number % 3]
        if number == 2:
            stopped.close()
        if number == 3:
            failed.stop_pe(0)
        for index, copy in enumerate(copies):
            if number >= 2 and copy is stopped:
                continue
            if number >= 3 and copy is failed:
                with pytest.raises(EngineError, match="stopped from outside"):
                    copy.run(frame)
                continue
            if not same(copy.run(frame), expected):
                wrong.append(f"kws copy {index} frame {number}")
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert not wrong


def test_a_program_is_replaced_while_another_runs(
    mesh: weft.Mesh, kws: Program, ic: Program, references: dict
) -> None:
    pipeline = mesh.load(ic)
    first = mesh.load(kws)
    frames = iter(references["ic"] * 4)
    expected: list[np.ndarray] = []

    def source() -> Iterator[np.ndarray]:
        for frame, result in frames:
            expected.append(result)
            yield frame

    results = pipeline.stream(source())
    got = [next(results), next(results)]
    places = first.pes
    first.close()
    second = mesh.load(kws, pes=places)
    frame, right = references["kws"][1]
    assert same(second.run(frame), right)
    got += list(results)
    assert len(got) == 12
    assert all(same(g, e) for g, e in zip(got, expected, strict=True))


def test_a_failure_names_where_it_is(mesh: weft.Mesh, kws: Program, references: dict) -> None:
    """The PE that the copy is on, not the one that it was compiled for."""
    mesh.load(kws)
    second = mesh.load(kws)
    frame, right = references["kws"][0]
    assert same(second.run(frame), right)
    second.stop_pe(0)
    with pytest.raises(EngineError, match=r"frame 1: PE \(1,1\)\.2 \(\w+\): stopped"):
        second.run(frame)


def test_places_that_cannot_be(mesh: weft.Mesh, kws: Program, ic: Program) -> None:
    session = mesh.load(kws)
    with pytest.raises(EngineError, match="is not free"):
        mesh.load(kws, pes=session.pes)
    with pytest.raises(EngineError, match="goes on 1 different PEs; 2 given"):
        mesh.load(kws, pes=mesh.free_pes[:2])
    with pytest.raises(EngineError, match=r"PE \(9,9\)\.0 of spinn2-chip is not free"):
        mesh.load(kws, pes=[Pe(9, 9, 0)])
    for _ in range(3):
        mesh.load(ic)
    with pytest.raises(EngineError, match=r"needs .* PEs of class m4"):
        mesh.load(ic)


def test_classes_must_be_the_same(kws: Program) -> None:
    with (
        weft.Mesh("biglittle-4x4") as other,
        pytest.raises(EngineError, match="needs 1 PEs of class m4; biglittle-4x4 has 0 free"),
    ):
        other.load(kws)


def test_a_closed_mesh_takes_nothing(kws: Program) -> None:
    mesh = weft.Mesh(MACHINE)
    mesh.load(kws)
    mesh.close()
    assert mesh.sessions == []
    assert len(mesh.free_pes) == 148
    with pytest.raises(EngineError, match="closed"):
        mesh.load(kws)


def test_a_machine_of_the_same_name_with_other_pes(kws: Program) -> None:
    plain = load_machine(MACHINE)
    (own,) = [pe for pe in plain.usable() if str(pe) == kws.pes[0]["name"]]
    large = replace(plain.classes["m4"], name="large")
    changed = replace(plain, classes={**plain.classes, "large": large}, exceptions={own: "large"})
    with weft.Mesh(changed, threads=1) as mesh:
        session = mesh.load(kws)
        assert own not in session.pes
        assert own in mesh.free_pes

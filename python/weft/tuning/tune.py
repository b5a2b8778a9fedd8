# SPDX-License-Identifier: Apache-2.0
"""Tunes the generated kernels of a model."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from weft.bench.counting import SINGLE_MACHINES
from weft.bench.report import render, table
from weft.codegen.toolchain import find_target_toolchain
from weft.compiler import generated_kernels, model_bytes
from weft.engines.cortex_m4.counts import Count
from weft.errors import TuningError
from weft.frames import random_frame
from weft.kernels.schedule_space import space_of
from weft.kernels.tuned import FORMAT
from weft.tuning.measure import Candidate, Subject, Trial, measure
from weft.tuning.search import Search
from weft.tuning.workers import Map, local_workers, ray_workers

#: One PE with room for most models.
MACHINE = SINGLE_MACHINES[-1]
# Candidates that are proposed before the next are made of the best of them; not the number of
# processes, so that this changes nothing but the time.
_GENERATION = 8
_FRAMES, _SEED = 2, 1


def tune_model(
    model: Any,
    *,
    trials: int = 32,
    jobs: int | None = None,
    ray: str | None = None,
    seed: int = 0,
    hand_written: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Searches for schedules of the kernels that ``weft.compile`` generates for a model, a path or
    bytes, with counted instructions of the Cortex-M4 as cost.

    ``trials`` programs are measured, each with a candidate for every kernel, in ``jobs`` processes
    (by default one a processor), or by the workers of the Ray cluster at ``ray``. ``progress`` is
    called with how many are done and how many there will be. Without ``hand_written`` kernels are
    tuned that are generated only then. The same arguments give the same result.

    Returns what ``weft.compile(tuned=...)`` takes, and ``instructions`` and ``cycles`` of all
    kernels that can be tuned in a frame, ``default`` and ``tuned`` (docs/formats/tuned.md).

    Raises ``TuningError`` if there is nothing to tune or a worker fails, and what ``weft.compile``
    and the engine ``cortex-m4`` raise.
    """
    data, name = model_bytes(model)
    if data is None:
        raise TuningError("a model to tune is a file or its bytes: workers read it, too")
    kernels = generated_kernels(data, MACHINE, hand_written=hand_written)
    searches = [Search(kernel, seed) for kernel in kernels if space_of(kernel)]
    if not searches:
        raise TuningError(
            f"{name} has no kernel to tune: convolutions and dense layers are, where they are not "
            "hand-written"
        )
    subject = Subject(data, MACHINE, hand_written)
    found = local_workers(jobs or os.cpu_count() or 1) if ray is None else ray_workers(ray)
    with found as run:
        (default,) = run(measure, [Trial(subject, {})])
        _search(subject, searches, trials, run, progress or (lambda done, whole: None))
    return _report(subject, searches, default)


def _search(
    subject: Subject,
    searches: Sequence[Search],
    trials: int,
    run: Map,
    progress: Callable[[int, int], None],
) -> None:
    done = 0
    while done < trials:
        candidates = _together(searches, min(_GENERATION, trials - done))
        if not candidates:
            break  # all is measured
        measured = run(measure, [Trial(subject, candidate) for candidate in candidates])
        for candidate, counts in zip(candidates, measured, strict=True):
            for search in searches:
                name = search.kernel.name
                if name in candidate:
                    search.tell(candidate[name], counts.get(name))
        done += len(candidates)
        progress(done, trials)


def _together(searches: Sequence[Search], count: int) -> list[Candidate]:
    """Programs with a proposal for each kernel that has any left."""
    proposals = [search.propose(count) for search in searches]
    names = [search.kernel.name for search in searches]
    return [
        {name: decisions for name, decisions in zip(names, row, strict=True) if decisions}
        for row in zip_longest(*proposals)
    ]


def _report(
    subject: Subject, searches: Sequence[Search], default: Mapping[str, Count]
) -> dict[str, Any]:
    """Kernels that got faster, and the check that nothing else changed."""
    kernels: dict[str, Any] = {}
    before, after = Count(), Count()
    for search in searches:
        name = search.kernel.name
        usual = default.get(name, Count())
        best, decisions = search.measured[0] if search.measured else (usual, {})
        if best.instructions < usual.instructions:
            kernels[name] = {
                "decisions": dict(decisions),
                **asdict(best),
                "default": asdict(usual),
                "measured": len(search.measured),
            }
        before += usual
        after += best if name in kernels else usual
    if kernels:
        _check_bytes(subject, {name: row["decisions"] for name, row in kernels.items()})
    toolchain = find_target_toolchain("cortex-m4f")
    assert toolchain is not None  # it has made the images
    return {
        "format": FORMAT,
        "compiler": toolchain.version,
        "kernels": dict(sorted(kernels.items())),
        "default": asdict(before),
        "tuned": asdict(after),
    }


def _check_bytes(subject: Subject, candidate: Candidate) -> None:
    """As machine code, on random frames: a schedule that changes a result is a defect of ours."""
    results = []
    with tempfile.TemporaryDirectory(prefix="weft-tune-") as scratch:
        for number, chosen in enumerate(({}, candidate)):
            program = subject.compile(chosen, Path(scratch) / str(number))
            rng = np.random.default_rng(_SEED)
            with program.open("cortex-m4") as session:
                frames = [random_frame(program.inputs, rng) for _ in range(_FRAMES)]
                outputs = [session.run(frame) for frame in frames]
            parts = [out if isinstance(out, tuple) else (out,) for out in outputs]
            results.append([array.tobytes() for part in parts for array in part])
    if results[0] != results[1]:
        raise AssertionError(f"tuned kernels give other bytes: {sorted(candidate)}")


def text(report: Mapping[str, Any]) -> str:
    """A line for every kernel that got faster."""
    made = table("kernel", "default", "tuned", "ratio", "cycles", "tuned", "decisions")
    for name, row in report["kernels"].items():
        usual = row["default"]
        decided = ", ".join(f"{key} {value}" for key, value in row["decisions"].items())
        made.add_row(
            name,
            str(usual["instructions"]),
            str(row["instructions"]),
            f"{row['instructions'] / usual['instructions']:.3f}",
            str(usual["cycles"]),
            str(row["cycles"]),
            decided,
        )
    before, after = report["default"]["instructions"], report["tuned"]["instructions"]
    whole = f"all kernels that can be tuned: {before} instructions a frame, tuned {after}"
    return render(made, "", whole)


def write_tuned(report: Mapping[str, Any], path: Path) -> None:
    """The file that ``weft.compile(tuned=...)`` reads. Raises ``OSError``."""
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

# SPDX-License-Identifier: Apache-2.0
"""What kernels cost with candidates for their schedules: in a process of its own, anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weft.bench.counting import count_frames
from weft.compiler import compile_model
from weft.engines.cortex_m4.counts import Count
from weft.errors import WeftError
from weft.kernels.schedule_space import Decisions
from weft.kernels.tuned import FORMAT
from weft.program import Program

#: Decisions about kernels, by name.
Candidate = Mapping[str, Decisions]


@dataclass(frozen=True)
class Subject:
    """What is tuned: the bytes of a model file, for one PE of a bundled machine."""

    model: bytes
    machine: str
    hand_written: bool

    def compile(self, candidate: Candidate, folder: Path) -> Program:
        """Writes the program to ``folder``. Raises what ``compile_model`` does."""
        kernels = {name: {"decisions": decisions} for name, decisions in candidate.items()}
        return compile_model(
            self.model,
            self.machine,
            output=folder,
            tuned={"format": FORMAT, "kernels": kernels} if kernels else None,
            hand_written=self.hand_written,
        )


@dataclass(frozen=True)
class Trial:
    """A program with a candidate for each of some kernels. No candidates: as they are."""

    subject: Subject
    candidate: Candidate


def measure(trial: Trial) -> dict[str, Count | None]:
    """Instructions and cycles of every kernel, by name, in a frame. None for one with a candidate
    of which no image can be made.

    Kernels are apart from each other in an image, so that one program measures a candidate of each.
    Raises ``WeftError`` if even the kernels as they are make none.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="weft-tune-") as scratch:
            program = trial.subject.compile(trial.candidate, Path(scratch) / "program")
            return dict(count_frames(program).functions)
    except WeftError:
        if not trial.candidate:
            raise
        if len(trial.candidate) == 1:
            return dict.fromkeys(trial.candidate)
    alone = [{name: decisions} for name, decisions in trial.candidate.items()]
    found: dict[str, Count | None] = {}
    for candidate in alone:
        counts = measure(Trial(trial.subject, candidate))
        found |= {name: counts.get(name) for name in candidate}
    return found

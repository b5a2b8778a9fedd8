"""Damaged and unusual TFLite files: imported or refused in one line, never anything else."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from weft.errors import ModelError
from weft.importers import import_model

WORKER = Path(__file__).with_name("damaged_models.py")
MUTATIONS = 100 * settings().max_examples
# For one file, on a slow machine. A whole one takes a twentieth of a second.
SECONDS = 5.0


def _outcomes(what: str, model: Path, first: int = 0, count: int = 0) -> dict[str, str]:
    """What became of every file, by name. A crash or hang is the outcome of the one it hit."""
    command = [sys.executable, WORKER, what, model, str(first), str(count)]
    paths = os.pathsep.join([str(WORKER.parents[1]), os.environ.get("PYTHONPATH", "")])
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=180,
            env=os.environ | {"PYTHONPATH": paths},
        )
        output, end = done.stdout, f"the process ended with status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output, end = (error.stdout or b"").decode(), "hangs"
    results: dict[str, str] = {}
    for line in output.splitlines():
        name, *outcome = json.loads(line)
        results[name] = end
        if outcome:
            results[name] = outcome[0] if outcome[1] < SECONDS else f"takes {outcome[1]:.1f} s"
    return results


def _wrong(outcomes: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in outcomes.items() if text not in ("imported", "refused")}


def test_truncated_files_are_refused(digits_model: Path) -> None:
    outcomes = _outcomes("cut", digits_model)
    assert len(outcomes) == -(-digits_model.stat().st_size // 97)
    assert _wrong(outcomes) == {}
    # Only what ends in padding could lack some bytes and be whole.
    imported = [name for name, text in outcomes.items() if text == "imported"]
    assert len(imported) <= 1


def test_mutated_files_are_imported_or_refused(digits_model: Path) -> None:
    outcomes = _outcomes("mutate", digits_model, 0, MUTATIONS)
    assert _wrong(outcomes) == {}
    assert len(outcomes) == MUTATIONS
    # Both happen a lot, or this tests little.
    for text in ("imported", "refused"):
        assert list(outcomes.values()).count(text) > MUTATIONS // 10


def test_wrong_descriptions_are_imported_or_refused(digits_model: Path) -> None:
    outcomes = _outcomes("describe", digits_model, 0, MUTATIONS)
    assert _wrong(outcomes) == {}
    assert len(outcomes) == MUTATIONS
    for text in ("imported", "refused"):
        assert list(outcomes.values()).count(text) > MUTATIONS // 10


def test_names_of_several_lines(digits_model: Path) -> None:
    data = digits_model.read_bytes().replace(b"digits_1/", b"digits\n1/")
    data = data.replace(struct.pack("<4i", 1, 2, 2, 48), struct.pack("<4i", 1, -2, 2, 48))
    with pytest.raises(ModelError, match=r"tensor '.*digits\?1/.*has the shape") as caught:
        import_model(data, "model", None)
    assert "\n" not in str(caught.value)


def test_shapes_that_contradict_are_refused(digits_model: Path) -> None:
    outcomes = _outcomes("reshape", digits_model)
    assert outcomes == dict.fromkeys(outcomes, "refused")
    assert len(outcomes) == 7


def test_unusual_models_are_imported(digits_model: Path) -> None:
    outcomes = _outcomes("unusual", digits_model)
    assert outcomes == dict.fromkeys(
        (
            f"output is {what}"
            for what in ("an input", "a constant", "both and a result", "a result twice")
        ),
        "imported",
    )

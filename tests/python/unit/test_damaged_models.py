"""Damaged and unusual TFLite files: imported or refused in one line, never anything else."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import settings

from unit.outcomes import outcomes_of
from weft.errors import ModelError
from weft.importers import import_model

MUTATIONS = 100 * settings().max_examples


def _wrong(outcomes: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in outcomes.items() if text not in ("imported", "refused")}


def test_truncated_files_are_refused(digits_model: Path) -> None:
    outcomes = outcomes_of("cut", digits_model)
    assert len(outcomes) == -(-digits_model.stat().st_size // 97)
    assert _wrong(outcomes) == {}
    # Only what ends in padding could lack some bytes and be whole.
    imported = [name for name, text in outcomes.items() if text == "imported"]
    assert len(imported) <= 1


def test_mutated_files_are_imported_or_refused(digits_model: Path) -> None:
    outcomes = outcomes_of("mutate", digits_model, 0, MUTATIONS)
    assert _wrong(outcomes) == {}
    assert len(outcomes) == MUTATIONS
    # Both happen a lot, or this tests little.
    for text in ("imported", "refused"):
        assert list(outcomes.values()).count(text) > MUTATIONS // 10


def test_wrong_descriptions_are_imported_or_refused(digits_model: Path) -> None:
    outcomes = outcomes_of("describe", digits_model, 0, MUTATIONS)
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
    outcomes = outcomes_of("reshape", digits_model)
    assert outcomes == dict.fromkeys(outcomes, "refused")
    assert len(outcomes) == 7


def test_unusual_models_are_imported(digits_model: Path) -> None:
    outcomes = outcomes_of("unusual", digits_model)
    assert outcomes == dict.fromkeys(
        (
            f"output is {what}"
            for what in ("an input", "a constant", "both and a result", "a result twice")
        ),
        "imported",
    )

"""Models for these tests, compiled and run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.paths import models_folder
from weft.program import Program

MODELS = Path(__file__).resolve().parents[4] / "shared" / "models"
MODEL_NAMES = ("digits", "kws", "ic", "ad")
MACHINE = "single-m4-1m"


@dataclass(frozen=True)
class Compiled:
    """A compiled model with some frames and what the native engine gives for them."""

    name: str
    model: Path
    program: Program
    frames: list[np.ndarray]
    results: list[np.ndarray]


def model_file(name: str) -> Path:
    """Where the file of a model should be."""
    return (models_folder() if name == "digits" else MODELS) / f"{name}_int8.tflite"


def require_model(name: str) -> Path:
    """The file of a model; skips, or in CI fails, where it is not there."""
    path = model_file(name)
    if not path.is_file():
        reason = f"{path} is missing: get it from github.com/mlcommons/tiny (training)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def _frames(program: Program) -> list[np.ndarray]:
    (info,) = program.inputs
    rng = np.random.default_rng(2024)
    limits = [np.full(info.shape, value, info.dtype) for value in (-128, 127)]
    return [*limits, *(rng.integers(-128, 128, info.shape).astype(np.int8) for _ in range(3))]


def compile_named(name: str, folder: Path) -> Compiled:
    """Compiles a model into ``folder / name`` and runs it."""
    model = require_model(name)
    program = weft.compile(model, MACHINE, output=folder / name)
    frames = _frames(program)
    with program.open() as session:
        results = [session.run(frame) for frame in frames]
    return Compiled(name, model, program, frames, results)

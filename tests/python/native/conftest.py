"""Compiled models and the results of the native engine for them."""

from __future__ import annotations

from pathlib import Path

import pytest

import weft
from native.models import MODEL_NAMES, Compiled, compile_named
from weft.program import Program


@pytest.fixture(scope="session")
def compiled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="session")
def digits(compiled_folder: Path) -> Compiled:
    """The bundled model."""
    return compile_named("digits", compiled_folder)


@pytest.fixture(scope="session")
def digits_mesh(digits: Compiled, compiled_folder: Path) -> Program:
    """The bundled model on the PEs of a grid."""
    return weft.compile(digits.model, "grid-4x4", output=compiled_folder / "digits_mesh")


@pytest.fixture(scope="session", params=MODEL_NAMES)
def compiled(request: pytest.FixtureRequest, compiled_folder: Path) -> Compiled:
    """Each of the models in turn."""
    if request.param == "digits":
        found: Compiled = request.getfixturevalue("digits")
        return found
    return compile_named(request.param, compiled_folder)

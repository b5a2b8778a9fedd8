"""Small models as files, and the command line as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from support.tflite_builder import ModelBuilder
from weft.cli import main

MACHINE = ("--machine", "single-m4")


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


Weft = Callable[..., Done]


@pytest.fixture(scope="session")
def weft_command() -> Weft:
    """Runs a command in this process; what is no orderly end is raised."""

    def run(*arguments: object) -> Done:
        result = CliRunner().invoke(main, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    folder = tmp_path_factory.mktemp("models")
    for build in (_tiny, _two, _unsupported, _too_big):
        path = folder / f"{build.__name__.removeprefix('_')}.tflite"
        path.write_bytes(build())
    return folder


@pytest.fixture(scope="session")
def tiny(models: Path) -> Path:
    """relu6 of four values."""
    return models / "tiny.tflite"


def _tiny() -> bytes:
    m = ModelBuilder()
    m.output(m.relu6(m.input((1, 4), 0.5, 0)))
    return m.build()


def _two() -> bytes:
    """Two inputs of different shapes, two outputs."""
    m = ModelBuilder()
    a, b = m.input((1, 4), 0.5, 0), m.input((1, 2, 3), 0.5, 0)
    m.output(m.reshape(b, (1, 6)), m.relu6(a))
    return m.build()


def _unsupported() -> bytes:
    """Three operators that nobody asks for, between two that are there."""
    m = ModelBuilder()
    x = m.relu6(m.input((1, 4), 0.5, 0))
    for name in ("SIN", "COS", "ROUND"):
        x = m._emit(name, [x], None, x.shape, 0.5, 0)
    m.output(m.relu6(x))
    return m.build()


def _too_big() -> bytes:
    """400,000 bytes of weights."""
    m = ModelBuilder()
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (640, 640)).astype(np.int8)
    x = m.input((1, 640), 0.1, 0)
    m.output(m.fully_connected(x, weights, np.zeros(640, int), 0.01, scale=0.5, zero_point=0))
    return m.build()

"""C compilers and runs of what they make, for the tests that look at C."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

#: What all runtime and generated C must compile with. Written down here and not imported: it is
#: the promise, not what the code happens to use.
STRICT = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

#: Every finding ends the process. Conversions of floats to integers are not part of `undefined`.
SANITIZE = (
    "-g",
    "-O1",
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
)

_SECONDS = 120


def require(command: str) -> str:
    """The path of a command; the test is skipped where it is not installed."""
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is not installed")
    return found


def run(
    command: Sequence[str | Path], folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, whatever its exit status."""
    import os

    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )


def succeed(
    command: Sequence[str | Path], folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command that must end well; its messages are the message of the failure."""
    done = run(command, folder, **environment)
    if done.returncode != 0:
        shown = " ".join(str(part) for part in command)
        pytest.fail(f"exit status {done.returncode}: {shown}\n{done.stdout}{done.stderr}")
    return done


@functools.cache
def _can_link_with(compiler: str, flags: tuple[str, ...]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.c"
        source.write_text("int main(void) { return 0; }\n", encoding="ascii")
        program = Path(folder) / "empty"
        if run([compiler, *flags, source, "-o", program]).returncode != 0:
            return False
        return run([program]).returncode == 0


def require_flags(command: str, *flags: str) -> str:
    """A compiler that makes working programs with these flags, or the test is skipped."""
    compiler = require(command)
    if not _can_link_with(compiler, flags):
        pytest.skip(f"{command} makes no working program with {' '.join(flags)}")
    return compiler

"""What becomes of damaged models: each imported in a process that may crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("damaged_models.py")
# For one file, on a slow machine. A whole one takes a twentieth of a second.
SECONDS = 5.0


def outcomes_of(what: str, model: Path, first: int = 0, count: int = 0) -> dict[str, str]:
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

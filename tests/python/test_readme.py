"""The README's Python works as it is written, wherever one is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def _first_block() -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    assert blocks, f"{README} shows no Python"
    return blocks[0]


def test_first_python_block_runs_as_written(tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(_first_block(), encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, script],
        check=False,
        capture_output=True,
        text=True,
        cwd=elsewhere,
        timeout=300,
    )
    assert done.returncode == 0, f"{_first_block()}\n{done.stderr}"
    assert done.stdout.strip(), "it shows nothing of what it does"


def test_first_python_block_is_short_and_uses_weft() -> None:
    lines = [line for line in _first_block().splitlines() if line.strip()]
    assert 5 <= len(lines) <= 12
    assert "import weft" in lines


def test_the_commands_on_accelerators_run_as_written(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    found = re.search(r"^## Accelerators\n.*?^```sh\n(.*?)^```$", text, re.M | re.S)
    assert found is not None
    (tmp_path / "python").symlink_to(README.parent / "python")
    done = subprocess.run(
        ["bash", "-e", "-c", found[1]],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "devices compute 100.0 % of 185312 MACs" in done.stdout
    assert "sha256 of the output" in done.stdout

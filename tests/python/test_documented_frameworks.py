"""The Python of docs/frameworks.md works as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "frameworks.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
#: Those that stand alone.
WHOLE = [block for block in BLOCKS if "import" in block]


@pytest.mark.parametrize("block", WHOLE, ids=["backend", "offload"])
def test_a_block_runs_as_written(block: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(block, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{block}\n{done.stderr}"
    assert done.stdout.strip()

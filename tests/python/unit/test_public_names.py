"""The public names are what they say, in whatever order they are asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from itertools import permutations

import pytest

import weft


@pytest.mark.parametrize("names", list(permutations(["cost", "graph"])))
def test_functions_in_any_order(names: tuple[str, ...]) -> None:
    code = f"import weft; assert all(callable(getattr(weft, n)) for n in {names!r})"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_no_module_hides_a_public_name() -> None:
    """Importing it would put the module in the name's place."""
    assert [n for n in weft.__all__ if find_spec(f"weft.{n}") is not None] == []

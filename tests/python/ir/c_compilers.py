"""The host's C compiler, for tests that look at generated C."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable

import pytest

from weft.paths import runtime_folder

#: The promise of the design, written down here again and not taken from the code.
STRICT = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

_HEAD = '#include <stdbool.h>\n#include <stdint.h>\n\n#include "weft/arith.h"\n\n'


def host_compiler() -> list[str]:
    """$CC or cc, with the runtime's headers; the test is skipped where there is none."""
    command = shlex.split(os.environ.get("CC") or "cc")
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no C compiler {command[0]}")
    return [*command, f"-I{runtime_folder() / 'include'}"]


def kernel_source(functions: Iterable[str]) -> str:
    """A C file of generated functions."""
    return _HEAD + "\n".join(functions)

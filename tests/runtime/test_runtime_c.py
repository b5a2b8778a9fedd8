# SPDX-License-Identifier: Apache-2.0
"""Builds the C unit tests of the runtime in several ways and runs every case of them.

A case is `TEST(name)` in a `test_*.c` of this folder; it runs in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from native.c_compilers import SANITIZE, STRICT, require_flags, run, succeed

HERE = Path(__file__).resolve().parent
RUNTIME = HERE.parents[1] / "runtime"
HASH = "0123456789abcdef" * 4

_STRICTER = ("-Wconversion", "-Wshadow")
_USUAL = (
    f'-DWEFT_RUNTIME_HASH="{HASH}"',
    f"-I{RUNTIME / 'include'}",
    f"-I{RUNTIME / 'port/host'}",
    f"-I{HERE}",
    *(f"-I{folder}" for folder in sorted(RUNTIME.glob("devices/*"))),
)
_RACES = ("-g", "-O1", "-fsanitize=thread")
_THREADS = "_threads"


@dataclass(frozen=True)
class Variant:
    """A way to build the tests."""

    compiler: str
    flags: tuple[str, ...]

    def command(self) -> list[str]:
        flags = (*self.flags, "-pthread")
        return [require_flags(self.compiler, *flags), *STRICT, *_STRICTER, *flags, *_USUAL]


VARIANTS = {
    "gcc": Variant("gcc", ("-O2",)),
    "clang": Variant("clang", ("-O2",)),
    "sanitized": Variant("gcc", SANITIZE),
    "races": Variant("gcc", _RACES),
}

Build = Callable[[str, str], Path]


def cases_of(source: Path) -> list[str]:
    return re.findall(r"^TEST\((\w+)\)$", source.read_text(encoding="utf-8"), re.M)


def all_cases() -> Iterator[object]:
    for source in sorted(HERE.glob("test_*.c")):
        for variant in VARIANTS:
            # One thread has no races.
            if variant == "races" and not source.stem.endswith(_THREADS):
                continue
            for case in cases_of(source):
                name = f"{variant}-{source.stem}-{case}"
                yield pytest.param(variant, source.name, case, id=name)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("runtime")

    def library(variant: str) -> Path:
        """Runtime, host port and what tests share: the files here without ``test_``. What is in a
        folder is for the test of that name. A test with a port of its own wins over the archive."""
        archive = folder / f"{variant}.a"
        if not archive.exists():
            objects = folder / variant
            objects.mkdir(exist_ok=True)
            shared = [path for path in HERE.glob("*.c") if not path.name.startswith("test_")]
            sources = [*RUNTIME.glob("src/*.c"), RUNTIME / "port/host/port.c", *shared]
            sources += [p for p in RUNTIME.glob("devices/*/*.c") if not p.stem.endswith("_cts")]
            succeed([*VARIANTS[variant].command(), "-c", *sources], objects)
            succeed(["ar", "rcs", archive, *objects.glob("*.o")])
        return archive

    def build_once(variant: str, test: str) -> Path:
        program = folder / f"{variant}-{Path(test).stem}"
        if not program.exists():
            own = (HERE / Path(test).stem.removeprefix("test_")).glob("*.c")
            sources = [HERE / test, *own, library(variant), "-lm"]
            succeed([*VARIANTS[variant].command(), *sources, "-o", program])
        return program

    return build_once


@pytest.mark.parametrize(("variant", "test", "case"), list(all_cases()))
def test_case(build: Build, variant: str, test: str, case: str) -> None:
    succeed([build(variant, test), case])


def test_a_failed_check_fails_the_case(tmp_path: Path) -> None:
    """The header of the tests itself: else all of the above could say nothing."""
    source = tmp_path / "test_failing.c"
    source.write_text(
        '#include "weft_test.h"\nTEST(bad)\n{\n    CHECK_EQ(1 + 1, 3);\n}\n'
        "TEST(good)\n{\n    CHECK(1);\n}\nTEST_MAIN(CASE(bad), CASE(good))\n",
        encoding="ascii",
    )
    program = tmp_path / "failing"
    succeed([*VARIANTS["gcc"].command(), source, "-o", program])
    failed = run([program, "bad"])
    assert failed.returncode == 1
    assert "1 + 1 is 2, not 3" in failed.stderr
    assert run([program, "good"]).returncode == 0
    assert run([program, "missing"]).returncode == 2


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_headers_stand_alone(compiler: str, tmp_path: Path) -> None:
    """Each header is a manual of its own: it includes what it needs, freestanding."""
    command = [require_flags(compiler), *STRICT, *_STRICTER, "-ffreestanding", "-c"]
    for header in sorted((RUNTIME / "include").rglob("*.h")):
        name = header.relative_to(RUNTIME / "include").as_posix()
        source = tmp_path / "one.c"
        source.write_text(f'#include "{name}"\n#include "{name}"\ntypedef int t;\n', "ascii")
        succeed([*command, "-I", RUNTIME / "include", source, "-o", tmp_path / "one.o"])


def test_only_freestanding_headers_are_included() -> None:
    allowed = {"stdint.h", "stddef.h", "stdbool.h", "string.h"}
    for part in ("include", "src"):
        for path in sorted((RUNTIME / part).rglob("*.[ch]")):
            included = set(re.findall(r"#\s*include\s*<([^>]+)>", path.read_text("utf-8")))
            assert included <= allowed, path

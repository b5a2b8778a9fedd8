# SPDX-License-Identifier: Apache-2.0
"""The cache of host libraries: two builders at once, killed compilers, and what users set wrong.

Compilers here are shell scripts that pass most of their work on to a real one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from native.c_compilers import require
from native.tiny import CONSTANTS, rewrite, tiny_program
from weft.engines import library
from weft.engines.library import host_library
from weft.errors import ToolchainError, WeftError
from weft.program import Program

MakeCompiler = Callable[..., Path]

# Answers to --version at once, and passes on what is no library; $out is what -o names. Everything
# else is the test's.
_SCRIPT = """\
#!/bin/sh
if [ "$1" = --version ]; then echo "test compiler {version}"; exit 0; fi
case " $* " in *" {wanted} "*) ;; *) exec '{real}' "$@" ;; esac
for argument; do
    [ "$previous" = -o ] && out=$argument
    previous=$argument
done
echo build >> '{log}'
{body}
exec '{real}' "$@"
"""

_HALF = """\
'{real}' "$@" || exit 1
size=$(wc -c < "$out")
head -c $((size / 2)) "$out" > "$out.half"
cat "$out.half" > "$out"
rm "$out.half"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own; the libraries in it, which are not optimised: all of the
    runtime is compiled for each of these tests."""
    monkeypatch.setattr(library, "OPTIMISE", ("-O0",))
    folder = tmp_path / "cache"
    monkeypatch.setenv("WEFT_CACHE_DIR", str(folder))
    monkeypatch.delenv("CC", raising=False)
    return folder / "libraries"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return tiny_program(tmp_path / "program")


@pytest.fixture
def make_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeCompiler:
    """Writes a compiler, always to the same path, and puts it into $CC."""
    real = require("gcc")

    def make(body: str = "", version: str = "1", wanted: str = "-shared") -> Path:
        script = tmp_path / "test-cc"
        log = tmp_path / "builds.log"
        body = body.replace("{real}", real)
        script.write_text(
            _SCRIPT.format(body=body, real=real, log=log, version=version, wanted=wanted), "ascii"
        )
        script.chmod(0o755)
        monkeypatch.setenv("CC", str(script))
        return script

    return make


def builds(tmp_path: Path) -> int:
    """How often a compiler of make_compiler was asked to build."""
    log = tmp_path / "builds.log"
    return len(log.read_text("ascii").splitlines()) if log.exists() else 0


def works(program: Program) -> None:
    """The program gives right results through its library."""
    with program.open() as session:
        result = session.run(np.zeros((4, 8), np.int8))
    assert result.tobytes() == CONSTANTS


def start_build(program: Program) -> subprocess.Popen[str]:
    code = (
        "import signal, weft; from weft.engines import library\n"
        f"library.OPTIMISE = {library.OPTIMISE!r}\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"print(library.host_library(weft.load({str(program.folder)!r})))"
    )
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def one_line(error: BaseException) -> str:
    message = str(error)
    assert message and "\n" not in message
    return message


# --- one library for the same sources ---


def test_built_once(
    cache: Path, program: Program, make_compiler: MakeCompiler, tmp_path: Path
) -> None:
    make_compiler()
    first = host_library(program)
    assert host_library(program) == first
    assert host_library(tiny_program(tmp_path / "the_same_elsewhere")) == first
    assert builds(tmp_path) == 1
    assert list(cache.iterdir()) == [first]
    works(program)


def test_every_changed_source_is_another_library(cache: Path, program: Program) -> None:
    seen = {host_library(program)}
    changed = ("kernels.c", "p0.h", "host.c", "runtime/src/pe.c", "runtime/include/weft/arith.h")
    for name in changed:
        path = program.folder / name
        path.write_text(path.read_text("utf-8") + "/* changed */\n", "utf-8")
        seen.add(host_library(program))
    assert len(seen) == 1 + len(changed)
    assert set(cache.iterdir()) == seen


def test_changed_constants_are_not_in_the_library(cache: Path, program: Program) -> None:
    first = host_library(program)
    program = rewrite(program, "constants.bin", lambda data: bytes(len(data)))
    assert host_library(program) == first
    with program.open() as session:
        assert not session.run(np.zeros((4, 8), np.int8)).any()
    assert list(cache.iterdir()) == [first]


def test_another_compiler_is_another_library(
    cache: Path,
    program: Program,
    make_compiler: MakeCompiler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiler = make_compiler()
    seen = {host_library(program)}
    make_compiler(version="2")
    seen.add(host_library(program))
    monkeypatch.setenv("CC", f"{compiler} -DSOMETHING")
    seen.add(host_library(program))
    assert len(seen) == 3
    assert set(cache.iterdir()) == seen


def test_two_processes_at_once(
    cache: Path, program: Program, make_compiler: MakeCompiler, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    # Neither compiles before both have looked into the cache and found nothing.
    make_compiler(
        f": > '{marks}/'$$; turns=0\n"
        f"while [ $(ls '{marks}' | wc -l) -lt 2 ] && [ $turns -lt 400 ]; do\n"
        "    sleep 0.05; turns=$((turns + 1))\ndone"
    )
    processes = [start_build(program) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert builds(tmp_path) == 2
    paths = {out.strip() for out, _ in answers}
    assert [str(path) for path in cache.iterdir()] == list(paths)
    works(program)
    assert builds(tmp_path) == 2


# --- what is killed leaves nothing behind ---


def test_a_killed_compiler(
    cache: Path, program: Program, make_compiler: MakeCompiler, tmp_path: Path
) -> None:
    make_compiler(_HALF + "kill -9 $$")
    with pytest.raises(ToolchainError) as caught:
        host_library(program)
    one_line(caught.value)
    assert list(cache.iterdir()) == []
    make_compiler()
    works(program)
    assert builds(tmp_path) == 2


def test_a_killed_builder(
    cache: Path, program: Program, make_compiler: MakeCompiler, tmp_path: Path
) -> None:
    """Compiler and calling process both die: nobody tidies up, and still nothing is loaded."""
    make_compiler(_HALF + "kill -9 $PPID; kill -9 $$")
    process = start_build(program)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    make_compiler()
    path = host_library(program)
    assert builds(tmp_path) == 2
    assert [p for p in cache.glob("*.so") if not p.name.startswith(".")] == [path]
    works(program)


def test_an_interrupted_builder(
    cache: Path, program: Program, make_compiler: MakeCompiler, tmp_path: Path
) -> None:
    make_compiler(_HALF + "kill -INT $PPID; sleep 5")
    process = start_build(program)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert list(cache.iterdir()) == []
    make_compiler()
    works(program)


# --- compilers that do not work ---


def test_cc_names_nothing(cache: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(ToolchainError) as caught:
        host_library(program)
    message = one_line(caught.value)
    assert "CC" in message
    assert "no-such-compiler" in message


def test_there_is_no_compiler_at_all(
    cache: Path, program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("weft.codegen.toolchain._zig", lambda: None)
    with pytest.raises(ToolchainError, match="no C compiler") as caught:
        host_library(program)
    assert "install" in one_line(caught.value)


def test_errors_of_the_compiler_are_reported(cache: Path, program: Program) -> None:
    with (program.folder / "kernels.c").open("a", encoding="ascii") as stream:
        stream.write('#error "the seventh seal"\nint 7up;\n')
    with pytest.raises(ToolchainError) as caught:
        host_library(program)
    message = one_line(caught.value)
    assert "the seventh seal" in message
    assert "kernels.c" in message
    assert list(cache.iterdir()) == []


def test_warnings_are_errors(cache: Path, program: Program) -> None:
    with (program.folder / "kernels.c").open("a", encoding="ascii") as stream:
        stream.write("static int never_used(void) { return 0; }\n")
    with pytest.raises(ToolchainError, match="never_used"):
        host_library(program)


def test_a_missing_function_is_reported(cache: Path, program: Program) -> None:
    kernels = program.folder / "kernels.c"
    kernels.write_text(kernels.read_text("ascii").replace("void tiny(", "void other("), "ascii")
    try:
        with program.open():
            pytest.fail("a library that lacks a function was opened")
    except (WeftError, RuntimeError) as error:
        assert "tiny" in one_line(error)


def test_a_compiler_that_fails_without_a_word(
    cache: Path, program: Program, make_compiler: MakeCompiler
) -> None:
    make_compiler("exit 3")
    with pytest.raises(ToolchainError, match="3"):
        host_library(program)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("chosen", ["", "  "])
def test_an_empty_cc_is_no_choice(
    cache: Path, program: Program, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    monkeypatch.setenv("CC", chosen)
    works(program)


def test_a_cc_with_an_open_quote(
    cache: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", 'gcc "-DX')
    with pytest.raises(ToolchainError, match="CC"):
        host_library(program)


def test_cc_may_be_a_relative_path(
    cache: Path,
    program: Program,
    make_compiler: MakeCompiler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiler = make_compiler()
    monkeypatch.chdir(compiler.parent)
    monkeypatch.setenv("CC", f"./{compiler.name}")
    works(program)


def test_a_compiler_that_says_it_is_done_and_is_not(
    cache: Path, program: Program, make_compiler: MakeCompiler
) -> None:
    # Not half of a library: loading that is a bus error.
    make_compiler(': > "$out"; exit 0')
    with pytest.raises(WeftError):
        program.open()
    make_compiler()
    works(program)


def test_a_compiler_whose_objects_are_empty(program: Program, make_compiler: MakeCompiler) -> None:
    """The runtime's objects are kept, but not those of a library that cannot be made or loaded."""
    make_compiler(': > "$out"; exit 0', wanted="-c")
    with pytest.raises(WeftError):
        program.open()
    make_compiler()
    works(program)


# --- where the cache lies ---


def test_the_cache_may_be_a_relative_path(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_CACHE_DIR", "here/cache")
    works(program)
    assert len(list((tmp_path / "here" / "cache" / "libraries").iterdir())) == 1
    works(program)


def test_a_chosen_cache_that_cannot_be_written(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A file in its way stops root, too.
    (tmp_path / "file").touch()
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeftError) as caught:
        host_library(program)
    assert str(tmp_path / "file") in one_line(caught.value)


def test_without_a_writeable_home_there_is_still_a_cache(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for name in ("WEFT_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    works(program)
    assert temporary in host_library(program).parents


def test_a_read_only_program_folder_is_enough(
    cache: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Building writes nothing beside the sources, which may lie anywhere."""
    before = {path: path.stat().st_mtime_ns for path in program.folder.rglob("*")}
    works(program)
    assert {path: path.stat().st_mtime_ns for path in program.folder.rglob("*")} == before


def test_the_cache_may_be_emptied_at_any_time(cache: Path, program: Program) -> None:
    with program.open() as session:
        shutil.rmtree(cache)
        assert session.run(np.zeros((4, 8), np.int8)).tobytes() == CONSTANTS
    works(program)
    assert os.listdir(cache)

# SPDX-License-Identifier: Apache-2.0
"""The folder of a compiled program: what its C promises to compilers, linkers and firmware."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from native.c_compilers import SANITIZE, STRICT, require, require_flags, succeed
from native.models import MACHINE, MODEL_NAMES, Compiled, model_file
from weft.program import Program

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
HASH_FLAG = '-DWEFT_RUNTIME_HASH="0"'
INCLUDES = ("-I", ".", "-I", "runtime/include", "-I", "runtime/port/host")

# What a distribution's compiler may add on its own account: none of it is the code's.
_PLAIN = ("-fno-pie", "-fno-pic", "-fno-stack-protector", "-U_FORTIFY_SOURCE")
_OPTIMISE = "-O2"

_ALLOWED = {"memcpy", "memset", "memmove"}
_PORT = {
    "weft_port_publish",
    "weft_port_observe",
    "weft_port_add",
    "weft_port_clock",
    "weft_port_write_box",
    "weft_port_signal_arrival",
    "weft_port_signal_credit",
}

Objects = Callable[[Compiled, str], Path]


def portable_sources(folder: Path) -> list[str]:
    """Everything that a PE runs, without any port."""
    return ["kernels.c", "p0.c", *runtime_sources(folder)]


def runtime_sources(folder: Path) -> list[str]:
    found = [p for part in ("src", "kernels") for p in (folder / "runtime" / part).glob("*.c")]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def host_sources() -> list[str]:
    return ["host.c", "runtime/port/host/port.c"]


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Compiles all C of a program, once for each compiler, into a folder of objects."""
    made: dict[tuple[str, str], Path] = {}

    def compile_all(compiled: Compiled, compiler: str) -> Path:
        key = (compiled.name, compiler)
        if key not in made:
            out = tmp_path_factory.mktemp("objects")
            folder = compiled.program.folder
            command = [require_flags(compiler, *_PLAIN), *STRICT, *_PLAIN, _OPTIMISE, HASH_FLAG]
            includes = [f"-I{folder / name}" for name in (".", *INCLUDES[3::2])]
            sources = [folder / name for name in (*portable_sources(folder), *host_sources())]
            succeed([*command, *includes, "-c", *sources], out)
            made[key] = out
        return made[key]

    return compile_all


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_a_warning(compiled: Compiled, objects: Objects, compiler: str) -> None:
    made = {path.name for path in objects(compiled, compiler).glob("*.o")}
    assert {"kernels.o", "p0.o", "host.o", "port.o", "pe.o"} <= made


def symbols(path: Path, *options: str) -> set[str]:
    listing = succeed([require("nm"), *options, path]).stdout
    return {line.split()[-1] for line in listing.splitlines() if line.strip()}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_needs_no_library(
    compiled: Compiled, objects: Objects, compiler: str, tmp_path: Path
) -> None:
    folder = objects(compiled, compiler)
    sources = portable_sources(compiled.program.folder)
    parts = [folder / f"{Path(name).stem}.o" for name in sources]
    whole = tmp_path / "whole.o"
    succeed([require("ld"), "-r", *parts, "-o", whole])
    assert symbols(whole, "-u") <= _ALLOWED | _PORT
    assert symbols(folder / "kernels.o", "-u") <= _ALLOWED
    succeed(["ld", "-r", whole, folder / "port.o", "-o", tmp_path / "with_port.o"])
    assert symbols(tmp_path / "with_port.o", "-u") <= _ALLOWED | {"clock_gettime"}


def test_has_no_variables(compiled: Compiled, objects: Objects) -> None:
    """Whatever is written hangs off a context: no symbol lies in writable memory."""
    for path in sorted(objects(compiled, "gcc").glob("*.o")):
        listing = succeed([require("nm"), path]).stdout
        kinds = {line.split()[-2] for line in listing.splitlines()}
        assert not kinds & set("bBdDcCgGsS"), path.name


def test_kernels_know_nothing_of_the_runtime(compiled: Compiled) -> None:
    """Kernels are functions of pointers and numbers, good for any firmware."""
    text = (compiled.program.folder / "kernels.c").read_text(encoding="utf-8")
    included = set(re.findall(r'#include ["<]([^">]+)', text))
    assert included <= {"kernels.h", "weft/arith.h", "stdbool.h", "stdint.h"}
    header = (compiled.program.folder / "kernels.h").read_text(encoding="utf-8")
    included = set(re.findall(r'#include ["<]([^">]+)', header))
    assert included <= {"weft/micro_kernels.h", "stdint.h"}


def run_executable(executable: Path, compiled: Compiled, scratch: Path) -> list[bytes]:
    """The output bytes of an executable made from run_frame.c, for each frame."""
    given, got = scratch / "input.bin", scratch / "output.bin"
    given.write_bytes(b"".join(frame.tobytes() for frame in compiled.frames))
    succeed([executable, given, got])
    data, size = got.read_bytes(), compiled.results[0].nbytes
    assert len(data) == size * len(compiled.frames)
    return [data[i : i + size] for i in range(0, len(data), size)]


def test_runs_clean_under_sanitizers(compiled: Compiled, tmp_path: Path) -> None:
    compiler = require_flags("gcc", *SANITIZE)
    folder, executable = compiled.program.folder, tmp_path / "run_frame"
    sources = [*portable_sources(folder), "runtime/port/host/port.c", "pes.S"]
    command = [compiler, *STRICT, *SANITIZE, HASH_FLAG, "-DWEFT_PE=0", *INCLUDES]
    succeed([*command, HERE / "run_frame.c", *sources, "-o", executable], folder)
    results = run_executable(executable, compiled, tmp_path)
    assert results == [result.tobytes() for result in compiled.results]


@pytest.mark.parametrize("options", ["", ":accumulator_bits=29,subtracts_zero_points=true"])
def test_devices_run_clean_under_sanitizers(options: str, digits: Compiled, tmp_path: Path) -> None:
    """Descriptors, jobs and contexts keep to their storage, the device's model to its operands."""
    compiler = require_flags("gcc", *SANITIZE)
    folder, executable = tmp_path / "program", tmp_path / "run_frame"
    weft.compile(digits.model, MACHINE, devices=[f"mac_array{options}"], output=folder)
    devices = sorted(p.relative_to(folder) for p in folder.glob("devices/*/*.c"))
    assert devices
    sources = [*portable_sources(folder), *devices, "runtime/port/host/port.c", "pes.S"]
    command = [compiler, *STRICT, *SANITIZE, HASH_FLAG, "-DWEFT_PE=0", "-DDEVICES", *INCLUDES]
    succeed([*command, HERE / "run_frame.c", *sources, "-o", executable], folder)
    results = run_executable(executable, digits, tmp_path)
    assert results == [result.tobytes() for result in digits.results]


def sources_of(program: Program) -> list[str]:
    folder = program.folder
    programs = [f"{p['name']}.c" for p in program.manifest["programs"]]
    return ["kernels.c", *programs, *runtime_sources(folder)]


def test_a_mesh_compiles_without_a_warning(digits_mesh: Program, tmp_path: Path) -> None:
    command = [require_flags("gcc", *_PLAIN), *STRICT, *_PLAIN, _OPTIMISE, HASH_FLAG]
    folder = digits_mesh.folder
    includes = [f"-I{folder / name}" for name in (".", *INCLUDES[3::2])]
    sources = [folder / name for name in (*sources_of(digits_mesh), *host_sources())]
    succeed([*command, *includes, "-c", *sources], tmp_path)
    for pe in worker_numbers(digits_mesh):
        check = '#include "pes.h"\nconst weft_program_t *const used = &WEFT_PE_PROGRAM;\n'
        (tmp_path / "used.c").write_text(check, encoding="ascii")
        succeed([*command, *includes, f"-DWEFT_PE={pe}", "-c", tmp_path / "used.c"], tmp_path)


def worker_numbers(program: Program) -> list[int]:
    rows = program.manifest["pes"]
    return [number for number, row in enumerate(rows) if row["program"] is not None]


def test_every_pe_gets_its_own_data(digits_mesh: Program, tmp_path: Path) -> None:
    compiler, objcopy = require("gcc"), require("objcopy")
    folder = digits_mesh.folder
    numbers = worker_numbers(digits_mesh)
    assert len(numbers) > 1
    for number in numbers:
        # From another folder: -I is enough.
        made = tmp_path / f"{number}.o"
        succeed([compiler, f"-DWEFT_PE={number}", "-I", folder, "-c", folder / "pes.S", "-o", made])
        row = digits_mesh.manifest["pes"][number]
        for part in ("tables", "constants"):
            raw = tmp_path / f"{number}.{part}"
            section = f".rodata.weft_{part}"
            succeed([objcopy, "-O", "binary", "-j", section, made, raw])
            at, size = row[f"{part}_at"], row[f"{part}_bytes"]
            data = raw.read_bytes()
            assert data[:size] == (folder / f"{part}.bin").read_bytes()[at : at + size]
            assert len(data) - size < 4 and not any(data[size:])


@pytest.mark.parametrize(
    ("options", "message"),
    [([], "define WEFT_PE as the number"), (["-DWEFT_PE=4711"], "there is no PE of that number")],
)
def test_data_of_no_pe(digits_mesh: Program, options: list[str], message: str) -> None:
    command = [require("gcc"), *options, *INCLUDES, "-fsyntax-only", "-include", "pes.h"]
    done = subprocess.run(
        [*command, "-x", "c", "/dev/null"],
        cwd=digits_mesh.folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and message in done.stderr


def test_a_mesh_gives_the_same_bytes(digits: Compiled, digits_mesh: Program) -> None:
    for threads in (0, 2):
        with digits_mesh.open(threads=threads) as session:
            results = list(session.stream(digits.frames))
        assert [r.tobytes() for r in results] == [r.tobytes() for r in digits.results]


_COMPILE_AGAIN = """\
import sys, weft
out, machine = sys.argv[1:3]
for argument in sys.argv[3:]:
    name, model = argument.split("=", 1)
    weft.compile(model, machine, output=f"{out}/{name}")
"""


@pytest.fixture(scope="session")
def compiled_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All models compiled by another process: other hashes, folder and working folder."""
    out = tmp_path_factory.mktemp("a_folder_of_another_name")
    models = [f"{name}={model_file(name)}" for name in MODEL_NAMES if model_file(name).is_file()]
    command = [sys.executable, "-c", _COMPILE_AGAIN, out, MACHINE, *models]
    succeed(command, out, PYTHONHASHSEED="4711")
    return out


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_compiling_twice_gives_the_same_bytes(compiled: Compiled, compiled_again: Path) -> None:
    first = files_of(compiled.program.folder)
    second = files_of(compiled_again / compiled.name)
    assert sorted(first) == sorted(second)
    assert [name for name, data in first.items() if second[name] != data] == []


def test_manifest_lists_all_files_with_their_checksums(compiled: Compiled) -> None:
    files = files_of(compiled.program.folder)
    del files["manifest.json"]
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert compiled.program.manifest["files"] == sums


def test_no_file_mentions_where_it_was_made(compiled: Compiled) -> None:
    folder = compiled.program.folder
    places = [folder, folder.parent, compiled.model.parent, REPOSITORY, Path(sys.prefix)]
    # Too short to look for in binary data.
    general = [Path.home(), Path(tempfile.gettempdir())]
    for name, data in files_of(folder).items():
        wanted = places if name.endswith(".bin") else places + general
        found = [str(place) for place in wanted if f"{place}/".encode() in data]
        assert not found, name


_PROJECT = """\
cmake_minimum_required(VERSION 3.15)
project(firmware LANGUAGES C ASM)
add_subdirectory(program)
weft_add_pe(pe0 0)
add_executable(firmware run_frame.c program/runtime/port/host/port.c)
target_include_directories(firmware PRIVATE program/runtime/port/host)
target_link_libraries(firmware PRIVATE weft_program pe0)
"""


def find_cmake() -> str:
    found = shutil.which("cmake")
    if found is None and importlib.util.find_spec("cmake") is not None:
        import cmake

        found = shutil.which("cmake", path=cmake.CMAKE_BIN_DIR)
    if found is None:
        pytest.skip("cmake is not installed, neither as a command nor as a Python package")
    if not any(shutil.which(tool) for tool in ("make", "ninja")):
        pytest.skip("cmake needs make or ninja, and neither is installed")
    return found


def test_builds_as_a_part_of_a_cmake_project(digits: Compiled, tmp_path: Path) -> None:
    cmake = find_cmake()
    # A folder with a blank in its name, as users have them.
    project = tmp_path / "my firmware"
    project.mkdir()
    shutil.copytree(digits.program.folder, project / "program")
    shutil.copy(HERE / "run_frame.c", project)
    (project / "CMakeLists.txt").write_text(_PROJECT, encoding="ascii")
    flags = f"-DCMAKE_C_FLAGS={' '.join(STRICT[2:])}"
    succeed([cmake, "-S", project, "-B", project / "build", flags])
    succeed([cmake, "--build", project / "build"])
    assert list((project / "build").rglob("libweft_program.a"))
    results = run_executable(project / "build" / "firmware", digits, tmp_path)
    assert results == [result.tobytes() for result in digits.results]


def test_frames_differ(compiled: Compiled) -> None:
    """The frames above say something: the results are not all the same."""
    assert len({np.asarray(result).tobytes() for result in compiled.results}) > 2

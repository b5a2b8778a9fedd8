# SPDX-License-Identifier: Apache-2.0
"""The CMake package: what it builds from folders and models, and what it says to mistakes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import weft
from weft.cli import main
from weft.codegen.runtime_sources import runtime_hash, runtime_units
from weft.paths import cmake_folder, models_folder, runtime_folder
from weft.program import Program

pytestmark = pytest.mark.skipif(
    shutil.which("cmake") is None or shutil.which("ninja") is None,
    reason="cmake and ninja are not both installed",
)

MODEL = models_folder() / "digits_int8.tflite"
# That of this environment, which need not be on the path.
WEFT = f"-DWEFT_EXECUTABLE={Path(sys.executable).parent / 'weft'}"
HEAD = "cmake_minimum_required(VERSION 3.15)\nproject(firmware LANGUAGES C CXX ASM)\n"
# Storage of the PE that it sees; prints the bytes of its first tables and how its own code is made.
MAIN = """\
#include <stdio.h>
#include "pes.h"
#include "weft/pe.h"
int main(void)
{
    printf("%s %s %u %ld\\n", WEFT_PE_PROGRAM.name, weft_runtime_hash(), weft_pe_tables[0],
           (long)__STDC_VERSION__);
    return 0;
}
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The bundled model on two PEs."""
    folder = tmp_path_factory.mktemp("program") / "my program"
    return weft.compile(MODEL, "grid-4x4", pes=2, output=folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my firmware"
    folder.mkdir()
    (folder / "main.c").write_text(MAIN, encoding="ascii")
    return folder


def configure(project: Path, lines: str, *options: str) -> subprocess.CompletedProcess[str]:
    (project / "CMakeLists.txt").write_text(HEAD + lines, encoding="utf-8")
    return subprocess.run(
        ["cmake", "-S", project, "-B", project / "build", "-G", "Ninja", WEFT, *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


def package(lines: str) -> str:
    return f'find_package(weft REQUIRED PATHS "{cmake_folder()}" NO_DEFAULT_PATH)\n{lines}'


def build(project: Path) -> str:
    done = subprocess.run(
        ["cmake", "--build", project / "build"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def printed(executable: Path) -> list[str]:
    return subprocess.run(
        [executable], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()


PORT = '"${weft_RUNTIME_DIR}/port/skeleton/port.c"'


def test_a_model_is_compiled_when_it_or_the_mapping_has_changed(
    project: Path, mesh: Program
) -> None:
    shutil.copyfile(MODEL, project / "digits.tflite")
    shutil.copyfile(mesh.folder / "mapping.json", project / "mapping.json")
    lines = package(
        "weft_add_program(digits digits.tflite MACHINE grid-4x4 MAPPING mapping.json)\n"
        "weft_add_pe(pe1 1 PROGRAM digits)\n"
        f"add_executable(firmware main.c {PORT})\n"
        "target_link_libraries(firmware PRIVATE digits pe1)\n"
    )
    done = configure(project, lines)
    assert done.returncode == 0, done.stderr
    assert "with Weft" in done.stdout
    made = weft.load(project / "build" / "digits.weft")
    assert made.manifest["pes"] == mesh.manifest["pes"]
    build(project)
    name, digest, magic, standard = printed(project / "build" / "firmware")
    assert name == mesh.manifest["pes"][1]["program"]
    assert digest == mesh.manifest["runtime_sha256"] == runtime_hash(runtime_folder())
    assert int(magic) == 0x54465457
    assert int(standard) > 199901  # what the project's own code is made as is its own affair

    assert "with Weft" not in configure(project, lines).stdout
    assert "ninja: no work to do" in build(project)
    mapping = json.loads((project / "mapping.json").read_text(encoding="utf-8"))
    (project / "mapping.json").write_text(json.dumps({**mapping, "depth": 1}), encoding="utf-8")
    build(project)  # CMake knows what it depends on
    made = weft.load(project / "build" / "digits.weft")
    assert made.manifest["pes"] != mesh.manifest["pes"]


def test_several_folders_and_their_pes(project: Path, mesh: Program, tmp_path: Path) -> None:
    alone = weft.compile(MODEL, "single-m4", output=tmp_path / "alone")
    lines = package(
        f'weft_add_program(mesh "{mesh.folder}")\n'
        f'weft_add_program(alone "{alone.folder}")\n'
        "foreach(number 0 1)\n"
        "  weft_add_pe(mesh${number} ${number} PROGRAM mesh)\n"
        f"  add_executable(firmware${{number}} main.c {PORT})\n"
        "  target_link_libraries(firmware${number} PRIVATE mesh mesh${number})\n"
        "endforeach()\n"
        "weft_add_pe(alone0 0 PROGRAM alone)\n"
        f"add_executable(firmware main.c {PORT})\n"
        "target_link_libraries(firmware PRIVATE alone alone0)\n"
    )
    done = configure(project, lines)
    assert done.returncode == 0, done.stderr
    build(project)
    for number in (0, 1):
        program = printed(project / "build" / f"firmware{number}")[0]
        assert program == mesh.manifest["pes"][number]["program"]
    assert printed(project / "build" / "firmware")[0] == "p0"


def test_a_firmware_in_cpp(project: Path, mesh: Program) -> None:
    (project / "main.cpp").write_text(MAIN.replace("__STDC_VERSION__", "__cplusplus"), "ascii")
    lines = package(
        f'weft_add_program(mesh "{mesh.folder}")\n'
        "weft_add_pe(mesh0 0 PROGRAM mesh)\n"
        f"add_executable(firmware main.cpp {PORT})\n"
        "target_link_libraries(firmware PRIVATE mesh mesh0)\n"
    )
    done = configure(project, lines, "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror")
    assert done.returncode == 0, done.stderr
    build(project)
    assert printed(project / "build" / "firmware")[1] == mesh.manifest["runtime_sha256"]


def test_flags_are_those_of_the_numbers_and_leak_nowhere(project: Path, mesh: Program) -> None:
    lines = package(
        f'weft_add_program(mesh "{mesh.folder}")\n'
        "weft_add_pe(mesh0 0 PROGRAM mesh)\n"
        f"add_executable(firmware main.c {PORT})\n"
        "target_link_libraries(firmware PRIVATE mesh mesh0)\n"
    )
    flags = "-std=gnu17 -ffast-math -ffp-contract=fast"
    options = [f"-DCMAKE_C_FLAGS={flags}", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]
    done = configure(project, lines, *options)
    assert done.returncode == 0, done.stderr
    text = (project / "build" / "compile_commands.json").read_text(encoding="utf-8")
    commands = {Path(row["file"]).name: row["command"].split() for row in json.loads(text)}
    for name in ("kernels.c", "p0.c", "pe.c", "program.c"):
        settings = [word for word in commands[name] if re.match(r"-std=|-ff|-fno-fast", word)]
        assert settings[-3:] == ["-std=c99", "-fno-fast-math", "-ffp-contract=off"]
    assert not {"-std=c99", "-fno-fast-math", "-ffp-contract=off"} & set(commands["main.c"])


def test_the_runtime_alone_names_itself_as_programs_do(project: Path) -> None:
    (project / "main.c").write_text(
        '#include <stdio.h>\n#include "weft/pe.h"\nint main(void) { puts(weft_runtime_hash()); }\n',
        encoding="ascii",
    )
    lines = package(
        "weft_add_runtime(runtime)\n"
        "add_executable(firmware main.c)\n"
        "target_link_libraries(firmware PRIVATE runtime)\n"
    )
    done = configure(project, lines)
    assert done.returncode == 0, done.stderr
    build(project)
    assert printed(project / "build" / "firmware") == [runtime_hash(runtime_folder())]


def test_all_sources_that_pes_need_are_listed(mesh: Program) -> None:
    text = (mesh.folder / "program.cmake").read_text(encoding="utf-8")
    listed = set(re.findall(r"^  (\S+\.c)\)?$", text, re.M))
    units = {f"runtime/{unit}" for unit in runtime_units(mesh.folder / "runtime")}
    programs = {f"{program['name']}.c" for program in mesh.manifest["programs"]}
    assert listed == {"kernels.c", *programs, *units}
    assert {f"runtime/src/{n}.c" for n in ("hash", "pe", "program", "status")} <= units


def test_hand_written_kernels_are_found(tmp_path: Path) -> None:
    for name in ("src/pe.c", "kernels/b.c", "kernels/a.c", "kernels/a.h", "port/host/port.c"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert runtime_units(tmp_path) == ["src/pe.c", "kernels/a.c", "kernels/b.c"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("weft_add_program(p nowhere)", "nowhere is not there; give a folder"),
        ("weft_add_program(p .)", "holds no compiled program"),
        ("weft_add_program(p {mesh} PES 2)", "is compiled already; MACHINE, MAPPING and PES go"),
        ("weft_add_program(p {mesh} CHIP x)", "takes MACHINE, MAPPING and PES"),
        ("weft_add_program(p main.c)", "weft compile ended with 2: weft: main"),
        ("weft_add_program(p {model} MACHINE none)", "weft compile ended with 2: weft: there is"),
        ("weft_add_program(p {model} MAPPING none)", "none is not there; give a file"),
        ("weft_add_program(p {mesh})\nweft_add_pe(x 9 PROGRAM p)", "those that have are 0;1"),
        ("weft_add_pe(x 0)", "weft_program is no target of weft_add_program()"),
        (
            "set(WEFT_EXECUTABLE WEFT_EXECUTABLE-NOTFOUND)\nweft_add_program(p {model})",
            "the command weft was not found; say -DWEFT_EXECUTABLE=<path>",
        ),
    ],
)
def test_mistakes(project: Path, mesh: Program, lines: str, message: str) -> None:
    filled = lines.replace("{mesh}", f'"{mesh.folder}"').replace("{model}", f'"{MODEL}"')
    done = configure(project, package(filled + "\n"))
    assert done.returncode == 1
    assert message in " ".join(done.stderr.split())
    assert not list((project / "build").glob("*.weft*"))


def test_a_model_without_the_package(project: Path, mesh: Program) -> None:
    lines = f'add_subdirectory("{mesh.folder}" p)\nweft_add_program(q "{MODEL}")\n'
    done = configure(project, lines)
    assert done.returncode == 1
    assert "is a model file; call find_package(weft) first" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("wanted", "is_found"),
    [
        (weft.__version__, True),
        (f"{weft.__version__} EXACT", True),
        (".".join(weft.__version__.split(".")[:2]), True),
        ("0.0.1", False),
        ("99.0", False),
    ],
)
def test_versions(project: Path, wanted: str, is_found: bool) -> None:
    lines = f"find_package(weft {wanted} QUIET)\nmessage(STATUS found=${{weft_FOUND}})\n"
    done = configure(project, lines, f"-DCMAKE_PREFIX_PATH={cmake_folder()}")
    assert f"found={int(is_found)}" in done.stdout


def test_the_command_line_says_where_it_is() -> None:
    done = CliRunner().invoke(main, ["--cmake-dir"])
    assert (done.exit_code, done.output) == (0, f"{cmake_folder()}\n")
    assert (cmake_folder() / "weftConfig.cmake").is_file()

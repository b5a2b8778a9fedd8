# SPDX-License-Identifier: Apache-2.0
"""What the pages on embedded builds show works as it is written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.codegen.toolchain import find_target_toolchain
from weft.paths import cmake_folder, models_folder, runtime_folder
from weft.program import Program

DOCS = Path(__file__).resolve().parents[2] / "docs"
MACHINE = "single-m4"
PACKAGE = (
    f"-Dweft_DIR={cmake_folder()}",
    f"-DWEFT_EXECUTABLE={Path(sys.executable).parent / 'weft'}",
)


def block(language: str, page: str = "embedded-builds") -> str:
    """The first block of a language on a page."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert found, f"{page} shows no {language}"
    return found.group(1)


def run(command: list[str | Path], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def digits(tmp_path: Path) -> Program:
    model = models_folder() / "digits_int8.tflite"
    return weft.compile(model, MACHINE, output=tmp_path / "digits")


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_the_guest_builds_and_prints_the_scores(digits: Program, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(block("cmake"), encoding="utf-8")
    (tmp_path / "main.c").write_text(block("c"), encoding="utf-8")
    build = ["cmake", "--build", "build"]
    run(["cmake", "-S", ".", "-B", "build"], tmp_path)
    run(build, tmp_path)
    printed = run([tmp_path / "build" / "firmware"], tmp_path)
    with digits.open() as session:
        expected = session.run(np.zeros(digits.inputs[0].shape, np.int8))
    assert [int(score) for score in printed.split()] == expected.ravel().tolist()
    assert "pes.S" not in run(build, tmp_path)
    (digits.folder / "constants.bin").touch()
    assert "pes.S" in run(build, tmp_path)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_the_page_of_the_cmake_package(tmp_path: Path) -> None:
    shutil.copyfile(models_folder() / "digits_int8.tflite", tmp_path / "model.tflite")
    (tmp_path / "CMakeLists.txt").write_text(block("cmake", "cmake-package"), encoding="utf-8")
    (tmp_path / "main.c").write_text(block("c"), encoding="utf-8")
    run(["cmake", "-S", ".", "-B", "build", *PACKAGE], tmp_path)
    run(["cmake", "--build", "build"], tmp_path)
    assert len(run([tmp_path / "build" / "firmware"], tmp_path).split()) == 10


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_the_conformance_test_of_the_page_on_ports(tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(block("cmake", "own-port"), encoding="utf-8")
    (tmp_path / "main.c").write_text(block("c", "own-port"), encoding="utf-8")
    shutil.copyfile(runtime_folder() / "port" / "skeleton" / "port.c", tmp_path / "my_port.c")
    run(["cmake", "-S", ".", "-B", "build", *PACKAGE], tmp_path)
    run(["cmake", "--build", "build"], tmp_path)
    assert run([tmp_path / "build" / "port_test"], tmp_path) == block("text", "own-port")


def test_the_image_is_built_and_its_sections_shown(digits: Program, tmp_path: Path) -> None:
    pe_class = weft.load_machine(MACHINE).classes["m4"]
    if find_target_toolchain(pe_class.core) is None:
        pytest.skip("no target compiler is installed")
    (tmp_path / "images.py").write_text(block("python", "images"), encoding="utf-8")
    shown = run([sys.executable, "images.py"], tmp_path)
    name, _, sections = shown.partition(" ")
    assert name == digits.pes[0]["name"]
    assert f"'constants': {digits.pes[0]['constants_bytes']}" in sections
    assert (tmp_path / "digits-0.elf").is_file()

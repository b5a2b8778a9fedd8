# SPDX-License-Identifier: Apache-2.0
"""What docs/embedded-builds.md shows works as it is written."""

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
from weft.paths import models_folder
from weft.program import Program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "embedded-builds.md"
MACHINE = "single-m4"


def block(language: str) -> str:
    """The first block of a language on the page."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert found, f"{PAGE} shows no {language}"
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


def test_the_image_is_built_and_its_sections_shown(digits: Program, tmp_path: Path) -> None:
    pe_class = weft.load_machine(MACHINE).classes["m4"]
    if find_target_toolchain(pe_class.core) is None:
        pytest.skip("no target compiler is installed")
    (tmp_path / "images.py").write_text(block("python"), encoding="utf-8")
    shown = run([sys.executable, "images.py"], tmp_path)
    name, _, sections = shown.partition(" ")
    assert name == digits.pes[0]["name"]
    assert f"'constants': {digits.pes[0]['constants_bytes']}" in sections
    assert (tmp_path / "digits-0.elf").is_file()

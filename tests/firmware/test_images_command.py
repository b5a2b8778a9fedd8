# SPDX-License-Identifier: Apache-2.0
"""`weft images`, and `weft run --machine-code`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import weft
from weft.cli import main
from weft.cli.running import pe_names
from weft.codegen.elf import ElfFile
from weft.codegen.toolchain import find_target_toolchain
from weft.paths import models_folder

pytestmark = pytest.mark.skipif(
    find_target_toolchain("cortex-m4") is None, reason="no target compiler is installed"
)
DIGITS = models_folder() / "digits_int8.tflite"


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("images") / "digits"
    weft.compile(DIGITS, "grid-4x4", pes=3, output=out)
    return out


def test_images_are_written_and_measured(folder: Path, tmp_path: Path) -> None:
    done = command("images", folder, "-o", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    program = weft.load(folder)
    assert [row["pe"] for row in report["images"]] == [row["name"] for row in program.pes]
    for row, pe in zip(report["images"], program.pes, strict=True):
        path = tmp_path / "out" / row["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        sections = row["sections"]
        placed = {s.name: s.size for s in ElfFile(path).sections}
        assert sections["arena"] == placed[".arena"] >= pe["arena_bytes"]
        assert sections["tables"] == placed[".tables"] == pe["tables_bytes"]
        assert sections["channels"] == 4 * pe["state_words"]
        assert sections["stack"] == placed[".stack"] == row["stack"]["bytes"]
        assert sections["bss"] + sections["channels"] == placed[".bss"]
        assert sum(placed.values()) <= sections["total"] <= pe["sram_bytes"]
        assert row["software_float"] == []
    assert {p.name for p in (tmp_path / "out").iterdir()} == {r["file"] for r in report["images"]}


def test_without_a_folder_the_table_is_all(folder: Path) -> None:
    done = command("images", folder)
    assert done.exit_code == 0, done.output
    head, *lines = done.stdout.splitlines()
    expected = "PE program text tables constants data arena bss stack channels total stack used"
    assert " ".join(head.split()) == expected
    assert [line.split()[0] for line in lines] == [row["name"] for row in weft.load(folder).pes]


def test_a_folder_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    done = command("images", folder, "-o", tmp_path / "file")
    assert done.exit_code == 2
    assert "file cannot be written" in done.output


@pytest.mark.parametrize(
    "text", ["(0,0).0,(1,0).0", "(0,0).0 (1,0).0", " (0,0).0, (1,0).0 ", "(0,0).0,,(1,0).0"]
)
def test_names_of_pes(text: str) -> None:
    assert pe_names(text) == ["(0,0).0", "(1,0).0"]


def test_some_pes_are_machine_code(folder: Path) -> None:
    pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    native = json.loads(command("run", folder, "--json").stdout)
    chosen = ("--engine", "cortex-m4", "--machine-code", "(0,0).0,(2,0).0")
    mixed = json.loads(command("run", folder, *chosen, "--json").stdout)
    assert mixed["output_sha256"] == native["output_sha256"]
    assert [row["pe"] for row in mixed["machine_code"]] == ["(0,0).0", "(2,0).0"]
    assert command("run", folder, "--machine-code", "(0,0).0").exit_code == 2
    assert command("run", folder, *chosen[:3], "(9,0).0").exit_code == 2

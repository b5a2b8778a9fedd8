# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from weft.cli import main
from weft.devices import bundled_devices, load_device


@pytest.fixture
def npu(tmp_path: Path) -> Path:
    copy = tmp_path / "npu"
    shutil.copytree(load_device("blocking_npu").folder, copy)
    return copy


def edit(folder: Path, name: str, before: str, after: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert before in text
    (folder / name).write_text(text.replace(before, after), encoding="utf-8")


def test_lists_devices() -> None:
    done = CliRunner().invoke(main, ["device", "list", "--json"])
    assert [d["name"] for d in json.loads(done.stdout)["devices"]] == bundled_devices()


def test_a_sound_folder_passes(npu: Path) -> None:
    done = CliRunner().invoke(main, ["device", "test", str(npu)])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == 13
    assert lines[0] == "ok      driver and facts make sense"


def test_a_broken_folder_fails_with_a_line_for_each_check(npu: Path) -> None:
    edit(npu, "blocking_npu_model.c", "uint32_t k = 0;", "uint32_t k = 1;")
    done = CliRunner().invoke(main, ["device", "test", str(npu), "--json"])
    assert done.exit_code == 2
    report = json.loads(done.stdout)
    assert not report["passed"]
    assert report["checks"][2]["verdict"] == "failed"
    assert report["checks"][2]["detail"].startswith("device_cases.c:")
    assert "device blocking_npu fails" in done.stderr


def test_a_crash_is_told_where_it_came(npu: Path) -> None:
    crash = "if (job->depth == 0u) __builtin_trap();\n    if (!is_extent(job->rows)"
    edit(npu, "blocking_npu_model.c", "if (!is_extent(job->rows)", crash)
    done = CliRunner().invoke(main, ["device", "test", str(npu)])
    assert done.exit_code == 2
    crashed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(crashed) == 1
    assert crashed[0].startswith("FAILED  reports a bad job, and that alone (ended by SIG")


@pytest.mark.parametrize(
    ("name", "before", "after", "message"),
    [
        ("blocking_npu.c", "return block", "return stumbling; block", "does not compile: "),
        ("device.toml", 'conformance = ["blocking_npu_cts.c"]', "", "brings no adapter"),
        ("device.toml", "format = 1", "format = 7", "this Weft reads format 1"),
    ],
)
def test_mistakes_are_one_line(npu: Path, name: str, before: str, after: str, message: str) -> None:
    edit(npu, name, before, after)
    done = CliRunner().invoke(main, ["device", "test", str(npu)])
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_unknown_targets_are_one_line() -> None:
    done = CliRunner().invoke(main, ["device", "test", "null", "--target", "z80"])
    assert (done.exit_code, done.stderr) == (
        2,
        "weft: there is no target z80; known are host, cortex-m4\n",
    )

"""``--weights dram`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Weft
from support.networks import Network

MACHINE = """\
format = 1
[pe_class.m4]
core = "cortex-m4f"
clock_mhz = 150
memory = [{ name = "sram", origin = 0, bytes = 131072, holds = ["code", "constants", "data"] }]
[grid]
width = 1
height = 1
pe_class = "m4"
[links]
dram = 6_400_000_000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A machine with DRAM, and a network of 256 KiB of weights, twice what it has itself."""
    (tmp_path / "machine.toml").write_text(MACHINE, encoding="utf-8")
    n = Network(np.random.default_rng(3))
    x = n.input((1, 180))
    for _ in range(8):
        x = n.fully_connected(x, 180)
    (tmp_path / "model.tflite").write_bytes(n.build(x))
    return tmp_path


def test_compile_says_what_is_in_dram_and_run_takes_the_folder(
    weft_command: Weft, folder: Path
) -> None:
    model, out = folder / "model.tflite", folder / "out"
    options = ("--machine", folder / "machine.toml", "--device", "dma", "--weights", "dram")
    done = weft_command("compile", model, "-o", out, *options)
    assert (done.status, done.err) == (0, "")
    size = (out / "dram.bin").stat().st_size
    assert size > 8 * 180 * 180
    assert f"weights in DRAM: {size} bytes, " in done.out
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    load_map = json.loads((out / "loadmap.json").read_text(encoding="utf-8"))
    assert "dram.bin" in manifest["files"]
    assert load_map["dram"] == {"file": "dram.bin", "at": 0, "bytes": size, "alignment": 64}
    again = weft_command("run", out, "--json")
    direct = weft_command("run", model, *options, "--json")
    digests = {json.loads(d.out)["output_sha256"] for d in (again, direct)}
    assert len(digests) == 1


def test_what_the_user_must_mend_is_one_line(weft_command: Weft, folder: Path) -> None:
    model, machine = folder / "model.tflite", ("--machine", folder / "machine.toml")
    cases = [
        ((*machine, "--device", "dma"), "does not fit: memory region sram needs "),
        ((*machine, "--weights", "dram"), "add one, such as --device dma"),
        (("--machine", "single-m4", "--device", "dma", "--weights", "dram"), "links.dram"),
        ((*machine, "--weights", "flash"), "'sram', 'dram'"),
    ]
    for options, words in cases:
        done = weft_command("run", model, *options)
        assert done.status == 2 and done.out == "", options
        assert done.err.count("\n") == 1 and words in done.err, done.err


def test_a_folder_is_compiled_already(weft_command: Weft, folder: Path) -> None:
    options = ("--machine", folder / "machine.toml", "--device", "dma", "--weights", "dram")
    out = folder / "out"
    assert weft_command("compile", folder / "model.tflite", "-o", out, *options).status == 0
    done = weft_command("run", out, "--weights", "dram")
    assert done.status == 2 and "--weights goes with a model file" in done.err
    (out / "dram.bin").write_bytes(bytes(64))
    done = weft_command("run", out)
    assert done.status == 2 and "dram.bin is damaged; compile it again" in done.err

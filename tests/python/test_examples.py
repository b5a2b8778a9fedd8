"""The examples, run as their READMEs say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/README.md"))


def run_readme(
    name: str, folder: Path, replace: tuple[str, str] = ("", ""), **environment: str
) -> tuple[Path, str]:
    """Runs what an example's README shows, in a copy; the copy, and what was printed.

    `replace` is a piece of the README, and what stands there instead.
    """
    here = folder / "examples" / name
    here.mkdir(parents=True)
    (folder / "python").symlink_to(ROOT / "python")
    for path in (ROOT / "examples" / name).iterdir():
        if path.is_file():
            (here / path.name).write_bytes(path.read_bytes())
    text = (here / "README.md").read_text(encoding="utf-8")
    assert replace[0] in text
    blocks = re.findall(r"^```sh\n(.*?)^```$", text.replace(*replace), re.M | re.S)
    assert blocks, f"the README of {name} shows no commands"
    done = subprocess.run(
        ["bash", "-e", "-c", "".join(blocks)],
        check=False,
        capture_output=True,
        text=True,
        cwd=here,
        timeout=500,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        | environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return here, done.stdout


def test_every_example_is_tested() -> None:
    folders = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()}
    names = {"big_little", "embedded", "my_accelerator", "own_coordinator", "own_mapper"}
    assert set(EXAMPLES) == folders == names


def test_own_mapper(tmp_path: Path) -> None:
    here, printed = run_readme("own_mapper", tmp_path)
    assert "the mapping is sound: 13 stages on 16 PE(s) of grid-4x4, no deadlock" in printed
    assert "100 frame(s) on 16 PE(s) of grid-4x4" in printed
    mapping = json.loads((here / "mapping.json").read_text(encoding="utf-8"))
    compiled = json.loads((here / "program" / "mapping.json").read_text(encoding="utf-8"))
    assert compiled["stages"] == mapping["stages"]
    # No worse than Weft's own rule, which it does not know.
    model = ROOT / "python" / "weft" / "models" / "digits_int8.tflite"
    own = weft.check_mapping(model, "grid-4x4", mapping=here / "mapping.json")
    ruled = weft.check_mapping(model, "grid-4x4")
    assert own["predicted_fps"] >= 0.98 * ruled["predicted_fps"]


@pytest.mark.parametrize("machine", ["biglittle-4x4", "single-m4"])
def test_own_mapper_on_other_machines(machine: str, tmp_path: Path) -> None:
    model = ROOT / "python" / "weft" / "models" / "digits_int8.tflite"
    script = ROOT / "examples" / "own_mapper" / "mapper.py"
    path = tmp_path / "mapping.json"
    command = [sys.executable, script, model, "--machine", machine, "-o", path]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    own = weft.check_mapping(model, machine, mapping=path)
    assert own["predicted_fps"] >= 0.98 * weft.check_mapping(model, machine)["predicted_fps"]


def test_the_page_on_mappers_runs_as_written(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "own-mapper.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    done = subprocess.run(
        [sys.executable, "-c", "".join(blocks)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 13 + 2


def test_own_mapper_uses_what_is_public() -> None:
    text = (ROOT / "examples" / "own_mapper" / "mapper.py").read_text(encoding="utf-8")
    imports = re.findall(r"^(?:from|import) (weft\S*)", text, re.M)
    assert sorted(imports) == ["weft", "weft.errors"]
    used = set(re.findall(r"\bweft\.(\w+)", text)) - {"errors"}
    assert used <= set(weft.__all__)


def test_big_little(tmp_path: Path) -> None:
    _, printed = run_readme("big_little", tmp_path)
    assert "the mapping is sound: 13 stages on 8 PE(s) of biglittle-4x4" in printed
    assert "10 frame(s) on 8 PE(s) of biglittle-4x4" in printed
    pes = re.findall(r"^PE \((\d),(\d)\)\.0, (\w+): \d+ bytes, (.*)$", printed, re.M)
    assert [(x, y, kind) for x, y, kind, _ in pes] == [
        *((x, "0", "big") for x in "0123"),
        *((x, "1", "little") for x in "0123"),
    ]
    assert all("conv1" in tasks and "block1_dw" in tasks for *_, tasks in pes[:3])
    assert "block1_pw" in pes[3][3] and all("conv3" in tasks for *_, tasks in pes[4:])
    assert "450 with the bytes of one PE" in printed


def test_my_accelerator(tmp_path: Path) -> None:
    here, printed = run_readme("my_accelerator", tmp_path)
    lines = printed.splitlines()
    assert [line.split(" ")[0] for line in lines[:13]].count("ok") == 12
    assert lines[10] == "skipped stops a job that is under way"
    assert "the same bytes" in lines
    # What the README shows is what is printed.
    readme = (here / "README.md").read_text("utf-8")
    report = re.search(r"^```text\n(.*?)^```$", readme, re.M | re.S)
    assert report is not None and report[1] in printed
    for part in ("takes windows of 1x1, not 3x3", "computes no depthwise", "in 5 parts"):
        assert part in report[1]
    compared = [line for line in lines if line.startswith("ComparedLayer(")]
    assert len(compared) == 32
    assert sum("is_on_device=True" in line for line in compared) >= 8
    frames = np.load(tmp_path / "device.npy")
    assert len({frame.tobytes() for frame in frames}) > 10


def test_my_accelerator_is_small_and_unknown_to_weft() -> None:
    folder = ROOT / "examples" / "my_accelerator"
    files = [path for path in folder.iterdir() if path.is_file() and path.name != "README.md"]
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in files)
    assert lines <= 200
    assert not re.findall(r"^\s*(?:from|import) weft", (folder / "lowering.py").read_text(), re.M)
    for part in ("python/weft", "runtime", "csrc"):
        for path in (ROOT / part).rglob("*"):
            if path.suffix in {".py", ".c", ".h", ".toml", ".cpp"}:
                assert "my_accelerator" not in path.read_text("utf-8"), path


def test_the_page_on_accelerators_shows_the_example() -> None:
    page = (ROOT / "docs" / "own-accelerator.md").read_text(encoding="utf-8")
    lowering = (ROOT / "examples" / "my_accelerator" / "lowering.py").read_text(encoding="utf-8")
    *shown, last = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(shown) == 5
    assert all(block in lowering for block in shown)
    done = subprocess.run(
        [sys.executable, "-c", last],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 32


def test_my_accelerator_on_all_engines() -> None:
    pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    model = ROOT / "python" / "weft" / "models" / "digits_int8.tflite"
    device = str(ROOT / "examples" / "my_accelerator")
    frame = np.random.default_rng(1).integers(-128, 128, (1, 8, 8, 1)).astype(np.int8)
    with weft.compile(model, "single-m4").open() as session:
        expected = session.run(frame)
    program = weft.compile(model, "grid-4x4", pes=2, devices=[device])
    for engine in ("cortex-m4", "timed"):
        with program.open(engine) as session:
            assert session.run(frame).tobytes() == expected.tobytes()


def need(*commands: str) -> None:
    """Skips the test where commands are not installed; CI installs them."""
    missing = [name for name in commands if shutil.which(name) is None]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {missing}")


def test_embedded(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "cmake", "ninja", "qemu-system-arm")
    here, printed = run_readme("embedded", tmp_path)
    assert "frames.h: 20 frames, 20 different results" in printed
    assert "\n20 of 20 frames with the bytes of TensorFlow Lite Micro; the network: ok\n" in printed
    manifest = json.loads((here / "build" / "network.weft" / "manifest.json").read_text("utf-8"))
    assert f"runtime {manifest['runtime_sha256']}" in printed

    # Another expectation is another firmware, and it says so.
    header = (here / "frames.h").read_text(encoding="ascii")
    name, _, rest = header.rpartition("{")
    first, _, others = rest.partition(",")
    other = str((int(first) + 1) % 256)
    (here / "frames.h").write_text(f"{name}{{{other},{others}", encoding="ascii")
    subprocess.run(["cmake", "--build", "build"], cwd=here, check=True, capture_output=True)
    readme = (here / "README.md").read_text(encoding="utf-8")
    emulator = re.search(r"^timeout 120 qemu.*?^```$", readme, re.M | re.S)
    assert emulator is not None
    done = subprocess.run(
        ["bash", "-c", emulator[0].rstrip("`\n")],
        check=False,
        capture_output=True,
        text=True,
        cwd=here,
        timeout=200,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("19 of 20 frames")


@pytest.mark.parametrize("model", ["digits", "ic"])
def test_own_coordinator(model: str, tmp_path: Path, trained_file: Callable[..., Path]) -> None:
    """Image classification needs several PEs: one cannot hold it."""
    need("arm-none-eabi-gcc", "cmake", "ninja")
    pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    environment = {} if model == "digits" else {"MODEL": str(trained_file("ic_int8.tflite"))}
    here, printed = run_readme("own_coordinator", tmp_path, **environment)
    assert "5 frames through 4 PEs, " in printed
    assert printed.endswith("\n5 of 5 frames with the bytes of TensorFlow Lite Micro\n")
    if model == "digits":
        return
    # The comparison compares: with other results it fails.
    arrays = dict(np.load(here / "results.npz"))
    arrays["out0_0"] = arrays["out0_0"] ^ 1
    np.savez(here / "results.npz", **arrays)
    command = [sys.executable, "compare.py", environment["MODEL"], "results.npz"]
    done = subprocess.run(
        command, cwd=here, check=False, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout[:6]) == (1, "4 of 5")


def test_own_coordinator_where_the_host_takes_part(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "cmake", "ninja")
    pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    parts = {"pes": [[0, 0, 0], [1, 0, 0]], "axis": "channels"}
    mapping = {"format": 1, "stages": {"digits_1_conv1_relu_1_Relu": parts}}
    (tmp_path / "cut.json").write_text(json.dumps(mapping), encoding="utf-8")
    options = ("--pes 4", f"--pes 4 --mapping '{tmp_path / 'cut.json'}'")
    _, printed = run_readme("own_coordinator", tmp_path, options)
    assert "5 frames through 5 PEs, " in printed
    assert printed.endswith("\n5 of 5 frames with the bytes of TensorFlow Lite Micro\n")


def test_own_coordinator_imports_nothing_of_weft() -> None:
    folder = ROOT / "examples" / "own_coordinator"
    for path in folder.glob("*.py"):
        assert not re.findall(r"^\s*(?:from|import) weft", path.read_text("utf-8"), re.M), path
    own = {path.name for path in folder.glob("*.[ch]")}
    headers = re.findall(
        r'^#include "(.*)"', "".join(p.read_text("utf-8") for p in folder.glob("*.[ch]")), re.M
    )
    assert set(headers) - own == {"weft/pe.h", "weft/port.h", "weft/program.h"}

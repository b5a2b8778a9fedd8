"""What the commands do and print when all is well."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.codegen.toolchain import find_target_toolchain
from weft.program import Program

WEFT = Path(sys.executable).with_name("weft")
MACHINE = ("--machine", "single-m4")
FACTS = {"machine", "pes_used", "programs", "stages", "sram_peak_bytes", "wall_s"}
PREDICTED = {"predicted_fps", "limited_by"}
# The four values of the input of the tiny model, and what relu6 at scale 0.5 makes of them.
GIVEN, WANTED = [[-8, 3, 12, 100]], [[0, 3, 12, 12]]


@pytest.fixture
def given(tmp_path: Path) -> Path:
    np.save(tmp_path / "given.npy", np.array(GIVEN, np.int8))
    return tmp_path / "given.npy"


def _tree(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# run


def test_run_prints_a_summary(weft_command: Callable, tiny: Path, given: Path) -> None:
    done = weft_command("run", tiny, *MACHINE, "--input", given)
    assert (done.status, done.err) == (0, "")
    assert "1 frame(s) on 1 PE(s) of single-m4 (native)" in done.out
    assert "int8[1, 4]: 0 3 12 12" in done.out


def test_run_as_machine_code(weft_command: Callable, tiny: Path, given: Path) -> None:
    pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    if find_target_toolchain("cortex-m4") is None:
        pytest.skip("no target compiler is installed")
    command = ("run", tiny, *MACHINE, "--input", given, "--engine", "cortex-m4")
    done = weft_command(*command)
    assert (done.status, done.err) == (0, "")
    assert "1 frame(s) on 1 PE(s) of single-m4 (cortex-m4)" in done.out
    assert "int8[1, 4]: 0 3 12 12" in done.out
    counted = re.search(
        r"machine code on 1 PE\(s\), in unicorn: (\d+) instructions a frame", done.out
    )
    report = json.loads(weft_command(*command, "--json").out)
    assert counted and report["instructions"] == int(counted.group(1)) > 0
    (row,) = report["machine_code"]
    assert row["pe"] == "(0,0).0" and re.fullmatch("[0-9a-f]{64}", row["sha256"])


def test_run_by_the_clock(weft_command: Callable, tiny: Path, given: Path) -> None:
    """One PE, no link: the rate is what was predicted."""
    command = ("run", tiny, *MACHINE, "--input", given, "--engine", "timed", "--frames", 20)
    done = weft_command(*command)
    assert (done.status, done.err) == (0, "")
    assert "20 frame(s) on 1 PE(s) of single-m4 (timed)" in done.out
    assert "int8[1, 4]: 0 3 12 12" in done.out
    line = r"  on the machine's clock [0-9.e+]+ frames/s, \+0\.00% to the prediction; latency "
    assert re.search(line + r"\S+ ms, at most \S+ ms; PE \(0,0\)\.0 busy for 100\.0%\n", done.out)
    report = json.loads(weft_command(*command, "--json").out)
    native = json.loads(weft_command(*command[:-4], "--frames", 20, "--json").out)
    keys = {"is_steady", "frames_under_way", "prediction_error", "latency_s", "simulated_s"}
    assert set(report) == set(native) | keys | {"pes", "devices", "links", "network"}
    assert report["output_sha256"] == native["output_sha256"]
    assert report["measured_fps"] == pytest.approx(report["predicted_fps"], rel=1e-5)
    assert report["is_steady"] and report["links"] == report["devices"] == []
    assert report["latency_s"]["mean"] <= report["latency_s"]["max"] < report["simulated_s"]
    stalls = dict.fromkeys(("input", "credit", "device", "network"), 0.0)
    assert report["pes"] == [{"pe": "(0,0).0", "utilisation": 1.0, "stalls": stalls}]


def test_run_writes_the_output(
    weft_command: Callable, tiny: Path, given: Path, tmp_path: Path
) -> None:
    result = tmp_path / "y.npy"
    done = weft_command("run", tiny, *MACHINE, "--input", given, "--output", result, "--json")
    assert (done.status, done.err) == (0, "")
    y = np.load(result)
    assert y.dtype == np.int8 and y.tolist() == WANTED
    report = json.loads(done.out)
    measured = {"engine", "frames", "output_sha256", "measured_fps", "machine_code", "instructions"}
    measured |= {"emulator"}
    assert set(report) == FACTS | PREDICTED | measured
    assert (report["machine_code"], report["instructions"]) == ([], None)
    assert report["predicted_fps"] > 0 and report["measured_fps"] > 0
    assert "(0,0).0" in report["limited_by"]
    assert report["output_sha256"] == hashlib.sha256(y.tobytes()).hexdigest()
    assert (report["machine"], report["engine"], report["frames"]) == ("single-m4", "native", 1)
    assert (report["pes_used"], report["programs"], report["stages"]) == (1, 1, 1)
    assert 4096 < report["sram_peak_bytes"] < 131072
    assert 0 < report["wall_s"] < 600
    # Nobody else finds something of it, nor is it only for its owner.
    assert sorted(p.name for p in tmp_path.iterdir()) == ["given.npy", "y.npy"]
    assert result.stat().st_mode & 0o777 == 0o644


def test_json_is_all_that_a_process_prints(models: Path, tmp_path: Path) -> None:
    """Cold, in a process of its own: whatever a library prints on the way goes elsewhere."""
    done = subprocess.run(
        [WEFT, "run", models / "two.tflite", *MACHINE, "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"WEFT_CACHE_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1 and isinstance(json.loads(lines[0]), dict)


def test_two_processes_at_once(tiny: Path, tmp_path: Path) -> None:
    command = [WEFT, "run", tiny, *MACHINE, "--json"]
    environment = os.environ | {"WEFT_CACHE_DIR": str(tmp_path)}
    processes = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    ends = [(*process.communicate(timeout=300), process.returncode) for process in processes]
    assert [(status, err) for _, err, status in ends] == [(0, ""), (0, "")]
    assert len({json.loads(out)["output_sha256"] for out, _, _ in ends}) == 1


def test_seeds(weft_command: Callable, models: Path) -> None:
    def digest(*options: object) -> str:
        done = weft_command("run", models / "two.tflite", *MACHINE, "--json", *options)
        assert done.status == 0
        return json.loads(done.out)["output_sha256"]

    digests = {seed: digest("--seed", seed) for seed in (0, 1, 2)}
    assert len(set(digests.values())) == 3
    assert digest("--seed", 1) == digests[1]
    assert digest() == digests[0]
    assert digest("--frames", 2) not in digests.values()
    assert digest("--frames", 2) == digest("--frames", 2, "--seed", 0)


def test_stacked_frames(weft_command: Callable, tiny: Path, tmp_path: Path) -> None:
    frames = np.arange(-20, -8, dtype=np.int8).reshape(3, 1, 4) * np.int8(-1)
    np.save(tmp_path / "x.npy", frames)
    files = ["--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"]
    done = weft_command("run", tiny, *MACHINE, "--frames", 3, *files, "--json")
    assert (done.status, done.err) == (0, "")
    y = np.load(tmp_path / "y.npy")
    np.testing.assert_array_equal(y, np.clip(frames, 0, 12))
    report = json.loads(done.out)
    assert report["frames"] == 3
    assert report["output_sha256"] == hashlib.sha256(y.tobytes()).hexdigest()


def test_one_frame_again_and_again(
    weft_command: Callable, tiny: Path, given: Path, tmp_path: Path
) -> None:
    files = ["--input", given, "--output", tmp_path / "y.npy"]
    assert weft_command("run", tiny, *MACHINE, "--frames", 3, *files).status == 0
    assert np.load(tmp_path / "y.npy").tolist() == [WANTED] * 3


def test_one_frame_in_a_stack(weft_command: Callable, tiny: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([GIVEN], np.int8))
    files = ["--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"]
    assert weft_command("run", tiny, *MACHINE, *files).status == 0
    assert np.load(tmp_path / "y.npy").tolist() == WANTED


def test_npz_with_any_name_for_one_input(
    weft_command: Callable, tiny: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "x.npz", whatever=np.array(GIVEN, np.int8))
    files = ["--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz"]
    assert weft_command("run", tiny, *MACHINE, *files).status == 0
    with np.load(tmp_path / "y.npz") as results:
        (name,) = results.files
        assert results[name].tolist() == WANTED


def test_npz_for_several_inputs_and_outputs(
    weft_command: Callable, models: Path, tmp_path: Path
) -> None:
    program = weft.compile(models / "two.tflite", machine="single-m4")
    a, b = (np.arange(np.prod(i.shape), dtype=np.int8).reshape(i.shape) for i in program.inputs)
    first, second = (i.name for i in program.inputs)
    np.savez(tmp_path / "x.npz", **{second: b, first: a, "unused": np.zeros(2)})
    files = ["--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz"]
    done = weft_command("run", models / "two.tflite", *MACHINE, *files)
    assert (done.status, done.err) == (0, "")
    with np.load(tmp_path / "y.npz") as results:
        assert results.files == [i.name for i in program.outputs]
        reshaped, limited = (results[name] for name in results.files)
    np.testing.assert_array_equal(reshaped, b.reshape(1, 6))
    np.testing.assert_array_equal(limited, np.clip(a, 0, 12))


def test_run_of_a_folder(
    weft_command: Callable, digits: Program, digits_model: Path, tmp_path: Path
) -> None:
    reports = []
    for model, options in ((digits.folder, []), (digits.folder, MACHINE), (digits_model, MACHINE)):
        done = weft_command("run", model, *options, "--seed", 5, "--json")
        assert (done.status, done.err) == (0, "")
        report = json.loads(done.out)
        assert report.pop("wall_s") > 0 and report.pop("measured_fps") > 0
        reports.append(report)
    assert reports[0] == reports[1] == reports[2]


# compile


def test_compile_writes_a_folder(weft_command: Callable, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "program"
    done = weft_command("compile", tiny, "-o", folder, *MACHINE)
    assert (done.status, done.err) == (0, "")
    assert re.search(
        r"1 stages on 1 PE\(s\) of single-m4, .*\n  fullest PE \(0,0\)\.0, \d+ bytes of SRAM",
        done.out,
    )
    program = weft.load(folder)
    assert program.manifest["model"]["name"] == "tiny"
    digest = hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert program.manifest["model"]["sha256"] == digest
    files = _tree(folder)
    del files["manifest.json"]
    assert program.manifest["files"] == files
    sources = {"kernels.c", "kernels.h", "p0.c", "p0.h", "pes.h", "pes.S", "host.c"}
    data = {"tables.bin", "constants.bin", "mapping.json"}
    assert sources | data | {"CMakeLists.txt"} <= set(files)
    assert folder.stat().st_mode & 0o777 == 0o755
    with program.open() as session:
        assert session.run(np.array(GIVEN, np.int8)).tolist() == WANTED


def test_compile_prints_json(weft_command: Callable, tiny: Path, tmp_path: Path) -> None:
    done = weft_command("compile", tiny, "-o", tmp_path / "p", *MACHINE, "--json")
    assert (done.status, done.err) == (0, "")
    assert len(done.out.splitlines()) == 1
    report = json.loads(done.out)
    assert set(report) == FACTS | PREDICTED | {"stack_bytes", "stack_chain", "dram", "offload"}
    assert (report["dram"], report["offload"]) == (None, [])
    assert report["stack_bytes"] == sum(size for _, size in report["stack_chain"]) + 7 & ~7
    assert report["sram_peak_bytes"] == weft.load(tmp_path / "p").sram_bytes


def test_compiling_again_replaces(weft_command: Callable, models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    assert weft_command("compile", models / "two.tflite", "-o", folder, *MACHINE).status == 0
    before = _tree(folder)
    (folder / "left-over.txt").write_text("from before", encoding="utf-8")
    assert weft_command("compile", models / "two.tflite", "-o", folder, *MACHINE).status == 0
    # Identical bytes, and nothing of what was there.
    assert _tree(folder) == before
    assert weft_command("compile", models / "tiny.tflite", "-o", folder, *MACHINE).status == 0
    assert weft.load(folder).manifest["model"]["name"] == "tiny"
    assert [path.name for path in tmp_path.iterdir()] == ["program"]


def test_compiling_into_an_empty_folder(weft_command: Callable, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert weft_command("compile", tiny, "-o", tmp_path / "empty", *MACHINE).status == 0
    assert weft.load(tmp_path / "empty").outputs


def test_dump_ir_writes_every_level(weft_command: Callable, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some" / "ir"
    options = ["-o", tmp_path / "program", "--dump-ir", folder]
    done = weft_command("compile", tiny, *MACHINE, *options)
    assert (done.status, done.err) == (0, "")
    files = sorted(folder.iterdir())
    numbers = [path.name.partition("-")[0] for path in files]
    assert numbers == [f"{number:02d}" for number in range(len(files))]
    levels = {
        "import.relax.py": "R.quantize",
        "integer-stages.relax.py": "weft.",
        "stages.mlir": "stages.graph",
        "to-mesh.mlir": "fabric.template",
        "shards-to-pe.mlir": "pe.task",
        "plan-memory.mlir": "slots_at",
        "connect.mlir": "fabric.routes",
        "kernels.mlir": "func.func @",
    }
    names = [path.name.partition("-")[2] for path in files]
    assert [name for name in names if name in levels] == list(levels)
    for path, name in zip(files, names, strict=True):
        assert levels.get(name, "") in path.read_text(encoding="utf-8"), path


def test_dump_changes_nothing(weft_command: Callable, tiny: Path, tmp_path: Path) -> None:
    plain, dumped = tmp_path / "a" / "program", tmp_path / "b" / "program"
    assert weft_command("compile", tiny, *MACHINE, "-o", plain).status == 0
    options = ["-o", dumped, "--dump-ir", tmp_path / "ir"]
    assert weft_command("compile", tiny, *MACHINE, *options).status == 0
    assert _tree(plain) == _tree(dumped)


# machines, help


def test_machines_are_listed(weft_command: Callable) -> None:
    done = weft_command("machines")
    assert (done.status, done.err) == (0, "")
    for name in ("single-m4", "single-m4-1m", "spinn2-chip"):
        assert name in done.out
    report = json.loads(weft_command("machines", "--json").out)
    chip = {m["machine"]: m for m in report["machines"]}["spinn2-chip"]
    assert (chip["pes"], chip["pes_usable"]) == (152, 148)


def test_one_machine(weft_command: Callable, tmp_path: Path) -> None:
    done = weft_command("machines", "single-m4-1m")
    assert done.status == 0 and "1048576 bytes" in done.out
    report = json.loads(weft_command("machines", "single-m4", "--json").out)
    assert report["classes"]["m4"]["memory_bytes"] == 131072
    from weft.paths import machines_folder

    copy = tmp_path / "mine.toml"
    copy.write_bytes((machines_folder() / "single-m4.toml").read_bytes())
    assert json.loads(weft_command("machines", copy, "--json").out)["machine"] == "mine"


@pytest.mark.parametrize("command", [[], ["run"], ["compile"], ["machines"], ["demo"]])
def test_help(command: list[str], weft_command: Callable) -> None:
    done = weft_command(*command, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("Usage: ")
    assert done.out == weft_command(*command, "-h").out


def test_version(weft_command: Callable) -> None:
    done = weft_command("--version")
    assert done.status == 0 and weft.__version__ in done.out


def test_python_m_weft() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "weft", "machines"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0 and "single-m4" in done.stdout


def test_demo(weft_command: Callable, tmp_path: Path) -> None:
    done = weft_command("demo", "-o", tmp_path / "digits.png", "--json")
    assert (done.status, done.err) == (0, "")
    report = json.loads(done.out)
    assert report["agreed"] == report["onnx_agreed"] == report["frames"] == 450
    assert report["onnx_correct"] >= 0.95 * 450
    assert report["accuracy"] >= 0.95
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")

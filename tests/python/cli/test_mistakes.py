"""The user's mistakes: exit status 2, one line that names them, and nothing left behind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weft.machines import load_machine
from weft.paths import machines_folder
from weft.program import Program

WEFT = Path(sys.executable).with_name("weft")
MACHINE = ("--machine", "single-m4")


def _refused(done, *wanted: str) -> str:
    """Checks that a command ended as a mistake ends; returns its message."""
    assert (done.status, done.out) == (2, ""), done
    assert done.err.startswith("weft: ") and done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    for part in wanted:
        assert part in done.err, done.err
    return done.err


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A folder of files that are not what they should be."""
    (tmp_path / "text.tflite").write_text("no model", encoding="utf-8")
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "text.npy").write_text("no array", encoding="utf-8")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "zip.npz").write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(tmp_path / "letter.npz", "w") as archive:
        archive.writestr("letter.txt", "no array")
    with zipfile.ZipFile(tmp_path / "nothing.npz", "w"):
        pass
    np.savez(tmp_path / "objects.npz", x=np.array([object()], dtype=object))
    np.save(tmp_path / "objects.npy", np.array([object()], dtype=object))
    np.savez(tmp_path / "two.npz", a=np.zeros((1, 4), np.int8), b=np.zeros((1, 4), np.int8))
    np.save(tmp_path / "shape.npy", np.zeros((1, 5), np.int8))
    np.save(tmp_path / "stack.npy", np.zeros((3, 1, 4), np.int8))
    np.save(tmp_path / "dtype.npy", np.zeros((1, 4), np.float32))
    np.save(tmp_path / "good.npy", np.zeros((1, 4), np.int8))
    whole = (tmp_path / "good.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-2])
    (tmp_path / "folder").mkdir()
    return tmp_path


# Models and machines


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("nowhere.tflite", ("nowhere.tflite", "No such file")),
        ("text.tflite", ("text", "neither a TFLite nor an ONNX file")),
        ("empty.tflite", ("empty", "neither a TFLite nor an ONNX file")),
        ("folder", ("folder", "manifest.json is missing", "weft compile")),
    ],
)
def test_no_model(model: str, wanted: tuple[str, ...], bad: Path, weft_command: Callable) -> None:
    _refused(weft_command("run", bad / model), *wanted)
    compiled = weft_command("compile", bad / model, "-o", bad / "out")
    _refused(compiled, model.partition(".")[0])
    assert not (bad / "out").exists()


@pytest.mark.parametrize(
    "manifest",
    [
        *("", "{", "[]", "null", '{"format": 2}', '{"format": 1}', '{"format": 1, "files": {}}'),
        '{"format": 1, "files": 3, "programs": []}',
        '{"format": 1, "files": {}, "programs": []}',
    ],
)
def test_manifest_that_is_none(manifest: str, bad: Path, weft_command: Callable) -> None:
    (bad / "folder" / "manifest.json").write_text(manifest, encoding="utf-8")
    _refused(weft_command("run", bad / "folder"), "folder")


def test_program_that_lacks_a_file(digits: Program, tmp_path: Path, weft_command: Callable) -> None:
    folder = tmp_path / "program"
    shutil.copytree(digits.folder, folder)
    (folder / "kernels.c").unlink()
    _refused(weft_command("run", folder), "kernels.c", "compile it again")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("constants.bin", lambda data: data[:-100]),
        ("tables.bin", lambda data: data.replace(b"WTFT", bytes(4))),
        ("kernels.c", lambda data: data + b"nonsense"),
    ],
    ids=["constants", "tables", "kernels"],
)
def test_program_that_is_damaged(
    name: str,
    damage: Callable[[bytes], bytes],
    digits: Program,
    tmp_path: Path,
    weft_command: Callable,
) -> None:
    folder = tmp_path / "program"
    shutil.copytree(digits.folder, folder)
    data = (folder / name).read_bytes()
    assert damage(data) != data
    (folder / name).write_bytes(damage(data))
    _refused(weft_command("run", folder))


def test_program_for_another_machine(digits: Program, weft_command: Callable) -> None:
    done = weft_command("run", digits.folder, "--machine", "single-m4-1m")
    _refused(done, "was compiled for single-m4", "single-m4-1m")


def test_unsupported_operators_are_all_named(
    models: Path, tmp_path: Path, weft_command: Callable
) -> None:
    for command in (("run",), ("compile", "-o", tmp_path / "out")):
        done = weft_command(*command, models / "unsupported.tflite", *MACHINE)
        _refused(done, "3 unsupported operators", "SIN at 't2'", "COS at 't3'", "ROUND at 't4'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("machine", "wanted"),
    [
        ("single-m5", ("single-m5", "bundled are", "single-m4")),
        ("nowhere.toml", ("nowhere.toml", "No such file")),
        ("text.npy", ("text.npy",)),
    ],
)
def test_no_machine(
    machine: str, wanted: tuple[str, ...], bad: Path, tiny: Path, weft_command: Callable
) -> None:
    name = bad / machine if "." in machine else machine
    _refused(weft_command("run", tiny, "--machine", name), *wanted)
    _refused(weft_command("compile", tiny, "-o", bad / "out", "--machine", name), *wanted)
    _refused(weft_command("machines", name), *wanted)
    assert not (bad / "out").exists()


@pytest.mark.parametrize("name", ["too_big", "ad"])
def test_model_that_does_not_fit(
    name: str,
    models: Path,
    trained_file: Callable[[str], Path],
    tmp_path: Path,
    weft_command: Callable,
) -> None:
    model = models / "too_big.tflite" if name == "too_big" else trained_file("ad_int8.tflite")
    for command in (("run",), ("compile", "-o", tmp_path / "new" / "out")):
        done = weft_command(*command, model, *MACHINE)
        message = _refused(done, "program p0", "sram", "131072", "constants", "more memory")
        needed = [int(word) for word in message.replace(",", " ").split() if word.isdigit()]
        assert max(needed) > model.stat().st_size * 0.9
    assert list(tmp_path.iterdir()) == []


def test_code_that_does_not_fit(tiny: Path, tmp_path: Path, weft_command: Callable) -> None:
    """Known only when everything is written: of that, too, nothing stays."""
    text = (machines_folder() / "spinn2-chip.toml").read_text(encoding="utf-8")
    assert text.count("bytes = 0x8000,") == 1
    machine = tmp_path / "narrow.toml"
    machine.write_text(text.replace("bytes = 0x8000,", "bytes = 0x400,"), encoding="utf-8")
    assert load_machine(machine)
    out = tmp_path / "new" / "out"
    done = weft_command("compile", tiny, "-o", out, "--machine", machine)
    _refused(done, "program p0", "memory region code", "1024 are there")
    assert [path.name for path in tmp_path.iterdir()] == ["narrow.toml"]


# Inputs and outputs


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("nowhere.npy", ("nowhere.npy", "No such file")),
        ("folder", ("folder", "directory")),
        ("text.npy", ("text.npy", "neither .npy nor .npz")),
        ("text.tflite", ("text.tflite", "neither .npy nor .npz")),
        ("empty.npy", ("empty.npy",)),
        ("cut.npy", ("cut.npy",)),
        ("objects.npy", ("objects.npy",)),
        ("zip.npz", ("zip.npz",)),
        ("letter.npz", ("letter.npz",)),
        ("nothing.npz", ("nothing.npz",)),
        ("objects.npz", ("objects.npz",)),
        ("two.npz", ("two.npz", "no array 't0'", "a, b")),
        ("shape.npy", ("shape.npy", "'t0'", "(1, 5)", "(1, 4)")),
        ("stack.npy", ("stack.npy", "(3, 1, 4)", "(1, 4)")),
        ("dtype.npy", ("'t0'", "float32", "int8")),
    ],
)
def test_no_input(
    name: str, wanted: tuple[str, ...], bad: Path, tiny: Path, weft_command: Callable
) -> None:
    files = ["--input", bad / name, "--output", bad / "y.npy"]
    _refused(weft_command("run", tiny, *MACHINE, *files), *wanted)
    assert not (bad / "y.npy").exists()


def test_one_array_for_two_inputs(bad: Path, models: Path, weft_command: Callable) -> None:
    done = weft_command("run", models / "two.tflite", *MACHINE, "--input", bad / "good.npy")
    _refused(done, "good.npy", "one array", "2 inputs")


def test_other_number_of_frames(bad: Path, tiny: Path, weft_command: Callable) -> None:
    done = weft_command("run", tiny, *MACHINE, "--frames", 4, "--input", bad / "stack.npy")
    _refused(done, "(3, 1, 4)", "(4, 1, 4)", "4 frames")


@pytest.mark.parametrize(
    ("model", "name", "wanted"),
    [
        ("tiny", "y.txt", (".npy or .npz",)),
        ("tiny", "y", (".npy or .npz",)),
        ("tiny", "nowhere/y.npy", ("nowhere", "cannot be written")),
        ("tiny", "folder.npy", ("folder.npy", "cannot be written")),
        ("two", "y.npy", ("2 outputs", ".npz")),
    ],
)
def test_no_output(
    model: str, name: str, wanted: tuple[str, ...], tmp_path: Path, models: Path,
    weft_command: Callable,
) -> None:  # fmt: skip
    (tmp_path / "folder.npy").mkdir()
    options = ["--output", tmp_path / name]
    _refused(weft_command("run", models / f"{model}.tflite", *MACHINE, *options), *wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.npy"]
    assert list((tmp_path / "folder.npy").iterdir()) == []


def test_output_that_exists_stays_after_a_failure(
    bad: Path, tiny: Path, weft_command: Callable
) -> None:
    before = (bad / "good.npy").read_bytes()
    files = ["--input", bad / "shape.npy", "--output", bad / "good.npy"]
    _refused(weft_command("run", tiny, *MACHINE, *files))
    assert (bad / "good.npy").read_bytes() == before


# Folders to write


def test_folder_of_something_else_is_left_alone(
    tiny: Path, tmp_path: Path, weft_command: Callable
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("Dear all", encoding="utf-8")
    done = weft_command("compile", tiny, "-o", tmp_path / "letters", *MACHINE)
    _refused(done, "letters", "not empty", "another output")
    assert [path.name for path in tmp_path.rglob("*")] == ["letters", "dear.txt"]
    assert (tmp_path / "letters" / "dear.txt").read_text(encoding="utf-8") == "Dear all"


def test_file_and_link_are_left_alone(tiny: Path, tmp_path: Path, weft_command: Callable) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for name in ("file", "link"):
        done = weft_command("compile", tiny, "-o", tmp_path / name, *MACHINE)
        _refused(done, name, "not a folder")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "a file"
    assert (tmp_path / "link").is_symlink() and list((tmp_path / "real").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "real"]


@pytest.mark.parametrize("option", ["-o", "--dump-ir"])
@pytest.mark.parametrize("place", ["file/inside", "file/far/inside", "/proc/no/such/place"])
def test_folder_that_cannot_be_made(
    option: str, place: str, tiny: Path, tmp_path: Path, weft_command: Callable
) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    options = {"-o": tmp_path / "out"} | {option: tmp_path / place}
    done = weft_command("compile", tiny, *MACHINE, *(v for kv in options.items() for v in kv))
    _refused(done, place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_dump_into_a_file(tiny: Path, tmp_path: Path, weft_command: Callable) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    options = ["-o", tmp_path / "out", "--dump-ir", tmp_path / "file"]
    _refused(weft_command("compile", tiny, *MACHINE, *options), "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_compiling_into_the_folder_one_is_in(tiny: Path, tmp_path: Path) -> None:
    """It cannot be replaced while somebody is in it: filled, or refused and left empty."""
    here = tmp_path / "here"
    here.mkdir()
    done = subprocess.run(
        [WEFT, "compile", tiny, "-o", ".", *MACHINE],
        check=False,
        capture_output=True,
        text=True,
        cwd=here,
        timeout=300,
    )
    if done.returncode == 0:
        assert (here / "manifest.json").is_file()
        assert not [path for path in here.iterdir() if path.name.startswith(".")]
    else:
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("weft: ") and done.stderr.count("\n") == 1
        assert list(here.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


# The command line itself


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["run"], "MODEL"),
        (["run", "m", "--nonsense"], "--nonsense"),
        (["run", "m", "more"], "more"),
        (["nonsense"], "nonsense"),
        (["--nonsense"], "--nonsense"),
        (["compile", "m"], "-o DIR"),
        (["run", "m", "--frames", "0"], "--frames"),
        (["run", "m", "--frames", "some"], "some"),
        (["run", "m", "--seed", "-1"], "--seed"),
        (["run", "m", "--engine", "steam"], "steam"),
        (["compile", "m", "-o"], "-o"),
    ],
)
def test_words_that_make_no_command(
    arguments: list[str], wanted: str, weft_command: Callable
) -> None:
    _refused(weft_command(*arguments), wanted)


def test_mistakes_with_json_leave_stdout_empty(tiny: Path, weft_command: Callable) -> None:
    _refused(weft_command("run", tiny, "--machine", "single-m5", "--json"), "single-m5")
    _refused(weft_command("machines", "single-m5", "--json"), "single-m5")


def test_mistake_in_a_process_of_its_own(tmp_path: Path) -> None:
    command = [WEFT, "run", tmp_path / "nowhere.tflite", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "nowhere.tflite" in done.stderr


def test_our_own_mistake_is_status_1(tiny: Path, tmp_path: Path) -> None:
    """What is no mistake of the user's is a traceback and another status."""
    code = (
        "import sys, weft.compiler, weft.cli\n"
        "def broken(*a, **k): raise KeyError('ours')\n"
        "weft.compiler._Job.compile = broken\n"
        "weft.cli.main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, "compile", tiny, "-o", tmp_path / "out", *MACHINE]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" in done.stderr and "KeyError: 'ours'" in done.stderr


def test_keys_of_json_are_documented_ones(tiny: Path, weft_command: Callable) -> None:
    page = (Path(__file__).parents[3] / "docs/command-line.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.M))
    keys = set(json.loads(weft_command("run", tiny, *MACHINE, "--json").out))
    # Scripts rely on these.
    assert {"machine", "engine", "pes_used", "programs", "stages", "frames"} < keys
    assert {"sram_peak_bytes", "predicted_fps", "limited_by", "measured_fps"} < keys
    assert {"output_sha256", "wall_s"} < keys
    assert keys <= documented

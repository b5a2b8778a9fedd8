"""Trained models, byte for byte: recorded outputs through the command line, and live against TFLM.

The trained models are not part of the repository. Without them these tests are skipped, in CI they
fail; either way the message says where to get them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import weft
from support.networks import mobilenet_v1, mobilenet_v2
from support.oracle_count import check_against_oracle, compare
from support.tflite_builder import ModelBuilder
from support.tflm import run_tflm_batch
from weft.errors import UnsupportedError

MACHINES = {"kws": "single-m4", "ic": "single-m4-1m", "ad": "single-m4-1m"}
WEFT = Path(sys.executable).with_name("weft")
LIVE_INPUTS = 20

ROOMY_MACHINE = """\
format = 1
[pe_class.roomy]
core = "cortex-m4f"
clock_mhz = 150
stack_bytes = 4096
memory = [
    { name = "sram", origin = 0, bytes = 16777216, holds = ["code", "constants", "data"] },
]
[grid]
width = 1
height = 1
pe_class = "roomy"
"""


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("name", MACHINES)
def test_recorded_outputs_through_the_command_line(
    name: str, number: int, trained_file: Callable[[str], Path], tmp_path: Path
) -> None:
    model, record = trained_file(f"{name}_int8.tflite"), np.load(trained_file(f"{name}_ref.npz"))
    given, result = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(given, record[f"in{number}"])
    options = ["--machine", MACHINES[name], "--input", given, "--output", result]
    command = [WEFT, "run", model, *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    compare(np.load(result), record[f"tflm{number}"], f"{name} {number}")


@pytest.mark.parametrize("name", MACHINES)
def test_live_against_the_interpreter(name: str, trained_file: Callable[[str], Path]) -> None:
    model = trained_file(f"{name}_int8.tflite")
    program = weft.compile(model, machine=MACHINES[name])
    rng = np.random.default_rng(2024)
    shape = program.inputs[0].shape
    inputs = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(LIVE_INPUTS)]
    expected = [y for (y,) in run_tflm_batch(model.read_bytes(), [[x] for x in inputs])]
    with program.open(engine="native") as session:
        for number, (x, wanted) in enumerate(zip(inputs, expected, strict=True)):
            compare(session.run(x), wanted, f"{name}, live input {number}")
    # Were all answers the same, agreement would say little.
    assert len({wanted.tobytes() for wanted in expected}) > LIVE_INPUTS // 4


def test_all_held_out_digits(digits_model: Path) -> None:
    with np.load(digits_model.with_name("digits_test.npz")) as held_out:
        images, labels = held_out["input"], held_out["labels"]
    assert len(images) == 450
    expected = run_tflm_batch(digits_model.read_bytes(), [[image[None]] for image in images])
    right = 0
    with weft.compile(digits_model, machine="single-m4").open() as session:
        results = list(session.stream(image[None] for image in images))
    for number, (result, (wanted,)) in enumerate(zip(results, expected, strict=True)):
        compare(result, wanted, f"digit {number}")
        right += int(np.argmax(result)) == labels[number]
    assert right / len(labels) >= 0.95


@pytest.mark.parametrize("build", [mobilenet_v1, mobilenet_v2])
def test_mobilenets_of_other_sizes(build: Callable[..., bytes], tmp_path: Path) -> None:
    machine = tmp_path / "roomy.toml"
    machine.write_text(ROOMY_MACHINE, encoding="utf-8")
    model = build(seed=3, size=41, alpha=0.35, classes=7)
    rng = np.random.default_rng(5)
    images = [[rng.integers(-128, 128, (1, 41, 41, 3)).astype(np.int8)] for _ in range(2)]
    check_against_oracle(model, images, [build.__name__], str(machine))


@pytest.mark.parametrize("last", ["float", "int8"])
def test_float_input_that_is_reshaped(last: str, tmp_path: Path) -> None:
    """Floats may be moved or refused; what must not happen is that their bytes become numbers."""
    m = ModelBuilder()
    x = m.input((1, 6), dtype=np.float32)
    options = schema.ReshapeOptionsT()
    y = m._emit("RESHAPE", [x, m._ints((2, 3))], options, (2, 3), 0.0, 0, dtype=np.float32)
    m.output(y if last == "float" else m.quantize(y, 0.5, 3))
    values = np.array([[1.5, -2.0, 0.25, 1e6, -0.0, 3.0]], np.float32)
    try:
        weft.compile(m.build(), machine="single-m4", output=tmp_path / "program")
    except UnsupportedError:
        return
    check_against_oracle(m.build(), [[values]], ["a reshape of floats"])


# What happens without the models


def test_absent_models_fail_in_ci(
    trained_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="mlcommons/tiny"):
        trained_file("kws_int8.tflite", tmp_path)


def test_absent_models_are_skipped_elsewhere(
    trained_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"github\.com/mlcommons/tiny, SHA-256 aeea436"):
        trained_file("kws_int8.tflite", tmp_path)


def test_a_changed_model_is_no_oracle(trained_file: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "kws_int8.tflite").write_bytes(b"something else")
    with pytest.raises(AssertionError, match="another file"):
        trained_file("kws_int8.tflite", tmp_path)


def test_checksums_are_those_of_the_folder(trained_file: Callable[..., Path]) -> None:
    listing = trained_file("kws_int8.tflite").with_name("SHA256SUMS").read_text(encoding="utf-8")
    listed = {name: digest for digest, name in map(str.split, listing.splitlines())}
    for name in (f"{n}_{part}" for n in MACHINES for part in ("int8.tflite", "ref.npz")):
        assert hashlib.sha256(trained_file(name).read_bytes()).hexdigest() == listed[name]

# SPDX-License-Identifier: Apache-2.0
"""``weft tune``, and what the compiler makes of its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from weft.bench.qdq_layers import quantized_layer
from weft.codegen.toolchain import find_target_toolchain
from weft.engines.cortex_m4.counts import Count
from weft.errors import TuningError
from weft.kernels.base import Kernel
from weft.kernels.conv2d import Conv2d
from weft.kernels.schedule_space import choices
from weft.paths import models_folder
from weft.program import Program
from weft.tuning.search import Search
from weft.tuning.workers import local_workers, ray_workers

ONNX = models_folder() / "digits_int8.onnx"
TFLITE = models_folder() / "digits_int8.tflite"
NAME = "conv2d_s8_3x3_c16_float"
BLOCKS = {"pixels": 2, "channels": 4, "window": 0, "unroll": 1}


def tuned(decisions: Any, name: str = NAME, **more: Any) -> dict[str, Any]:
    return {"format": 1, "kernels": {name: {"decisions": decisions}}, **more}


def functions(program: Program) -> dict[str, str]:
    """The text of each kernel."""
    parts = (program.folder / "kernels.c").read_text("utf-8").split("\nvoid ")[1:]
    return {part.split("(", 1)[0]: part for part in parts}


def results(program: Program, frames: Iterable[Any]) -> list[bytes]:
    with program.open() as session:
        return [session.run(frame).tobytes() for frame in frames]


# --- what is tuned, compiled ---


def test_one_kernel_changes_and_no_byte_does(tmp_path: Path) -> None:
    usual = weft.compile(ONNX, "single-m4")
    path = tmp_path / "tuned.json"
    path.write_text(json.dumps(tuned(BLOCKS)), "utf-8")
    changed = weft.compile(ONNX, "single-m4", tuned=path)
    before, after = functions(usual), functions(changed)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == [NAME]
    (info,) = usual.inputs
    rng = np.random.default_rng(0)
    frames = [rng.integers(-128, 128, info.shape).astype(info.dtype) for _ in range(3)]
    assert results(changed, frames) == results(usual, frames)
    # Found in the cache by its decisions, not by the path.
    assert weft.compile(ONNX, "single-m4", tuned=tuned(BLOCKS)).folder == changed.folder


def test_a_schedule_of_the_user_comes_first(tmp_path: Path) -> None:
    def default(kernel: Any, schedule: Any) -> None:
        kernel.schedule(schedule)

    schedules = {"conv2d": default}
    program = weft.compile(ONNX, "single-m4", schedules=schedules, tuned=tuned(BLOCKS))
    assert functions(program) == functions(weft.compile(ONNX, "single-m4"))


MISTAKES = {
    "another format": ({"format": 2, "kernels": {}}, "format: is 2; this Weft reads format 1"),
    "no object": ([], "must be an object"),
    "no kernels": ({"format": 1}, "kernels: must be an object"),
    "no decisions": ({"format": 1, "kernels": {NAME: {}}}, f"kernels.{NAME}.decisions: must be"),
    "no number": (tuned({**BLOCKS, "pixels": "2"}), "decisions.pixels: must be an integer"),
    "other decisions": (tuned({"pixels": 2}), "where this version decides channels, pixels"),
    "another value": (tuned({**BLOCKS, "pixels": 3}), "is none of what may be chosen; tune again"),
    "too large": (tuned({**BLOCKS, "pixels": 4}), "is none of what may be chosen; tune again"),
    "other kernels": (tuned(BLOCKS, "conv2d_s8_7x7_c2"), "of other kernels than this program's"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_one_line(case: str, weft_command: Callable, tmp_path: Path) -> None:
    data, message = MISTAKES[case]
    path = tmp_path / "tuned.json"
    path.write_text(json.dumps(data), "utf-8")
    options = ("--machine", "single-m4", "-o", tmp_path / "program", "--tuned", path)
    done = weft_command("compile", ONNX, *options)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"weft: {path}")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_hand_written_kernels_have_no_schedule() -> None:
    with pytest.raises(TuningError, match="hand-written have no schedule"):
        weft.compile(TFLITE, "single-m4", tuned=tuned(BLOCKS))


def test_a_network_without_such_kernels_has_nothing_to_tune(
    weft_command: Callable, tmp_path: Path
) -> None:
    done = weft_command("tune", TFLITE, "-o", tmp_path / "tuned.json")
    assert done.status == 2
    assert "has no kernel to tune" in done.err
    assert not (tmp_path / "tuned.json").exists()


# --- the search ---

KERNEL: Kernel = Conv2d(3, 3, 1, 1, 1, 1, 16)


def cost(decisions: Any) -> Count:
    """Least where everything is as large as can be."""
    return Count(10_000 // sum(decisions.values()), 0)


def test_a_search_comes_near_the_best_of_its_space() -> None:
    everything = sorted(cost(c).instructions for c in choices(KERNEL))
    found = []
    for seed in range(8):
        search = Search(KERNEL, seed)
        for _ in range(3):
            for candidate in search.propose(8):
                search.tell(candidate, cost(candidate))
        found.append(search.measured[0][0].instructions)
    assert len(everything) > 2 * 24
    assert max(found) <= everything[3]


def test_a_search_never_proposes_twice_and_ends() -> None:
    search = Search(KERNEL, 0)
    proposed = []
    while candidates := search.propose(8):
        proposed += candidates
        for candidate in candidates:
            search.tell(candidate, None if candidate["pixels"] == 4 else cost(candidate))
    keys = [tuple(c.items()) for c in proposed]
    assert len(set(keys)) == len(keys) == len(list(choices(KERNEL)))
    assert all(decisions["pixels"] != 4 for _, decisions in search.measured)


def test_the_same_seed_gives_the_same_candidates() -> None:
    first, again, other = (Search(KERNEL, seed).propose(8) for seed in (3, 3, 4))
    assert first == again != other


# --- workers ---


def test_processes_give_results_in_order_and_errors() -> None:
    with local_workers(2) as run:
        assert run(abs, [-3, 2, -1]) == [3, 2, 1]
        with pytest.raises(ValueError, match="invalid literal"):
            run(int, ["1", "one"])


def test_ray_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(TuningError, match=r"pip install weft\[ray\]"), ray_workers("auto"):
        pass


@pytest.fixture(scope="module")
def emulator() -> None:
    pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    if find_target_toolchain("cortex-m4") is None:
        pytest.skip("no target compiler is installed")


@pytest.mark.usefixtures("emulator")
def test_tuning_saves_instructions(weft_command: Callable, tmp_path: Path) -> None:
    path, model = tmp_path / "tuned.json", tmp_path / "layer.onnx"
    model.write_bytes(quantized_layer(8, 16, 8, 3, 1))
    done = weft_command("tune", model, "-o", path, "--trials", 2, "--jobs", 2, "--json")
    assert done.status == 0
    assert done.err == "2 of 2 trials\n"
    report, written = json.loads(done.out), json.loads(path.read_text("utf-8"))
    assert {key: report[key] for key in written} == written
    assert report["tuned"]["instructions"] < report["default"]["instructions"]
    saved = [
        row["default"]["instructions"] - row["instructions"] for row in report["kernels"].values()
    ]
    assert min(saved) > 0
    whole = report["default"]["instructions"] - report["tuned"]["instructions"]
    assert sum(saved) == whole
    # What it says is what a program compiled with it takes.
    counts = []
    for options in ((), ("--tuned", path)):
        folder = tmp_path / f"program{len(options)}"
        weft_command("compile", model, "--machine", "single-m4-1m", "-o", folder, *options)
        ran = weft_command("run", folder, "--engine", "cortex-m4", "--frames", 4, "--json")
        counts.append(json.loads(ran.out)["instructions"])
    assert abs(counts[0] - counts[1] - whole) < 0.02 * counts[0]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:port"])
def test_a_cluster_that_is_not_there_is_one_line(address: str) -> None:
    pytest.importorskip("ray", reason="the Python package ray is not installed")
    with (
        pytest.raises(TuningError, match=f"no Ray cluster answers at {address}"),
        ray_workers(address),
    ):
        pass


def test_a_ray_cluster_gives_what_processes_give() -> None:
    pytest.importorskip("ray", reason="the Python package ray is not installed")
    with ray_workers("local") as run:
        assert run(abs, [-3, 2, -1]) == [3, 2, 1]
        with pytest.raises(ValueError, match="invalid literal"):
            run(int, ["1", "one"])

"""The command ``weft bench``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import weft
from weft.bench import peers
from weft.bench.counting import compile_single
from weft.bench.image_size import image_size, runtime_size
from weft.codegen.toolchain import find_target_toolchain
from weft.paths import machines_folder, models_folder

MODELS = Path(__file__).resolve().parents[3].parent / "shared" / "models"
DIGITS = models_folder() / "digits_int8.tflite"
COUNT = {"instructions", "cycles"}
LAYER = {"layer", "kind", "macs", *COUNT}


@pytest.fixture(scope="module")
def emulator() -> None:
    pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    if find_target_toolchain("cortex-m4") is None:
        pytest.skip("no target compiler is installed")


def report_of(weft_command: Callable, *arguments: object) -> dict[str, Any]:
    done = weft_command("bench", "cortex-m4", *arguments, "--json")
    assert (done.status, done.err) == (0, "")
    return json.loads(done.out)


def check(model: dict[str, Any]) -> None:
    """That the parts are those of the whole, but for what is lost by rounding means."""
    frames = model["frames"]
    assert len(frames) == 3
    for key in COUNT:
        assert model[key] == round(sum(frame[key] for frame in frames) / 3)
        assert abs(model["kernels"][key] + model["executive"][key] - model[key]) <= 1
        for part in ("layers", "functions"):
            assert abs(sum(row[key] for row in model[part]) - model["kernels"][key]) <= 20
    assert model["macs"] == sum(layer["macs"] for layer in model["layers"])
    assert all(set(layer) >= LAYER for layer in model["layers"])
    assert all(layer["instructions"] > 0 for layer in model["layers"])
    # No instruction takes less than a cycle, and none but a division or a list more than a few.
    assert model["instructions"] < model["cycles"] < 3 * model["instructions"]


def test_alone_it_lists_the_benchmarks(weft_command: Callable) -> None:
    done = weft_command("bench")
    assert (done.status, done.err) == (0, "")
    names = [line.split()[0] for line in done.out.splitlines()]
    assert names == ["cortex-m4", "native", "devices", "kernels", "costs"]
    for name in names:
        assert weft_command("bench", name, "--help").status == 0


@pytest.mark.usefixtures("emulator")
def test_the_bundled_model_on_one_pe(weft_command: Callable) -> None:
    report = report_of(weft_command)
    assert set(report) == {"models", "runtime"}
    assert set(report["models"]) == {"digits"}
    model = report["models"]["digits"]
    check(model)
    assert (model["machine"], model["pes"], model["peers"]) == ("single-m4", 1, [])
    program = weft.compile(DIGITS, "single-m4")
    tasks = program.manifest["pes"][0]["shards"][0]
    rows = [(row["layer"], row["kind"], row["macs"]) for row in model["layers"]]
    assert sorted(rows) == sorted((t["name"], t["stage"], t["macs"]) for t in tasks)
    # What runs between two sleeps, the last one aside, is all that the engine counts.
    counted = json.loads(
        weft_command("run", DIGITS, "--machine", "single-m4", "--engine", "cortex-m4", "--json").out
    )
    whole = model["frames"][0]["instructions"] + model["waiting"]["instructions"]
    assert abs(whole - counted["instructions"]) < 0.01 * whole
    assert report_of(weft_command) == report


@pytest.mark.usefixtures("emulator")
def test_a_mesh_beside_one_pe(weft_command: Callable) -> None:
    report = report_of(weft_command, "digits", "--machine", "grid-4x4", "--pes", 4)
    model = report["models"]["digits"]
    check(model)
    assert (model["machine"], model["pes"]) == ("grid-4x4", 4)
    one = report_of(weft_command)["models"]["digits"]
    assert model["one_pe"] == {"machine": "single-m4", **{key: one[key] for key in COUNT}}
    assert model["ratio_to_one_pe"] == round(model["instructions"] / one["instructions"], 4)
    assert 1 < model["ratio_to_one_pe"] < 1.1
    labels = [row["layer"] for row in model["layers"] if row["kind"] not in ("border", "copy")]
    assert labels == [r["layer"] for r in one["layers"] if r["kind"] not in ("border", "copy")]
    assert model["busiest_pe"]["cycles"] < model["cycles"]


# All in the thorough profile; ad has the most messages for its work.
@pytest.mark.parametrize("name", ["kws", "ic", "ad"] if settings().max_examples > 3 else ["ad"])
@pytest.mark.usefixtures("emulator")
def test_a_chip_takes_little_more_work_than_one_pe(weft_command: Callable, name: str) -> None:
    command = (known_model(name), "--machine", "spinn2-chip")
    (model,) = report_of(weft_command, *command)["models"].values()
    assert 1 < model["ratio_to_one_pe"] <= 1.25
    # And is an order of magnitude faster for it.
    assert model["pes"] > 10
    assert model["busiest_pe"]["cycles"] < model["one_pe"]["cycles"] / 10


@pytest.mark.usefixtures("emulator")
def test_the_table(weft_command: Callable) -> None:
    done = weft_command("bench", "cortex-m4")
    assert (done.status, done.err) == (0, "")
    model = report_of(weft_command)["models"]["digits"]
    lines = done.out.splitlines()
    assert lines[0] == (
        f"digits on 1 PE(s) of single-m4: {model['instructions']} instructions, "
        f"{model['cycles']} cycles a frame"
    )
    rows = {line.split()[0]: line.split() for line in lines[3:] if line}
    for layer in model["layers"]:
        shown = rows[layer["layer"]]
        assert shown[1:4] == [layer["kind"], str(layer["macs"]), str(layer["instructions"])]
        assert str(layer["cycles"]) in shown


def known_model(name: str) -> Path:
    path = MODELS / f"{name}_int8.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is missing: get it from the repository mlcommons/tiny")
    return path


@pytest.mark.usefixtures("emulator")
def test_a_known_model_is_compared_by_layer(
    weft_command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by name, as the environment says; too large for the first machine."""
    known_model("ad")
    monkeypatch.setenv("WEFT_MODELS", str(MODELS))
    model = report_of(weft_command, "ad")["models"]["ad"]
    check(model)
    assert model["machine"] == "single-m4-1m"
    first = model["peers"][0]
    assert first["peer"] == "CMSIS-NN"
    assert first["ratio"] == round(model["instructions"] / first["instructions"], 4)
    compared = [row for row in model["layers"] if "peer_ratio" in row]
    assert [row["peer_instructions"] for row in compared] == [159400]
    slower = [r["layer"] for r in compared if r["instructions"] > r["peer_instructions"]]
    assert model["slower_layers"] == slower


@pytest.mark.parametrize("name", ["kws", "ic", "ad"])
def test_figures_of_peers_name_layers_of_the_model(name: str) -> None:
    program = compile_single(known_model(name))
    found = peers.peers_of(program.manifest["model"]["sha256"])
    assert found[0].name == "CMSIS-NN"
    for peer in found:
        assert set(peer.layers) <= set(program.stages)
        assert sum(peer.layers.values()) < peer.instructions


@pytest.mark.usefixtures("emulator")
def test_bytes_of_an_image_against_binutils(tmp_path: Path) -> None:
    from weft.engines.cortex_m4.images import linked_pes

    nm, size = (shutil.which(f"arm-none-eabi-{tool}") for tool in ("nm", "size"))
    if nm is None or size is None:
        pytest.skip("the binutils for arm-none-eabi are not installed")
    program = weft.compile(DIGITS, "single-m4")
    elf = linked_pes(program, [0])[0].elf

    def output(*command: object) -> list[list[str]]:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=True, timeout=60
        )
        return [line.split() for line in done.stdout.splitlines()]

    # Names from the objects of the core, sizes from the image.
    core = set()
    toolchain = find_target_toolchain("cortex-m4")
    assert toolchain is not None
    for source in sorted((program.folder / "runtime/src").glob("*.c")):
        out = tmp_path / f"{source.stem}.o"
        flags = ["-Os", "-std=c99", "-I", "runtime/include", '-DWEFT_RUNTIME_HASH=""']
        flags += ["-isystem", "runtime/port/cortex_m/libc"]
        toolchain.compile_object(str(source), out, flags, program.folder)
        core |= {row[-1] for row in output(nm, "--defined-only", out) if row[-2] in "tT"}
    symbols = {row[-1]: int(row[1], 16) for row in output(nm, "-S", elf) if len(row) == 4}
    sizes = runtime_size(program.folder, elf)
    assert sizes.text == sum(bytes_ for name, bytes_ in symbols.items() if name in core) > 2000
    assert sizes.ram == symbols["weft_image_pe"] + symbols["weft_image_state"]
    assert sizes.port_text > 500 and sizes.port_ram >= symbols["weft_image_mail"]
    rows = [row for row in output(size, "-A", elf) if row and row[0].startswith(".")]
    placed = {row[0]: int(row[1]) for row in rows if not row[0].startswith((".comment", ".ARM"))}
    assert image_size(elf).text == placed[".text"] + placed.get(".rodata", 0)
    assert image_size(elf).image == sum(placed.values())


@pytest.mark.usefixtures("emulator")
def test_fitted_costs_make_a_machine_file(weft_command: Callable, tmp_path: Path) -> None:
    command = ("bench", "costs", "digits", "--machine", "grid-4x4", "--pes", 4)
    done = weft_command(*command)
    assert (done.status, done.err) == (0, "")
    report = json.loads(weft_command(*command, "--json").out)
    kinds = {"binary", "conv2d", "dense", "depthwise", "mean", "pool", "softmax"}
    assert set(report["errors"]) == set(report["elements"]) == kinds
    assert {"conv2d", "dense", "depthwise"} <= set(report["kinds"])
    assert all(error["samples"] >= 2 for error in report["errors"].values())
    # What is printed can be pasted in place of what is there, and foretells what is counted.
    text = (machines_folder() / "single-m4.toml").read_text(encoding="utf-8")
    text, removed = re.subn(r"\[pe_class\.m4\.cost\]\n.*?\n\n", "", text, flags=re.S)
    assert removed == 1
    pasted = done.out.replace("[pe_class.NAME.cost]", "[pe_class.m4.cost]")
    path = tmp_path / "fitted.toml"
    path.write_text(f"{text}\n{pasted}", encoding="utf-8")
    machine = weft.load_machine(path)
    pe_class = machine.classes["m4"]
    assert pe_class.cost.kinds == report["kinds"]
    assert pe_class.cost.message == report["message"]
    counted = report_of(weft_command)["models"]["digits"]["cycles"]
    predicted = pe_class.clock_hz / weft.compile(DIGITS, machine).predicted_fps
    assert predicted == pytest.approx(counted, rel=0.1)


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "there is no model 'nothing' in "),
        (["none.tflite"], "there is no model file none.tflite"),
        (["--models", "none"], "none is no folder: --models takes one with model files"),
        (["--pes", 3], "--pes goes with --machine"),
        (["digits", "--machine", "none"], "there is no machine called none"),
    ],
)
def test_mistakes(
    arguments: list[object], message: str, weft_command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEFT_MODELS", raising=False)
    if "--pes" in arguments:
        both = [weft_command("bench", name, *arguments) for name in ("cortex-m4", "costs")]
        assert [done.status for done in both] == [2, 2]
    done = weft_command("bench", "cortex-m4", *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err and done.err.count("\n") == 1


def test_two_models_of_one_name(weft_command: Callable, tmp_path: Path) -> None:
    other = tmp_path / "digits.tflite"
    shutil.copyfile(DIGITS, other)
    done = weft_command("bench", "cortex-m4", DIGITS, other)
    assert done.status == 2 and "two models are called digits" in done.err


def test_names_are_looked_up_where_the_option_says_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weft.bench.model_files import find_models

    first, second = tmp_path / "first", tmp_path / "second"
    for folder, names in ((first, ["a"]), (second, ["a_int8", "b_int8"])):
        folder.mkdir()
        for name in names:
            (folder / f"{name}.tflite").touch()
    monkeypatch.setenv("WEFT_MODELS", str(second))
    assert find_models(["a", "b", "digits"], str(first)) == {
        "a": first / "a.tflite",
        "b": second / "b_int8.tflite",
        "digits": DIGITS,
    }
    assert find_models([], None) == {"digits": DIGITS}
    assert find_models([str(DIGITS), "digits"], None) == {"digits": DIGITS}

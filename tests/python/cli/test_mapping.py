"""Mappings by hand on the command line: what is refused, what comes out, that it comes again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from weft.errors import MappingError

GRID = ("--machine", "grid-4x4")
CONV2, CONV3 = "digits_1_conv2_relu_1_Relu", "digits_1_conv3_relu_1_Relu"
LOGITS = "digits_1_logits_1_MatMul"


def written(folder: Path, data: Any) -> Path:
    path = folder / "mine.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def tree(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


MISTAKES = {
    "not JSON": ("{", "is not JSON"),
    "no object": ([], "the file: must be an object, not []"),
    "a stage twice": (
        '{"format": 1, "stages": {"a": [], "a": []}}',
        "'a' is given twice in one object; keep one of them",
    ),
    "no such stage": (
        {"format": 1, "stages": {CONV2[:-1]: {"pes": [[0, 0, 0]]}}},
        f"stages['{CONV2[:-1]}']: the model has no such stage; did you mean '{CONV2}'?",
    ),
    "no such PE": (
        {"format": 1, "stages": {CONV2: {"pes": [[0, 4, 0]]}}},
        f"stages['{CONV2}'].pes[0]: grid-4x4 has no PE (0,4).0",
    ),
    "too many parts": (
        {"format": 1, "stages": {}, "split_inputs": {CONV2: 17}},
        f"split_inputs['{CONV2}']: the stage (conv2d) has 16 input channels",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, weft_command: Callable, digits_model: Path, tmp_path: Path) -> None:
    """The same line from every command, status 2, and nothing written."""
    data, wanted = MISTAKES[mistake]
    path = written(tmp_path, data)
    options = (digits_model, *GRID, "--mapping", path)
    for done in (
        weft_command("run", *options),
        weft_command("compile", *options, "-o", tmp_path / "out"),
        weft_command("compile", *options, "--check-mapping", "--json"),
    ):
        assert (done.status, done.out) == (2, ""), done
        assert done.err.startswith(f"weft: mapping {path}") and done.err.count("\n") == 1
        assert wanted in done.err
    assert not (tmp_path / "out").exists()
    if not isinstance(data, str):
        with pytest.raises(MappingError) as caught:
            weft.compile(digits_model, "grid-4x4", mapping=data)
        assert str(caught.value).startswith("mapping: ") and wanted in str(caught.value)


def test_no_file(weft_command: Callable, digits_model: Path, tmp_path: Path) -> None:
    done = weft_command("run", digits_model, *GRID, "--mapping", tmp_path / "none.json")
    assert done.status == 2 and "none.json cannot be read: No such file" in done.err


def test_options_that_do_not_go_together(
    weft_command: Callable, digits_model: Path, tmp_path: Path
) -> None:
    for options, wanted in (
        (("--check-mapping", "-o", tmp_path / "out"), "--check-mapping makes no code"),
        (("--check-mapping", "--dump-ir", tmp_path / "ir"), "--check-mapping makes no code"),
        ((), "say where the program goes: -o DIR"),
        (("--check-mapping", "--pes", 17), "17 PEs were asked for; grid-4x4 has 16"),
        (("--check-mapping", "--pes", 0), "0"),
    ):
        done = weft_command("compile", digits_model, *GRID, *options)
        assert (done.status, done.out) == (2, "") and wanted in done.err, done
    assert not list(tmp_path.iterdir())


def test_too_much_on_a_pe(weft_command: Callable, models: Path, tmp_path: Path) -> None:
    stages = {s.name: {"pes": [[2, 1, 0]]} for s in weft.graph(models / "too_big.tflite").stages}
    path = written(tmp_path, {"format": 1, "stages": stages})
    done = weft_command("run", models / "too_big.tflite", *GRID, "--mapping", path)
    assert (done.status, done.err.count("\n")) == (2, 1)
    wanted = ("p0", "memory region sram needs 4", "131072 are there (constants 41", "that PE fewer")
    assert all(part in done.err for part in wanted), done.err


# What comes out comes again


WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "one PE": ("single-m4", {}),
    "deepened": ("grid-4x4", {}),
    "big and little": ("biglittle-4x4", {}),
    "few": ("spinn2-chip", {"pes": 20}),
    "over input channels": (
        "grid-4x4",
        {
            "mapping": {
                "format": 1,
                "split_inputs": {CONV3: 3, LOGITS: 2},
                "stages": {f"{CONV3}/0": {"pes": [[3, 3, 0], [2, 3, 0]], "axis": "channels"}},
            }
        },
    ),
    "from a PE": ("grid-4x4", {"mapping": {"format": 1, "stages": {}, "source": [3, 3, 0]}}),
}


@pytest.mark.parametrize("way", WAYS)
def test_mapping_json_compiles_to_the_same_folder(
    way: str, weft_command: Callable, digits_model: Path, digits: Any, tmp_path: Path
) -> None:
    machine, options = WAYS[way]
    first = weft.compile(digits_model, machine, output=tmp_path / "a" / "program", **options)
    mapping = json.loads((first.folder / "mapping.json").read_text(encoding="utf-8"))
    if way == "deepened":
        assert any("depth" in shard for rows in mapping["stages"].values() for shard in rows)
    if way == "over input channels":
        assert mapping["split_inputs"] == options["mapping"]["split_inputs"]
        assert [s["pe"] for s in mapping["stages"][f"{CONV3}/0"]] == [[3, 3, 0], [2, 3, 0]]
    again = tmp_path / "b" / "program"
    file = first.folder / "mapping.json"
    done = weft_command(
        "compile", digits_model, "--machine", machine, "--mapping", file, "-o", again
    )
    assert (done.status, done.err) == (0, "")
    assert tree(again) == tree(first.folder)
    frame = np.random.default_rng(0).integers(-128, 128, (1, 8, 8, 1)).astype(np.int8)
    with digits.open() as alone, first.open() as session:
        assert session.run(frame).tobytes() == alone.run(frame).tobytes()


def test_the_cache_knows_mappings(digits_model: Path, tmp_path: Path) -> None:
    """Two mappings are two programs, and the same one, from a file or not, is found again."""
    one, other = ({"format": 1, "stages": {LOGITS: {"pes": [[x, 0, 0]]}}} for x in (0, 1))
    found = weft.compile(digits_model, "grid-4x4", mapping=one)
    assert weft.compile(digits_model, "grid-4x4", mapping=other).folder != found.folder
    path = written(tmp_path, one)
    assert weft.compile(digits_model, "grid-4x4", mapping=path).folder == found.folder
    assert weft.compile(digits_model, "grid-4x4", mapping=one, pes=3).folder != found.folder


# --check-mapping, graph


@pytest.mark.parametrize("way", WAYS)
def test_check_mapping_agrees_with_compile(
    way: str, weft_command: Callable, digits_model: Path, tmp_path: Path
) -> None:
    machine, options = WAYS[way]
    where = tmp_path / "here"
    where.mkdir()
    arguments: list[Any] = ["--machine", machine]
    if "pes" in options:
        arguments += ["--pes", options["pes"]]
    if "mapping" in options:
        arguments += ["--mapping", written(tmp_path, options["mapping"])]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        done = weft_command("compile", digits_model, *arguments, "--check-mapping", "--json")
    assert (done.status, done.err) == (0, "")
    assert not list(where.iterdir())
    checked = json.loads(done.out)
    done = weft_command("compile", digits_model, *arguments, "-o", tmp_path / "out", "--json")
    compiled = json.loads(done.out)
    same = ("machine", "pes_used", "programs", "stages", "predicted_fps", "limited_by")
    assert {k: checked[k] for k in same} == {k: compiled[k] for k in same}
    timing = weft.load(tmp_path / "out").manifest["timing"]
    assert {k: checked[k] for k in timing} == timing


def test_check_mapping_says_so(weft_command: Callable, digits_model: Path) -> None:
    done = weft_command("compile", digits_model, *GRID, "--check-mapping")
    assert (done.status, done.err) == (0, "")
    assert "the mapping is sound: 13 stages on 14 PE(s) of grid-4x4, no deadlock" in done.out
    assert "frames/s on the machine by the model of time, limited by PE (" in done.out


def test_graph(weft_command: Callable, digits_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    done = weft_command("graph", digits_model, "--machine", "biglittle-4x4", "-o", path, "--json")
    assert (done.status, done.err) == (0, "")
    report, data = json.loads(done.out), json.loads(path.read_text(encoding="utf-8"))
    assert (report["stages"], report["machine"]) == (13, "biglittle-4x4")
    assert report["macs"] == sum(stage["macs"] for stage in data["stages"])
    assert data == weft.graph(digits_model, "biglittle-4x4").to_json()
    assert set(data["pe_classes"]) == {"big", "little"} and len(data["pes"]) == 16
    known = {tensor["name"] for tensor in data["inputs"]}
    for stage in data["stages"]:
        assert set(stage["inputs"]) <= known
        assert set(stage["cycles"]) == {"big", "little"}
        known.add(stage["name"])
    assert set(data["outputs"]) <= known
    text = weft_command("graph", digits_model, "-o", path).out
    assert text.startswith(f"{path}: 13 stages, ")


def test_graph_that_cannot_be_written(
    weft_command: Callable, digits_model: Path, tmp_path: Path
) -> None:
    done = weft_command("graph", digits_model, "-o", tmp_path / "no" / "graph.json")
    assert done.status == 2 and done.err.count("\n") == 1 and "graph.json" in done.err


def test_costs(digits_model: Path) -> None:
    graph = weft.graph(digits_model, "biglittle-4x4")
    stage, big = graph.stage(CONV2), graph.machine.classes["big"]
    whole = weft.cost(stage, None, big)
    assert whole == weft.cost(stage, ([0, 0, 0, 0], [1, 4, 4, 32]), big)
    halves = [weft.cost(stage, ([0, 0, 0, c], [1, 4, 4, 16]), big) for c in (0, 16)]
    assert sum(half.macs for half in halves) == whole.macs == stage.macs
    assert sum(half.constants_bytes for half in halves) == whole.constants_bytes
    assert halves[0].input_bytes == whole.input_bytes == 256
    rows = weft.cost(stage, ([0, 0, 0, 0], [1, 1, 4, 32]), big)
    assert [(number, box.begin, box.shape) for number, box in rows.inputs] == [
        (0, (0, 0, 0, 0), (1, 2, 4, 16))
    ]
    for box in (([0], [1]), ([0] * 4, [1, 4, 4]), ([0] * 4, [1, 5, 4, 32]), ([0] * 4, [0] * 4)):
        with pytest.raises(MappingError, match="is not a box inside of a result"):
            weft.cost(stage, box, big)
    with pytest.raises(MappingError, match=r"cannot compute .* alone: a softmax"):
        weft.cost(graph.stages[-1], ([0, 0], [1, 5]), big)
    with pytest.raises(MappingError, match="has no stage 'none'"):
        graph.stage("none")

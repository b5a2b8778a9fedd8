"""Mapping files: every way in which one can be wrong, and what a right one means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mapping.mapping_mistakes import GOOD, MISTAKES, NAMES, PE, box, of
from support.meshes import random_mapping, stage_graph
from support.networks import Network
from weft.dialects.stages.base import shape_of
from weft.errors import DoesNotFitError, MappingError, WeftError
from weft.machines import Machine, load_machine
from weft.mapping.files import mapping_text, parse_mapping
from weft.mapping.mapping import DRAM, HOST
from weft.mapping.source import read_mapping
from weft.placing import Placing
from weft.transforms.compilation import Compilation, stages_of


def network() -> bytes:
    """Stages of every kind that is cut in a way of its own."""
    n = Network(np.random.default_rng(0))
    conv = n.conv2d(n.input((1, 8, 8, 4)), 8, (3, 3))
    wide = n.depthwise_conv2d(conv, (3, 3), multiplier=3)
    added = n.add(conv, n.conv2d(wide, 8, (1, 1)))
    pooled = n.average_pool2d(added, (2, 2), (2, 2))
    builder = n.builder
    weights = np.ones((12, 1, 1, 4), np.int8)
    grouped = builder.conv2d(
        pooled.tensor, weights, np.zeros(12, int), np.full(12, 0.01), scale=0.1, zero_point=0
    )
    scores = n.softmax(n.fully_connected(n.flatten(pooled), 10))
    builder.output(scores.tensor, grouped)
    return builder.build()


@pytest.fixture(scope="module")
def stages() -> Compilation:
    compilation = stage_graph(network())
    found = stages_of(compilation)
    kinds = ["conv2d", "depthwise", "conv2d", "binary", "pool", "conv2d", "reshape", "dense"]
    assert sorted(s.kind for s in found) == sorted([*kinds, "softmax"])
    by_shape = {
        (1, 8, 8, 24): "depthwise",
        (1, 4, 4, 8): "pool",
        (1, 4, 4, 12): "grouped",
        (1, 128): "flat",
    }
    chain = iter(["conv", "pointwise", "add"])
    ends = iter(["dense", "softmax"])
    for stage in found:
        shape = shape_of(stage.result)
        name = by_shape.get(shape) or next(chain if shape == (1, 8, 8, 8) else ends)
        stage.label = type(stage.label)(name)
    return compilation


@pytest.fixture(scope="module")
def grid() -> Machine:
    return load_machine("grid-4x4")


def whole(name: str, stages: Compilation, pe: list[int] = PE, **more: Any) -> dict[str, Any]:
    """A row for all of a stage."""
    (stage,) = (s for s in stages_of(stages) if s.label.data == name)
    shape = list(shape_of(stage.result))
    return {"pe": pe, "begin": [0] * len(shape), "shape": shape, **more}


def refused(data: Any, stages: Compilation, machine: Machine) -> str:
    with pytest.raises(MappingError) as caught:
        placing = Placing(stages, machine, data)
        placing.search(placing.place)
    message = str(caught.value)
    assert message.startswith("mapping: ") and "\n" not in message
    return message


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, stages: Compilation, grid: Machine) -> None:
    data, wanted = MISTAKES[mistake]
    message = refused(data, stages, grid)
    for part in wanted:
        assert part in message, message


def test_a_reserved_pe(stages: Compilation) -> None:
    chip = load_machine("spinn2-chip")
    message = refused(of(conv=[{**GOOD, "pe": [1, 1, 0]}]), stages, chip)
    assert message.endswith("PE (1,1).0 of spinn2-chip is set aside for management")
    assert "source: PE (1,1).0" in refused({**of(), "source": [1, 1, 0]}, stages, chip)


WEIRD = (None, True, -1, 0, 1, 3, 2**70, 0.5, "", "conv", [], {}, [[]], [None], {"pe": 1})


def damaged(data: Any, rng: np.random.Generator) -> Any:
    """The same with one part of it replaced, left out or doubled, wherever that is."""
    if isinstance(data, dict) and data and rng.random() < 0.9:
        key = str(rng.choice(list(data)))
        if rng.random() < 0.1:
            return {k: v for k, v in data.items() if k != key}
        return {k: damaged(v, rng) if k == key else v for k, v in data.items()}
    if isinstance(data, list) and data and rng.random() < 0.9:
        at = int(rng.integers(len(data)))
        if rng.random() < 0.2:
            return data[:at] + data[at + 1 :] if rng.random() < 0.5 else [*data, data[at]]
        return [damaged(v, rng) if i == at else v for i, v in enumerate(data)]
    return WEIRD[int(rng.integers(len(WEIRD)))]


@pytest.mark.parametrize("seed", range(10))
def test_damaged_mappings_end_in_one_line(seed: int, stages: Compilation, grid: Machine) -> None:
    rng = np.random.default_rng(seed)
    refusals = 0
    good = random_mapping(stages, grid, 16, 3, rng)
    for _ in range(40):
        data = json.loads(json.dumps(damaged(good, rng)))
        try:
            placing = Placing(stages, grid, data)
            if placing.is_complete:
                placing.place(placing.fixed)
        except WeftError as error:
            refusals += 1
            assert str(error) and "\n" not in str(error)
    assert refusals > 20


# Files


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "mapping.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "is not JSON: Expecting value: line 1 column 1"),
        ("{format: 1}", "is not JSON: Expecting property name"),
        ('{"format": 1,}', "is not JSON"),
        (b"\xff\xfe", "is not JSON: it is no text"),
        ("[" * 100_000, "is not JSON: "),
        ("9" * 10_000, "is not JSON: "),
        ('{"format": 1, "stages": {"a": [], "a": []}}', ": 'a' is given twice in one object"),
        ('{"format": 1, "format": 1, "stages": {}}', ": 'format' is given twice"),
        ('{"stages": {"a": [{"pe": 1, "pe": 2}]}}', ": 'pe' is given twice"),
    ],
)
def test_files_that_are_no_mapping(text: str | bytes, wanted: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(MappingError) as caught:
        read_mapping(path)
    assert str(caught.value).startswith(f"mapping {path}") and wanted in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"none\.json cannot be read: No such file"):
        read_mapping(tmp_path / "none.json")
    with pytest.raises(MappingError, match="cannot be read: Is a directory"):
        read_mapping(str(tmp_path))


def test_data_as_a_file_has_them() -> None:
    given = {"format": 1, "stages": {"a": [{"pe": (1, 2, 3)}]}}
    assert read_mapping(given) == ({"format": 1, "stages": {"a": [{"pe": [1, 2, 3]}]}}, "mapping")
    for no_json in ({"pe": {1, 2}}, {"pe": np.int64(3)}, {(1, 2): 3}, b"{}"):
        with pytest.raises(MappingError, match="mapping: is not what JSON can say"):
            read_mapping(no_json)


# What is right


def parsed(data: dict[str, Any], stages: Compilation, machine: Machine) -> Any:
    return parse_mapping(data, stages_of(stages), machine)


def test_short_forms(stages: Compilation, grid: Machine) -> None:
    pes = [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    data = of(
        conv={"pes": pes, "axis": "height", "depth": 4},
        depthwise={"pes": pes, "axis": "channels"},
        grouped={"pes": pes, "axis": "channels"},
        softmax={"pes": pes[2:]},
        add={"pes": pes[:2], "depth": [4, 1]},
    )
    found = parsed(data, stages, grid)
    assert [shard.pe for shard in found.stages["conv"]] == [0, 1, 2]
    assert [s.box.shape for s in found.stages["conv"]] == [(1, n, 8, 8) for n in (2, 3, 3)]
    # Three results of each channel stay together, and no piece is of two groups of six.
    assert [s.box.begin[3] for s in found.stages["depthwise"]] == [0, 6, 15]
    assert [s.box.begin[3] for s in found.stages["grouped"]] == [0, 3, 6]
    assert [s.box.shape for s in found.stages["softmax"]] == [(1, 10)]
    assert found.depths == {
        **{("conv", i): (4,) for i in range(3)},
        **{("add", i): (4, 1) for i in range(2)},
    }
    assert (found.source, found.default_depth) == (HOST, 2)


def test_the_order_in_a_file_changes_nothing(stages: Compilation, grid: Machine) -> None:
    rows = {name: [whole(name, stages)] for name in NAMES}
    straight, turned = of(**rows), of(**dict(reversed(rows.items())))
    texts = {mapping_text(parsed(d, stages, grid), grid, "model") for d in (straight, turned)}
    assert len(texts) == 1


def test_sources(stages: Compilation, grid: Machine) -> None:
    chip = load_machine("spinn2-chip")
    assert parsed({**of(), "source": "dram"}, stages, chip).source == DRAM
    assert parsed({**of(), "source": [0, 1, 0]}, stages, grid).source == 4
    assert parsed({**of(), "source": [0, 1, 0]}, stages, grid).pes == [4]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_written_is_read_back(stages: Compilation, grid: Machine, seed: int) -> None:
    data = random_mapping(stages, grid, 16, 5, np.random.default_rng(seed))
    placing = Placing(stages, grid, data)
    text = mapping_text(placing.fixed, grid, "model")
    again = Placing(stages, grid, json.loads(text))
    assert again.is_complete and again.fixed == placing.fixed
    assert mapping_text(again.fixed, grid, "model") == text


@pytest.mark.parametrize(
    "fixed",
    [
        {"conv": {"pes": [[3, 3, 0], [2, 3, 0]], "axis": "width"}},
        {"softmax": {"pes": [[1, 1, 0]]}, "pool": {"pes": [[1, 1, 0]]}},
        {"depthwise": {"pes": [[x, 0, 0] for x in range(4)]}, "add": {"pes": [[0, 3, 0]]}},
    ],
)
@pytest.mark.parametrize("more", [{}, {"source": [2, 2, 0]}, {"depth": 1}, {"depth": 4}])
def test_what_is_fixed_stays(
    fixed: dict[str, Any], more: dict[str, Any], stages: Compilation, grid: Machine
) -> None:
    data = {**of(**fixed), **more}
    placing = Placing(stages, grid, data)
    chosen = placing.search(placing.place).mapping
    wanted = parsed(data, stages, grid)
    assert list(chosen.stages) == [s.label.data for s in stages_of(stages)]
    for name in fixed:
        assert chosen.stages[name] == wanted.stages[name]
    assert (chosen.source, chosen.default_depth) == (wanted.source, more.get("depth", 2))
    # What the rule places keeps away from PEs that were given.
    rest = {shard.pe for name in NAMES if name not in fixed for shard in chosen.stages[name]}
    assert not rest & set(wanted.pes)


def test_depths_that_are_fixed_stay(stages: Compilation, grid: Machine) -> None:
    """Even those of a skip that the rule would deepen."""
    pes = [[x, y, 0] for y in range(4) for x in range(4)]
    chain = {name: {"pes": [pe]} for name, pe in zip(NAMES, pes, strict=False)}
    free = Placing(stages, grid, of(**{n: v for n, v in chain.items() if n != "softmax"}))
    deepened = free.search(free.place).mapping.depths
    assert deepened["add", 0][0] > 2
    held = of(**{**chain, "add": {"pes": [pes[3]], "depth": [1, 1]}})
    del held["stages"]["softmax"]
    placing = Placing(stages, grid, held)
    assert placing.search(placing.place).mapping.depths["add", 0] == (1, 1)


def test_an_explicit_depth_is_not_given_up(stages: Compilation, grid: Machine) -> None:
    assert Placing(stages, grid, {**of(), "depth": 2}).is_depth_fixed
    assert not Placing(stages, grid, of()).is_depth_fixed


# What does not fit


def test_too_much_on_a_pe(stages: Compilation, tmp_path: Path) -> None:
    machine = small_machine(tmp_path, 8192)
    data = of(**{name: [whole(name, stages)] for name in NAMES})
    with pytest.raises(DoesNotFitError) as caught:
        placing = Placing(stages, machine, data)
        placing.search(placing.place)
    message = str(caught.value)
    assert message.startswith("program p0 does not fit: memory region sram needs ")
    assert "8192 are there" in message and "arena" in message and "stack 4096" in message
    assert message.endswith(
        "; give that PE fewer or smaller shards or shallower slots, or use a "
        "machine with more memory a PE"
    )
    data["stages"]["softmax"] = [whole("softmax", stages, [1, 0, 0])]
    with pytest.raises(DoesNotFitError, match=r"program p\d on PE \(0,0\)\.0 does not fit"):
        placing = Placing(stages, machine, data)
        placing.search(placing.place)


def test_depths_take_memory(stages: Compilation, grid: Machine) -> None:
    data = of(**{name: [whole(name, stages)] for name in NAMES})
    data["stages"]["conv"] = [whole("conv", stages, depth=4096)]
    with pytest.raises(DoesNotFitError, match=r"sram needs \d{7} bytes.*arena \d{7}") as caught:
        placing = Placing(stages, grid, data)
        placing.search(placing.place)
    assert caught.value.section == "memory region sram"


def test_more_slots_than_tables_hold(stages: Compilation, tmp_path: Path) -> None:
    """Each element for itself, from another PE: as many slots."""
    machine = small_machine(tmp_path, 1 << 20)
    shape = [1, 8, 8, 8]
    boxes = [[0, y, x, c] for y in range(8) for x in range(8) for c in range(8)][:300]
    rest = [
        box([0, y, x, c], [1, 1, 1, 1], pe=[1, 0, 0])
        for y in range(8)
        for x in range(8)
        for c in range(8)
    ][300:]
    rows = [box(begin, [1, 1, 1, 1]) for begin in boxes] + rest
    assert len(rows) == int(np.prod(shape))
    data = of(**{name: [whole(name, stages, [2, 0, 0])] for name in NAMES})
    data["stages"]["add"] = rows
    with pytest.raises(MappingError) as caught:
        placing = Placing(stages, machine, data)
        placing.search(placing.place)
    message = str(caught.value)
    assert message.startswith("PE (0,0).0 of small has 600 slots, the largest of 16 bytes; ")
    assert "tables hold 256" in message and message.endswith("spread them over more PEs")


def small_machine(folder: Path, size: int) -> Machine:
    """Three PEs."""
    path = folder / "small.toml"
    path.write_text(
        "format = 1\n[pe_class.m4]\ncore = 'cortex-m4f'\nclock_mhz = 150\nstack_bytes = 4096\n"
        f"memory = [{{ name = 'sram', origin = 0, bytes = {size}, "
        "holds = ['code', 'constants', 'data'] }]\n"
        "[grid]\nwidth = 3\nheight = 1\npe_class = 'm4'\n",
        encoding="ascii",
    )
    return load_machine(path)

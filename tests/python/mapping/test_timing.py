"""The model of time on small meshes: its period is that of the mesh's execution, step by step, and
it names what limits it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mapping.executor import steady_period
from support.meshes import random_mapping, stage_graph
from support.networks import Network
from weft.dialects.fabric import MeshOp
from weft.machines import Machine, load_machine
from weft.mapping.marked_graph import MarkedGraph
from weft.mapping.timing import Timing, deeper, marked_graph, timing
from weft.placing import Placing
from weft.transforms.compilation import Compilation, stages_of
from weft.transforms.to_mesh import to_mesh

HZ = 1_000_000
# Multiply-accumulates of the stages: a cycle each.
FIRST, SECOND, THIRD = 4 * 4 * 8 * 4, 4 * 4 * 8 * 8, 4 * 4 * 8 * 8


@pytest.fixture(scope="module")
def stages() -> Compilation:
    """Three convolutions, and a skip over the last two."""
    n = Network(np.random.default_rng(0))
    a = n.conv2d(n.input((1, 4, 4, 4)), 8, (1, 1))
    added = n.add(a, n.conv2d(n.conv2d(a, 8, (1, 1)), 8, (1, 1)))
    n.builder.output(added.tensor)
    compilation = stage_graph(n.builder.build())
    for stage, name in zip(stages_of(compilation), ("a", "b", "c", "add"), strict=True):
        stage.label = type(stage.label)(name)
    return compilation


def machine(
    folder: Path, *, links: str = "", costs: str = "mac = 1\nelement = 0\nbyte = 0\nfiring = 0"
) -> Machine:
    """Eight PEs, of which the last four are twice as fast."""
    path = folder / "eight.toml"
    classes = "".join(
        f"[pe_class.{name}]\ncore = 'cortex-m4f'\nclock_mhz = {mhz}\nstack_bytes = 4096\n"
        "memory = [{ name = 'sram', origin = 0, bytes = 1048576, "
        f"holds = ['code', 'constants', 'data'] }}]\n[pe_class.{name}.cost]\n{costs}\n"
        for name, mhz in (("slow", 1), ("fast", 2))
    )
    fast = ", ".join(f"{{ pe = [{x}, 1, 0], pe_class = 'fast' }}" for x in range(4))
    grid = f"[grid]\nwidth = 4\nheight = 2\npe_class = 'slow'\nexceptions = [{fast}]\n"
    path.write_text(f"format = 1\n{classes}{grid}[links]\n{links}\n", encoding="ascii")
    return load_machine(path)


def mesh_of(stages: Compilation, where: Machine, data: dict[str, Any]) -> tuple[MeshOp, Any]:
    placing = Placing(stages, where, {"format": 1, **data})
    assert placing.is_complete
    (mesh,) = to_mesh(placing.compilation, placing.fixed, len(where.usable())).module.ops
    assert isinstance(mesh, MeshOp)
    return mesh, placing.fixed.source


def timed(
    stages: Compilation, where: Machine, data: dict[str, Any]
) -> tuple[Timing, MarkedGraph, Fraction]:
    """What the model says, and the period in seconds of an execution."""
    mesh, source = mesh_of(stages, where, data)
    graph = marked_graph(mesh, where, source)
    cycles = steady_period(graph)
    assert cycles is not None
    found = timing(mesh, where, source)
    seconds = cycles / (2 * HZ)  # ticks of the faster clock
    assert 1 / found.predicted_fps <= float(seconds) * (1 + 1e-9)
    assert float(seconds) <= 1 / found.guaranteed_fps * (1 + 1e-9)
    return found, graph, seconds


def on(*columns: int, row: int = 0, **more: Any) -> dict[str, Any]:
    """Stages a, b, c and add on PEs of a row."""
    names = ("a", "b", "c", "add")
    pes = zip(names, columns, strict=True)
    return {"stages": {n: {"pes": [[x, row, 0]]} for n, x in pes}, **more}


def test_a_pe_limits(stages: Compilation, tmp_path: Path) -> None:
    """The first of two that are equal."""
    where = machine(tmp_path)
    found, graph, seconds = timed(stages, where, on(0, 1, 2, 3, depth=4))
    assert seconds == Fraction(SECOND, HZ)
    assert found.predicted_fps == pytest.approx(HZ / SECOND)
    assert found.guaranteed_fps == pytest.approx(HZ / SECOND)
    assert (found.limited_by, found.kind) == ("PE (1,0).0", "resource")
    assert "a on PE (0,0).0" in {t.name for t in graph.transitions}


def test_a_faster_pe_takes_less(stages: Compilation, tmp_path: Path) -> None:
    where = machine(tmp_path)
    found, _, seconds = timed(stages, where, on(0, 1, 2, 3, row=1, depth=4))
    assert seconds == Fraction(SECOND, 2 * HZ)
    assert found.limited_by == "PE (1,1).0"


def test_stages_on_one_pe_add_up(stages: Compilation, tmp_path: Path) -> None:
    where = machine(tmp_path)
    found, _, seconds = timed(stages, where, on(0, 1, 1, 0, depth=8))
    assert seconds == Fraction(SECOND + THIRD, HZ)
    assert found.limited_by == "PE (1,0).0"


def test_credits_limit_and_say_where(stages: Compilation, tmp_path: Path) -> None:
    """With room for one frame, neighbours run in turns; the skip holds its frame all the way."""
    where = machine(tmp_path)
    found, _, seconds = timed(stages, where, on(0, 1, 2, 3, depth=1))
    assert seconds == Fraction(FIRST + SECOND + THIRD, HZ)
    assert found.predicted_fps == pytest.approx(1 / float(seconds))
    assert found.kind == "credits"
    wanted = "shallow slots: add on PE (3,0).0 has room for 1 frame from a on PE (0,0).0"
    assert found.limited_by == wanted


def test_what_is_deepened_is_enough(stages: Compilation, tmp_path: Path) -> None:
    where = machine(tmp_path)
    mesh, source = mesh_of(stages, where, on(0, 1, 2, 3, depth=1))
    depths = deeper(mesh, where, source)
    assert depths and all(depth > 1 and not depth & (depth - 1) for depth in depths.values())
    chain = on(0, 1, 2, 3)["stages"]
    del chain["add"]
    placing = Placing(stages, where, {"format": 1, "stages": chain, "depth": 1})
    facts = placing.search(placing.place).compilation.facts["timing"]
    assert facts["limit_kind"] == "resource"
    assert facts["predicted_fps"] == pytest.approx(HZ / SECOND, abs=1e-3)


@pytest.mark.parametrize("source", ["host", "dram"])
def test_a_link_limits(stages: Compilation, source: str, tmp_path: Path) -> None:
    """64 bytes go in and 128 come out."""
    where = machine(tmp_path, links=f"{source} = 10_000")
    found, _, seconds = timed(stages, where, on(0, 1, 2, 3, depth=4, source=source))
    assert seconds == Fraction(64 + 128, 10_000)
    assert found.limited_by == {"host": "host link", "dram": "DRAM"}[source]
    assert found.kind == "resource"


def test_no_link_where_a_pe_is_the_source(stages: Compilation, tmp_path: Path) -> None:
    where = machine(tmp_path, links="host = 10_000")
    found, _, seconds = timed(stages, where, on(0, 1, 2, 3, depth=4, source=[3, 1, 0]))
    assert seconds == Fraction(SECOND, HZ)
    assert found.limited_by == "PE (1,0).0"


def test_every_kind_of_cost(stages: Compilation, tmp_path: Path) -> None:
    """MACs of a kind, elements of the result, bytes sent, the firing; whole cycles."""
    costs = "mac = 9\nelement = 2\nbyte = 0.25\nfiring = 100.5\nkinds = { conv2d = 0.5 }"
    where = machine(tmp_path, costs=costs)
    _, graph, _ = timed(stages, where, on(0, 1, 2, 3))
    cycles = {t.name: t.cycles for t in graph.transitions}
    # `a` is read twice, `add` goes out once. Two ticks of the common clock make a cycle.
    expected = {
        "a": FIRST / 2 + 128 * 2 + 2 * 128 / 4 + 100.5,
        "b": SECOND / 2 + 128 * 2 + 128 / 4 + 100.5,
        "add": 128 * 2 + 128 / 4 + 100.5,
    }
    for number, (name, value) in zip((0, 1, 3), expected.items(), strict=True):
        assert cycles[f"{name} on PE ({number},0).0"] == 2 * int(np.ceil(value))


@pytest.mark.parametrize("seed", range(12))
def test_random_mappings(stages: Compilation, seed: int, tmp_path: Path) -> None:
    """What is executed lies between what is predicted and what is guaranteed."""
    where = machine(tmp_path, links="host = 1_000_000", costs="mac = 1\nfiring = 7")
    data = random_mapping(stages, where, 8, 3, np.random.default_rng(seed))
    mesh, source = mesh_of(stages, where, data)
    graph = marked_graph(mesh, where, source)
    assert len({t.name for t in graph.transitions}) == len(graph.transitions)
    cycles = steady_period(graph)
    assert cycles is not None
    found = timing(mesh, where, source)
    seconds = float(cycles / (2 * HZ))
    assert 1 / found.predicted_fps <= seconds * (1 + 1e-9)
    assert seconds <= 1 / found.guaranteed_fps * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_random_mappings_of_one_firing_a_pe(stages: Compilation, seed: int, tmp_path: Path) -> None:
    """Then the prediction is exact."""
    rng = np.random.default_rng(seed)
    where = machine(tmp_path, costs="mac = 1\nelement = 0.5\nfiring = 7")
    pes = [[int(n) % 4, int(n) // 4, 0] for n in rng.permutation(8)[:5]]
    data = {
        "source": pes[4],
        "stages": {n: {"pes": [pe]} for n, pe in zip(("a", "b", "c", "add"), pes, strict=False)},
        "depth": int(2 ** rng.integers(3)),
    }
    found, _, seconds = timed(stages, where, data)
    assert found.predicted_fps == pytest.approx(float(1 / seconds), rel=1e-9)

"""What a mapping asks of its PEs: worked out by hand, and beside the model of time, which looks at
the mesh itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.meshes import roomy_machine, stage_graph
from support.networks import Network
from weft.dialects.fabric import MeshOp
from weft.dialects.stages import Stage
from weft.dialects.stages.base import shape_of
from weft.dialects.stages.box import Box
from weft.machines import Machine, PeClass
from weft.machines.model import CostData
from weft.mapping.cost import Costs
from weft.mapping.loads import Loads
from weft.mapping.mapping import Shard
from weft.mapping.split import split_along
from weft.mapping.timing import marked_graph
from weft.placing import Placing
from weft.transforms.compilation import Compilation, stages_of
from weft.transforms.to_mesh import to_mesh

COST = CostData(mac=1, element=0, byte=0, message=1000, task=10, firing=100)
PE_CLASS = PeClass("m4", "cortex-m4f", 1_000_000, 4096, (), COST)


@pytest.fixture(scope="module")
def dense() -> list[Stage]:
    """Two layers, 16 to 12 to 8."""
    n = Network(np.random.default_rng(0))
    hidden = n.fully_connected(n.input((1, 16)), 12)
    n.builder.output(n.fully_connected(hidden, 8).tensor)
    return stages_of(stage_graph(n.builder.build()))


def cut(stage: Stage, pes: Sequence[int]) -> tuple[Shard, ...]:
    boxes = split_along(stage, len(shape_of(stage.result)) - 1, len(pes))
    return tuple(Shard(box, pe) for box, pe in zip(boxes, pes, strict=True))


@pytest.mark.parametrize(
    ("pes", "cycles"),
    [
        # 192 and 96 multiply-accumulates. One PE: two tasks of one firing.
        (((0,), (0,)), [100 + 20 + 192 + 96]),
        # A box, the word that it is there; the word that it was consumed.
        (((0,), (1,)), [110 + 192 + 2000, 110 + 96 + 1000]),
        # Each of two sends to each of three. They say to the host that its part was consumed, and
        # those send it theirs.
        (
            ((0, 1), (2, 3, 4)),
            [110 + 96 + 1000 + 3 * 2000] * 2
            + [110 + 36 + 2000 + 2000, 110 + 36 + 2000 + 2000]
            + [110 + 24 + 2000 + 2000],
        ),
        # What stays on a PE is no message.
        (((0, 1), (1,)), [110 + 96 + 1000 + 2000, 100 + 20 + 96 + 96 + 1000 + 1000]),
    ],
)
def test_two_dense_layers(
    dense: list[Stage], pes: tuple[tuple[int, ...], ...], cycles: list[int]
) -> None:
    loads = Loads(dense, dict.fromkeys(range(5), PE_CLASS), {}, Costs())
    labels = [stage.label.data for stage in dense]
    placed = {s.label.data: cut(s, row) for s, row in zip(dense, pes, strict=True)}
    found = loads.of(placed)
    assert found.cycles == sum(cycles)
    assert found.seconds == max(cycles) / 1_000_000
    assert found.whole_cycles == pytest.approx(100 + 20 + 192 + 96)
    assert found.ratio == pytest.approx(sum(cycles) / 408)
    # With the first layer fixed only the second counts, and what it says to the first.
    rest = Loads(dense, dict.fromkeys(pes[1], PE_CLASS), {labels[0]: placed[labels[0]]}, Costs())
    load = rest.of({labels[1]: placed[labels[1]]})
    messages = sum(a != b for a in pes[0] for b in pes[1])
    messages += 2 * len(pes[1]) if len(pes[1]) > 1 else 0
    assert load.cycles == 96 + 110 * len(pes[1]) + 1000 * messages
    assert load.whole_cycles == pytest.approx(100 + 10 + 96)


def test_pes_of_several_kinds(dense: list[Stage]) -> None:
    """Work is set in relation to that of PEs of the same kinds."""
    fast = replace(PE_CLASS, name="fast", clock_hz=4_000_000, cost=replace(COST, mac=0.5))
    silent = {k: replace(c, cost=replace(c.cost, message=0)) for k, c in ((0, fast), (1, PE_CLASS))}
    placed = {s.label.data: (Shard(Box.whole(shape_of(s.result)), i),) for i, s in enumerate(dense)}
    found = Loads(dense, silent, {}, Costs()).of(placed)
    assert found.cycles == (110 + 96) + (110 + 96)
    assert found.seconds == (110 + 96) / 1_000_000
    assert found.whole_cycles == pytest.approx(100 + 10 + 96 + 10 + 96)


@pytest.fixture(scope="module")
def branched() -> Compilation:
    """Convolutions with a skip, pooling, and a dense layer."""
    n = Network(np.random.default_rng(0))
    conv = n.conv2d(n.input((1, 8, 8, 4)), 8, (3, 3))
    added = n.add(conv, n.conv2d(n.depthwise_conv2d(conv, (3, 3)), 8, (1, 1)))
    n.builder.output(n.fully_connected(n.flatten(n.max_pool2d(added, (2, 2), (2, 2))), 10).tensor)
    return stage_graph(n.builder.build())


def check_rule(compilation: Compilation, machine: Machine, pes: int) -> int:
    """How many PEs are busy in the mapping by rule, all of them in both models for as long."""
    placing = Placing(compilation, machine, pes=pes)
    mapping = placing.choose(0)
    assert mapping is not None
    (mesh,) = to_mesh(placing.compilation, mapping, len(machine.usable())).module.ops
    assert isinstance(mesh, MeshOp)
    found: dict[str, float] = {}
    for transition in marked_graph(mesh, machine).transitions:
        if transition.resource.startswith("PE"):
            hz = machine.classes["m4"].clock_hz
            seconds = transition.cycles / hz
            found[transition.resource] = found.get(transition.resource, 0.0) + seconds
    loads = Loads(placing.stages, dict.fromkeys(range(16), machine.classes["m4"]), {}, Costs())
    load = loads.of(mapping.stages)
    assert load.cycles == pytest.approx(sum(found.values()) * hz, rel=1e-3)
    assert load.seconds == pytest.approx(max(found.values()), rel=1e-3)
    return len(found)


def test_as_in_the_model_of_time(branched: Compilation, tmp_path: Path) -> None:
    machine = roomy_machine(tmp_path)
    machine = replace(machine, classes={"m4": replace(machine.classes["m4"], cost=COST)})
    used = [check_rule(branched, machine, pes) for pes in (1, 2, 5, 16)]
    assert used[0] == 1 and used == sorted(used) and used[-1] > 4

"""The passes on small stage graphs: golden text of what each makes of them.

``graphs/<name>.mlir`` goes through ``stages-to-program`` and ``plan-memory``; what comes out is
``golden/<name>.program.mlir`` and ``golden/<name>.planned.mlir``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest
from weft.transforms.stages_to_program import stages_to_program

from ir.text import GRAPHS, check_golden, graph, parse, printed
from weft.dialects.pe import BufferOp, ChannelOp, ConstantOp, ProgramOp
from weft.transforms.compilation import Compilation
from weft.transforms.plan_memory import plan_memory

NAMES = sorted(path.stem for path in GRAPHS.glob("*.mlir"))


def _lowered(name: str) -> Compilation:
    return stages_to_program(Compilation(graph(name), {}), "p")


def _program(compilation: Compilation) -> ProgramOp:
    (program,) = compilation.module.ops
    assert isinstance(program, ProgramOp)
    return program


def _planned(name: str) -> tuple[ProgramOp, Mapping[str, Any]]:
    compilation = plan_memory(_lowered(name))
    return _program(compilation), compilation.facts["memory"]["p"]


@pytest.mark.parametrize("name", NAMES)
def test_stages_to_program(name: str) -> None:
    compilation = _lowered(name)
    check_golden(f"{name}.program.mlir", printed(compilation.module))
    listed = [kernel.data for kernel in _program(compilation).kernels]
    assert listed == sorted(compilation.kernels)
    assert all(key == kernel.name for key, kernel in compilation.kernels.items())


@pytest.mark.parametrize("name", NAMES)
def test_plan_memory(name: str) -> None:
    check_golden(f"{name}.planned.mlir", printed(plan_memory(_lowered(name)).module))


@pytest.mark.parametrize("name", NAMES)
def test_programs_can_be_read_back(name: str) -> None:
    for compilation in (_lowered(name), plan_memory(_lowered(name))):
        for generic in (False, True):
            text = printed(compilation.module, generic=generic)
            assert printed(parse(text), generic=generic) == text


@pytest.mark.parametrize("name", NAMES)
def test_passes_leave_their_operand_alone(name: str) -> None:
    before = Compilation(graph(name), {})
    text = printed(before.module)
    lowered = stages_to_program(before, "p")
    assert printed(before.module) == text
    text = printed(lowered.module)
    planned = plan_memory(lowered)
    assert printed(lowered.module) == text
    assert printed(planned.module) != text
    assert (lowered.facts, set(planned.facts)) == ({}, {"memory"})


@pytest.mark.parametrize("name", NAMES)
def test_plan_keeps_what_lives_together_apart(name: str) -> None:
    program, facts = _planned(name)
    buffers, constants = program.of_type(BufferOp), program.of_type(ConstantOp)
    for buffer in buffers:
        assert buffer.offset >= 0 and buffer.offset % 16 == 0
        assert buffer.offset + buffer.size <= facts["arena_bytes"]
    for a, b in combinations(buffers, 2):
        together = any(s <= f and t <= e for s, e in a.intervals for t, f in b.intervals)
        apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
        assert apart or not together, (a.label.data, b.label.data)
    ends = 0
    for constant in constants:
        assert constant.offset % 4 == 0 and constant.offset >= ends
        ends = constant.offset + constant.size
    assert facts["constants_bytes"] == ends
    assert facts["arena_bytes"] == max(b.offset + b.size for b in buffers)
    assert facts["arena_lower_bound"] <= facts["arena_bytes"]
    ratio = facts["arena_bytes"] / facts["arena_lower_bound"]
    assert facts["arena_ratio"] == pytest.approx(ratio, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_arrive_while_outputs_are_read(name: str) -> None:
    program, _ = _planned(name)
    slots = {"in": [], "out": []}
    for channel in program.of_type(ChannelOp):
        owner = channel.slot.owner
        assert isinstance(owner, BufferOp)
        slots[channel.direction.data].append(owner)
    outs = slots["out"]
    assert len({buffer.offset for buffer in outs}) == len(outs)
    for a in slots["in"]:
        for b in outs:
            assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset


def test_golden_files_are_all_used() -> None:
    wanted = {f"{name}.{step}.mlir" for name in NAMES for step in ("program", "planned")}
    assert {path.name for path in (GRAPHS.parent / "golden").glob("*.mlir")} == wanted

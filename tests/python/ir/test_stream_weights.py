"""Weights in DRAM, pass by pass: which ones, in which chunks, and when they are copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from ir.device_graphs import MAC_ARRAY, Use, mesh_of, on_mesh, stages
from ir.text import check_golden, parse, printed
from weft.dialects.accel import AwaitOp, LaunchOp, YieldOp
from weft.dialects.fabric import PlaceOp, integers, values_of
from weft.dialects.pe import BufferOp, CallOp, ShardOp, StoredOp, TaskOp
from weft.dialects.stages import Constant
from weft.machines.model import STREAMED_BYTES
from weft.mapping.weights import CHUNK_BYTES
from weft.transforms.compilation import Compilation
from weft.transforms.pipeline import PASSES
from weft.transforms.plan_memory import DRAM_ALIGNMENT

DMA: Use = ("dma", "dma", {})
ON_CORE, ON_DEVICE = (DMA,), (DMA, MAC_ARRAY)


def chain(units: Sequence[int]) -> str:
    """Dense layers, one after the other."""
    lines = []
    for i, (rows, columns) in enumerate(pairwise(units)):
        lines += [
            f'  %w{i} = stages.constant "w{i}" : tensor<{columns}x{rows}xi8>',
            f'  %b{i} = stages.constant "b{i}" : tensor<{columns}xi32>',
            f'  %m{i} = stages.constant "m{i}_multiplier" : tensor<{columns}xi32>',
            f'  %s{i} = stages.constant "s{i}_shift" : tensor<{columns}xi8>',
            f'  %x{i + 1} = "stages.dense"(%x{i}, %w{i}, %b{i}, %m{i}, %s{i}) '
            "<{zero_point = 1 : i64, low = -128 : i64, high = 127 : i64, "
            f'label = "d{i}"}}> : (tensor<1x{rows}xi8>, tensor<{columns}x{rows}xi8>, '
            f"tensor<{columns}xi32>, tensor<{columns}xi32>, tensor<{columns}xi8>) "
            f"-> tensor<1x{columns}xi8>",
        ]
    last = len(units) - 1
    return (
        '"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({\n'
        f"^bb0(%x0: tensor<1x{units[0]}xi8>):\n"
        + "\n".join(lines)
        + f"\n  stages.output %x{last} : tensor<1x{units[-1]}xi8>\n}}) : () -> ()\n"
    )


def steps(text: str, uses: Sequence[Use], pes: int = 1) -> dict[str, Compilation]:
    """What every pass makes of a graph whose weights may be in DRAM."""
    made = on_mesh(stages(text), dict.fromkeys(range(pes), uses), pes)
    made = replace(made, facts={**made.facts, "weights": "dram"})
    found = {"to-mesh": made}
    for step, run in PASSES:
        found[step] = made = run(made)
    return found


def shard_of(compilation: Compilation) -> ShardOp:
    (shard,) = (op for op in compilation.module.walk() if isinstance(op, ShardOp))
    return shard


def ops_of(shard: ShardOp) -> Iterator[Operation]:
    for task in shard.of_type(TaskOp):
        yield from (op for op in task.body.block.ops if not isinstance(op, YieldOp))


def loads_of(shard: ShardOp) -> list[LaunchOp]:
    jobs = [job for task in shard.of_type(TaskOp) for job in task.launches]
    return [job for job in jobs if job.kernel_name == "load_dma"]


def under_way(shard: ShardOp) -> tuple[list[int], list[int]]:
    """For every call of a kernel in order: copies that were launched before it, and that were
    awaited before it."""
    loads = {id(load) for load in loads_of(shard)}
    launches: dict[object, LaunchOp] = {}
    for task in shard.of_type(TaskOp):
        launches |= {job.token: job for job in task.launches}
        end = task.body.block.last_op
        if isinstance(end, YieldOp):
            pairs = zip(end.tokens, task.tokens, strict=True)
            launches |= {outside: launches[token] for token, outside in pairs}
    launched = awaited = 0
    before: tuple[list[int], list[int]] = ([], [])
    for op in ops_of(shard):
        if isinstance(op, LaunchOp):
            launched += id(op) in loads
        elif isinstance(op, AwaitOp):
            awaited += id(launches[op.token]) in loads
        elif isinstance(op, CallOp):
            before[0].append(launched)
            before[1].append(awaited)
    return before


# --- which ---


@pytest.mark.parametrize("uses", [ON_CORE, ON_DEVICE])
def test_large_weights_are_marked_and_all_else_stays(uses: Sequence[Use]) -> None:
    made = steps(chain([64, 64, 16, 64]), uses)["stream-weights"]
    found = {
        op: made.constants[mesh_of(made).places[0].constants.data[int(op.key.data)].data].nbytes
        for op in made.module.walk()
        if isinstance(op, Constant)
    }
    assert {op.stored is not None for op in found} == {True, False}
    for op, size in found.items():
        assert (op.stored is not None) == (size >= STREAMED_BYTES)


def test_nothing_is_marked_unless_it_is_allowed_and_can_be_copied() -> None:
    for uses, weights in ((ON_CORE, "sram"), ((MAC_ARRAY,), "dram")):
        made = on_mesh(stages(chain([64, 64])), {0: uses})
        made = replace(made, facts={**made.facts, "weights": weights})
        for _, run in PASSES:
            made = run(made)
        assert not [op for op in made.module.walk() if isinstance(op, StoredOp)]
        assert made.facts["dram"].bytes == 0


# --- what becomes of it ---


@pytest.mark.parametrize("name", ["core", "device"])
def test_what_comes_out(name: str) -> None:
    made = steps(chain([64, 64, 64]), ON_CORE if name == "core" else ON_DEVICE)
    for step in ("stream-weights", "overlap", "connect"):
        check_golden(f"streamed/{name}.{step}.mlir", printed(made[step].module))


@pytest.mark.parametrize("uses", [ON_CORE, ON_DEVICE])
def test_every_pass_can_be_read_back(uses: Sequence[Use]) -> None:
    for compilation in steps(chain([64, 64, 16]), uses).values():
        text = printed(compilation.module)
        assert printed(parse(text)) == text


def test_the_core_computes_a_stage_while_weights_of_the_next_are_copied() -> None:
    shard = shard_of(steps(chain([64] * 6), ON_CORE)["overlap"])
    launched, awaited = under_way(shard)
    assert len(loads_of(shard)) == 5
    # All weights of a stage are there when it starts, and those of the one after on their way.
    assert awaited == [1, 2, 3, 4, 5]
    assert launched == [2, 3, 4, 5, 5]


def test_two_stages_have_room_at_a_time() -> None:
    made = steps(chain([64] * 9), ON_CORE)["plan-memory"]
    rooms = [b for b in shard_of(made).of_type(BufferOp) if b.label.data.endswith(".weights")]
    assert len(rooms) == 8
    sizes = sorted((room.size for room in rooms), reverse=True)
    ends = [room.offset + room.size for room in rooms]
    assert max(ends) - min(room.offset for room in rooms) <= sum(sizes[:2]) + 256


@pytest.mark.parametrize("units", [[1000, 64], [512, 300], [96, 1000], [2500, 40]])
def test_a_device_gets_chunks_that_are_there_once(units: list[int]) -> None:
    """Every byte of the weights is copied, and copied once."""
    made = steps(chain(units), ON_DEVICE)["overlap"]
    shard = shard_of(made)
    (stored,) = shard.of_type(StoredOp)
    copied = np.zeros(stored.size, int)
    for load in loads_of(shard):
        (_, begin), (_, size) = load.byte_offsets.get_values(), load.spans.get_values()
        copied[begin : begin + size] += 1
        assert begin % 16 == size % 16 == 0
        assert size <= max(CHUNK_BYTES, 16 * units[0])
    assert (copied == 1).all()
    channels = -(-units[1] // 16) * 16
    assert stored.size == channels * units[0]


def test_a_chunk_is_copied_while_the_device_has_the_one_before() -> None:
    shard = shard_of(steps(chain([512, 300]), ON_DEVICE)["overlap"])
    launched, awaited = under_way(shard)
    assert launched[-1] == awaited[-1] == len(loads_of(shard)) == -(-300 // 32)
    pairs = list(zip(launched, awaited, strict=True))
    assert all(begun - there == 1 for begun, there in pairs[:-2])


def test_constants_of_all_pes_are_in_dram_once() -> None:
    # The first and the last layer have the same weights.
    made = steps(chain([64, 64, 32, 64, 64]), ON_CORE, pes=2)["connect"]
    dram = made.facts["dram"]
    sizes = {key: made.constants[key].nbytes for key in dram.constants}
    assert len(dram.constants) == 3
    assert all(at % DRAM_ALIGNMENT == 0 for at in dram.constants.values())
    ends = sorted((at, at + sizes[key]) for key, at in dram.constants.items())
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ends))
    assert ends[-1][1] <= dram.bytes <= sum(sizes.values()) + 3 * DRAM_ALIGNMENT
    for memory in made.facts["memory"]:
        assert memory.constants_bytes < STREAMED_BYTES


# --- texts that are wrong ---


def test_only_jobs_read_what_is_in_dram() -> None:
    text = printed(steps(chain([64, 64]), ON_CORE)["connect"].module)
    assert "pe.stored" in text
    with pytest.raises(VerifyException, match="read by jobs of devices alone"):
        parse(
            """pe.shard @s {
  %0 = pe.stored 0 : memref<64xi8>
  pe.task "dense" "0" macs 1 { pe.call @k(%0) + [0] with [1] : memref<64xi8> }
}"""
        )


def test_a_constant_has_one_place_in_dram() -> None:
    module = steps(chain([64, 64, 64]), ON_CORE, pes=2)["connect"].module.clone()
    (mesh,) = module.ops
    first, second = (op for op in mesh.walk() if isinstance(op, PlaceOp))
    assert first.constants == second.constants
    assert values_of(first.constants_at) == values_of(second.constants_at) == (0,)
    second.constants_at = integers([64])
    with pytest.raises(VerifyException, match="two places in DRAM"):
        module.verify()

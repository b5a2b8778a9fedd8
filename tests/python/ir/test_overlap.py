"""Launches move up and awaits down, and nothing that depends on anything else changes places.

Shards are run here: memory is bytes, a kernel mixes what it reads into what it writes. A job may do
its work at any time between launch and await, so it is done at the first and at the last moment.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from xdsl.ir import Operation, SSAValue

from ir.device_graphs import MAC_ARRAY, NAMES, mesh_of, steps
from ir.text import parse
from weft.dialects.accel import WHOLE, AwaitOp, LaunchOp, YieldOp
from weft.dialects.pe import BufferOp, CallOp, ResultOp, ShardOp, TaskOp
from weft.kernels.device import DeviceLaunch
from weft.transforms.compilation import Compilation
from weft.transforms.overlap import overlap

MEMORY = 24
POINTERS = ("a", "b", "out")
#: Pointers of kernels: the last is written, and all are read.
KERNELS: Any = {
    "call": SimpleNamespace(pointers=POINTERS, outputs=("out",)),
    "launch": DeviceLaunch(
        kind="test",
        descriptor="job_t",
        header="test.h",
        pointers=POINTERS,
        numbers=("number",),
        outputs=("out",),
    ),
}
many = settings(max_examples=15 * settings().max_examples)


# --- running ---


@dataclass(frozen=True)
class Piece:
    memory: int
    begin: int
    end: int


def _pieces(op: CallOp | LaunchOp, memories: dict[SSAValue, int]) -> list[Piece]:
    offsets = op.byte_offsets.get_values()
    spans = op.spans.get_values() if op.spans is not None else [WHOLE] * len(offsets)
    return [
        Piece(memories[m], 0, MEMORY) if span == WHOLE else Piece(memories[m], at, at + span)
        for m, at, span in zip(op.pointers, offsets, spans, strict=True)
    ]


def _ops(shard: ShardOp) -> Iterator[Operation]:
    for task in shard.of_type(TaskOp):
        yield from (op for op in task.body.block.ops if not isinstance(op, YieldOp))


def _launches(shard: ShardOp) -> dict[SSAValue, LaunchOp]:
    """By every token that stands for a job."""
    found: dict[SSAValue, LaunchOp] = {}
    for task in shard.of_type(TaskOp):
        found |= {job.token: job for job in task.launches}
        end = task.body.block.last_op
        if isinstance(end, YieldOp):
            pairs = zip(end.tokens, task.tokens, strict=True)
            found |= {handed_on: found[token] for token, handed_on in pairs}
    return found


def _run(shard: ShardOp, *, is_eager: bool) -> list[bytes]:
    """What memory holds in the end. Jobs are done when launched, or when they are awaited; those of
    a device before it, too, for they come in order."""
    memories = {op.results[0]: i for i, op in enumerate(shard.of_type(BufferOp))}
    memory = [bytearray([i] * MEMORY) for i in range(len(memories))]
    launches = _launches(shard)
    queues: dict[int, list[LaunchOp]] = {}

    def do(op: CallOp | LaunchOp) -> None:
        pieces = _pieces(op, memories)
        state = hashlib.sha256(repr(op.numbers.get_values()).encode())
        for piece in pieces:
            state.update(memory[piece.memory][piece.begin : piece.end])
        out = pieces[-1]
        size = out.end - out.begin
        memory[out.memory][out.begin : out.end] = (state.digest() * size)[:size]

    for op in _ops(shard):
        if isinstance(op, LaunchOp):
            queue = queues.setdefault(op.device_index, [])
            queue.append(op)
            if is_eager:
                do(op)
        elif isinstance(op, AwaitOp):
            job = launches[op.token]
            queue = queues[job.device_index]
            while job in queue:
                first = queue.pop(0)
                if not is_eager:
                    do(first)
        else:
            assert isinstance(op, CallOp)
            do(op)
    assert not any(queues.values())
    return [bytes(m) for m in memory]


def _outcomes(shard: ShardOp) -> set[tuple[bytes, ...]]:
    return {tuple(_run(shard, is_eager=is_eager)) for is_eager in (False, True)}


# --- random shards ---

_INDICES = st.integers(0, 2)


@st.composite
def _touched(draw: st.DrawFn) -> str:
    """Operands, offsets and spans."""
    memories = [draw(_INDICES) for _ in range(3)]
    begins = [draw(st.integers(0, MEMORY - 1)) for _ in range(3)]
    spans = [draw(st.integers(1, min(8, MEMORY - at))) for at in begins]
    return f"(%m{memories[0]}, %m{memories[1]}, %m{memories[2]}) + {begins} over {spans}"


@st.composite
def shards(draw: st.DrawFn) -> str:
    """Tasks that launch, await and call by chance: each awaits what it launches."""
    number, tasks = 0, []
    types = ", ".join([f"memref<{MEMORY}xi8>"] * 3)
    for task in range(draw(st.integers(1, 4))):
        lines: list[str] = []
        open_jobs: list[tuple[int, int]] = []
        for _ in range(draw(st.integers(1, 7))):
            kind = draw(st.sampled_from(("call", "launch", "launch", "await")))
            touched = draw(_touched())
            if kind == "await" and open_jobs:
                device = draw(st.sampled_from(sorted({device for device, _ in open_jobs})))
                job = next(job for job in open_jobs if job[0] == device)
                open_jobs.remove(job)
                lines.append(f"accel.await %j{job[1]}")
            elif kind == "launch":
                device = draw(st.integers(0, 1))
                open_jobs.append((device, number))
                lines.append(
                    f'%j{number} = accel.launch @launch "{number}" on {device} for 9 {touched} '
                    f"with [{number}] : {types}"
                )
            else:
                if draw(st.booleans()) and draw(st.booleans()):
                    touched = touched[: touched.index(" over")]
                lines.append(f"pe.call @call {touched} with [{number}] : {types}")
            number += 1
        lines += [f"accel.await %j{job}" for _, job in open_jobs]
        body = "\n".join(lines)
        tasks.append(f'pe.task "kind" "{task}" macs {task + 1} {{\n{body}\n}}')
    buffers = "\n".join(
        f'%m{i} = pe.buffer "m{i}" live [0, {len(tasks) - 1}] : memref<{MEMORY}xi8>'
        for i in range(3)
    )
    result = f'pe.result %m2 "int8" [{MEMORY}] at 0 every [1] : memref<{MEMORY}xi8>'
    return (
        "fabric.mesh 1 host 0 {\npe.shard @s {\n"
        f"{buffers}\n{result}\n" + "\n".join(tasks) + "\n}\n}"
    )


def _alone(text: str) -> tuple[Compilation, ShardOp]:
    devices: Any = {0: (object(),)}
    compilation = Compilation(parse(text), {}, KERNELS, devices=devices)
    (shard,) = mesh_of(compilation).templates.values()
    assert isinstance(shard, ShardOp)
    return compilation, shard


def _overlapped(compilation: Compilation) -> ShardOp:
    (shard,) = mesh_of(overlap(compilation)).templates.values()
    assert isinstance(shard, ShardOp)
    return shard


def _under_way(shard: ShardOp) -> dict[int, int]:
    """The most jobs of each device."""
    now: Counter[int] = Counter()
    most: Counter[int] = Counter()
    launches = _launches(shard)
    for op in _ops(shard):
        if isinstance(op, LaunchOp):
            now[op.device_index] += 1
        elif isinstance(op, AwaitOp):
            now[launches[op.token].device_index] -= 1
        most |= now
    return dict(most)


def _is_serial(shard: ShardOp) -> bool:
    """Whether all its orders give the same: only then there is something to keep."""
    return len(_outcomes(shard)) == 1


@many
@given(shards())
def test_memory_is_the_same_whenever_jobs_do_their_work(text: str) -> None:
    compilation, before = _alone(text)
    outcomes = _outcomes(before)
    after = _overlapped(compilation)
    if len(outcomes) == 1:
        assert _outcomes(after) == outcomes


@many
@given(shards())
def test_what_was_there_is_there_and_tasks_begin_with_awaits(text: str) -> None:
    compilation, before = _alone(text)
    after = _overlapped(compilation)

    def numbers(shard: ShardOp) -> list[int]:
        ops = [op for op in _ops(shard) if isinstance(op, CallOp | LaunchOp)]
        return [int(op.numbers.get_values()[0]) for op in ops]

    def kept(shard: ShardOp, kind: type, device: int | None = None) -> list[int]:
        ops = [op for op in _ops(shard) if isinstance(op, kind)]
        return [
            int(op.numbers.get_values()[0])
            for op in ops
            if device is None or op.device_index == device
        ]

    assert sorted(numbers(after)) == sorted(numbers(before))
    assert kept(after, CallOp) == kept(before, CallOp)
    for device in (0, 1):
        assert kept(after, LaunchOp, device) == kept(before, LaunchOp, device)
    assert sum(int(t.macs.value.data) for t in after.of_type(TaskOp)) == sum(
        int(t.macs.value.data) for t in before.of_type(TaskOp)
    )
    for task in after.of_type(TaskOp):
        kinds = [isinstance(op, AwaitOp) for op in task.body.block.ops]
        assert kinds == sorted(kinds, reverse=True)
    for device, most in _under_way(after).items():
        assert most <= max(DeviceLaunch.jobs_under_way, _under_way(before)[device])


@many
@given(shards())
def test_buffers_live_as_long_as_anything_touches_them(text: str) -> None:
    compilation, _ = _alone(text)
    after = _overlapped(compilation)
    launches = _launches(after)
    assume(launches)  # others are left as they are
    touched: dict[SSAValue, list[int]] = {}
    for number, task in enumerate(after.of_type(TaskOp)):
        for op in task.body.block.ops:
            job = launches[op.token] if isinstance(op, AwaitOp) else op
            for memory in getattr(job, "pointers", ()):
                touched.setdefault(memory, []).append(number)
    results = {result.memory for result in after.of_type(ResultOp)}
    for buffer in after.of_type(BufferOp):
        if buffer.result not in touched:
            continue
        ((first, last),) = buffer.intervals
        assert first == min(touched[buffer.result])
        if buffer.result in results:
            assert last == len(after.of_type(TaskOp))
        else:
            assert last == max(touched[buffer.result])


def test_random_shards_are_worth_something() -> None:
    """Most of them have one outcome, jobs among them, and the pass changes them."""
    counts: Counter[str] = Counter()

    @settings(max_examples=80, derandomize=True, database=None)
    @given(shards())
    def look(text: str) -> None:
        compilation, before = _alone(text)
        counts["all"] += 1
        counts["serial"] += _is_serial(before) and bool(_launches(before))
        order = [op.numbers.get_values()[0] for op in _ops(before) if not isinstance(op, AwaitOp)]
        after = _overlapped(compilation)
        moved = [op.numbers.get_values()[0] for op in _ops(after) if not isinstance(op, AwaitOp)]
        counts["moved"] += order != moved
        # A pass that knew no conflicts would be found out.
        counts["wrong"] += _without_conflicts(compilation) != _outcomes(before)

    look()
    assert counts["serial"] > counts["all"] // 3, counts
    assert counts["moved"] > counts["all"] // 5, counts
    assert counts["wrong"] > counts["all"] // 5, counts


def _without_conflicts(compilation: Compilation) -> set[tuple[bytes, ...]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.transforms.overlap._Access.conflicts", lambda *_: False)
        return _outcomes(_overlapped(compilation))


# --- real layers ---


def _shard_of(compilation: Compilation) -> ShardOp:
    (shard,) = mesh_of(compilation).templates.values()
    assert isinstance(shard, ShardOp)
    return shard


def _awaited_at_once(shard: ShardOp) -> int:
    """Jobs between whose launch and await the core does nothing."""
    ops, launches = list(_ops(shard)), _launches(shard)
    ends = {launches[op.token]: i for i, op in enumerate(ops) if isinstance(op, AwaitOp)}
    meanwhile = (ops[ops.index(launch) : end] for launch, end in ends.items())
    return sum(not any(isinstance(op, CallOp) for op in between) for between in meanwhile)


@pytest.mark.parametrize("name", NAMES)
def test_layers_overlap(name: str) -> None:
    made = steps(name)
    before, after = _shard_of(made["shards-to-pe"]), _shard_of(made["overlap"])
    jobs = sum(1 for op in _ops(before) if isinstance(op, LaunchOp))
    assert _awaited_at_once(before) == jobs
    if name == "network":
        # The core pools, fills borders and requantises tile 0 meanwhile.
        assert _awaited_at_once(after) < jobs
    assert max(_under_way(after).values()) >= max(_under_way(before).values())


def test_the_first_job_waits_for_the_border_of_its_operand() -> None:
    """The device reads it: the core fills it before."""
    ops = list(_ops(_shard_of(steps("network", [MAC_ARRAY])["overlap"])))
    first = next(i for i, op in enumerate(ops) if isinstance(op, LaunchOp))
    fills = [op for op in ops[:first] if isinstance(op, CallOp)]
    assert [op.kernel_name for op in fills] == ["fill_s8", "fill_s8"]
    assert isinstance(ops[first], LaunchOp)
    assert {op.pointers[0] for op in fills} == {ops[first].pointers[0]}

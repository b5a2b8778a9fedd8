# SPDX-License-Identifier: Apache-2.0
"""Pass: devices work while the core does.

Launches move up, awaits move down, as far as what lies between touches other memory; then tasks are
split where they wait, so that the PE can turn to another shard. Jobs of one device stay in order.
The work of a shard is the same, and so are its bytes: only what is independent changes places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from xdsl.dialects.builtin import I64, DenseArrayBase, MemRefType, i64
from xdsl.ir import Block, Operation, Region, SSAValue

from weft.dialects.accel import WHOLE, AwaitOp, LaunchOp, YieldOp
from weft.dialects.fabric import MeshOp
from weft.dialects.pe import BufferOp, CallOp, ResultOp, ShardOp, TaskOp
from weft.kernels.base import Kernel
from weft.kernels.device import DeviceLaunch
from weft.transforms.compilation import Compilation


@dataclass(frozen=True)
class _Access:
    """Bytes ``begin`` to ``end`` of some memory."""

    memory: SSAValue
    begin: int
    end: int
    is_write: bool

    def conflicts(self, other: _Access) -> bool:
        return (
            self.memory is other.memory
            and (self.is_write or other.is_write)
            and self.begin < other.end
            and other.begin < self.end
        )


@dataclass(eq=False)
class _Item:
    """An operation of a shard, the task that it is from, and what it touches: for an await, what
    its job does. For a launch, ``most`` jobs of its device may be under way with it."""

    op: Operation
    task: TaskOp
    accesses: tuple[_Access, ...]
    job: LaunchOp | None = None
    most: int = 0

    def conflicts(self, other: _Item) -> bool:
        return any(a.conflicts(b) for a in self.accesses for b in other.accesses)

    @property
    def device(self) -> int:
        assert self.job is not None
        return self.job.device_index

    @property
    def is_launch(self) -> bool:
        return self.op is self.job

    @property
    def is_await(self) -> bool:
        return self.job is not None and not self.is_launch


def _accesses(op: CallOp | LaunchOp, kernel: Kernel) -> tuple[_Access, ...]:
    offsets = op.byte_offsets.get_values()
    spans = op.spans.get_values() if op.spans is not None else (WHOLE,) * len(offsets)
    found = []
    rows = zip(kernel.pointers, op.pointers, offsets, spans, strict=True)
    for name, memory, offset, span in rows:
        assert isinstance(memory.type, MemRefType)
        begin, end = int(offset), int(offset) + int(span)
        if span == WHOLE:  # kernels may also reach what lies before their pointers
            begin, end = 0, memory.type.get_shape()[0]
        found.append(_Access(memory, begin, end, name in kernel.outputs))
    return tuple(found)


def _items(shard: ShardOp, kernels: Mapping[str, Kernel]) -> Iterator[_Item]:
    jobs: dict[SSAValue, _Item] = {}
    for task in shard.of_type(TaskOp):
        for op in task.body.block.ops:
            if isinstance(op, AwaitOp):
                launch = jobs[op.token]
                yield _Item(op, task, launch.accesses, launch.job)
            else:
                assert isinstance(op, CallOp | LaunchOp)
                kernel = kernels[op.kernel_name]
                item = _Item(op, task, _accesses(op, kernel))
                if isinstance(op, LaunchOp):
                    assert isinstance(kernel, DeviceLaunch)
                    item = replace(item, job=op, most=kernel.jobs_under_way)
                    jobs[op.token] = item
                yield item


def _may_pass(launch: _Item, before: _Item, under_way: int) -> bool:
    """Whether a launch may come before what is done before it. ``under_way`` are the jobs of its
    device that are when it is launched where it is."""
    if before.is_launch and before.device == launch.device:
        return False
    if before.is_await and before.device == launch.device and under_way + 1 >= launch.most:
        return False
    return not launch.conflicts(before)


def _hoist(items: list[_Item]) -> None:
    """Moves every launch up."""
    for index in range(len(items)):
        launch = items[index]
        if not launch.is_launch:
            continue
        under_way = _under_way(items[:index], launch.device)
        at = index
        while at > 0 and _may_pass(launch, items[at - 1], under_way):
            before = items[at - 1]
            if before.is_await and before.device == launch.device:
                under_way += 1
            items[at - 1], items[at] = launch, before
            at -= 1


def _under_way(items: Sequence[_Item], device: int) -> int:
    launched = sum(1 for i in items if i.is_launch and i.device == device)
    return launched - sum(1 for i in items if i.is_await and i.device == device)


def _sink(items: list[_Item]) -> None:
    """Moves every await down, to where its job's memory is wanted; past no other await of its
    device, and past no launch there, which was moved up as far as it may be."""
    for index in reversed(range(len(items))):
        at = index
        while at + 1 < len(items) and items[at].is_await:
            later = items[at + 1]
            if later.job is not None and later.device == items[at].device:
                break
            if items[at].conflicts(later):
                break
            items[at], items[at + 1] = later, items[at]
            at += 1


def _groups(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """What becomes one task: it begins with its awaits, and is for one stage."""
    group: list[_Item] = []
    has_begun = False
    for item in items:
        is_new = item.is_await and has_begun
        if group and has_begun and not is_new:
            is_new = item.task is not _owner(group)
        if is_new:
            yield group
            group, has_begun = [], False
        group.append(item)
        has_begun = has_begun or not item.is_await
    if group:
        yield group


def _owner(group: Sequence[_Item]) -> TaskOp:
    """The task whose stage a group is for: that of what it does first, awaits aside."""
    return next((i for i in group if not i.is_await), group[0]).task


def _rewrite(shard: ShardOp, items: Sequence[_Item]) -> None:
    """Makes tasks of the items, in their order. A stage's MACs stay with its first task."""
    old = shard.of_type(TaskOp)
    for item in items:
        item.op.detach()  # type: ignore[no-untyped-call]
    counted: set[int] = set()
    block = shard.body.block
    for group in _groups(items):
        owner = _owner(group)
        macs = 0 if id(owner) in counted else int(owner.macs.value.data)
        counted.add(id(owner))
        inside = {id(i.job) for i in group if i.is_await}
        yielded = [i.job.token for i in group if i.is_launch and i.job and id(i.job) not in inside]
        body = Block([item.op for item in group])
        task = TaskOp(owner.label.data, owner.stage.data, macs, Region(body), len(yielded))
        if yielded:
            body.add_op(YieldOp(operands=[yielded]))
            for token, handed_on in zip(yielded, task.tokens, strict=True):
                token.replace_uses_with_if(
                    handed_on, lambda use: not isinstance(use.operation, YieldOp)
                )
        block.add_op(task)
    for task in old:
        block.erase_op(task, safe_erase=False)


def _renew_lifetimes(shard: ShardOp) -> None:
    """Of buffers, in the new numbers of tasks. A job needs its memory until it is awaited."""
    tasks = shard.of_type(TaskOp)
    touched: dict[SSAValue, list[int]] = {}
    launched: dict[SSAValue, LaunchOp] = {}
    for number, task in enumerate(tasks):
        pointers = [call.pointers for call in task.calls]
        pointers += [launch.pointers for launch in task.launches]
        for memory in chain.from_iterable(pointers):
            touched.setdefault(memory, []).append(number)
        for launch in task.launches:
            launched[launch.token] = launch
        end = task.body.block.last_op
        if isinstance(end, YieldOp):
            for token, handed_on in zip(end.tokens, task.tokens, strict=True):
                launched[handed_on] = launched[token]
        for awaited in task.awaits:
            for memory in launched[awaited.token].pointers:
                touched.setdefault(memory, []).append(number)
    results = {result.memory for result in shard.of_type(ResultOp)}
    for buffer in shard.of_type(BufferOp):
        at = touched.get(buffer.result, [0])
        last = len(tasks) if buffer.result in results else max(at)
        buffer.lifetime = DenseArrayBase[I64].from_list(i64, [min(at), last])


def overlap(compilation: Compilation) -> Compilation:
    """Moves launches and awaits apart in every shard that has any."""
    if not any(compilation.devices.values()):
        return compilation
    module = compilation.module.clone()
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    for shard in mesh.templates.values():
        assert isinstance(shard, ShardOp)
        items = list(_items(shard, compilation.kernels))
        if any(item.job is not None for item in items):
            _hoist(items)
            _sink(items)
            _rewrite(shard, items)
            _renew_lifetimes(shard)
    module.verify()
    return replace(compilation, module=module)

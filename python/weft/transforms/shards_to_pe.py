# SPDX-License-Identifier: Apache-2.0
"""Pass: every template becomes a shard of slots, buffers and tasks, without addresses.

Every tensor lies in the layout that its readers want: a convolution's padding is a border around
its operand, filled once a frame, so that kernels need not test for edges. A reader that needs
another layout than the one chosen reads a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from weft.devices.accelerator import Accelerator
from weft.dialects.accel import AwaitOp, LaunchOp
from weft.dialects.fabric import MeshOp, TemplateOp, integers
from weft.dialects.pe import (
    BufferOp,
    CallOp,
    ConstantOp,
    ResultOp,
    ShardOp,
    SlotOp,
    StoredOp,
    TaskOp,
    bytes_type,
)
from weft.dialects.stages import Constant, Stage, StageGraph, StageOutput
from weft.dialects.stages.base import Border, dtype_of, elements, int_of, shape_of
from weft.dialects.stages.device import DeviceStage
from weft.dialects.stages.movement import copy_calls
from weft.kernels.base import Kernel, KernelCall
from weft.kernels.device import AWAIT, Await, Launch
from weft.kernels.view import ITEM_BYTES, Pointer, View, contiguous_strides
from weft.machines.model import CostData
from weft.transforms.borders import fill_border, with_border
from weft.transforms.compilation import Compilation
from weft.transforms.device_jobs import BUFFERS, LayerJobs, jobs_of
from weft.transforms.dram_loads import DramLoader, copier
from weft.transforms.weight_chunks import MOST_ROOM, chunks_of

_Work = KernelCall | Launch | Await


@dataclass(eq=False)
class _Buffer:
    """Scratch memory to be: its bytes and the tasks that touch it."""

    label: str
    size: int
    first: int | None = None
    last: int = 0
    is_result: bool = False

    def touch(self, task: int) -> None:
        self.first = task if self.first is None else min(self.first, task)
        self.last = max(self.last, task)

    def lifetime(self, task_count: int) -> list[int]:
        """Results are sent when all tasks have run."""
        first = self.first if self.first is not None else 0
        return [first, task_count if self.is_result else self.last]


@dataclass(eq=False)
class _Slot:
    size: int


@dataclass(frozen=True)
class _ConstantBase:
    index: int
    size: int


@dataclass(frozen=True)
class _StoredBase:
    """A constant in DRAM, with what lies behind it up to a whole number of words."""

    index: int
    size: int


@dataclass
class _Task:
    label: str
    stage: str
    macs: int = 0
    calls: list[_Work] = field(default_factory=list)

    @property
    def kernel_calls(self) -> Iterator[KernelCall]:
        """Those of kernels, launches included."""
        for item in self.calls:
            if isinstance(item, KernelCall):
                yield item
            elif isinstance(item, Launch):
                yield item.call


class _Lowering:
    def __init__(
        self, graph: StageGraph, devices: Sequence[Accelerator] = (), cost: CostData | None = None
    ) -> None:
        self.graph = graph
        self.devices = devices
        self.cost = cost
        copies = copier(devices)
        self.loader = DramLoader(copies) if copies is not None else None
        self.views: dict[SSAValue, View] = {}
        self.borders: dict[SSAValue, Border] = {}
        self.slots: list[View] = []
        self.buffers: list[_Buffer] = []
        self.tasks: list[_Task] = []

    # --- layouts ---

    def wanted_border(self, value: SSAValue) -> Border | None:
        """The smallest border that serves all readers which agree on its value."""
        shape = shape_of(value)
        if len(shape) != 4 or shape[0] != 1:
            return None
        wanted: Border | None = None
        for use in value.uses:
            if not isinstance(use.operation, Stage):
                continue
            border = use.operation.border(use.index)
            if border is None or (wanted is not None and border.value != wanted.value):
                continue
            wanted = border if wanted is None else wanted.union(border)
        return wanted

    def allocate(self, label: str, value: SSAValue, border: Border | None) -> View:
        view, size = with_border(shape_of(value), dtype_of(value.type), border)
        buffer = _Buffer(label, size)
        self.buffers.append(buffer)
        return replace(view, base=buffer)

    def workspace(self, label: str, size: int) -> View:
        buffer = _Buffer(label, size)
        self.buffers.append(buffer)
        return View(buffer, 0, (size // 4,), (1,), "int32")

    # --- the graph ---

    def run(self) -> None:
        block = self.graph.body.block
        for name, argument in zip(self.graph.input_names, block.args, strict=True):
            self.add_input(name.data, argument)
        for op in block.ops:
            if isinstance(op, Constant):
                self.views[op.result] = self.constant(op)
            elif isinstance(op, Stage):
                self.add_stage(op)
        self.add_results()

    def constant(self, op: Constant) -> View:
        shape, dtype = shape_of(op.result), dtype_of(op.result.type)
        number, size = int(op.key.data), elements(op.result) * ITEM_BYTES[dtype]
        base: _ConstantBase | _StoredBase = _ConstantBase(number, size)
        if op.stored is not None:
            base = _StoredBase(number, self.loads.rounded(size))
        return View(base, 0, shape, contiguous_strides(shape), dtype)

    @property
    def loads(self) -> DramLoader:
        assert self.loader is not None
        return self.loader

    def add_input(self, name: str, value: SSAValue) -> None:
        border = self.wanted_border(value)
        view, size = with_border(shape_of(value), dtype_of(value.type), border)
        view = replace(view, base=_Slot(size))
        self.slots.append(view)
        self.views[value] = view
        if border is not None:
            self.borders[value] = border
            self.add_task(_Task(name, "border", calls=[*fill_border(view, border)]))

    def add_stage(self, op: Stage) -> None:
        alias = op.alias(self.views[op.operands[0]])
        if alias is not None and self.wanted_border(op.result) is None:
            self.views[op.result] = alias
            return
        task = _Task(op.label.data, op.kind, op.macs())
        inputs = [self.operand(op, i, task) for i in range(len(op.operands))]
        if op.workspace_bytes() > 0:
            inputs.append(self.workspace(f"{task.label}.workspace", op.workspace_bytes()))
        border = self.wanted_border(op.result)
        out = self.allocate(op.label.data, op.result, border)
        self.views[op.result] = out
        if border is not None:
            self.borders[op.result] = border
            task.calls += fill_border(out, border)
        if isinstance(op, DeviceStage):
            task.calls += self.jobs(op, inputs, out)
        else:
            task.calls += op.calls(inputs, out)
        self.add_task(task)

    def jobs(self, op: DeviceStage, inputs: Sequence[View], out: View) -> list[_Work]:
        """Of all images and groups, which take the same room for sums in turn."""
        assert self.cost is not None
        made = jobs_of(op, inputs, out, self.devices[int_of(op.device)], self.cost)
        if isinstance(inputs[1].base, _StoredBase):
            return self.streamed(op, made)
        sums = self.sums(op, made)
        return [item for jobs in made for item in jobs.work(sums)]

    def sums(self, op: DeviceStage, made: Sequence[LayerJobs]) -> list[View]:
        """Room for the sums of two tiles."""
        size = max(jobs.sums_bytes for jobs in made)
        return [self.workspace(f"{op.label.data}.sums{i}", size) for i in range(BUFFERS)]

    def streamed(self, op: DeviceStage, made: Sequence[LayerJobs]) -> list[_Work]:
        """With weights from DRAM: those of some channels are there while the next come, where there
        is room for both."""
        chunks = [c for jobs in made for c in chunks_of(jobs, self.loads.alignment)]
        size = max(chunk.bytes for chunk in chunks)
        is_double = len(chunks) > 1 and 2 * size <= MOST_ROOM
        rooms = [
            View(_Buffer(f"{op.label.data}.weights{i}", size), 0, (size,), (1,), "int8")
            for i in range(1 + is_double)
        ]
        self.buffers += [room.base for room in rooms]
        jobs_in = [c.jobs_in(rooms[i % len(rooms)]) for i, c in enumerate(chunks)]
        sums = self.sums(op, jobs_in)
        work: list[_Work] = []
        for number, (chunk, jobs) in enumerate(zip(chunks, jobs_in, strict=True)):
            loads: list[_Work] = []
            for source, target, count in chunk.copies(jobs):
                loads += self.loads.load(source, target, count, op.label.data, str(number))
            # Awaited before the last tile of the chunk before: the device need not stop for it.
            at = len(work) - (jobs.work_of_tile if work and is_double else 0)
            work[at:at] = loads
            work += jobs.work(sums, f" of chunk {number}" if len(chunks) > 1 else "")
        return work

    def operand(self, op: Stage, index: int, task: _Task) -> View:
        """The view of an operand in the layout that the stage asks for, copied if need be."""
        value = op.operands[index]
        view = self.views[value]
        if isinstance(view.base, _StoredBase) and not isinstance(op, DeviceStage):
            room = _Buffer(f"{task.label}.weights", view.base.size)
            self.buffers.append(room)
            task.calls += self.loads.load(view.pointer, Pointer(room), view.base.size, task.label)
            return replace(view, base=room)
        border = op.border(index)
        if border is not None and not self.serves(value, border):
            padded = self.allocate(f"{task.label}.padded", value, border)
            task.calls += fill_border(padded, border)
            task.calls += copy_calls(view, padded)
            return padded
        is_dense = view.is_contiguous or not op.needs_dense(index)
        if not is_dense or not view.is_aligned(self.alignment(op, index)):
            dense = self.allocate(f"{task.label}.dense", value, None)
            task.calls += copy_calls(view, dense)
            return dense
        return view

    def alignment(self, op: Stage, index: int) -> int:
        """Of an operand in memory, in bytes. Constants are aligned by themselves."""
        if not isinstance(op, DeviceStage) or index > 0:
            return 1
        return self.devices[int_of(op.device)].x_alignment

    def serves(self, value: SSAValue, border: Border) -> bool:
        have = self.borders.get(value)
        if have is None or have.value != border.value:
            return False
        return all(h >= b for h, b in zip(have[:4], border[:4], strict=True))

    def add_results(self) -> None:
        last = self.graph.body.block.last_op
        assert isinstance(last, StageOutput)
        self.results: list[View] = []
        for name, value in zip(self.graph.output_names, last.values, strict=True):
            view = self.views[value]
            if isinstance(view.base, _ConstantBase):
                copy = self.allocate(name.data, value, None)
                self.add_task(_Task(name.data, "copy", calls=[*copy_calls(view, copy)]))
                view = copy
            if isinstance(view.base, _Buffer):
                view.base.is_result = True
            self.results.append(view)

    def add_task(self, task: _Task) -> None:
        index = len(self.tasks)
        for call in task.kernel_calls:
            for pointer in call.pointers.values():
                if isinstance(pointer.base, _Buffer):
                    pointer.base.touch(index)
        self.tasks.append(task)

    # --- the shard ---

    def shard(self, name: StringAttr) -> ShardOp:
        memory: dict[object, Operation] = {}
        for view in self.slots:
            memory[view.base] = SlotOp(
                properties=_view_properties(view), result_types=[bytes_type(view.base.size)]
            )
        for buffer in self.buffers:
            lifetime = buffer.lifetime(len(self.tasks))
            memory[buffer] = BufferOp(buffer.label, buffer.size, lifetime)
        pointers = (p for t in self.tasks for c in t.kernel_calls for p in c.pointers.values())
        for base in dict.fromkeys(p.base for p in pointers):
            if isinstance(base, _ConstantBase):
                memory[base] = ConstantOp(base.index, base.size)
            elif isinstance(base, _StoredBase):
                memory[base] = StoredOp(base.index, base.size)
        ops = list(memory.values())
        for view in self.results:
            slot = memory[view.base].results[0]
            ops.append(ResultOp(operands=[slot], properties=_view_properties(view)))
        for task in self.tasks:
            block = Block(_work(task.calls, memory))
            ops.append(TaskOp(task.label, task.stage, task.macs, Region(block)))
        return ShardOp(properties={"sym_name": name}, regions=[Region(Block(ops))])

    def kernels(self) -> dict[str, Kernel]:
        found = {c.kernel.name: c.kernel for t in self.tasks for c in t.kernel_calls}
        if any(isinstance(item, Await) for task in self.tasks for item in task.calls):
            found[AWAIT.name] = AWAIT
        return found


def _view_properties(view: View) -> dict[str, Attribute]:
    item = view.item_bytes
    return {
        "byte_offset": IntegerAttr(view.offset * item, i64),
        "shape": integers(view.shape),
        "strides": integers([s * item for s in view.strides]),
        "dtype": StringAttr(view.dtype),
    }


def _work(items: Sequence[_Work], memory: Mapping[object, Operation]) -> Iterator[Operation]:
    tokens: dict[int, SSAValue] = {}
    for item in items:
        if isinstance(item, KernelCall):
            yield _call(item, memory)
        elif isinstance(item, Launch):
            launch = _launch(item, memory)
            tokens[id(item)] = launch.token
            yield launch
        else:
            yield AwaitOp(operands=[tokens[id(item.launch)]])


def _call(call: KernelCall, memory: Mapping[object, Operation]) -> CallOp:
    pointers: Sequence[Pointer] = [call.pointers[name] for name in call.kernel.pointers]
    return CallOp(
        call.kernel.name,
        [memory[p.base].results[0] for p in pointers],
        [p.byte_offset for p in pointers],
        [call.numbers[name] for name in call.kernel.numbers],
        [call.spans[name] for name in call.kernel.pointers] if call.spans is not None else None,
    )


def _launch(launch: Launch, memory: Mapping[object, Operation]) -> LaunchOp:
    call = launch.call
    assert call.spans is not None
    pointers: Sequence[Pointer] = [call.pointers[name] for name in call.kernel.pointers]
    return LaunchOp(
        call.kernel.name,
        launch.label,
        launch.device,
        launch.cycles,
        [memory[p.base].results[0] for p in pointers],
        [p.byte_offset for p in pointers],
        [call.spans[name] for name in call.kernel.pointers],
        [call.numbers[name] for name in call.kernel.numbers],
    )


def shards_to_pe(compilation: Compilation) -> Compilation:
    """Replaces the templates of a mesh by shards."""
    module = compilation.module.clone()
    kernels: dict[str, Kernel] = {}
    mesh = _mesh_of(module)
    pes = {place.template_name: place.pe_index for place in reversed(mesh.places)}
    for op in list(mesh.body.block.ops):
        if isinstance(op, TemplateOp):
            pe = pes.get(op.sym_name.data, -1)
            devices = compilation.devices.get(pe, ())
            lowering = _Lowering(op.graph, devices, compilation.costs.get(pe))
            lowering.run()
            kernels |= lowering.kernels()
            block = op.parent_block()
            assert block is not None
            block.insert_op_before(lowering.shard(op.sym_name), op)
            block.erase_op(op)
    module.verify()
    return replace(compilation, module=module, kernels=dict(sorted(kernels.items())))


def _mesh_of(module: ModuleOp) -> MeshOp:
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    return mesh

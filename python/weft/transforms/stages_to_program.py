# SPDX-License-Identifier: Apache-2.0
"""Pass: a stage graph becomes one program of tasks and buffers, without addresses.

Every tensor gets a buffer in the layout that its readers want: a convolution's padding is a border
around its operand, filled once a frame, so that kernels need not test for edges. A reader that
needs another layout than the one chosen reads a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.ir import Block, Operation, Region, SSAValue

from weft.dialects.pe import BufferOp, CallOp, ChannelOp, ConstantOp, ProgramOp, TaskOp
from weft.dialects.stages import Constant, Stage, StageGraph, StageOutput
from weft.dialects.stages.base import Border, dtype_of, shape_of
from weft.dialects.stages.movement import copy_calls, fill_calls
from weft.kernels.base import Kernel, KernelCall
from weft.kernels.view import Pointer, View, contiguous_strides
from weft.transforms.compilation import Compilation


@dataclass(eq=False)
class _Storage:
    """A buffer to be: its bytes and the tasks that touch it."""

    label: str
    size: int
    first: int | None = None
    last: int | None = None
    is_input: bool = False
    is_output: bool = False

    def touch(self, task: int) -> None:
        self.first = task if self.first is None else min(self.first, task)
        self.last = task if self.last is None else max(self.last, task)

    def lifetime(self, task_count: int) -> list[int]:
        """Time -1 is between frames: inputs arrive while outputs are still being read."""
        first = self.first if self.first is not None else 0
        last = self.last if self.last is not None else first
        if self.is_input:
            return [-1, last]
        if self.is_output:
            return [-1, -1, first, task_count]
        return [first, last]


@dataclass(frozen=True)
class _ConstantBase:
    key: str
    size: int


@dataclass
class _Task:
    label: str
    stage: str
    macs: int = 0
    calls: list[KernelCall] = field(default_factory=list)


class _Lowering:
    def __init__(self, graph: StageGraph) -> None:
        self.graph = graph
        self.views: dict[SSAValue, View] = {}
        self.borders: dict[SSAValue, Border] = {}
        self.storages: list[_Storage] = []
        self.tasks: list[_Task] = []
        self.outputs = set(self._output_op().values)

    def _output_op(self) -> StageOutput:
        last = self.graph.body.block.last_op
        assert isinstance(last, StageOutput)
        return last

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
        shape, dtype = shape_of(value), dtype_of(value.type)
        outer, offset = shape, 0
        if border is not None:
            n, height, width, channels = shape
            outer = (
                n,
                height + border.top + border.bottom,
                width + border.left + border.right,
                channels,
            )
            offset = (border.top * outer[2] + border.left) * channels
        strides = contiguous_strides(outer)
        view = View(None, offset, shape, strides, dtype)
        storage = _Storage(label, max(1, prod(outer)) * view.item_bytes)
        self.storages.append(storage)
        return View(storage, offset, shape, strides, dtype)

    def fill_border(self, view: View, border: Border) -> list[KernelCall]:
        _, height, width, channels = view.shape
        row = view.strides[1]
        top, bottom, left, right, value = border
        # Rows above, then what lies between the end of one row and the start of the next, rows
        # below: all of it is one run of bytes but for the tensor itself.
        head = top * row + left * channels
        gap = (left + right) * channels
        tail = right * channels + bottom * row
        runs = [(-head, 1, head, row), (width * channels, height - 1, gap, row)]
        runs.append(((height - 1) * row + width * channels, 1, tail, row))
        made: list[KernelCall] = []
        for start, rows, columns, stride in runs:
            if rows > 0 and columns > 0:
                place = View(view.base, view.offset + start, (rows, columns), (stride, 1), "int8")
                made += fill_calls(place, value)
        return made

    # --- the graph ---

    def run(self) -> None:
        block = self.graph.body.block
        for name, argument in zip(self.graph.input_names, block.args, strict=True):
            self.add_input(name.data, argument)
        for op in block.ops:
            if isinstance(op, Constant):
                view = View(
                    _ConstantBase(op.key.data, 0),
                    0,
                    shape_of(op.result),
                    contiguous_strides(shape_of(op.result)),
                    dtype_of(op.result.type),
                )
                size = prod(view.shape) * view.item_bytes
                self.views[op.result] = View(
                    _ConstantBase(op.key.data, size), 0, view.shape, view.strides, view.dtype
                )
            elif isinstance(op, Stage):
                self.add_stage(op)
        self.add_outputs()

    def add_input(self, name: str, value: SSAValue) -> None:
        border = self.wanted_border(value)
        view = self.allocate(name, value, border)
        view.base.is_input = True
        self.views[value] = view
        if border is not None:
            self.borders[value] = border
            self.add_task(_Task(name, "border", calls=self.fill_border(view, border)))

    def add_stage(self, op: Stage) -> None:
        if op.is_view and self.can_alias(op):
            self.views[op.result] = self.views[op.operands[0]].reshaped(shape_of(op.result))
            return
        task = _Task(op.label.data, op.kind, op.macs())
        inputs = [self.operand(op, i, task) for i in range(len(op.operands))]
        border = self.wanted_border(op.result)
        out = self.allocate(op.label.data, op.result, border)
        self.views[op.result] = out
        if border is not None:
            self.borders[op.result] = border
            task.calls += self.fill_border(out, border)
        task.calls += op.calls(inputs, out)
        self.add_task(task)

    def can_alias(self, op: Stage) -> bool:
        source = self.views[op.operands[0]]
        if isinstance(source.base, _ConstantBase) or not source.is_contiguous:
            return False
        if self.wanted_border(op.result) is not None:
            return False
        # An output must be a slot of its own.
        return op.result not in self.outputs or not (source.base.is_input or source.base.is_output)

    def operand(self, op: Stage, index: int, task: _Task) -> View:
        """The view of an operand in the layout that the stage asks for, copied if need be."""
        value = op.operands[index]
        view = self.views[value]
        border = op.border(index)
        if border is not None and not self.serves(value, border):
            padded = self.allocate(f"{task.label}.padded", value, border)
            for frame in range(view.shape[0]):
                image = View(
                    padded.base,
                    padded.offset + frame * padded.strides[0],
                    (1, *padded.shape[1:]),
                    padded.strides,
                    padded.dtype,
                )
                task.calls += self.fill_border(image, border)
            task.calls += copy_calls(view, padded)
            return padded
        if op.needs_dense(index) and not view.is_contiguous:
            dense = self.allocate(f"{task.label}.dense", value, None)
            task.calls += copy_calls(view, dense)
            return dense
        return view

    def serves(self, value: SSAValue, border: Border) -> bool:
        have = self.borders.get(value)
        if have is None or have.value != border.value:
            return False
        return all(h >= b for h, b in zip(have[:4], border[:4], strict=True))

    def add_outputs(self) -> None:
        taken: set[_Storage] = set()
        self.output_views: list[View] = []
        names = [n.data for n in self.graph.output_names]
        for name, value in zip(names, self._output_op().values, strict=True):
            view = self.views[value]
            base = view.base
            if isinstance(base, _ConstantBase) or base.is_input or base in taken:
                target = self.allocate(name, value, None)
                self.add_task(_Task(name, "copy", calls=copy_calls(view, target)))
                view = target
            view.base.is_output = True
            taken.add(view.base)
            self.output_views.append(view)

    def add_task(self, task: _Task) -> None:
        index = len(self.tasks)
        for call in task.calls:
            for pointer in call.pointers.values():
                if isinstance(pointer.base, _Storage):
                    pointer.base.touch(index)
        self.tasks.append(task)

    # --- the program ---

    def program(self, name: str) -> ProgramOp:
        memory: dict[object, Operation] = {}
        ops: list[Operation] = []
        for storage in self.storages:
            buffer = BufferOp(storage.label, storage.size, storage.lifetime(len(self.tasks)))
            memory[storage] = buffer
            ops.append(buffer)
        for base in dict.fromkeys(
            p.base for t in self.tasks for c in t.calls for p in c.pointers.values()
        ):
            if isinstance(base, _ConstantBase):
                memory[base] = ConstantOp(base.key, base.size)
                ops.append(memory[base])
        for direction, names, views in (
            ("in", self.graph.input_names, [self.views[a] for a in self.graph.body.block.args]),
            ("out", self.graph.output_names, self.output_views),
        ):
            for label, view in zip(names, views, strict=True):
                ops.append(_channel(direction, label.data, view, memory[view.base].results[0]))
        for task in self.tasks:
            block = Block([_call(c, memory) for c in task.calls])
            ops.append(TaskOp(task.label, task.stage, task.macs, Region(block)))
        return ProgramOp(
            properties={
                "sym_name": StringAttr(name),
                "kernels": ArrayAttr(StringAttr(k) for k in self.kernels()),
            },
            regions=[Region(Block(ops))],
        )

    def kernels(self) -> dict[str, Kernel]:
        """By name, in order of name."""
        used = {c.kernel.name: c.kernel for t in self.tasks for c in t.calls}
        return dict(sorted(used.items()))


def _channel(direction: str, label: str, view: View, slot: SSAValue) -> ChannelOp:
    if view.is_contiguous:
        rows, row_elements, stride = 1, prod(view.shape), prod(view.shape)
    else:  # one frame of NHWC with a border
        rows, row_elements, stride = view.shape[1], view.shape[2] * view.shape[3], view.strides[1]
    numbers = {
        "byte_offset": view.offset,
        "rows": rows,
        "row_bytes": row_elements,
        "row_stride": stride,
    }
    scaled = {k: v if k == "rows" else v * view.item_bytes for k, v in numbers.items()}
    return ChannelOp(
        operands=[slot],
        properties={
            "direction": StringAttr(direction),
            "label": StringAttr(label),
            "dtype": StringAttr(view.dtype),
            "shape": DenseArrayBase.from_list(i64, list(view.shape)),
            **{k: IntegerAttr(v, i64) for k, v in scaled.items()},
        },
    )


def _call(call: KernelCall, memory: dict[object, Operation]) -> CallOp:
    pointers: list[Pointer] = [call.pointers[name] for name in call.kernel.pointers]
    return CallOp(
        call.kernel.name,
        [memory[p.base].results[0] for p in pointers],
        [p.byte_offset for p in pointers],
        [call.numbers[name] for name in call.kernel.numbers],
    )


def stages_to_program(compilation: Compilation, name: str) -> Compilation:
    """Replaces the module's stage graph by one program called ``name``."""
    (graph,) = compilation.module.ops
    assert isinstance(graph, StageGraph)
    lowering = _Lowering(graph)
    lowering.run()
    module = ModuleOp([lowering.program(name)])
    module.verify()
    return Compilation(module, compilation.constants, lowering.kernels(), compilation.facts)

# SPDX-License-Identifier: Apache-2.0
"""Pass: a stage graph and a mapping become a mesh of shards in their places.

What fires together (``firings``) is one place. Places whose parts compute the same on boxes of the
same shapes share a template; weights are named by the place, so they may differ.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, StringAttr, SymbolRefAttr, i64
from xdsl.ir import Block, Operation, Region, SSAValue

from weft.dialects.fabric import ChannelOp, MeshOp, PlaceOp, TemplateOp, TensorOp, integers
from weft.dialects.stages import Constant, Stage, StageGraph, StageOutput
from weft.dialects.stages.base import attribute_of, dtype_of, shape_of, tensor_type
from weft.dialects.stages.box import Box
from weft.dialects.stages.movement import SliceStage
from weft.mapping.mapping import Mapping
from weft.transforms.compilation import Compilation, constant_key
from weft.transforms.firings import Firing, Need, Part, make_firings, make_parts


def unique_labels(compilation: Compilation) -> Compilation:
    """Pass: gives stages of one label numbers, so that a mapping can name them."""
    module = compilation.module.clone()
    seen: dict[str, int] = {}
    for op in _graph_of(module).body.block.ops:
        if isinstance(op, Stage):
            label = op.label.data
            seen[label] = seen.get(label, 0) + 1
            while seen[label] > 1 and f"{label}#{seen[label]}" in seen:
                seen[label] += 1
            if seen[label] > 1:
                op.label = StringAttr(f"{label}#{seen[label]}")
                seen[op.label.data] = 1
    return replace(compilation, module=module)


def _graph_of(module: ModuleOp) -> StageGraph:
    (graph,) = module.ops
    assert isinstance(graph, StageGraph)
    return graph


#: Who reads a slot: label of the stage, number of its shard, and of its operand without constants.
Reader = tuple[str, int, int]


@dataclass
class _Place:
    """A row of the placement to be."""

    template: str
    pe: int
    labels: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    reads: list[tuple[int, Box, int]] = field(default_factory=list)
    writes: list[tuple[int, Box]] = field(default_factory=list)
    readers: list[list[Reader]] = field(default_factory=list)  # of every slot

    def op(self) -> PlaceOp:
        return PlaceOp(
            properties={
                "template": SymbolRefAttr(self.template),
                "pe": IntegerAttr(self.pe, i64),
                "labels": ArrayAttr(StringAttr(t) for t in self.labels),
                "constants": ArrayAttr(StringAttr(t) for t in self.constants),
                "reads": integers([tensor for tensor, _, _ in self.reads]),
                "reads_from": integers([n for _, box, _ in self.reads for n in box.begin]),
                "depths": integers([depth for _, _, depth in self.reads]),
                "writes": integers([tensor for tensor, _ in self.writes]),
                "writes_from": integers([n for _, box in self.writes for n in box.begin]),
            }
        )


class _MeshMaker:
    def __init__(self, compilation: Compilation, mapping: Mapping, pe_count: int) -> None:
        self.graph = _graph_of(compilation.module)
        self.mapping = mapping
        self.pe_count = pe_count
        self.constants = dict(compilation.constants)
        self.parts_of_constants: dict[tuple[str, Box], str] = {}
        self.tensors: list[TensorOp] = []
        self.numbers: dict[SSAValue, int] = {}
        self.templates: dict[Hashable, TemplateOp] = {}
        self.texts: dict[Stage, dict[str, str]] = {}
        self.places: list[_Place] = []
        self.channels: list[ChannelOp] = []
        self.has_host = False

    def run(self) -> ModuleOp:
        stages = [op for op in self.graph.body.block.ops if isinstance(op, Stage)]
        self.firings = make_firings(make_parts(stages, self.mapping))
        last = self.graph.body.block.last_op
        assert isinstance(last, StageOutput)
        self.outputs = list(last.values)
        self.readers: dict[SSAValue, list[tuple[Firing, Box]]] = {}
        for firing in self.firings:
            for value, box in firing.reads():
                self.readers.setdefault(value, []).append((firing, box))
        for name, value in zip(self.graph.input_names, self.graph.body.block.args, strict=True):
            self.add_input(name.data, value)
        for firing in self.firings:
            self.add_firing(firing)
        for name, value in zip(self.graph.output_names, self.outputs, strict=True):
            self.add_output(name.data, value)
        properties = {
            "pes": IntegerAttr(self.pe_count, i64),
            "has_host": IntegerAttr(int(self.has_host), i64),
        }
        ops: list[Operation] = [*self.tensors, *self.channels, *self.templates.values()]
        ops += [place.op() for place in self.places]
        return ModuleOp([MeshOp(properties=properties, regions=[Region(Block(ops))])])

    # --- ends for the outside ---

    def outside(self, pes: Sequence[int]) -> int:
        """The PE that scatters or gathers for ``pes``."""
        if len(set(pes)) == 1:
            return pes[0]
        if isinstance(self.mapping.source, int):
            return self.mapping.source
        self.has_host = True
        return self.pe_count

    def add_channel(self, direction: str, name: str, tensor: int, pe: int) -> None:
        self.channels.append(
            ChannelOp(
                properties={
                    "direction": StringAttr(direction),
                    "label": StringAttr(name),
                    "tensor": IntegerAttr(tensor, i64),
                    "pe": IntegerAttr(pe, i64),
                    "depth": IntegerAttr(self.mapping.default_depth, i64),
                }
            )
        )

    def add_input(self, name: str, value: SSAValue) -> None:
        whole = Box.whole(shape_of(value))
        readers = self.readers.get(value, [])
        pe = self.outside([firing.pe for firing, _ in readers] or self.mapping.pes[:1] or [0])
        outer = self.add_tensor(name, value)
        self.add_channel("in", name, outer, pe)
        if len(readers) == 1 and readers[0][1] == whole and value not in self.outputs:
            self.numbers[value] = outer
            return
        place = _Place(self.template([], [(value, whole)], {}, []), pe)
        place.reads.append((outer, whole, self.mapping.default_depth))
        place.readers.append([])
        self.numbers[value] = self.add_tensor(name, value)
        place.writes.append((self.numbers[value], whole))
        self.places.append(place)

    def add_output(self, name: str, value: SSAValue) -> None:
        if isinstance(value.owner, Constant):
            self.add_constant_output(name, value)
        makers = [f.pe for f in self.firings for p in f.parts if p.op.result is value]
        tensor = self.numbers[value]
        pes = makers or [p.pe for p in self.places if tensor in [t for t, _ in p.writes]]
        self.add_channel("out", name, tensor, self.outside(pes))

    def add_constant_output(self, name: str, value: SSAValue) -> None:
        if value in self.numbers:
            return
        assert isinstance(value.owner, Constant)
        whole = Box.whole(shape_of(value))
        places = {self.constant(value.owner, whole): 0}
        template = self.template([], [], places, [(value, whole)])
        self.numbers[value] = self.add_tensor(name, value)
        pe = (self.mapping.pes or [0])[0]
        place = _Place(template, pe, constants=list(places))
        place.writes.append((self.numbers[value], whole))
        self.places.append(place)

    def add_tensor(self, label: str, value: SSAValue) -> int:
        properties = {"label": StringAttr(label), "type": value.type}
        self.tensors.append(TensorOp(properties=properties))
        return len(self.tensors) - 1

    # --- places ---

    def add_firing(self, firing: Firing) -> None:
        reads = firing.reads()
        writes = [p for p in firing.parts if self.leaves(p)]
        constants: dict[str, int] = {}
        for part in firing.parts:
            for value, box in part.operands():
                if isinstance(value.owner, Constant):
                    key = self.constant(value.owner, box)
                    constants.setdefault(key, len(constants))
        template = self.template(
            firing.parts, reads, constants, [(p.op.result, p.box) for p in writes]
        )
        place = _Place(template, firing.pe, [p.label for p in firing.parts], list(constants))
        for value, box in reads:
            place.reads.append((self.number(value), box, self.depth(firing, (value, box))))
            place.readers.append(_readers(firing, (value, box)))
        for part in writes:
            place.writes.append((self.number(part.op.result), part.box))
        self.places.append(place)

    def leaves(self, part: Part) -> bool:
        """Whether anybody but its own firing reads what the part computes. All parts of a tensor
        go out if one does, so that the tensor is whole."""
        return part.op.result in self.readers or part.op.result in self.outputs

    def number(self, value: SSAValue) -> int:
        if value not in self.numbers:
            assert isinstance(value.owner, Stage)
            self.numbers[value] = self.add_tensor(value.owner.label.data, value)
        return self.numbers[value]

    def depth(self, firing: Firing, need: Need) -> int:
        """The largest depth that one of its readers asks for."""
        chosen = []
        for label, number, operand in _readers(firing, need):
            depths = self.mapping.depths.get((label, number))
            chosen.append(depths[operand] if depths else self.mapping.default_depth)
        return max(chosen)

    def constant(self, op: Constant, part: Box) -> str:
        """The key of a part of a constant."""
        key = op.key.data
        if part == Box.whole(shape_of(op.result)):
            return key
        if (key, part) not in self.parts_of_constants:
            where = tuple(slice(b, e) for b, e in zip(part.begin, part.end, strict=True))
            data = np.ascontiguousarray(self.constants[key][where])
            self.parts_of_constants[key, part] = constant_key(data)
            self.constants[constant_key(data)] = data
        return self.parts_of_constants[key, part]

    # --- templates ---

    def template(
        self,
        parts: Sequence[Part],
        reads: Sequence[Need],
        constants: dict[str, int],
        writes: Sequence[Need],
    ) -> str:
        """The name of the template that computes this; a new one if there is none yet."""
        if not parts and reads:
            writes = reads
        key = self.form(parts, reads, constants, writes)
        if key not in self.templates:
            graph = _local_graph(parts, reads, constants, writes, self)
            name = StringAttr(f"s{len(self.templates)}")
            self.templates[key] = TemplateOp(
                properties={"sym_name": name}, regions=[Region(Block([graph]))]
            )
        return self.templates[key].sym_name.data

    def properties(self, op: Stage) -> dict[str, str]:
        """The properties of a stage as text, which takes long to make, without its label."""
        if op not in self.texts:
            self.texts[op] = {k: str(v) for k, v in op.properties.items() if k != "label"}
        return self.texts[op]

    def form(
        self,
        parts: Sequence[Part],
        reads: Sequence[Need],
        constants: dict[str, int],
        writes: Sequence[Need],
    ) -> Hashable:
        """Equal for what one template can serve."""
        index = {part: i for i, part in enumerate(parts)}

        def operand(value: SSAValue, box: Box) -> Hashable:
            if isinstance(value.owner, Constant):
                return constants[self.constant(value.owner, box)], box.shape, str(value.type)
            if (value, box) in reads:
                return "read", reads.index((value, box))
            part = next(p for p in parts if p.op.result is value and p.box.meet(box) == box)
            return "part", index[part], box.relative_to(part.box.begin)

        def form_of(part: Part) -> Hashable:
            changed = {k: str(attribute_of(v)) for k, v in part.cut.attributes.items()}
            attributes = tuple(sorted((self.properties(part.op) | changed).items()))
            operands = tuple(operand(v, b) for v, b in part.operands())
            return part.op.name, attributes, part.box.shape, operands

        return (
            tuple((box.shape, str(value.type)) for value, box in reads),
            tuple(form_of(part) for part in parts),
            tuple(operand(value, box) for value, box in writes),
        )


def _readers(firing: Firing, need: Need) -> list[Reader]:
    return [
        (part.op.label.data, part.number, operand)
        for part in firing.parts
        for operand, wanted in enumerate(part.needs())
        if wanted == need
    ]


def _local_graph(
    parts: Sequence[Part],
    reads: Sequence[Need],
    constants: dict[str, int],
    writes: Sequence[Need],
    maker: _MeshMaker,
) -> StageGraph:
    """The stages of one firing on operands of the shapes that it reads."""
    block = Block(arg_types=[_typed(value, box) for value, box in reads])
    made: dict[Part, SSAValue] = {}
    constant_values: dict[str, SSAValue] = {}

    def add(op: Operation) -> SSAValue:
        block.add_op(op)
        return op.results[0]

    def operand(value: SSAValue, box: Box) -> SSAValue:
        if isinstance(value.owner, Constant):
            key = maker.constant(value.owner, box)
            if key not in constant_values:
                properties: dict[str, Any] = {"key": StringAttr(str(constants[key]))}
                constant_values[key] = add(
                    Constant(properties=properties, result_types=[_typed(value, box)])
                )
            return constant_values[key]
        if (value, box) in reads:
            return block.args[reads.index((value, box))]
        part = next(p for p in parts if p.op.result is value and p.box.meet(box) == box)
        if part.box == box:
            return made[part]
        begin = box.relative_to(part.box.begin).begin
        attributes = {"begin": begin, "steps": [1] * len(begin), "label": "slice"}
        return add(SliceStage.make([made[part]], attributes, _typed(value, box)))

    for number, part in enumerate(parts):
        operands = [operand(v, b) for v, b in part.operands()]
        changed = {name: attribute_of(value) for name, value in part.cut.attributes.items()}
        label = StringAttr(f"{number}")
        made[part] = add(
            type(part.op)(
                operands=type(part.op).group_operands(operands),
                result_types=[_typed(part.op.result, part.box)],
                properties={**part.op.properties, **changed, "label": label},
            )
        )
    add_output = StageOutput(operands=[[operand(v, b) for v, b in writes]])
    block.add_op(add_output)
    return StageGraph(
        properties={
            "input_names": ArrayAttr(StringAttr(f"in{i}") for i in range(len(reads))),
            "output_names": ArrayAttr(StringAttr(f"out{i}") for i in range(len(writes))),
        },
        regions=[Region(block)],
    )


def _typed(value: SSAValue, box: Box) -> Any:
    return tensor_type(box.shape, dtype_of(value.type))


def to_mesh(compilation: Compilation, mapping: Mapping, pe_count: int) -> Compilation:
    """Places the stages as ``mapping`` says, on ``pe_count`` PEs."""
    maker = _MeshMaker(compilation, mapping, pe_count)
    module = maker.run()
    module.verify()
    facts = {**compilation.facts, "readers": [place.readers for place in maker.places]}
    return replace(compilation, module=module, constants=maker.constants, facts=facts)

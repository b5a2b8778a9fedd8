# SPDX-License-Identifier: Apache-2.0
"""The stage graph and the cost of cuts, for mappers outside of Weft (docs/own-mapper.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdsl.ir import SSAValue

from weft.compiler import stage_graph
from weft.dialects.stages import Stage, StageOutput
from weft.dialects.stages.base import dtype_of, shape_of, variables
from weft.dialects.stages.box import Box, CutError
from weft.errors import MappingError
from weft.machines import Machine, PeClass, load_machine
from weft.mapping.cost import ShardCost
from weft.mapping.cost import cost as shard_cost
from weft.mapping.files import AXES
from weft.mapping.split import cuttable_axes
from weft.transforms.compilation import Compilation, stages_of
from weft.transforms.split_inputs import input_channels

FORMAT = 1


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph: an input, or the result of a stage. ``shape`` is NHWC."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class GraphStage:
    """One stage. ``inputs`` names the stages or inputs that it reads, constants left out;
    ``axes`` names the axes of its result along which it can be cut; ``input_channels`` is how many
    there are to cut over with ``split_inputs``, 1 if it cannot be."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    result: Tensor
    axes: tuple[str, ...]
    macs: int
    constants_bytes: int
    input_channels: int
    op: Stage

    def __repr__(self) -> str:
        return f"GraphStage({self.name!r}, {self.kind}, {list(self.result.shape)})"


@dataclass(frozen=True)
class Graph:
    """The stages of a model, in an order in which they can be computed, for one machine."""

    model: str
    machine: Machine
    inputs: tuple[Tensor, ...]
    stages: tuple[GraphStage, ...]
    outputs: tuple[str, ...]

    def stage(self, name: str) -> GraphStage:
        """By name. ``MappingError`` if there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise MappingError(f"{self.model} has no stage '{name}'; `weft graph` lists them")

    def to_json(self) -> dict[str, Any]:
        """Plain data (docs/formats/graph.md), with what each stage costs every class of PE."""
        classes = self.machine.classes
        return {
            "format": FORMAT,
            "model": self.model,
            "machine": self.machine.name,
            "pes": [
                {"pe": [pe.x, pe.y, pe.index], "pe_class": self.machine.class_of(pe).name}
                for pe in self.machine.usable()
            ],
            "pe_classes": {name: _class_data(c) for name, c in classes.items()},
            "inputs": [_tensor_data(tensor) for tensor in self.inputs],
            "outputs": list(self.outputs),
            "stages": [self._stage_data(stage) for stage in self.stages],
        }

    def _stage_data(self, stage: GraphStage) -> dict[str, Any]:
        whole = Box.whole(stage.result.shape)
        costs = {n: shard_cost(stage.op, whole, c) for n, c in self.machine.classes.items()}
        return {
            "name": stage.name,
            "kind": stage.kind,
            "inputs": list(stage.inputs),
            "dtype": stage.result.dtype,
            "shape": list(stage.result.shape),
            "axes": list(stage.axes),
            "macs": stage.macs,
            "constants_bytes": stage.constants_bytes,
            "input_channels": stage.input_channels,
            "cycles": {name: c.cycles for name, c in costs.items()},
        }


def _class_data(pe_class: PeClass) -> dict[str, Any]:
    return {
        "core": pe_class.core,
        "clock_hz": pe_class.clock_hz,
        "stack_bytes": pe_class.planned_stack_bytes,
        "memory": [
            {"name": r.name, "bytes": r.length, "holds": list(r.holds)} for r in pe_class.memory
        ],
    }


def _tensor_data(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def graph(
    model: Any,
    machine: str | Path | Machine | None = None,
    *,
    params: Any = None,
) -> Graph:
    """The stage graph of a model, as ``compile`` would map it.

    Raises what ``compile`` raises for a model or a machine.
    """
    found = machine if isinstance(machine, Machine) else load_machine(machine)
    name, compilation = stage_graph(model, params)
    return _make(name, found, compilation)


def _make(name: str, machine: Machine, compilation: Compilation) -> Graph:
    (op,) = compilation.module.ops
    block = op.regions[0].block
    stages = stages_of(compilation)
    names: dict[SSAValue, str] = {s.result: s.label.data for s in stages}
    inputs = []
    for text, value in zip(op.properties["input_names"], block.args, strict=True):  # type: ignore[call-overload]
        names[value] = text.data
        inputs.append(Tensor(text.data, dtype_of(value.type), shape_of(value)))
    last = block.last_op
    assert isinstance(last, StageOutput)
    outputs = tuple(names.get(v, "constant") for v in last.values)
    return Graph(name, machine, tuple(inputs), tuple(_stage(s, names) for s in stages), outputs)


def _stage(op: Stage, names: dict[SSAValue, str]) -> GraphStage:
    shape = shape_of(op.result)
    axes = AXES.get(len(shape), ())
    constants = shard_cost(op, Box.whole(shape), _ANY_CLASS).constants_bytes
    return GraphStage(
        op.label.data,
        op.kind,
        tuple(names[v] for v in variables(op)),
        Tensor(op.label.data, dtype_of(op.result.type), shape),
        tuple(axes[a] for a in cuttable_axes(op) if a < len(axes)),
        op.macs(),
        constants,
        input_channels(op),
        op,
    )


_ANY_CLASS = PeClass("any", "", 1, 0, ())


def cost(
    stage: GraphStage, box: tuple[Sequence[int], Sequence[int]] | None, pe_class: PeClass
) -> ShardCost:
    """What computing a box of a stage's result costs a PE of a class: cycles, bytes by section, and
    the boxes that it reads.

    ``box`` is (begin, shape) in elements of the result, None for all of it. Raises ``MappingError``
    for a box outside of the result, or one that the stage cannot compute on its own.
    """
    whole = stage.result.shape
    chosen = Box.whole(whole) if box is None else Box(tuple(box[0]), tuple(box[1]))
    if len(chosen.begin) != len(whole) or not chosen.is_inside(whole):
        raise MappingError(f"{stage.name}: {box} is not a box inside of a result of {list(whole)}")
    try:
        return shard_cost(stage.op, chosen, pe_class)
    except CutError as error:
        raise MappingError(f"{stage.name} cannot compute {box} alone: {error}") from None

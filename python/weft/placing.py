# SPDX-License-Identifier: Apache-2.0
"""Finds places for the stages of a network that fit their PEs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from math import inf
from typing import Any, TypeVar

from weft.codegen.build import Placed, place_on, precheck
from weft.devices import load_device
from weft.dialects.fabric import FRAME_ALIGNMENT, MeshOp
from weft.dialects.stages import ALL, Stage
from weft.dialects.stages.base import shape_of, variables
from weft.dialects.stages.box import Box
from weft.errors import DoesNotFitError, MachineError, MappingError, WeftError
from weft.machines.model import COSTS_BY_KIND, Machine, PeClass
from weft.mapping.balance import Worker, balanced
from weft.mapping.files import parse_mapping, split_inputs_of
from weft.mapping.mapping import Mapping, Shard
from weft.mapping.offload import planned
from weft.mapping.timing import deeper
from weft.transforms.compilation import Compilation, stages_of
from weft.transforms.pipeline import Dump, run_passes
from weft.transforms.split_inputs import split_inputs
from weft.transforms.to_mesh import to_mesh

_T = TypeVar("_T")

#: The work of all PEs in relation to that of one alone, messages included, that the rule stays
#: within where nobody says how many PEs there are to be.
MOST_WORK = 1.25

# What the rule leaves to code, tables and counters at first, in bytes. The true sizes are known
# only when code is there: where they do not fit, the rule is asked again with more set aside.
_CODE_RESERVE = 20 << 10
_TABLES_RESERVE = 3 << 10
_ATTEMPTS = 8
_SLACK = 256


def check_costs(machine: Machine) -> None:
    """Refuses costs for what is no kind of stage: a machine file cannot know them by itself."""
    kinds = sorted(op.name.removeprefix("stages.") for op in ALL)
    for pe_class in machine.classes.values():
        for key in COSTS_BY_KIND:
            for kind in getattr(pe_class.cost, key):
                if kind not in kinds:
                    raise MachineError(
                        f"machine {machine.name}: pe_class.{pe_class.name}.cost.{key}: there is "
                        f"no kind of stage '{kind}'; known are {', '.join(kinds)}"
                    )


def check_streaming(machine: Machine) -> None:
    """Refuses weights in DRAM where a PE that may be used cannot copy them from there."""
    if machine.weights != "dram":
        return
    whose = f"machine {machine.name}: weights cannot be in DRAM"
    if "dram" not in machine.links:
        raise MachineError(f"{whose}: it has no links.dram; give its bytes a second there")
    for name in sorted({machine.class_of(pe).name for pe in machine.usable()}):
        found = [load_device(use.kind) for use in machine.classes[name].devices]
        copiers = [device for device in found if device.reads_dram]
        if not copiers:
            raise MachineError(
                f"{whose}: PEs of class {name} have no device that copies from there; add one, "
                "such as --device dma"
            )
        if copiers[0].facts.alignment > FRAME_ALIGNMENT:
            raise MachineError(
                f"{whose}: {copiers[0].name} of PE class {name} copies multiples of "
                f"{copiers[0].facts.alignment} bytes; buffers are aligned to {FRAME_ALIGNMENT}"
            )


class Placing:
    """The mapping of one network: what the user fixed, the rest by rule."""

    def __init__(
        self,
        stages: Compilation,
        machine: Machine,
        mapping: Any = None,
        pes: int | None = None,
        where: str = "mapping",
        generated: Collection[str] = (),
        by_measurement: bool = True,
    ) -> None:
        """``mapping`` is what a mapping file holds; ``where`` is what messages call it. Kernels of
        the families ``generated`` are not hand-written; ``by_measurement`` as in
        ``choose_kernels``. Raises ``MappingError``."""
        check_costs(machine)
        check_streaming(machine)
        self.machine = machine
        self.generated = generated
        self.by_measurement = by_measurement
        self.planned = {name: planned(c) for name, c in machine.classes.items()}
        self.lanes, self.has_lanes = True, False
        self.compilation = split_inputs(stages, split_inputs_of(mapping, where), where)
        self.stages: list[Stage] = stages_of(self.compilation)
        usable = machine.usable()
        if pes is not None and not 1 <= pes <= len(usable):
            raise MappingError(
                f"{pes} PEs were asked for; {machine.name} has {len(usable)} that can be used"
            )
        self.pes = range(len(usable) if pes is None else pes)
        self.fixed = Mapping({})
        if mapping is not None:
            self.fixed = parse_mapping(mapping, self.stages, machine, where)
        self.most_work = self.fixed.most_work or (MOST_WORK if pes is None else inf)
        self.is_depth_fixed = mapping is not None and "depth" in mapping
        self.is_complete = all(s.label.data in self.fixed.stages for s in self.stages)

    def capacity(self, pe_class: PeClass, reserve: int) -> int:
        """Bytes for weights and data on a PE of that class."""
        regions = [r for r in pe_class.memory if set(r.holds) & {"constants", "data"}]
        shared = any("code" in region.holds for region in regions)
        kept = pe_class.planned_stack_bytes + _TABLES_RESERVE + (_CODE_RESERVE if shared else 0)
        return sum(region.length for region in regions) - kept - reserve

    def choose(self, reserve: int) -> Mapping | None:
        """A mapping, None if the rule finds none that leaves ``reserve`` more bytes free."""
        usable = self.machine.usable()
        taken = set(self.fixed.pes)
        free = [i for i in self.pes if i not in taken] or list(self.pes)
        workers = []
        for number in free:
            pe_class = self.planned[self.machine.class_of(usable[number]).name]
            workers.append(Worker(number, pe_class, self.capacity(pe_class, reserve)))
        found = balanced(self.stages, workers, self.fixed.stages, self.fixed.source, self.most_work)
        return found and replace(self.fixed, stages=found.stages)

    def anyhow(self) -> Mapping:
        """All that is not fixed on the first PE, so that the check can say what is missing."""
        shards = {
            s.label.data: self.fixed.stages.get(s.label.data)
            or (Shard(Box.whole(shape_of(s.result)), self.pes[0]),)
            for s in self.stages
        }
        return replace(self.fixed, stages=shards)

    def place(self, mapping: Mapping, dump: Dump | None = None) -> Placed:
        """Memory, routes and tables for a mapping. Raises ``DoesNotFitError`` where data alone are
        too much, and ``MappingError`` where tables cannot say it."""
        count = len(self.machine.usable())
        compilation = run_passes(
            self.compilation,
            mapping,
            count,
            self.machine,
            dump,
            self.generated,
            self.lanes,
            self.by_measurement,
        )
        self.has_lanes = compilation.facts["lanes"] > 1
        placed = place_on(compilation, self.machine, mapping)
        precheck(placed)
        return placed

    def deepened(self, mapping: Mapping) -> Mapping:
        """Deeper slots where credits would be slower than the busiest PE: skip connections."""
        mesh = to_mesh(self.compilation, mapping, len(self.machine.usable()))
        (op,) = mesh.module.ops
        assert isinstance(op, MeshOp)
        depths = dict(mapping.depths)
        operands = {s.label.data: sum(1 for _ in variables(s)) for s in self.stages}
        for (place, read), depth in deeper(op, self.machine, mapping.source).items():
            for label, number, operand in mesh.facts["readers"][place][read]:
                key = label, number
                if key not in self.fixed.depths:
                    row = list(depths.get(key, (mapping.default_depth,) * operands[label]))
                    row[operand] = depth
                    depths[key] = tuple(row)
        return replace(mapping, depths=depths)

    def search(self, use: Callable[[Mapping], _T]) -> _T:
        """Calls ``use`` with one mapping after the other until it raises no ``DoesNotFitError``."""
        if self.is_complete:
            return self.attempt(use, self.fixed)
        last: DoesNotFitError | None = None
        for depth, deepen in ((2, True), (2, False), (1, False)):
            reserve = 0
            for _ in range(_ATTEMPTS):
                mapping = self.choose(reserve)
                if mapping is None:
                    break
                if not self.is_depth_fixed:
                    mapping = replace(mapping, default_depth=depth)
                try:
                    return self.attempt(use, self.deepened(mapping) if deepen else mapping)
                except DoesNotFitError as error:
                    last = error
                    reserve += max(_SLACK, error.needed - error.available + _SLACK)
        if last is not None:
            raise last
        mapping = self.anyhow()
        try:
            return self.attempt(
                use, mapping if self.is_depth_fixed else replace(mapping, default_depth=1)
            )
        except DoesNotFitError as error:
            if len(self.machine.usable()) == 1:
                raise
            raise self.refusal(error.needed) from None

    def attempt(self, use: Callable[[Mapping], _T], mapping: Mapping) -> _T:
        """One mapping; without lanes where these are what does not fit."""
        self.lanes = True
        try:
            return use(mapping)
        except DoesNotFitError:
            if not self.has_lanes:
                raise
        self.lanes = False
        return use(mapping)

    def refusal(self, needed: int) -> WeftError:
        """Why the rule finds no mapping, when all on one PE would take ``needed`` bytes."""
        usable = self.machine.usable()
        room = sum(self.capacity(self.machine.class_of(usable[i]), 0) for i in self.pes)
        count = "one PE" if len(self.pes) == 1 else f"{len(self.pes)} PEs"
        whose = f"the network on {count} of {self.machine.name}"
        if needed > room:
            weights = sum(data.nbytes for data in self.compilation.constants.values())
            could_stream = "dram" in self.machine.links and self.machine.weights != "dram"
            dram = "--weights dram, " if could_stream else ""
            return DoesNotFitError(
                whose,
                "memory for weights and data",
                needed,
                room,
                f"weights {weights}",
                f"use more PEs, {dram}or a machine with more memory a PE",
            )
        return MappingError(
            f"{whose} does not fit by rule, which cuts whole stages: cut the largest by hand "
            "(--mapping), use more PEs, or a machine with more memory a PE"
        )

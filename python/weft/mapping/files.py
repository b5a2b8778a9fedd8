# SPDX-License-Identifier: Apache-2.0
"""Mappings as JSON (docs/formats/mapping.md): reading with a message for every mistake, writing."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Table
from typing import Any, NoReturn

import numpy as np

from weft.dialects.stages import Stage
from weft.dialects.stages.base import shape_of, variables
from weft.dialects.stages.box import Box, CutError
from weft.errors import MappingError
from weft.machines.model import Machine, Pe
from weft.mapping.mapping import DEFAULT_DEPTH, DRAM, HOST, Mapping, Shard
from weft.mapping.source import shown
from weft.mapping.split import cuttable_axes, split, split_along

FORMAT = 1
_MAX_DEPTH = 1 << 12
_MOST_WORK = 1e6
#: Names of the axes of a result of that rank.
AXES = {
    4: ("batch", "height", "width", "channels"),
    3: ("batch", "width", "channels"),
    2: ("batch", "channels"),
    1: ("channels",),
}


class _Reader:
    def __init__(self, where: str, stages: Sequence[Stage], machine: Machine) -> None:
        self.where = where
        self.stages = {s.label.data: s for s in stages}
        self.machine = machine
        self.usable = machine.usable()
        self.numbers = {pe: i for i, pe in enumerate(self.usable)}
        self.depths: dict[tuple[str, int], tuple[int, ...]] = {}

    def fail(self, place: str, what: str) -> NoReturn:
        raise MappingError(f"{self.where}: {place}: {what}")

    def table(self, data: Any, place: str, keys: Table[str, bool]) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail(place, f"must be an object, not {shown(data)}")
        for key in data:
            if key not in keys:
                self.fail(place, f"unknown key '{key}'; known are {', '.join(keys)}")
        for key, needed in keys.items():
            if needed and key not in data:
                self.fail(place, f"'{key}' is missing")
        return data

    def integers(self, data: Any, place: str, count: int, least: int) -> tuple[int, ...]:
        if (
            not isinstance(data, list)
            or len(data) != count
            or not all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in data)
        ):
            self.fail(place, f"must be {count} integers of {least} or more, not {shown(data)}")
        return tuple(data)

    def mapping(self, data: Any) -> Mapping:
        optional = ("machine", "model", "source", "depth", "split_inputs", "most_work")
        keys = {"format": True, "stages": True, **dict.fromkeys(optional, False)}
        data = self.table(data, "the file", keys)
        if type(data["format"]) is not int or data["format"] != FORMAT:
            self.fail("format", f"is {shown(data['format'])}; this Weft reads format {FORMAT}")
        if data.get("machine", self.machine.name) != self.machine.name:
            self.fail("machine", f"is for {shown(data['machine'])}, not for {self.machine.name}")
        if not isinstance(data.get("model", ""), str):
            self.fail("model", f"must be a text, not {shown(data['model'])}")
        if not isinstance(data["stages"], dict):
            self.fail("stages", f"must be an object, not {shown(data['stages'])}")
        stages = {}
        for name, value in data["stages"].items():
            place = f"stages['{name}']"
            if name not in self.stages:
                self.fail(place, no_such_stage(name, self.stages))
            stages[name] = self.shards(self.stages[name], value, place)
        source = self.source(data.get("source", HOST))
        depth = self.depth(data.get("depth", DEFAULT_DEPTH), "depth")
        # In the order of the model, so that the order in a file changes nothing.
        stages = {name: stages[name] for name in self.stages if name in stages}
        parts, most_work = split_inputs_of(data, self.where), self.most_work(data)
        return Mapping(stages, source, self.depths, depth, parts, most_work)

    def most_work(self, data: dict[str, Any]) -> float | None:
        if "most_work" not in data:
            return None
        value = data["most_work"]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 1 <= value <= _MOST_WORK:
            self.fail("most_work", f"must be a number from 1 to 1e6, not {shown(value)}")
        return float(value)

    def source(self, data: Any) -> str | int:
        if data == DRAM and DRAM not in self.machine.links:
            self.fail("source", f"{self.machine.name} has no DRAM: its file gives no links.dram")
        if data in (HOST, DRAM):
            return str(data)
        if isinstance(data, str):
            self.fail("source", f"must be '{HOST}', '{DRAM}' or a PE, not {shown(data)}")
        return self.pe(data, "source")

    def pe(self, data: Any, place: str) -> int:
        pe = Pe(*self.integers(data, place, 3, 0))
        if pe in self.numbers:
            return self.numbers[pe]
        if pe in self.machine.reserved:
            self.fail(place, f"PE {pe} of {self.machine.name} is set aside for management")
        self.fail(place, f"{self.machine.name} has no PE {pe}")

    def shards(self, stage: Stage, data: Any, place: str) -> tuple[Shard, ...]:
        if isinstance(data, dict):
            return self.spread(stage, data, place)
        if not isinstance(data, list) or not data:
            self.fail(
                place, f"must be a list of shards, or an object with 'pes', not {shown(data)}"
            )
        shards = tuple(self.shard(stage, item, i, f"{place}[{i}]") for i, item in enumerate(data))
        self.check_boxes(stage, shards, place)
        return shards

    def spread(self, stage: Stage, data: Any, place: str) -> tuple[Shard, ...]:
        """PEs by hand, boxes by rule."""
        data = self.table(data, place, {"pes": True, "axis": False, "depth": False})
        if not isinstance(data["pes"], list) or not data["pes"]:
            self.fail(f"{place}.pes", f"must be a list of PEs, not {shown(data['pes'])}")
        pes = [self.pe(pe, f"{place}.pes[{i}]") for i, pe in enumerate(data["pes"])]
        shape = shape_of(stage.result)
        if "axis" in data:
            names = AXES.get(len(shape), ())
            if data["axis"] not in names:
                self.fail(f"{place}.axis", f"is none of {', '.join(names)}: {shown(data['axis'])}")
            axis = names.index(data["axis"])
            if len(pes) > 1 and axis not in cuttable_axes(stage):
                self.fail(f"{place}.axis", f"the stage ({stage.kind}) cannot be cut along it")
            boxes = split_along(stage, axis, len(pes))
            if not boxes:
                what = f"{shape[axis]} cannot be cut into {len(pes)} pieces that it can compute"
                self.fail(f"{place}.axis", f"the stage ({stage.kind}): {what}")
        else:
            pe_class = self.machine.class_of(self.usable[pes[0]])
            boxes = split(stage, len(pes), pe_class)
            if len(boxes) < len(pes):
                self.fail(
                    f"{place}.pes", f"the stage ({stage.kind}) cannot be cut into {len(pes)} pieces"
                )
        if "depth" in data:
            for i in range(len(pes)):
                self.depths[stage.label.data, i] = self.operand_depths(
                    stage, data["depth"], f"{place}.depth"
                )
        return tuple(Shard(box, pe) for box, pe in zip(boxes, pes, strict=True))

    def shard(self, stage: Stage, data: Any, number: int, place: str) -> Shard:
        data = self.table(data, place, {"pe": True, "begin": True, "shape": True, "depth": False})
        whole = shape_of(stage.result)
        begin = self.integers(data["begin"], f"{place}.begin", len(whole), 0)
        shape = self.integers(data["shape"], f"{place}.shape", len(whole), 1)
        box = Box(begin, shape)
        if not box.is_inside(whole):
            self.fail(place, f"ends at {list(box.end)}, outside of the result of {list(whole)}")
        try:
            stage.cut(box)
        except CutError as error:
            self.fail(place, f"the stage ({stage.kind}) cannot compute this box alone: {error}")
        if "depth" in data:
            self.depths[stage.label.data, number] = self.operand_depths(
                stage, data["depth"], f"{place}.depth"
            )
        return Shard(box, self.pe(data["pe"], f"{place}.pe"))

    def operand_depths(self, stage: Stage, data: Any, place: str) -> tuple[int, ...]:
        """One for all operands, or a list with one for each."""
        count = sum(1 for _ in variables(stage))
        if not isinstance(data, list):
            return (self.depth(data, place),) * count
        if len(data) != count:
            given = f"{len(data)} depth{' is' if len(data) == 1 else 's are'} given"
            self.fail(place, f"the stage reads {count} tensor{'s'[: count != 1]}, and {given}")
        return tuple(self.depth(d, f"{place}[{i}]") for i, d in enumerate(data))

    def depth(self, data: Any, place: str) -> int:
        is_integer = isinstance(data, int) and not isinstance(data, bool)
        if not is_integer or not 1 <= data <= _MAX_DEPTH or data & (data - 1):
            self.fail(place, f"must be a power of two up to {_MAX_DEPTH}, not {shown(data)}")
        return int(data)

    def check_boxes(self, stage: Stage, shards: Sequence[Shard], place: str) -> None:
        owner = np.full(shape_of(stage.result), -1, np.int32)
        for number, shard in enumerate(shards):
            where = tuple(slice(b, e) for b, e in zip(shard.box.begin, shard.box.end, strict=True))
            taken = owner[where].max()
            if taken >= 0:
                self.fail(f"{place}[{number}]", f"overlaps shard {taken}")
            owner[where] = number
        if (owner < 0).any():
            missing = [int(n) for n in np.argwhere(owner < 0)[0]]
            self.fail(place, f"no shard computes element {missing} of the result")


def split_inputs_of(data: Any, where: str = "mapping") -> dict[str, int]:
    """The stages that a mapping cuts over their input channels. Raises ``MappingError``."""
    table = data.get("split_inputs", {}) if isinstance(data, dict) else {}
    if not isinstance(table, dict):
        raise MappingError(f"{where}: split_inputs: must be an object, not {shown(table)}")
    for name, count in table.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 2:
            raise MappingError(
                f"{where}: split_inputs['{name}']: must be an integer of 2 or more, "
                f"not {shown(count)}"
            )
    return table


def no_such_stage(name: str, known: Iterable[str]) -> str:
    """For a message: the name is none, and what may have been meant."""
    near = difflib.get_close_matches(name, list(known), 1)
    hint = f"did you mean '{near[0]}'?" if near else "`weft graph` lists them"
    return f"the model has no such stage; {hint}"


def parse_mapping(
    data: Any, stages: Sequence[Stage], machine: Machine, where: str = "mapping"
) -> Mapping:
    """A mapping from what ``json`` gives, for a model's stages as ``split_inputs`` left them.
    Stages that it does not name are left out. Raises ``MappingError``."""
    return _Reader(where, stages, machine).mapping(data)


def mapping_data(mapping: Mapping, machine: Machine, model: str) -> dict[str, Any]:
    """A whole mapping as plain data, for ``json``."""
    pes = [[pe.x, pe.y, pe.index] for pe in machine.usable()]

    def shard(name: str, number: int, item: Shard) -> dict[str, Any]:
        row = {"pe": pes[item.pe], "begin": list(item.box.begin), "shape": list(item.box.shape)}
        depths = mapping.depths.get((name, number))
        return row if depths is None else {**row, "depth": list(depths)}

    source = mapping.source
    return {
        "format": FORMAT,
        "model": model,
        "machine": machine.name,
        "source": pes[source] if isinstance(source, int) else source,
        "depth": mapping.default_depth,
        "split_inputs": dict(mapping.split_inputs),
        "stages": {
            name: [shard(name, i, item) for i, item in enumerate(shards)]
            for name, shards in mapping.stages.items()
        },
    }


def mapping_text(mapping: Mapping, machine: Machine, model: str) -> str:
    """A mapping file, one line a shard."""
    data = mapping_data(mapping, machine, model)
    stages = data.pop("stages")
    head = "".join(f" {json.dumps(k)}: {json.dumps(v)},\n" for k, v in data.items())
    listed = ",\n".join(
        f"  {json.dumps(name)}: [\n   " + ",\n   ".join(json.dumps(s) for s in shards) + "]"
        for name, shards in stages.items()
    )
    return f'{{\n{head} "stages": {{\n{listed}\n }}\n}}\n'

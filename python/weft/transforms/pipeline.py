# SPDX-License-Identifier: Apache-2.0
"""The passes between the stage graph and C, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.printer import Printer

from weft.devices.accelerator import accelerators_by_class
from weft.dialects.fabric import MeshOp
from weft.dialects.pe import ShardOp
from weft.errors import ProgramError
from weft.machines.model import Machine
from weft.mapping.mapping import Mapping
from weft.mapping.timing import timing
from weft.transforms.choose_devices import choose_devices
from weft.transforms.choose_kernels import choose_kernels
from weft.transforms.compilation import Compilation
from weft.transforms.connect import connect
from weft.transforms.overlap import overlap
from weft.transforms.plan_memory import plan_memory
from weft.transforms.shards_to_pe import shards_to_pe
from weft.transforms.stream_weights import stream_weights
from weft.transforms.to_mesh import to_mesh

#: What follows the mapping.
PASSES: tuple[tuple[str, Callable[..., Compilation]], ...] = (
    ("choose-devices", choose_devices),
    ("choose-kernels", choose_kernels),
    ("stream-weights", stream_weights),
    ("shards-to-pe", shards_to_pe),
    ("overlap", overlap),
    ("plan-memory", plan_memory),
    ("connect", connect),
)


class Dump:
    """Writes the IR after every pass, numbered, into a folder; or nowhere."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.number = 0
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ProgramError(f"{folder} cannot be made: {error.strerror}") from None

    def text(self, name: str, suffix: str, text: str) -> None:
        """One file."""
        if self.folder is not None:
            path = self.folder / f"{self.number:02d}-{name}{suffix}"
            path.write_text(text, encoding="utf-8")
        self.number += 1

    def module(self, name: str, module: ModuleOp) -> None:
        """One file of MLIR."""
        if self.folder is None:
            self.number += 1
            return
        stream = StringIO()
        Printer(stream).print_op(module)
        self.text(name, ".mlir", stream.getvalue() + "\n")


def _devices_of(machine: Machine) -> dict[str, Any]:
    """The devices of every PE that has any, and what work costs there."""
    classes = {n: machine.class_of(pe) for n, pe in enumerate(machine.usable())}
    known = accelerators_by_class(machine.device_uses())
    return {
        "devices": {n: known[c.name] for n, c in classes.items() if c.devices},
        "costs": {n: c.cost for n, c in classes.items() if c.devices},
        "facts": {"weights": machine.weights},
    }


def run_passes(
    stages: Compilation,
    mapping: Mapping,
    pe_count: int,
    machine: Machine | None = None,
    dump: Dump | None = None,
    generated: Collection[str] = (),
    lanes: bool = True,
    by_measurement: bool = True,
) -> Compilation:
    """From a stage graph to a mesh with addresses and routes. With a ``machine``, what the model of
    time says of it is among the facts. Kernels of the families ``generated`` are not hand-written.
    ``lanes`` as in ``plan_memory``, ``by_measurement`` as in ``choose_kernels``.
    """
    dump = dump or Dump(None)
    compilation = to_mesh(stages, mapping, pe_count)
    dump.module("to-mesh", compilation.module)
    if machine is not None:
        compilation = replace(compilation, **_devices_of(machine))
    mapped = compilation.module
    options: dict[object, dict[str, Any]] = {
        choose_kernels: {"generated": generated, "by_measurement": by_measurement},
        plan_memory: {"lanes": lanes},
    }
    for name, run in PASSES:
        compilation = run(compilation, **options.get(run, {}))
        dump.module(name, compilation.module)
    if machine is None:
        return compilation
    timed = timing(
        _mesh_of(mapped),
        machine,
        mapping.source,
        _shards_of(_mesh_of(compilation.module)) if any(compilation.devices.values()) else (),
        compilation.devices,
    )
    facts = {
        "timing": timed.facts(),
        "firings": timed.firings,
        "transfers": timed.transfers,
        "dram_bytes": timed.dram_bytes,
    }
    return replace(compilation, facts={**compilation.facts, **facts})


def _mesh_of(module: ModuleOp) -> MeshOp:
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    return mesh


def _shards_of(mesh: MeshOp) -> list[ShardOp]:
    """What became of every place, in their order."""
    templates = mesh.templates
    found = [templates[place.template_name] for place in mesh.places]
    return [shard for shard in found if isinstance(shard, ShardOp)]

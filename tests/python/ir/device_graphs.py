"""Small stage graphs for PEs with devices, through the passes one by one."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ir.text import DEVICE_GRAPHS, parse
from weft.devices.accelerator import accelerators
from weft.dialects.fabric import MeshOp
from weft.dialects.stages import Constant
from weft.dialects.stages.base import dtype_of, shape_of
from weft.dialects.stages.box import Box
from weft.machines.model import CostData
from weft.mapping.mapping import Mapping, Shard
from weft.transforms.compilation import Compilation, stages_of
from weft.transforms.pipeline import PASSES
from weft.transforms.to_mesh import to_mesh

NAMES = sorted(path.stem for path in DEVICE_GRAPHS.glob("*.mlir"))
#: A device of a PE: its name there, its kind, its options.
Use = tuple[str, str, Table[str, Any]]
MAC_ARRAY: Use = ("mac_array", "mac_array", {})
#: Fixed, so that tiles do not change with what is fitted.
COSTS = CostData(job=400.0, requantize=9.0)


def _data(key: str, shape: Sequence[int], dtype: str) -> np.ndarray:
    """Constants that all differ, with scales that a kernel can do; large ones are all 127."""
    data = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    if key.endswith("_shift"):
        data[...] = -8
    elif key.endswith("_multiplier"):
        data[...] += 2**30
    elif key.startswith("large"):
        data[...] = 127
    return data


def stages(text: str) -> Compilation:
    """A stage graph and its constants."""
    module = parse(text)
    found = [op for op in module.walk() if isinstance(op, Constant)]
    data = {op.key.data: (shape_of(op.result), dtype_of(op.result.type)) for op in found}
    return Compilation(module, {key: _data(key, *about) for key, about in data.items()})


def on_mesh(graph: Compilation, uses: Table[int, Sequence[Use]], pes: int = 1) -> Compilation:
    """All of it on every one of ``pes`` PEs in turn, stage after stage; PE ``n`` has devices
    ``uses[n]``."""
    places = {
        s.label.data: (Shard(Box.whole(shape_of(s.result)), n % pes),)
        for n, s in enumerate(stages_of(graph))
    }
    made = to_mesh(graph, Mapping(places), pes)
    devices = {pe: accelerators(used) for pe, used in uses.items()}
    return replace(made, devices=devices, costs=dict.fromkeys(devices, COSTS))


def steps(name: str, uses: Sequence[Use] = (MAC_ARRAY,)) -> dict[str, Compilation]:
    """What every pass makes of a graph on one PE."""
    graph = stages((DEVICE_GRAPHS / f"{name}.mlir").read_text(encoding="utf-8"))
    made = {"to-mesh": on_mesh(graph, {0: uses})}
    for step, run in PASSES:
        made[step] = run(list(made.values())[-1])
    return made


def mesh_of(compilation: Compilation) -> MeshOp:
    (mesh,) = compilation.module.ops
    assert isinstance(mesh, MeshOp)
    return mesh

# SPDX-License-Identifier: Apache-2.0
"""What the passes hand on to each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from weft.devices.accelerator import Accelerator
from weft.dialects.stages import Stage, StageGraph
from weft.kernels.base import Kernel
from weft.machines.model import CostData


def constant_key(data: np.ndarray[Any, Any]) -> str:
    """What constant data is found by: it follows from the contents, so it is reproducible."""
    header = f"{data.dtype}{data.shape}".encode()
    return f"c{hashlib.sha256(header + data.tobytes()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Compilation:
    """A module and what lies beside it: constant data by key, kernels by name, facts for the
    manifest. Passes return a new one and leave the old one as it was.

    ``alignments`` are those of constants that devices read, in bytes by key. ``devices`` are those
    of PEs, by number, where there are any; ``costs`` what work costs there.
    """

    module: ModuleOp
    constants: Mapping[str, np.ndarray[Any, Any]]
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    alignments: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[int, tuple[Accelerator, ...]] = field(default_factory=dict)
    costs: Mapping[int, CostData] = field(default_factory=dict)


def stages_of(compilation: Compilation) -> list[Stage]:
    """The stages of a module that holds a stage graph, in order."""
    (graph,) = compilation.module.ops
    assert isinstance(graph, StageGraph)
    return [op for op in graph.body.block.ops if isinstance(op, Stage)]

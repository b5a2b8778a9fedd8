# SPDX-License-Identifier: Apache-2.0
"""A stage graph that no model was read for, compiled for one PE."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from weft.codegen.build import finish
from weft.kernels.module import kernel_module
from weft.machines import Machine
from weft.mapping.mapping import Mapping as NetworkMapping
from weft.placing import Placing
from weft.program import Program, load_program
from weft.transforms.compilation import Compilation


def compile_stages(
    graph: Compilation,
    machine: Machine,
    folder: Path,
    generated: Collection[str] = (),
    by_measurement: bool = True,
) -> Program:
    """Writes the program to ``folder``. Kernels of the families ``generated`` are not hand-written;
    ``by_measurement`` as in ``choose_kernels``.

    Raises what ``weft.compile`` raises behind its importers.
    """
    copied = replace(graph, module=graph.module.clone())
    placing = Placing(copied, machine, pes=1, generated=generated, by_measurement=by_measurement)

    def write(mapping: NetworkMapping) -> None:
        placed = placing.place(mapping)
        folder.mkdir(exist_ok=True)
        kernels = kernel_module(placed.compilation.kernels.values(), None)
        finish(placed, kernels, folder, "layers", None)

    placing.search(write)
    return load_program(folder)

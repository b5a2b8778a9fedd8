# SPDX-License-Identifier: Apache-2.0
"""Weft weaves neural networks into meshes of small processing elements.

The public nouns: ``compile`` makes a ``Program`` from a model, ``load`` reads one back, a
``Machine`` describes the hardware, a ``Session`` runs frames. Importing this package imports
nothing heavy; TVM is imported when something is compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.compiler import check_mapping
    from weft.compiler import compile_model as compile
    from weft.engines.mesh import Mesh
    from weft.engines.session import Session
    from weft.exported_graph import cost, graph
    from weft.machines import Machine, load_machine
    from weft.program import Program
    from weft.program import load_program as load
    from weft.tuning import tune_model as tune

__version__ = "0.1.0"

__all__ = [
    "Machine",
    "Mesh",
    "Program",
    "Session",
    "__version__",
    "check_mapping",
    "compile",
    "cost",
    "graph",
    "load",
    "load_machine",
    "tune",
]

_HOME = {
    "Machine": ("weft.machines", "Machine"),
    "Mesh": ("weft.engines.mesh", "Mesh"),
    "Program": ("weft.program", "Program"),
    "Session": ("weft.engines.session", "Session"),
    "check_mapping": ("weft.compiler", "check_mapping"),
    "compile": ("weft.compiler", "compile_model"),
    "cost": ("weft.exported_graph", "cost"),
    "graph": ("weft.exported_graph", "graph"),
    "load": ("weft.program", "load_program"),
    "load_machine": ("weft.machines", "load_machine"),
    "tune": ("weft.tuning", "tune_model"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'weft' has no attribute '{name}'")
    from importlib import import_module

    module, attribute = _HOME[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

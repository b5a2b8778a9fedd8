# SPDX-License-Identifier: Apache-2.0
"""Reads the TVMScript of kernels: decorate them with ``script.prim_func``, of this module."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from tvm import tirx
from tvm.script import from_source


def prim_func(*, s_tir: bool) -> Callable[[Callable[..., Any]], tirx.PrimFunc]:
    """What TVM's decorator of this name does, for functions whose body names all that their
    annotations do, such as ``T``. The parser knows it as ``script.prim_func`` only.

    TVM's collects the source text of everything that is active when it is called, twice a function:
    from deep inside of a program that takes longer than to read the kernel.
    """
    del s_tir  # the parser reads it in the source

    def parsed(function: Callable[..., Any]) -> tirx.PrimFunc:
        captured = inspect.getclosurevars(function)
        # The parser looks the decorator up as well.
        names = {**captured.globals, **captured.nonlocals, "script": sys.modules[__name__]}
        return from_source(function, names)

    parsed.dispatch_token = "tirx"  # type: ignore[attr-defined]
    return parsed

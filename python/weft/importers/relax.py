# SPDX-License-Identifier: Apache-2.0
"""Relax modules that a user made with TVM's own importers or by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tvm
from tvm import relax

from weft.errors import ModelError


def bind_parameters(module: tvm.IRModule, name: str, params: Mapping[str, Any]) -> tvm.IRModule:
    """Checks that there is a Relax ``main`` and replaces its parameters by constants."""
    if "main" not in [g.name_hint for g in module.get_global_vars()] or not isinstance(
        module["main"], relax.Function
    ):
        raise ModelError(f"{name}: the module has no Relax function called main")
    names = {p.name for p in module["main"].params}
    unknown = sorted(set(params) - names)
    if unknown:
        raise ModelError(f"{name}: main has no parameter {unknown[0]}; it has {sorted(names)}")
    if not params:
        return module
    arrays = {key: tvm.runtime.tensor(np.asarray(value)) for key, value in params.items()}
    return relax.transform.BindParams("main", arrays)(module)

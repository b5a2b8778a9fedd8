# SPDX-License-Identifier: Apache-2.0
"""What stands for a result that cannot be computed, so that what uses it can be looked at too.

It has a type and no value: a shape that a damaged file claims costs no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm import relax

_NAME = "weft.unsupported"


def stand_in(shape: Sequence[int], dtype: str) -> Any:
    """An expression of this type."""
    return relax.Call(relax.ExternFunc(_NAME), [], {}, [relax.TensorType(list(shape), dtype)])


def is_stand_in(expression: Any) -> bool:
    """Whether ``expression`` is what ``stand_in`` made."""
    if not isinstance(expression, relax.Call) or not isinstance(expression.op, relax.ExternFunc):
        return False
    return str(expression.op.global_symbol) == _NAME

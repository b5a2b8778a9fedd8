# SPDX-License-Identifier: Apache-2.0
"""Functions of one dequantised element: any chain of element-wise operators, as a table.

The floats are those that ONNX Runtime has for the same operators, or their neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from weft.relax.context import Context
from weft.relax.expressions import op_name, shape_of
from weft.relax.onnx_contract import dequantized, logistic
from weft.relax.tflite_contract import Array

# Operators between a dequantise and a quantise; more are not looked at.
_MAX_DEPTH = 16

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
}


def values_of(context: Context, expression: Any) -> tuple[Any, Array] | None:
    """The dequantise that ``expression`` is a function of, and its float32 values for int8 of
    -128..127; None if it is no such function.

    A sum or product with another dequantise is none: it has numbers of its own.
    """
    found = _values(context, expression, _MAX_DEPTH)
    return None if found is None or found[0] is None else found


def _values(context: Context, expression: Any, depth: int) -> tuple[Any | None, Array] | None:
    """The same, and (None, number) for a constant number."""
    call = context.bindings.define(expression)
    constant = context.bindings.array(call)
    if constant is not None:
        is_number = constant.size == 1 and constant.dtype == np.float32
        return (None, constant.reshape(())) if is_number else None
    name = op_name(call)
    if name == "dequantize":
        if context.bindings.array(call.args[0]) is not None:
            return None
        quantization = context.dequantized(call)[1]
        return call, dequantized(*quantization.single)
    if depth == 0 or name is None:
        return None
    if name in _BINARY:
        return _combined(context, call, name, depth)
    unary = _unary(context, call, name)
    inner = None if unary is None else _values(context, call.args[0], depth - 1)
    if unary is None or inner is None or inner[0] is None:
        return None
    return inner[0], unary(inner[1])


def _combined(context: Context, call: Any, name: str, depth: int) -> tuple[Any, Array] | None:
    operands = [context.bindings.define(a) for a in call.args]
    if all(op_name(o) == "dequantize" for o in operands):
        return None
    sides = [_values(context, o, depth - 1) for o in operands]
    if sides[0] is None or sides[1] is None:
        return None
    sources = [source for source, _ in sides if source is not None]  # type: ignore[misc]
    if not sources or any(not s.same_as(sources[0]) for s in sources):
        return None
    if shape_of(call) != shape_of(sources[0]):
        return None
    with np.errstate(all="ignore"):
        values = _BINARY[name](sides[0][1], sides[1][1])
    return sources[0], np.asarray(values, np.float32)


def _unary(context: Context, call: Any, name: str) -> Callable[[Array], Array] | None:
    if name == "nn.relu":
        return lambda x: np.maximum(x, np.float32(0.0))
    if name == "clip":
        low, high = (np.float32(limit) for limit in context.limits_of(call))
        return lambda x: np.minimum(np.maximum(x, low), high)
    if name == "nn.leakyrelu":
        alpha = np.float32(call.attrs.alpha)
        return lambda x: np.where(x >= 0, x, x * alpha)
    if name == "sigmoid":
        return logistic
    if name == "tanh":
        return np.tanh
    return None

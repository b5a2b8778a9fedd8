"""Relax modules that contradict themselves, put together without TVM's own checks.

Run by test_odd_relax.py in a process of its own, since TVM reads what is not there: prints a line
of JSON for each, before and after.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from tvm import relax

from weft.errors import WeftError
from weft.importers import import_model
from weft.relax.to_integer import to_integer

SHAPE = (1, 4, 4, 2)


def _type(shape: tuple[int, ...] = SHAPE, dtype: str = "int8") -> relax.TensorType:
    return relax.TensorType(list(shape), dtype)


X = relax.Var("x", _type())
WEIGHTS = relax.const(np.ones((3, 3, 3, 2), np.int8), "int8")
SCALE, ZERO = relax.const(np.float32(0.1), "float32"), relax.const(np.int32(0), "int32")


def _module(result: relax.Var, *bindings: relax.VarBinding) -> tvm.IRModule:
    body = relax.SeqExpr([relax.DataflowBlock(list(bindings))], result)
    return tvm.IRModule({"main": relax.Function([X], body, result.ty)})


def _calling(operator: str, *operands: Any, attrs: Any = None) -> tvm.IRModule:
    y = relax.Var("y", _type())
    call = relax.Call(tvm.ir.Op.get(f"relax.{operator}"), list(operands), attrs)
    return _module(y, relax.VarBinding(y, call))


def _never_defined() -> tvm.IRModule:
    y, unknown = relax.Var("y", _type()), relax.Var("unknown", _type())
    module = _module(y, relax.VarBinding(y, relax.op.nn.relu(unknown)))
    return relax.transform.Normalize()(module)


def _in_a_circle() -> tvm.IRModule:
    y, z = relax.Var("y", _type()), relax.Var("z", _type())
    module = _module(y, relax.VarBinding(y, z), relax.VarBinding(z, y))
    return relax.transform.Normalize()(module)


def _other_shape() -> tvm.IRModule:
    y = relax.Var("y", _type((1, 9)))
    module = _module(y, relax.VarBinding(y, relax.op.nn.relu(X)))
    return relax.transform.Normalize()(module)


# What the message says of each.
CASES: dict[str, tuple[str, Callable[[], tvm.IRModule]]] = {
    "convolution": ("no attributes", lambda: _calling("nn.conv2d", X, WEIGHTS)),
    "dequantise": ("no attributes", lambda: _calling("dequantize", X, SCALE, ZERO)),
    "concat": ("no attributes", lambda: _calling("concat", relax.Tuple([X, X]))),
    "pool": ("no attributes", lambda: _calling("nn.max_pool2d", X)),
    "mean": ("no attributes", lambda: _calling("mean", X)),
    "matmul": ("no attributes", lambda: _calling("matmul", X, X)),
    "other attributes": (
        "not relax.attrs.PadAttrs",
        lambda: _calling("nn.pad", X, ZERO, attrs=relax.op.nn.max_pool2d(X).attrs),
    ),
    "no operands": ("no attributes", lambda: _calling("dequantize")),
    "clip without limits": ("no type", lambda: _calling("clip", X)),
    "reshape": ("no type", lambda: _calling("reshape", X, relax.ShapeExpr([1, 2]))),
    "never defined": ("unknown is not defined", _never_defined),
    "in a circle": ("z is not defined", _in_a_circle),
    "other shape": ("cannot be assigned", _other_shape),
}


def main() -> None:
    """Every case, alone and with a parameter to bind."""
    for name, (_, build) in CASES.items():
        for params in (None, {"x": np.zeros(SHAPE, np.int8)}):
            title = f"{name}, bound" if params else name
            print(json.dumps([title]), flush=True)
            try:
                module, unsupported = import_model(build(), "module", params)
                to_integer(module, "module", unsupported)
                outcome = "accepted"
            except WeftError as error:
                outcome = str(error)
            print(json.dumps([title, outcome]), flush=True)


if __name__ == "__main__":
    main()

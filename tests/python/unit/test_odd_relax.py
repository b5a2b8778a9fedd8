"""Relax modules with odd parts: refused in one line that names the place, never anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from unit.odd_relax import CASES
from weft.errors import UnsupportedError
from weft.importers import import_model
from weft.relax.to_integer import to_integer

WORKER = Path(__file__).with_name("odd_relax.py")
op = relax.op


def test_modules_that_tvm_did_not_check() -> None:
    paths = os.pathsep.join([str(WORKER.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, WORKER],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": paths},
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1:], done.stderr)
    outcomes = dict(line for line in lines if len(line) == 2)
    assert len(outcomes) == 2 * len(CASES)
    for title, message in outcomes.items():
        wanted, _ = CASES[title.removesuffix(", bound")]
        assert wanted in message and "\n" not in message, (title, message)


# Modules that TVM finds well-formed


def _const(value: Any, dtype: str = "float32") -> Any:
    return relax.const(np.asarray(value, dtype), dtype)


def _dequantize(x: Any, scale: float = 0.1, zero_point: Any = 0, dtype: str = "int32") -> Any:
    return op.dequantize(x, _const(scale), _const(zero_point, dtype))


def _quantize(x: Any, scale: float = 0.1, zero_point: int = 0) -> Any:
    return op.quantize(x, _const(scale), _const(zero_point, "int32"), out_dtype="int8")


Body = Callable[[relax.BlockBuilder, Any], Any]


def _integer(shape: tuple[int, ...], body: Body, dtype: str = "int8") -> tvm.IRModule:
    """The integer stages of a module with one input."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(list(shape), dtype))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit_output(body(builder, x))
        builder.emit_func_output(y)
    module, unsupported = import_model(builder.get(), "module", None)
    return to_integer(module, "module", unsupported)


def _between(function: Callable[[Any], Any]) -> Body:
    """What ``function`` makes of the dequantised input, quantised."""
    return lambda b, x: _quantize(b.emit(function(b.emit(_dequantize(x)))))


def _biased(shape: tuple[int, ...], axis: int = -1, scales: int = 1) -> Body:
    def body(b: relax.BlockBuilder, x: Any) -> Any:
        w = _const(np.ones((2, 1, 1, 2)), "int8")
        real = b.emit(_dequantize(x)), b.emit(_dequantize(w))
        sums = b.emit(op.nn.conv2d(*real, data_layout="NHWC", kernel_layout="OHWI"))
        scale = _const(np.full(scales, 0.01) if scales > 1 else 0.01)
        points = _const(np.zeros(scales) if scales > 1 else 0, "int32")
        bias = b.emit(op.dequantize(_const(np.ones(shape), "int32"), scale, points, axis=axis))
        return _quantize(b.emit(op.add(sums, bias)))

    return body


IMAGE = (1, 4, 4, 2)
ODD: dict[str, tuple[str, Body]] = {
    "scale of NaN": ("positive", lambda b, x: _quantize(b.emit(_dequantize(x, float("nan"))))),
    "scale of 0": ("positive", lambda b, x: _quantize(b.emit(_dequantize(x)), 0.0)),
    "zero point of 128": ("zero point 128", lambda b, x: _quantize(b.emit(_dequantize(x)), 1, 128)),
    "half a zero point": (
        "no integer",
        lambda b, x: _quantize(b.emit(_dequantize(x, 0.1, 0.5, "float16"))),
    ),
    "limit of NaN": ("limit", lambda b, x: op.clip(x, float("nan"), 3)),
    "limits crossed": ("limits of 5.0 and 3.0", lambda b, x: op.clip(x, 5, 3)),
    "activation crossed": ("limits of 5.0 and 3.0", _between(lambda r: op.clip(r, 5, 3))),
    "slope of NaN": ("nan", _between(lambda r: op.nn.leakyrelu(r, float("nan")))),
    "mean over nothing": ("no axes", _between(lambda r: op.mean(r, []))),
    "nothing left": ("empty", lambda b, x: op.strided_slice(x, [1], [2], [2])),
    "padding with 300": ("300", lambda b, x: op.nn.pad(x, [0] * 6 + [1, 1], "constant", 300)),
    "padding with inf": (
        "inf",
        _between(lambda r: op.nn.pad(r, [0] * 6 + [1, 1], "constant", float("inf"))),
    ),
    "extremum that rescales": (
        "different scales",
        lambda b, x: _quantize(b.emit(op.maximum(*[b.emit(_dequantize(x))] * 2)), 0.2),
    ),
    "linear resize": ("method linear", lambda b, x: op.image.resize2d(x, (8, 8), layout="NHWC")),
    "resize by other rounding": (
        "rounded by ceil",
        lambda b, x: op.image.resize2d(
            x,
            (8, 8),
            layout="NHWC",
            method="nearest_neighbor",
            coordinate_transformation_mode="asymmetric",
            rounding_method="ceil",
        ),
    ),
    "tuple as result": ("no tensor", lambda b, x: op.split(x, 2, 3)),
    "bias for every pixel": ("bias of shape (1, 4, 4, 2)", _biased(IMAGE)),
    "bias for every row": ("bias of shape (4, 1, 1)", _biased((4, 1, 1))),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_attributes_are_refused_with_their_place(name: str) -> None:
    wanted, body = ODD[name]
    with pytest.raises(UnsupportedError) as caught:
        _integer(IMAGE, body)
    (item,) = caught.value.items
    assert wanted in item and " at '" in item


@pytest.mark.parametrize("shape", [(2,), (1, 2), (1, 1, 1, 2), (1,)])
def test_bias_of_one_number_a_channel(shape: tuple[int, ...]) -> None:
    _integer(IMAGE, _biased(shape, axis=-1, scales=shape[-1]))


@pytest.mark.parametrize(("shape", "dtype"), [((0, 4), "int8"), ((1, 4), "float16")])
def test_inputs_that_no_network_has(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(UnsupportedError, match=r"input 'x' is (empty|float16)"):
        _integer(shape, lambda b, x: op.astype(x, dtype), dtype)


def test_limits_beyond_int8_are_none() -> None:
    _integer(IMAGE, lambda b, x: op.clip(x, -1000, float("inf")))
    _integer(IMAGE, _between(lambda r: op.clip(r, -1e30, 1e30)))


def test_a_network_may_be_deep() -> None:
    """Deeper than Python's stack."""

    def body(b: relax.BlockBuilder, x: Any) -> Any:
        for _ in range(400):
            x = b.emit(_quantize(b.emit(op.nn.relu(b.emit(_dequantize(x)))), 0.2))
            x = b.emit(op.permute_dims(x, [0, 2, 1, 3]))
        return x

    module = _integer(IMAGE, body)
    assert sum(len(block.bindings) for block in module["main"].body.blocks) > 800

"""``relax.ext.weft``: parts of a Relax module on Weft, the rest on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from support.oracle_count import compare
from weft.errors import ModelError
from weft.offload import partition

op = relax.op


def _const(value: Any, dtype: str = "float32") -> Any:
    return relax.const(np.asarray(value, dtype), dtype)


def _mixed_module(seed: int) -> tvm.IRModule:
    """Quantised layers between operators that Weft does not have, with two results."""
    rng = np.random.default_rng(seed)
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType([4, 8], "float32"))

    def layer(x: Any, units: int) -> Any:
        weights = rng.integers(-127, 128, (int(x.ty.shape[-1]), units)).astype(np.int8)
        q = builder.emit(op.quantize(x, _const(0.05), _const(3, "int32"), out_dtype="int8"))
        d = builder.emit(op.dequantize(q, _const(0.05), _const(3, "int32")))
        w = builder.emit(op.dequantize(relax.const(weights), _const(0.01), _const(0, "int32")))
        y = builder.emit(op.nn.relu(builder.emit(op.matmul(d, w))))
        q = builder.emit(op.quantize(y, _const(0.1), _const(-128, "int32"), out_dtype="int8"))
        return builder.emit(op.dequantize(q, _const(0.1), _const(-128, "int32")))

    with builder.function("main", [x]):
        with builder.dataflow():
            order = builder.emit(op.argsort(x, axis=-1, dtype="int32"))
            best = builder.emit(op.topk(layer(x, 16), 6, axis=-1, ret_type="values"))
            result = builder.emit_output(relax.Tuple([layer(best, 5), order]))
        builder.emit_func_output(result)
    return builder.get()


def _run(module: tvm.IRModule, x: np.ndarray) -> list[np.ndarray]:
    virtual = relax.VirtualMachine(relax.build(module, "llvm"), tvm.cpu())
    return [result.numpy() for result in virtual["main"](tvm.runtime.tensor(x))]


def _regions(module: tvm.IRModule) -> list[Any]:
    functions = [f for f in module.functions.values() if isinstance(f, relax.Function)]
    return [f for f in functions if f.attrs and "Codegen" in f.attrs]


def test_a_mixed_module_gives_the_same_numbers() -> None:
    module = _mixed_module(0)
    x = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    parts = partition(module)
    assert len(_regions(parts)) == 2  # on both sides of what Weft does not have
    compiled = relax.transform.RunCodegen({"weft": {"machine": "single-m4"}})(parts)
    text = compiled["main"].script()
    assert text.count("call_dps_packed") == 2 and "R.topk" in text and "R.matmul" not in text
    for result, expected in zip(_run(compiled, x), _run(module, x), strict=True):
        compare(result, expected, "a module that is offloaded in parts")


def test_modules_in_one_process_do_not_meet() -> None:
    x = np.random.default_rng(2).normal(size=(4, 8)).astype(np.float32)
    modules = [_mixed_module(seed) for seed in (3, 4)]
    codegen = relax.transform.RunCodegen({"weft": {"machine": "single-m4"}})
    compiled = [codegen(partition(module)) for module in modules]
    for module, parts in zip(modules, compiled, strict=True):
        for result, expected in zip(_run(parts, x), _run(module, x), strict=True):
            assert np.array_equal(result, expected)


def test_what_stays_on_the_host() -> None:
    module = _mixed_module(5)
    assert not _regions(partition(module, fits=lambda region: False))
    assert not _regions(partition(module, operators=["nn.conv2d"]))
    # Refused by the contract: nothing is left half-way.
    x = np.random.default_rng(6).normal(size=(4, 8)).astype(np.float32)
    host = partition(module, fits=lambda region: False)
    for result, expected in zip(_run(host, x), _run(module, x), strict=True):
        assert np.array_equal(result, expected)


def test_mistakes_are_named() -> None:
    with pytest.raises(ModelError, match=r"TVM has no operator relax\.nothing"):
        partition(_mixed_module(7), operators=["nothing"])
    # What a backend raises comes back through TVM, as its own kind of error.
    with pytest.raises(RuntimeError, match=r"relax\.ext\.weft has no option speed"):
        relax.transform.RunCodegen({"weft": {"speed": "fast"}})(partition(_mixed_module(8)))

# SPDX-License-Identifier: Apache-2.0
"""Parts of a larger Relax module on Weft, the rest on the host: TVM's ``relax.ext.weft``.

>>> module = weft.offload.partition(module)
>>> module = relax.transform.RunCodegen({"weft": {"machine": "grid-4x4"}})(module)
>>> executable = relax.build(module, "llvm")

Regions of operators that Weft has become functions for it; ``RunCodegen`` compiles them, and an
ordinary build makes the rest. The programs live in this process: an executable that is exported
finds them only where the module was partitioned and compiled too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tvm
import tvm_ffi
from tvm import relax
from tvm.relax.dpl import is_op, wildcard

from weft.compiler import stage_graph
from weft.errors import ModelError, WeftError
from weft.relax.contracts import ATTRIBUTE as CONTRACT
from weft.relax.operators import BETWEEN, DIRECT
from weft.relax.operators.floating import ELEMENTWISE

__all__ = ["OPERATORS", "partition"]

_CODEGEN = "weft"
_DTYPES = ("int8", "uint8", "int32", "float32")
#: What is looked for by default, by the names of Relax: operators on integers and between a
#: dequantise and a quantise, and those on floats that join them.
OPERATORS = tuple(
    sorted(
        {"quantize", "dequantize", *BETWEEN, *DIRECT}
        | {name if hasattr(relax.op, name) else f"nn.{name}" for name in ELEMENTWISE}
    )
)


def partition(
    module: tvm.IRModule,
    operators: Sequence[str] = OPERATORS,
    contract: str = "onnxruntime",
    fits: Callable[[relax.Function], bool] = lambda region: True,
) -> tvm.IRModule:
    """``module`` with regions for Weft as functions of their own, of which ``main`` calls some.

    ``operators`` are those that may be in one, by their names in Relax; ``contract`` says whose
    numbers regions follow, ``onnxruntime`` or ``tflite`` (docs/numbers.md). A region for which
    ``fits`` is false stays on the host, and so does one that Weft refuses. Shapes of regions must
    be known. Raises ``ModelError`` for an operator that TVM does not have.
    """
    patterns = [_pattern(name) for name in operators]
    module = relax.transform.ConvertToDataflow()(module)
    module = relax.transform.FuseOpsByPattern(patterns, bind_constants=True)(module)
    module = relax.transform.MergeCompositeFunctions()(module)
    regions = [g for g, f in module.functions.items() if _is_region(f)]
    for variable in regions:
        region = module[variable]
        flat = _flat(region).with_attr(CONTRACT, contract)
        # A region is public, so that it is not put back, or none.
        kept = relax.Function(region.params, region.body, region.ret_ty, region.is_pure)
        if fits(flat) and _is_supported(flat):
            kept = kept.with_attrs(
                {"Codegen": _CODEGEN, "global_symbol": _name(flat), CONTRACT: contract}
            )
        module[variable] = kept
    module = relax.transform.LambdaLift()(module)
    for variable, function in module.functions.items():
        if isinstance(function, relax.Function) and "Composite" in (function.attrs or {}):
            module[variable] = function.without_attr("Composite")
    return relax.transform.InlinePrivateFunctions()(module)


def _pattern(name: str) -> tuple[str, Any, Mapping[str, Any], Callable[[Any], bool]]:
    try:
        operator = tvm.ir.Op.get(f"relax.{name}")
    except (AttributeError, RuntimeError, ValueError):
        raise ModelError(f"TVM has no operator relax.{name}") from None
    operands = [wildcard() for _ in range(int(operator.num_inputs))]
    return f"{_CODEGEN}.{name}", is_op(f"relax.{name}")(*operands), {}, _is_of_weft


def _is_of_weft(context: Any) -> bool:
    """Whether all tensors of an operator are of types and shapes that a PE has."""
    call = context.matched_expr
    return all(_is_tensor(e.ty) for e in (call, *call.args) if hasattr(e, "ty"))


def _is_tensor(type_: Any) -> bool:
    if isinstance(type_, relax.TupleType):
        return all(_is_tensor(f) for f in type_.fields)
    if not isinstance(type_, relax.TensorType):
        return True  # an attribute
    shape = type_.shape
    is_known = shape is not None and all(isinstance(n, tvm.tirx.IntImm) for n in shape)
    return is_known and str(type_.dtype) in _DTYPES


def _is_region(function: Any) -> bool:
    attributes = getattr(function, "attrs", None) or {}
    return "Codegen" in attributes and str(attributes["Codegen"]) == _CODEGEN


def _flat(region: relax.Function) -> relax.Function:
    """The operators of a region, without functions around each."""
    public = relax.Function(region.params, region.body, region.ret_ty, region.is_pure)
    module = tvm.IRModule({"main": public.with_attr("global_symbol", "main")})
    module = relax.transform.LambdaLift()(module)
    for variable, function in module.functions.items():
        if "Composite" in (function.attrs or {}):
            module[variable] = function.without_attr("Composite")
    return relax.transform.InlinePrivateFunctions()(module)["main"]


def _is_supported(function: relax.Function) -> bool:
    try:
        stage_graph(tvm.IRModule({"main": function}))
    except WeftError:
        return False
    return True


def _name(function: relax.Function) -> str:
    """Follows from the contents: programs of several modules are found by name in one process."""
    digest = hashlib.sha256(tvm.ir.save_json(function).encode())
    return f"weft_{digest.hexdigest()[:16]}"


@dataclass
class _Region:
    """A compiled region that is called with its operands, then its results to be."""

    program: Any
    engine: str
    session: Any = field(default=None)

    def __call__(self, *tensors: Any) -> None:
        if self.session is None:
            self.session = self.program.open(self.engine)
        count = len(self.program.inputs)
        given = [np.ascontiguousarray(t.numpy()) for t in tensors[:count]]
        results = self.session.run(given)
        if isinstance(results, np.ndarray):
            results = (results,)
        for result, target in zip(results, tensors[count:], strict=True):
            target.copyfrom(result)


def _compile(functions: Any, options: Any, _names: Any) -> list[Any]:
    """``relax.ext.weft``: no module of TVM comes out, but functions in its registry."""
    import weft

    given = {str(key): value for key, value in (options or {}).items()}
    unknown = sorted(set(given) - {"machine", "engine"})
    if unknown:
        raise ModelError(f"relax.ext.weft has no option {unknown[0]}: machine and engine")
    machine = str(given["machine"]) if "machine" in given else None
    engine = str(given.get("engine", "native"))
    for function in functions:
        main = _flat(function).with_attr(CONTRACT, str(function.attrs[CONTRACT]))
        program = weft.compile(tvm.IRModule({"main": main}), machine)
        name = str(function.attrs["global_symbol"])
        tvm_ffi.register_global_func(name, _Region(program, engine), override=True)
    return []


tvm_ffi.register_global_func("relax.ext.weft", _compile, override=True)

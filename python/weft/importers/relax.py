# SPDX-License-Identifier: Apache-2.0
"""Relax modules that a user made with TVM's own importers or by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tvm
from tvm import relax

from weft.errors import ModelError

_INPUT_DTYPES = ("int8", "uint8", "float32")
# Operators that have attributes and do not declare it.
_ATTRIBUTES = {
    "relax.matmul": "relax.attrs.MatmulAttrs",
    "relax.mean": "relax.attrs.StatisticalAttrs",
}


def import_relax(
    module: tvm.IRModule, name: str, params: Mapping[str, Any]
) -> tuple[tvm.IRModule, list[str]]:
    """``module`` with its parameters bound to constants, and what is not supported of its inputs.

    Everything is checked before TVM looks at it, which reads what is not there. Raises
    ``ModelError``.
    """
    function = _main(module, name)
    for where, expression in _expressions(function):
        fault = _fault(expression)
        if fault is not None:
            raise ModelError(f"{name}: {where} {fault}")
    _check_whole(module, name)
    bound = _bound(function, name, params)
    unsupported = [line for line in map(_unsupported_input, bound.params) if line is not None]
    return tvm.IRModule({"main": bound}), unsupported


def _main(module: tvm.IRModule, name: str) -> relax.Function:
    if "main" in [g.name_hint for g in module.get_global_vars()]:
        function = module["main"]
        if isinstance(function, relax.Function):
            return function
    raise ModelError(f"{name}: the module has no Relax function called main")


def _expressions(function: relax.Function) -> Iterator[tuple[str, Any]]:
    """All that has a type, inner expressions first, with their places for messages."""
    for block in function.body.blocks:
        for binding in block.bindings:
            found: list[Any] = []
            relax.analysis.post_order_visit(binding.value, found.append)
            for expression in found:
                if isinstance(expression, relax.Call):
                    operator = getattr(expression.op, "name", type(expression.op).__name__)
                    yield f"{operator} at '{binding.var.name}'", expression
            yield f"'{binding.var.name}'", binding.value
    yield "the result of main", function.body.body
    yield "main", function.body


def _fault(expression: Any) -> str | None:
    """What an expression lacks that TVM's passes take for granted."""
    if isinstance(expression, relax.Call) and isinstance(expression.op, tvm.ir.Op):
        wanted = expression.op.attrs_type_key or _ATTRIBUTES.get(expression.op.name, "")
        attrs = expression.attrs
        given = "" if attrs is None else type(attrs).__tvm_ffi_type_info__.type_key
        if wanted and given != wanted:
            return f"has {given or 'no attributes'}, not {wanted}"
    if expression.ty is None or type(expression.ty) is tvm.ir.Type:
        return "has no type; build the module with relax.BlockBuilder, or normalise it"
    return None


def _check_whole(module: tvm.IRModule, name: str) -> None:
    """Refuses variables that are not defined, and types that contradict."""
    try:
        relax.analysis.well_formed(module)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        detail = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"{name}: the module is not well-formed ({detail[0][:200]})") from None


def _bound(function: relax.Function, name: str, params: Mapping[str, Any]) -> relax.Function:
    """The function with constants in the place of parameters."""
    by_name = {p.name: p for p in function.params}
    unknown = sorted(set(params) - set(by_name))
    if unknown:
        raise ModelError(f"{name}: main has no parameter {unknown[0]}; it has {sorted(by_name)}")
    if not params:
        return function
    values = {by_name[key]: _value(by_name[key], name, value) for key, value in params.items()}
    # As bindings, since replacing a variable would infer every type anew.
    constants = relax.BindingBlock([relax.VarBinding(p, v) for p, v in values.items()])
    return relax.Function(
        [p for p in function.params if p not in values],
        relax.SeqExpr([constants, *function.body.blocks], function.body.body),
        function.ret_ty,
        attrs=function.attrs,
    )


def _value(parameter: relax.Var, name: str, value: Any) -> relax.Constant:
    array = np.array(value, order="C")
    wanted = parameter.ty
    is_same = (
        isinstance(wanted, relax.TensorType)
        and str(wanted.dtype) == str(array.dtype)
        and _known_shape(wanted) == array.shape
    )
    if not is_same:
        raise ModelError(
            f"{name}: parameter {parameter.name} is {_described(wanted)}, "
            f"given is {array.dtype} of shape {array.shape}"
        )
    return relax.const(array, str(array.dtype))


def _known_shape(type_: relax.TensorType) -> tuple[int, ...] | None:
    """The extents, if all are known when compiling."""
    if type_.shape is None or not all(isinstance(n, tvm.tirx.IntImm) for n in type_.shape):
        return None
    return tuple(int(n) for n in type_.shape)


def _described(type_: Any) -> str:
    if not isinstance(type_, relax.TensorType):
        return "no tensor"
    shape = _known_shape(type_)
    return f"{type_.dtype} of {'unknown shape' if shape is None else f'shape {shape}'}"


def _unsupported_input(parameter: relax.Var) -> str | None:
    """Why a parameter cannot be an input of a network."""
    type_ = parameter.ty
    what = f"input '{parameter.name}'"
    if not isinstance(type_, relax.TensorType):
        return f"{what} is no tensor"
    if str(type_.dtype) not in _INPUT_DTYPES:
        return f"{what} is {type_.dtype}, only int8, uint8 and float32 are supported"
    shape = _known_shape(type_)
    if shape is None:
        return f"{what} has an extent that is not known when compiling"
    if any(n < 1 for n in shape):
        return f"{what} is empty"
    return None

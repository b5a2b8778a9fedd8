# SPDX-License-Identifier: Apache-2.0
"""Pass: quantise/dequantise around float operators becomes integer stages.

An integer stage is a call of ``weft.<kind>`` with plain attributes; ``weft.relax.to_stages`` turns
it into an op of the ``stages`` dialect. The search runs backwards from the outputs: a quantise is
matched with the operator before it, its operands with the dequantise before them. What cannot be
matched is collected, so that a user sees all of it at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax

from weft.errors import ModelError, UnsupportedError
from weft.relax.context import FLIPPED, Context
from weft.relax.contracts import ATTRIBUTE, CONTRACTS, TFLITE, Contract
from weft.relax.expressions import (
    Bindings,
    dtype_of,
    is_tensor,
    offset_of,
    op_name,
    shape_of,
)
from weft.relax.operators import lower_call


def _labels(function: relax.Function) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for block in function.body.blocks:
        for binding in block.bindings:
            names.setdefault(binding.value, binding.var.name)
    return names


def _int8_tensors(bindings: Bindings, function: relax.Function) -> Iterator[Any]:
    """What the result needs, in the order of the module.

    Lowering these first keeps the search from each of them short, however deep the network.
    """
    needed = bindings.needed_by(function.body.body)
    for variable in filter(needed.__contains__, bindings):
        call = bindings.define(variable)
        if op_name(call) in (None, "clip"):  # a quantise before a clip is one stage with it
            continue
        for operand in map(bindings.define, call.args):
            for tensor in operand.fields if isinstance(operand, relax.Tuple) else [operand]:
                if _is_int8(tensor) and bindings.array(tensor) is None:
                    yield tensor


def _is_int8(expression: Any) -> bool:
    return is_tensor(expression) and offset_of(dtype_of(expression)) is not None


def _contract(function: relax.Function, source: str) -> Contract:
    attributes = function.attrs or {}
    name = str(attributes[ATTRIBUTE]) if ATTRIBUTE in attributes else TFLITE.name
    if name not in CONTRACTS:
        raise ModelError(f"{source}: {ATTRIBUTE} of main is '{name}', not {' or '.join(CONTRACTS)}")
    return CONTRACTS[name]


def _output(context: Context, expression: Any) -> Any:
    """What leaves the network, in the model's type."""
    lowered = context.lower(expression)
    if not is_tensor(expression) or dtype_of(expression) != "uint8":
        return lowered
    table = context.constant(FLIPPED.view(np.uint8), "uint8")
    label = context.label(context.bindings.define(expression))
    return context.emit(
        "lookup", [lowered, table], {}, shape_of(expression), f"{label}.uint8", "uint8"
    )


def to_integer(
    module: tvm.IRModule, source: str, already_unsupported: Sequence[str] = ()
) -> tvm.IRModule:
    """Returns a module whose ``main`` consists of integer stages.

    ``source`` names the model in errors; ``already_unsupported`` is what its importer met. Raises
    ``UnsupportedError`` with these and all that did not match, or ``ModelError``.
    """
    function = module["main"]
    builder = relax.BlockBuilder()
    parameters = {p: p for p in function.params}
    contract = _contract(function, source)
    labels = _labels(function)
    context = Context(Bindings(function), builder, labels, lower_call, contract, parameters)
    with builder.function("main", list(function.params)):
        with builder.dataflow():
            result = context.bindings.define(function.body.body)
            fields = list(result.fields) if isinstance(result, relax.Tuple) else [result]
            for tensor in _int8_tensors(context.bindings, function):
                context.lower(tensor)
            outputs = [builder.emit_output(_output(context, f)) for f in fields]
        builder.emit_func_output(outputs[0] if len(outputs) == 1 else relax.Tuple(outputs))
    unsupported = list(dict.fromkeys([*already_unsupported, *context.unsupported]))
    if unsupported:
        raise UnsupportedError(source, unsupported)
    lowered = builder.get()
    names = [context.label(f) if not isinstance(f, relax.Var) else f.name for f in fields]
    lowered["main"] = lowered["main"].with_attr("weft.outputs", names)
    return lowered

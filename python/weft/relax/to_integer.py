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

import tvm
from tvm import relax

from weft.errors import UnsupportedError
from weft.relax.context import Context
from weft.relax.expressions import Bindings, dtype_of, is_tensor, op_name
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
    return is_tensor(expression) and dtype_of(expression) == "int8"


def to_integer(
    module: tvm.IRModule, source: str, already_unsupported: Sequence[str] = ()
) -> tvm.IRModule:
    """Returns a module whose ``main`` consists of integer stages.

    ``source`` names the model in errors; ``already_unsupported`` is what its importer met. Raises
    ``UnsupportedError`` with these and all that did not match.
    """
    function = module["main"]
    builder = relax.BlockBuilder()
    parameters = {p: p for p in function.params}
    context = Context(Bindings(function), builder, _labels(function), lower_call, parameters)
    with builder.function("main", list(function.params)):
        with builder.dataflow():
            result = context.bindings.define(function.body.body)
            fields = list(result.fields) if isinstance(result, relax.Tuple) else [result]
            for tensor in _int8_tensors(context.bindings, function):
                context.lower(tensor)
            outputs = [builder.emit_output(context.lower(f)) for f in fields]
        builder.emit_func_output(outputs[0] if len(outputs) == 1 else relax.Tuple(outputs))
    unsupported = list(dict.fromkeys([*already_unsupported, *context.unsupported]))
    if unsupported:
        raise UnsupportedError(source, unsupported)
    lowered = builder.get()
    names = [context.label(f) if not isinstance(f, relax.Var) else f.name for f in fields]
    lowered["main"] = lowered["main"].with_attr("weft.outputs", names)
    return lowered

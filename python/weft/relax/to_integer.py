# SPDX-License-Identifier: Apache-2.0
"""Pass: quantise/dequantise around float operators becomes integer stages.

An integer stage is a call of ``weft.<kind>`` with plain attributes; ``weft.relax.to_stages`` turns
it into an op of the ``stages`` dialect. The search runs backwards from the outputs: a quantise is
matched with the operator before it, its operands with the dequantise before them. What cannot be
matched is collected, so that a user sees all of it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax

from weft.errors import UnsupportedError
from weft.relax.context import Context
from weft.relax.expressions import Bindings
from weft.relax.operators import lower_call


def _labels(function: relax.Function) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for block in function.body.blocks:
        for binding in block.bindings:
            names.setdefault(binding.value, binding.var.name)
    return names


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
            outputs = [builder.emit_output(context.lower(f)) for f in fields]
        builder.emit_func_output(outputs[0] if len(outputs) == 1 else relax.Tuple(outputs))
    unsupported = list(dict.fromkeys([*already_unsupported, *context.unsupported]))
    if unsupported:
        raise UnsupportedError(source, unsupported)
    lowered = builder.get()
    names = [context.label(f) if not isinstance(f, relax.Var) else f.name for f in fields]
    lowered["main"] = lowered["main"].with_attr("weft.outputs", names)
    return lowered

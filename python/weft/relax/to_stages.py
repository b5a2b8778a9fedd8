# SPDX-License-Identifier: Apache-2.0
"""From integer stages in Relax to the stage graph in MLIR: one call, one op."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.ir import Block, Region, SSAValue

from weft.dialects.stages import ALL, Constant, StageGraph, StageOutput
from weft.dialects.stages.base import tensor_type
from weft.relax.expressions import Bindings, dtype_of, is_constant, shape_of
from weft.transforms.compilation import Compilation, constant_key

_BY_KIND = {op.name.removeprefix("stages."): op for op in ALL}


class _Translator:
    def __init__(self, function: relax.Function) -> None:
        self.bindings = Bindings(function)
        self.block = Block(
            arg_types=[tensor_type(shape_of(p), dtype_of(p)) for p in function.params]
        )
        self.values: dict[Any, SSAValue] = dict(zip(function.params, self.block.args, strict=True))
        self.constants: dict[str, np.ndarray[Any, Any]] = {}
        self.constant_values: dict[str, SSAValue] = {}

    def value(self, expression: Any) -> SSAValue:
        defined = self.bindings.define(expression)
        if is_constant(defined):
            return self.constant(np.asarray(defined.value.numpy()))
        if defined not in self.values:
            self.values[defined] = self.stage(defined)
        return self.values[defined]

    def constant(self, data: np.ndarray[Any, Any]) -> SSAValue:
        """Equal constants are one."""
        data = np.ascontiguousarray(data)
        key = constant_key(data)
        if key not in self.constant_values:
            self.constants[key] = data
            op = Constant(
                properties={"key": StringAttr(key)},
                result_types=[tensor_type(data.shape, str(data.dtype))],
            )
            self.block.add_op(op)
            self.constant_values[key] = op.result
        return self.constant_values[key]

    def stage(self, call: Any) -> SSAValue:
        kind = str(call.op.global_symbol).removeprefix("weft.")
        operands = [self.value(a) for a in call.args]
        attributes = {k: call.attrs[k] for k in call.attrs.keys()}  # noqa: SIM118
        result = tensor_type(shape_of(call), dtype_of(call))
        op = _BY_KIND[kind].make(operands, attributes, result)
        self.block.add_op(op)
        return op.result


def to_stages(module: tvm.IRModule) -> Compilation:
    """Translates ``main`` of a module that ``to_integer`` made."""
    function = module["main"]
    translator = _Translator(function)
    result = translator.bindings.define(function.body.body)
    fields = list(result.fields) if isinstance(result, relax.Tuple) else [result]
    # In the order of the bindings, so that the graph reads like the model.
    for block in function.body.blocks:
        for binding in block.bindings:
            if isinstance(binding.value, relax.Call):
                translator.value(binding.value)
    outputs = [translator.value(f) for f in fields]
    translator.block.add_op(StageOutput(operands=[outputs]))
    graph = StageGraph(
        properties={
            "input_names": ArrayAttr(StringAttr(p.name) for p in function.params),
            "output_names": ArrayAttr(StringAttr(str(n)) for n in function.attrs["weft.outputs"]),
        },
        regions=[Region(translator.block)],
    )
    compilation = ModuleOp([graph])
    compilation.verify()
    return Compilation(compilation, translator.constants)

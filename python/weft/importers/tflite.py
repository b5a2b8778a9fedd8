# SPDX-License-Identifier: Apache-2.0
"""TFLite int8 models to Relax.

Operators that compute become float operators between a dequantise of each operand and a quantise
of the result; operators that only move data stay on int8. Nothing is rounded here: the numbers are
the business of ``weft.relax``.
"""

from __future__ import annotations

import re
import struct
from math import prod
from typing import Any

import numpy as np
import tflite
import tvm
from tvm import relax

from weft.adapter.stand_in import stand_in
from weft.importers.tflite_operators import CONVERTERS, Unsupported, clip, parameters
from weft.importers.tflite_reader import (
    Array,
    Graph,
    MissingOptions,
    Operator,
    Tensor,
    is_tflite,
    read_graph,
)

__all__ = ["is_tflite", "tflite_to_relax"]

_MAX_NAME = 48


def _identifier(name: str) -> str:
    """A short name for variables and reports."""
    text = re.sub(r"\W+", "_", name.split(";", maxsplit=1)[0]).strip("_")
    return text[-_MAX_NAME:].strip("_") or "tensor"


def tflite_to_relax(data: bytes, name: str) -> tuple[tvm.IRModule, list[str]]:
    """Imports a TFLite file. ``name`` stands for it in errors.

    Also returns a line for every operator that is not supported, with its place; its results are
    stand-ins. Raises ``ModelError`` for a damaged file.
    """
    importer = Importer(read_graph(data, name))
    return importer.module(), importer.unsupported


class Importer:
    """One graph on its way; converters define the tensors that operators make."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.unsupported: list[str] = []
        self.builder = relax.BlockBuilder()
        self.values: dict[int, Any] = {}

    # --- the graph ---

    def module(self) -> tvm.IRModule:
        parameters = []
        for tensor in self.graph.inputs:
            if tensor.dtype not in ("int8", "float32"):
                self.unsupported.append(
                    f"input '{tensor.name}' is {tensor.dtype}, only int8 and float32 are supported"
                )
            if 0 in tensor.shape:
                self.unsupported.append(f"input '{tensor.name}' is empty")
            dtype = tensor.dtype if tensor.dtype in ("int8", "float32") else "int8"
            type_ = relax.TensorType(list(tensor.shape), dtype)
            parameter = relax.Var(_identifier(tensor.name), type_)
            self.values[tensor.index] = parameter
            parameters.append(parameter)
        with self.builder.function("main", parameters):
            with self.builder.dataflow():
                for operator in self.graph.operators:
                    self.convert(operator)
                outputs = [self.output(tensor) for tensor in self.graph.outputs]
            self.builder.emit_func_output(outputs[0] if len(outputs) == 1 else relax.Tuple(outputs))
        return self.builder.get()

    def output(self, tensor: Tensor) -> Any:
        """A tensor that leaves the network; an input or constant that does is copied."""
        try:
            value = self.value(tensor)
        except Unsupported as reason:
            self.unsupported.append(f"output '{tensor.name}': {reason}")
            return self.builder.emit_output(stand_in(tensor.shape, "int8"))
        if not isinstance(value, relax.expr.DataflowVar):
            dtype = str(value.ty.dtype)
            value = self.builder.emit(relax.op.astype(value, dtype), _identifier(tensor.name))
        return self.builder.emit_output(value)

    def convert(self, operator: Operator) -> None:
        where = f"{operator.kind} at '{operator.place}'"
        converter = CONVERTERS.get(operator.kind)
        try:
            if converter is None:
                raise Unsupported("this operator is not supported")
            if any(0 in t.shape for t in operator.outputs):
                raise Unsupported("its result is empty")
            converter(self, operator)
        except (Unsupported, MissingOptions) as reason:
            self.unsupported.append(f"{where}: {reason}")
        except struct.error:  # options are read when they are asked for
            self.unsupported.append(f"{where}: its options lie outside of the file")
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            # What contradicts itself in ways that are not looked for here, TVM refuses.
            detail = str(error).strip().splitlines() or [type(error).__name__]
            self.unsupported.append(f"{where}: it contradicts itself ({detail[0][:100]})")
        for tensor in operator.outputs:  # so that what follows can be looked at too
            if tensor.index not in self.values:
                dtype = tensor.dtype if tensor.dtype in ("int8", "float32") else "int8"
                self.values[tensor.index] = self.builder.emit(stand_in(tensor.shape, dtype))

    # --- tensors ---

    def value(self, tensor: Tensor) -> Any:
        """The int8 (or float) tensor itself."""
        if tensor.index in self.values:
            return self.values[tensor.index]
        if tensor.data is None:
            raise Unsupported(f"'{tensor.name}' is neither computed nor constant")
        return relax.const(np.ascontiguousarray(tensor.data), tensor.dtype)

    def real(self, tensor: Tensor) -> Any:
        """The tensor dequantised; one dequantise a use."""
        if tensor.dtype != "int8":
            raise Unsupported(f"its operand '{tensor.name}' is {tensor.dtype}, not int8")
        if tensor.scales.size == 0:
            raise Unsupported(f"its operand '{tensor.name}' has no scale")
        return self.dequantize(self.value(tensor), tensor.scales, tensor.zero_points, tensor.axis)

    def dequantize(self, value: Any, scales: Array, zero_points: Array, axis: int) -> Any:
        scale, zero_point = parameters(scales, zero_points)
        return self.builder.emit(relax.op.dequantize(value, scale, zero_point, axis=axis))

    def define(self, tensor: Tensor, expression: Any) -> None:
        self.values[tensor.index] = self.builder.emit(
            expression, name_hint=_identifier(tensor.name)
        )

    def define_quantized(self, tensor: Tensor, expression: Any) -> None:
        """``expression`` is float; the result is ``tensor``, reshaped if only its shape differs."""
        if tensor.dtype != "int8":
            raise Unsupported(f"its result is {tensor.dtype}, not int8")
        if tensor.scales.size != 1:
            raise Unsupported(f"its result has {tensor.scales.size} scales, not one")
        value = self.builder.emit(expression)
        scale, zero_point = parameters(tensor.scales, tensor.zero_points)
        quantized = relax.op.quantize(value, scale, zero_point, out_dtype="int8")
        shape = tuple(int(n) for n in value.ty.shape)
        if shape == tensor.shape:
            self.define(tensor, quantized)
        elif prod(shape) == prod(tensor.shape):
            flat = self.builder.emit(quantized, name_hint=_identifier(tensor.name))
            self.define(tensor, relax.op.reshape(flat, tensor.shape))
        else:
            raise Unsupported(f"its result has the shape {tensor.shape}, computed is {shape}")

    def define_moved(self, tensor: Tensor, expression: Any) -> None:
        """``expression`` is int8 already."""
        if tensor.dtype not in ("int8", "float32"):
            raise Unsupported(f"its result is {tensor.dtype}, not int8")
        value = self.builder.emit(expression, name_hint=_identifier(tensor.name))
        shape = tuple(int(n) for n in value.ty.shape)
        if prod(shape) != prod(tensor.shape):
            raise Unsupported(f"its result has the shape {tensor.shape}, computed is {shape}")
        if shape != tensor.shape:
            value = self.builder.emit(relax.op.reshape(value, tensor.shape))
        self.values[tensor.index] = value

    def activate(self, expression: Any, activation: int) -> Any:
        """Applies a fused activation to a float expression."""
        kinds = tflite.ActivationFunctionType
        if activation == kinds.NONE:
            return expression
        value = self.builder.emit(expression)
        if activation == kinds.RELU:
            return relax.op.nn.relu(value)
        if activation == kinds.RELU6:
            return clip(value, 0.0, 6.0)
        if activation == kinds.RELU_N1_TO_1:
            return clip(value, -1.0, 1.0)
        raise Unsupported(f"fused activation {activation}")

# SPDX-License-Identifier: Apache-2.0
"""Quantised ONNX models to Relax: QuantizeLinear and DequantizeLinear around float operators.

Models of quantised operators (QLinearConv and its like) are turned into that form first. Nothing is
rounded here but constants: the numbers are the business of ``weft.relax``, which is told whose
contract to follow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import tvm
from tvm import relax

from weft.adapter.stand_in import stand_in
from weft.errors import ModelError
from weft.importers.onnx_floating import CONVERTERS as FLOATING
from weft.importers.onnx_lifting import lifted
from weft.importers.onnx_movement import CONVERTERS as MOVEMENT
from weft.importers.onnx_operators import CONVERTERS as OPERATORS
from weft.importers.onnx_qlinear import EXPANSIONS
from weft.importers.onnx_reader import Array, Graph, Node, Unsupported, read_graph, shortened
from weft.importers.onnx_resize import CONVERTERS as RESIZE
from weft.importers.onnx_values import (
    Held,
    Lost,
    NeedsLost,
    Quantized,
    Scale,
    Value,
    identity,
    shape_of,
)
from weft.importers.onnx_weighted import CONVERTERS as WEIGHTED

__all__ = ["onnx_to_relax"]

CONVERTERS = {**FLOATING, **MOVEMENT, **OPERATORS, **RESIZE, **WEIGHTED}
_INPUT_DTYPES = ("int8", "uint8", "float32")
_INTEGERS = ("int8", "uint8")
_MAX_NAME = 48
_MAX_ELEMENTS = 1 << 31


def onnx_to_relax(data: bytes, name: str) -> tuple[tvm.IRModule, list[str]]:
    """Imports an ONNX file. ``name`` stands for it in errors.

    Also returns a line for every node that is not supported, with its place; its results are
    stand-ins. Raises ``ModelError`` for a damaged file.
    """
    graph = read_graph(data, name)
    if not graph.inputs:
        raise ModelError(f"{name}: the model has no input")
    importer = Importer(graph)
    return importer.module(), importer.unsupported


def known_results(data: bytes, name: str) -> dict[str, Array]:
    """The outputs of a model that do not depend on the values of its inputs, by name: constants and
    shapes. Raises ``ModelError`` for a damaged file."""
    graph = read_graph(data, name)
    importer = Importer(graph)
    importer.module()
    found = {output: importer.values.get(output) for output in graph.outputs}
    return {output: value for output, value in found.items() if isinstance(value, np.ndarray)}


def _identifier(name: str) -> str:
    """A short name for variables and reports."""
    text = re.sub(r"\W+", "_", name).strip("_")
    return text[-_MAX_NAME:].strip("_") or "tensor"


class Importer:
    """One graph on its way; converters define the values that nodes make."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.opset = graph.opset
        self.unsupported: list[str] = []
        self.builder = relax.BlockBuilder()
        self.values: dict[str, Value | Lost] = dict(graph.constants)
        # What came out of a convolution: a batch normalisation behind it changes its weights.
        self.convolutions: dict[str, Node] = {}
        self._ordered: dict[tuple[Any, tuple[int, ...], tuple[int, ...]], Any] = {}

    # --- the graph ---

    def module(self) -> tvm.IRModule:
        parameters = []
        for given in self.graph.inputs:
            where = f"input '{shortened(given.name)}'"
            if given.dtype not in _INPUT_DTYPES:
                allowed = ", ".join(_INPUT_DTYPES)
                self.unsupported.append(f"{where} is {given.dtype}, only {allowed} are supported")
            if 0 in given.shape:
                self.unsupported.append(f"{where} is empty")
            dtype = given.dtype if given.dtype in _INPUT_DTYPES else "int8"
            type_ = relax.TensorType(list(given.shape), dtype)
            parameter = relax.Var(_identifier(given.name), type_)
            self.values[given.name] = Held(parameter, identity(len(given.shape)))
            if 0 in given.shape and given.dtype in _INPUT_DTYPES:
                self.values[given.name] = np.zeros(given.shape, dtype)
            parameters.append(parameter)
        with self.builder.function("main", parameters):
            with self.builder.dataflow():
                for node in self.graph.nodes:
                    self.convert(node)
                outputs = [self.output(name) for name in self.graph.outputs]
            self.builder.emit_func_output(outputs[0] if len(outputs) == 1 else relax.Tuple(outputs))
        module = self.builder.get()
        module["main"] = module["main"].with_attr("weft.contract", "onnxruntime")
        return module

    def output(self, name: str) -> Any:
        """A value that leaves the network; an input or constant that does is copied."""
        try:
            value = self.real_or_whole(name)
        except NeedsLost:
            return self.builder.emit_output(stand_in((), "int8"))
        except Unsupported as reason:
            self.unsupported.append(f"output '{shortened(name)}': {reason}")
            return self.builder.emit_output(stand_in((), "int8"))
        if not isinstance(value, relax.expr.DataflowVar):
            dtype = str(value.ty.dtype)
            value = self.builder.emit(relax.op.astype(value, dtype), _identifier(name))
        return self.builder.emit_output(value)

    def real_or_whole(self, name: str) -> Any:
        """As the model has it: float32 or integers, in its order of axes."""
        value = self.value(name)
        if 0 in shape_of(value):
            raise Unsupported("it is empty")
        return self.real(name, identity(len(shape_of(value))))

    def convert(self, node: Node) -> None:
        where = f"{node.kind} at '{shortened(node.place)}'"
        try:
            if node.kind in EXPANSIONS:
                for part in EXPANSIONS[node.kind](self, node):
                    self.convert_one(part)
            else:
                self.convert_one(node)
        except NeedsLost:
            pass
        except Unsupported as reason:
            self.unsupported.append(f"{where}: {reason}")
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            # What contradicts itself in ways that are not looked for here, TVM refuses.
            detail = str(error).strip().splitlines() or [type(error).__name__]
            self.unsupported.append(f"{where}: it contradicts itself ({detail[0][:100]})")
        for output in filter(None, node.outputs):  # so that what follows can be looked at too
            if output not in self.values:
                self.values[output] = Lost()

    def convert_one(self, node: Node) -> None:
        """A node that is no quantised operator."""
        if node.kind not in CONVERTERS:
            raise Unsupported("this operator is not supported")
        for part in lifted(self, node) or [node]:
            CONVERTERS[part.kind](self, part)

    # --- values ---

    def value(self, name: str) -> Value:
        """What a name stands for. Raises ``Unsupported`` if that could not be imported."""
        value = self.values.get(name) if name else None
        if value is None:
            raise Unsupported("an operand is missing")
        if isinstance(value, Lost):
            raise NeedsLost
        return value

    def held(self, name: str) -> Held:
        """A computed value, or a constant of integers or float32 as one."""
        value = self.value(name)
        if isinstance(value, Held):
            return value
        if isinstance(value, Quantized):
            if value.scales.size != 1:
                raise Unsupported(f"'{shortened(name)}' has {value.scales.size} scales, not one")
            scale = Scale(np.float32(value.scales[0]), int(value.zero_points[0]))
            return Held(self.constant(value.values), identity(value.values.ndim), scale)
        return Held(self.constant(value), identity(value.ndim))

    def constant(self, values: Array) -> Any:
        """A Relax constant."""
        dtype = values.dtype.name
        if dtype not in (*_INTEGERS, "int32", "float32"):
            raise Unsupported(f"a constant of {dtype}")
        return relax.const(np.ascontiguousarray(values), dtype)

    def array(self, name: str) -> Array:
        """A constant of the file."""
        value = self.value(name)
        if not isinstance(value, np.ndarray):
            raise Unsupported(f"'{shortened(name)}' is not a constant")
        return value

    def ints(self, name: str) -> list[int]:
        """A constant that gives sizes, axes or the like."""
        values = self.array(name)
        if values.dtype.kind not in "iu" or values.ndim > 1:
            raise Unsupported(f"'{shortened(name)}' is no list of integers")
        return [int(v) for v in values.reshape(-1)]

    def real(self, name: str, order: Sequence[int]) -> Any:
        """A value as Relax has it, with its axes in that order, dequantised if ONNX's is."""
        value = self.value(name)
        if isinstance(value, Quantized):
            return self.dequantized(value.transposed(order))
        return self.real_of(self.held(name), order)

    def real_of(self, held: Held, order: Sequence[int]) -> Any:
        """The same of a value that is held."""
        held = self.in_order(held, order)
        if held.real is None:
            return held.value
        return self.dequantize(held.value, held.real.scale, held.real.zero_point, 0)

    def dequantized(self, constant: Quantized) -> Any:
        """A dequantised constant."""
        value = self.constant(constant.values)
        return self.dequantize(value, constant.scales, constant.zero_points, constant.axis)

    def dequantize(self, value: Any, scale: Any, zero_point: Any, axis: int) -> Any:
        """``scale`` and ``zero_point`` are numbers, or arrays of one or one an index of axis."""
        scales = np.asarray(scale, np.float32)
        zero_points = np.broadcast_to(np.asarray(zero_point, np.int32), scales.shape)
        if scales.size == 1:
            scales, zero_points = scales.reshape(()), zero_points.reshape(())
        parameters = self.constant(scales), self.constant(np.ascontiguousarray(zero_points))
        return self.builder.emit(relax.op.dequantize(value, *parameters, axis=axis))

    def in_order(self, held: Held, order: Sequence[int]) -> Held:
        """The same value with its axes in another order."""
        order = tuple(order)
        if held.order == order:
            return held
        key = (held.value, held.order, order)
        if key not in self._ordered:
            axes = [held.order.index(axis) for axis in order]
            self._ordered[key] = self.builder.emit(self._permuted(held.value, axes))
        return Held(self._ordered[key], order, held.real)

    @staticmethod
    def _permuted(value: Any, axes: Sequence[int]) -> Any:
        extents = [int(n) for n in value.ty.shape]
        moving = [axis for axis in axes if extents[axis] != 1]
        if moving == sorted(moving):  # only axes of one element change places
            return relax.op.reshape(value, [extents[axis] for axis in axes])
        return relax.op.permute_dims(value, list(axes))

    # --- results ---

    def define(
        self, name: str, expression: Any, order: Sequence[int], real: Scale | None = None
    ) -> Any:
        """``name`` is ``expression``, whose axes lie in that order."""
        value = self.builder.emit(expression, name_hint=_identifier(name))
        shape = [int(n) for n in value.ty.shape]
        if prod(shape) > _MAX_ELEMENTS:
            raise Unsupported(f"its result has the shape {tuple(shape)}")
        if 0 in shape:
            raise Unsupported("its result is empty")
        self.values[name] = Held(value, tuple(order), real)
        return value

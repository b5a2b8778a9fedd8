# SPDX-License-Identifier: Apache-2.0
"""TFLite flatbuffers as plain records: everything is read and checked before anything is built."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import tflite

from weft.errors import ModelError

Array = np.ndarray[Any, Any]

_DTYPES = {
    tflite.TensorType.FLOAT32: "float32",
    tflite.TensorType.INT8: "int8",
    tflite.TensorType.INT16: "int16",
    tflite.TensorType.INT32: "int32",
    tflite.TensorType.INT64: "int64",
    tflite.TensorType.UINT8: "uint8",
    tflite.TensorType.BOOL: "bool",
}
_OPERATOR_NAMES = {
    value: name
    for name, value in vars(tflite.BuiltinOperator).items()
    if name.isupper() and isinstance(value, int)
}
_MAX_ELEMENTS = 1 << 31
_MAX_AXES = 8
_MAX_NAME = 80
_DAMAGED = (struct.error, IndexError, ValueError, TypeError, UnicodeDecodeError, OverflowError)


class MissingOptions(Exception):
    """An operator has no options, and its kind needs them."""


@dataclass(frozen=True)
class Tensor:
    """``data`` is None for what is computed; scales are empty without quantisation."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: Array
    zero_points: Array
    axis: int
    data: Array | None


@dataclass(frozen=True)
class Operator:
    """``kind`` is the schema's name, such as CONV_2D; inputs may be None where optional."""

    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    table: Any  # the flatbuffer table with the builtin options, or None

    @property
    def place(self) -> str:
        """For messages: the name of what it produces."""
        return self.outputs[0].name if self.outputs else "?"

    def options(self, kind: type[Any]) -> Any:
        """Its builtin options as the schema's class ``kind``; raises ``MissingOptions``.

        What they hold is read from the file when it is asked for; ``struct.error`` if it lies
        outside of it.
        """
        if self.table is None:
            raise MissingOptions("it has no options")
        options = kind()
        options.Init(self.table.Bytes, self.table.Pos)
        return options


@dataclass(frozen=True)
class Graph:
    """The main subgraph."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]


def is_tflite(data: bytes) -> bool:
    """Whether the file identifier is there."""
    return len(data) >= 8 and data[4:8] == b"TFL3"


def read_graph(data: bytes, name: str) -> Graph:
    """Reads a model. Raises ``ModelError`` if the file is damaged or contradicts itself."""
    try:
        return _Reader(data, name).graph()
    except _DAMAGED as error:
        detail = str(error) or type(error).__name__
        raise ModelError(f"{name}: the TFLite file is damaged ({detail}); get it again") from None


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.size = len(data)
        self.model = tflite.Model.GetRootAsModel(data, 0)

    def fail(self, what: str) -> ModelError:
        return ModelError(f"{self.name}: {what}")

    def graph(self) -> Graph:
        if self.model.SubgraphsLength() < 1:
            raise self.fail("the model has no subgraph")
        subgraph = self.model.Subgraphs(0)
        tensors = [self.tensor(subgraph.Tensors(i), i) for i in range(subgraph.TensorsLength())]

        def pick(index: int) -> Tensor:
            if not 0 <= index < len(tensors):
                raise self.fail(f"tensor {index} of {len(tensors)} is asked for")
            return tensors[index]

        operators = []
        for i in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(i)
            ins = [int(v) for v in _numbers(operator.InputsAsNumpy())]
            outs = [int(v) for v in _numbers(operator.OutputsAsNumpy())]
            operators.append(
                Operator(
                    self.operator_name(operator.OpcodeIndex()),
                    tuple(None if v == -1 else pick(v) for v in ins),
                    tuple(pick(v) for v in outs),
                    operator.BuiltinOptions(),
                )
            )
        inputs = tuple(pick(int(v)) for v in _numbers(subgraph.InputsAsNumpy()))
        outputs = tuple(pick(int(v)) for v in _numbers(subgraph.OutputsAsNumpy()))
        if not inputs or not outputs:
            raise self.fail("the model has no input or no output")
        return Graph(inputs, outputs, tuple(operators))

    def operator_name(self, index: int) -> str:
        if not 0 <= index < self.model.OperatorCodesLength():
            raise self.fail(f"operator code {index} is not in the file")
        code = self.model.OperatorCodes(index)
        # Codes of 127 and more stand in the newer field only.
        value = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if value == tflite.BuiltinOperator.CUSTOM:
            custom = code.CustomCode()
            name = custom.decode(errors="replace") if custom else "?"
            return f"custom operator {_shortened(name)}"
        return str(_OPERATOR_NAMES.get(value, f"operator {value}"))

    def tensor(self, tensor: Any, index: int) -> Tensor:
        raw_name = tensor.Name()
        name = raw_name.decode("utf-8", errors="replace") if raw_name else f"tensor {index}"
        name = _shortened(name)
        shape = tuple(int(v) for v in _numbers(tensor.ShapeAsNumpy()))
        dtype = _DTYPES.get(tensor.Type(), f"type {tensor.Type()}")
        if len(shape) > _MAX_AXES:
            raise self.fail(f"tensor '{name}' has {len(shape)} axes")
        if any(n < 0 for n in shape) or prod(shape) > _MAX_ELEMENTS:
            raise self.fail(f"tensor '{name}' has the shape {shape}")
        scales, zero_points, axis = self.quantization(tensor, name, shape)
        data = self.data(tensor.Buffer(), name, shape, dtype)
        return Tensor(index, name, shape, dtype, scales, zero_points, axis, data)

    def quantization(
        self, tensor: Any, name: str, shape: tuple[int, ...]
    ) -> tuple[Array, Array, int]:
        parameters = tensor.Quantization()
        nothing = np.zeros(0, np.float32), np.zeros(0, np.int64), 0
        if parameters is None or parameters.ScaleLength() == 0:
            return nothing
        scales = np.array(parameters.ScaleAsNumpy(), np.float32)
        zero_points = np.array(_numbers(parameters.ZeroPointAsNumpy()), np.int64)
        if zero_points.size == 0:
            zero_points = np.zeros(scales.size, np.int64)
        axis = parameters.QuantizedDimension() if scales.size > 1 else 0
        if scales.size > 1 and (not 0 <= axis < len(shape) or shape[axis] != scales.size):
            raise self.fail(f"tensor '{name}' has {scales.size} scales for the shape {shape}")
        if zero_points.size not in (1, scales.size):
            raise self.fail(f"tensor '{name}' has {zero_points.size} zero points")
        if not (np.isfinite(scales).all() and (scales > 0).all()):
            raise self.fail(f"tensor '{name}' has a scale that is not a positive number")
        return scales, zero_points, axis

    def data(self, buffer: int, name: str, shape: tuple[int, ...], dtype: str) -> Array | None:
        if not 0 <= buffer < self.model.BuffersLength():
            raise self.fail(f"tensor '{name}' asks for buffer {buffer}, which is not there")
        if buffer == 0 or self.model.Buffers(buffer).DataLength() == 0:
            return None
        raw = self.model.Buffers(buffer).DataAsNumpy()
        if dtype.startswith("type "):
            return None
        expected = prod(shape) * np.dtype(dtype).itemsize
        if raw.nbytes != expected:
            raise self.fail(f"tensor '{name}' has {raw.nbytes} bytes of data, not {expected}")
        values: Array = raw.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
        return values


def _shortened(name: str) -> str:
    """Converters join the names of all that they fused; the first one is enough.

    Damaged ones hold anything; messages are one line.
    """
    first = "".join(c if c.isprintable() else "?" for c in name.split(";", maxsplit=1)[0])
    return first if len(first) <= _MAX_NAME else f"...{first[-_MAX_NAME:]}"


def _numbers(array: Any) -> Any:
    """Absent vectors are read as 0."""
    return array if isinstance(array, np.ndarray) else ()

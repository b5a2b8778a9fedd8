"""Tensors and operators of one TFLite subgraph, and their packing into a flatbuffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Scales = float | Sequence[float] | np.ndarray

_TENSOR_TYPES = {
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.float32): schema.TensorType.FLOAT32,
}

# Versions of the int8 variants, after TFLite's op_version.cc; operators not named have version 1.
_VERSION_2 = """ADD SUB MUL AVERAGE_POOL_2D MAX_POOL_2D MEAN RELU RELU6 SOFTMAX CONCATENATION PAD
PADV2 TRANSPOSE DEQUANTIZE LOGISTIC TANH LEAKY_RELU MAXIMUM MINIMUM STRIDED_SLICE SPLIT
RESIZE_NEAREST_NEIGHBOR"""
_VERSIONS = dict.fromkeys(_VERSION_2.split(), 2)
_VERSIONS |= {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the model under construction; scale 0.0 means not quantised."""

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float = 0.0
    zero_point: int = 0

    @property
    def quantisation(self) -> tuple[float, int]:
        """Scale and zero point, to give another tensor the same ones."""
        return self.scale, self.zero_point


class _AlignedBuffer(schema.BufferT):
    """A buffer aligned to 16 bytes, as the schema's force_align asks; the object API forgets it."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - the object API's name
        if self.data is None:
            schema.BufferStart(builder)
            return schema.BufferEnd(builder)
        raw = bytes(self.data)
        builder.StartVector(1, len(raw), 16)
        builder.head -= len(raw)
        builder.Bytes[builder.head : builder.head + len(raw)] = raw
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


class GraphWriter:
    """Collects tensors and operators of one subgraph; `inputs` and `outputs` are the model's."""

    def __init__(self, description: str = "weft test model") -> None:
        self._description = description
        # Buffer 0 is, by convention, the empty buffer that all non-constant tensors share.
        self._buffers: list[_AlignedBuffer] = [_AlignedBuffer()]
        self._tensors: list[schema.TensorT] = []
        self._operators: list[schema.OperatorT] = []
        self._codes: dict[tuple[int, int], int] = {}
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []

    def input(
        self,
        shape: Sequence[int],
        scale: float = 0.0,
        zero_point: int = 0,
        dtype: Any = np.int8,
    ) -> Tensor:
        """A model input."""
        tensor = self._tensor(shape, dtype, scale, zero_point)
        self.inputs.append(tensor)
        return tensor

    def output(self, *tensors: Tensor) -> None:
        """Makes tensors outputs of the model, in this order."""
        self.outputs.extend(tensors)

    def constant(self, value: np.ndarray, scale: float = 0.0, zero_point: int = 0) -> Tensor:
        """A constant tensor; an int8 one may be an operand of any operator."""
        value = np.asarray(value)
        return self._tensor(value.shape, value.dtype, scale, zero_point, value=value)

    @property
    def operator_count(self) -> int:
        """The operators added so far."""
        return len(self._operators)

    def build(self) -> bytes:
        """The model as a .tflite file."""
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors = self._tensors
        graph.operators = self._operators
        graph.inputs = [tensor.index for tensor in self.inputs]
        graph.outputs = [tensor.index for tensor in self.outputs]
        model = schema.ModelT()
        model.version = 3
        model.description = self._description
        model.operatorCodes = [self._operator_code(*key) for key in self._codes]
        model.subgraphs = [graph]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _tensor(
        self,
        shape: Sequence[int],
        dtype: Any,
        scale: Scales,
        zero_point: int = 0,
        *,
        value: np.ndarray | None = None,
        axis: int = 0,
    ) -> Tensor:
        index = len(self._tensors)
        tensor = schema.TensorT()
        tensor.name = f"t{index}"
        tensor.shape = [int(size) for size in shape]
        tensor.type = _TENSOR_TYPES[np.dtype(dtype)]
        tensor.quantization = _quantisation(scale, zero_point, axis)
        tensor.hasRank = True
        if value is not None:
            buffer = _AlignedBuffer()
            buffer.data = np.ascontiguousarray(value).tobytes()
            self._buffers.append(buffer)
            tensor.buffer = len(self._buffers) - 1
        self._tensors.append(tensor)
        first = float(np.float32(np.ravel(scale)[0]))
        return Tensor(index, tuple(tensor.shape), np.dtype(dtype), first, zero_point)

    def _emit(
        self,
        name: str,
        inputs: Sequence[Tensor],
        options: Any,
        shape: Sequence[int],
        scale: float,
        zero_point: int,
        version: int | None = None,
        dtype: Any = np.int8,
    ) -> Tensor:
        result = self._tensor(shape, dtype, scale, zero_point)
        self._operator(name, inputs, options, [result], version)
        return result

    def _operator(
        self,
        name: str,
        inputs: Sequence[Tensor],
        options: Any,
        outputs: Sequence[Tensor],
        version: int | None = None,
    ) -> None:
        code = getattr(schema.BuiltinOperator, name)
        key = (code, version or _VERSIONS.get(name, 1))
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(key, len(self._codes))
        operator.inputs = [tensor.index for tensor in inputs]
        operator.outputs = [tensor.index for tensor in outputs]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self._operators.append(operator)

    @staticmethod
    def _operator_code(code: int, version: int) -> schema.OperatorCodeT:
        entry = schema.OperatorCodeT()
        entry.builtinCode = code
        # Old readers know only this int8 field, where 127 announces the wider one.
        entry.deprecatedBuiltinCode = min(code, 127)
        entry.version = version
        return entry


def _quantisation(scale: Scales, zero_point: int, axis: int) -> Any:
    scales = np.atleast_1d(np.asarray(scale, np.float32))
    if not scales.all():
        return None
    parameters = schema.QuantizationParametersT()
    parameters.scale = [float(value) for value in scales]
    parameters.zeroPoint = [zero_point] * len(scales)
    parameters.quantizedDimension = axis if len(scales) > 1 else 0
    return parameters

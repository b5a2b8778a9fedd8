# SPDX-License-Identifier: Apache-2.0
"""ONNX files as plain records: everything is read and checked before anything is built."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto, numpy_helper

from weft.errors import ModelError

Array = np.ndarray[Any, Any]

#: The types of tensors that are read, as NumPy calls them.
DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
}
_MAX_ELEMENTS = 1 << 31
_MAX_AXES = 8
_MAX_NAME = 80
#: The default domain goes by two names.
_DEFAULT_DOMAINS = ("", "ai.onnx")
#: Optional inputs and shapes as inputs came with 5; of later versions than this, nothing is known.
_OPSETS = range(6, 29)
_ATTRIBUTES = {
    AttributeProto.FLOAT: lambda a: float(a.f),
    AttributeProto.INT: lambda a: int(a.i),
    AttributeProto.STRING: lambda a: a.s.decode(errors="replace"),
    AttributeProto.FLOATS: lambda a: [float(v) for v in a.floats],
    AttributeProto.INTS: lambda a: [int(v) for v in a.ints],
    AttributeProto.STRINGS: lambda a: [v.decode(errors="replace") for v in a.strings],
    AttributeProto.TENSOR: lambda a: a.t,
}


class Unsupported(Exception):
    """Why one node cannot be imported."""


@dataclass(frozen=True)
class Input:
    """An input of the network; ``dtype`` is a NumPy name, or ``type N``."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """``kind`` is the operator, with its domain if that is not ONNX's own. Absent optional inputs
    are empty names. Attributes of other kinds than numbers, texts and tensors are left out."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def place(self) -> str:
        """For messages."""
        return self.name or next(filter(None, self.outputs), "?")

    def input(self, index: int) -> str:
        """The name of an input; empty if it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(frozen=True)
class Graph:
    """The main graph. ``nodes`` come after what they need."""

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    opset: int


def text_of(value: str | bytes) -> str:
    """A text of the file, which protobuf gives as bytes if it is no UTF-8."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def shortened(name: str | bytes) -> str:
    """Damaged names hold anything; messages are one line."""
    name = text_of(name)
    text = "".join(c if c.isprintable() else "?" for c in name)
    return text if len(text) <= _MAX_NAME else f"...{text[-_MAX_NAME:]}"


def parse(data: bytes, name: str) -> Any:
    """The model as protobuf. Raises ``ModelError`` if the bytes are none."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise ModelError(f"{name}: neither a TFLite nor an ONNX file, or it is damaged") from None
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise ModelError(f"{name}: neither a TFLite nor an ONNX file: it has no graph")
    return model


def read_graph(data: bytes, name: str) -> Graph:
    """Reads a model. Raises ``ModelError`` if the file is damaged or contradicts itself."""
    return _Reader(parse(data, name), name).graph()


class _Reader:
    def __init__(self, model: Any, name: str) -> None:
        self.name = name
        self.model = model

    def fail(self, what: str) -> ModelError:
        return ModelError(f"{self.name}: {what}")

    def graph(self) -> Graph:
        graph = self.model.graph
        if graph.sparse_initializer:
            raise self.fail("sparse initialisers are not supported")
        constants: dict[str, Array] = {}
        for tensor in graph.initializer:
            constants[text_of(tensor.name)] = self.tensor(
                tensor, f"initialiser '{shortened(tensor.name)}'"
            )
        inputs = [self.input(v) for v in graph.input if text_of(v.name) not in constants]
        nodes = [self.node(n) for n in graph.node]
        outputs = tuple(text_of(v.name) for v in graph.output)
        if not outputs:
            raise self.fail("the model has no output")
        known = {i.name for i in inputs} | set(constants)
        if len(known) != len(inputs) + len(constants) or "" in known:
            raise self.fail("two inputs have one name, or one has none")
        ordered = self.ordered(nodes, known)
        for output in outputs:
            if output not in known and not any(output in n.outputs for n in ordered):
                raise self.fail(f"output '{shortened(output)}' is never computed")
        return Graph(tuple(inputs), outputs, tuple(ordered), constants, self.opset())

    def opset(self) -> int:
        versions = [
            int(entry.version)
            for entry in self.model.opset_import
            if entry.domain in _DEFAULT_DOMAINS
        ]
        if len(versions) != 1 or versions[0] not in _OPSETS:
            raise self.fail(
                f"operator set {versions[0] if versions else 'unknown'}: "
                f"{_OPSETS[0]} to {_OPSETS[-1]} are supported; convert the model"
            )
        return versions[0]

    def input(self, value: Any) -> Input:
        name = shortened(value.name)
        if not value.type.HasField("tensor_type"):
            raise self.fail(f"input '{name}' is no tensor")
        tensor = value.type.tensor_type
        dtype = DTYPES.get(tensor.elem_type, f"type {tensor.elem_type}")
        if not tensor.HasField("shape"):
            raise self.fail(f"input '{name}' has no shape; give it one when exporting the model")
        shape = []
        for axis, extent in enumerate(tensor.shape.dim):
            if not extent.HasField("dim_value"):
                called = f" ('{shortened(extent.dim_param)}')" if extent.dim_param else ""
                raise self.fail(
                    f"input '{name}': the extent of axis {axis}{called} is dynamic; export the "
                    "model with a fixed shape, or fix it with "
                    "onnxruntime.tools.make_dynamic_shape_fixed"
                )
            shape.append(int(extent.dim_value))
        self.check_shape(shape, f"input '{name}'")
        return Input(text_of(value.name), dtype, tuple(shape))

    def check_shape(self, shape: Sequence[int], what: str) -> None:
        if len(shape) > _MAX_AXES or any(n < 0 for n in shape) or prod(shape) > _MAX_ELEMENTS:
            text = ", ".join(str(n) for n in shape[:_MAX_AXES])
            raise self.fail(f"{what} has the shape ({text}{', ...' * (len(shape) > _MAX_AXES)})")

    def tensor(self, tensor: Any, what: str) -> Array:
        """Its values, in a type of NumPy; of types that no operator takes, an empty array."""
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise self.fail(
                f"{what} lies in another file: give the path of the model, not its bytes"
            )
        shape = [int(n) for n in tensor.dims]
        self.check_shape(shape, what)
        dtype = DTYPES.get(tensor.data_type)
        if dtype is None:
            return np.zeros(0, np.void)
        if tensor.raw_data:
            expected = prod(shape) * np.dtype(dtype).itemsize
            if len(tensor.raw_data) != expected:
                raise self.fail(f"{what} has {len(tensor.raw_data)} bytes, not {expected}")
            return np.frombuffer(tensor.raw_data, np.dtype(dtype).newbyteorder("<")).reshape(shape)
        fields = (tensor.float_data, tensor.double_data, tensor.int32_data, tensor.int64_data)
        held = max(len(field) for field in fields)
        if held != prod(shape):
            raise self.fail(f"{what} has {held} values, not {prod(shape)}")
        try:
            return np.asarray(numpy_helper.to_array(tensor))
        except (ValueError, TypeError, OverflowError) as error:
            raise self.fail(f"{what} is damaged ({str(error).splitlines()[0][:100]})") from None

    def node(self, node: Any) -> Node:
        domain = "" if node.domain in _DEFAULT_DOMAINS else f"{shortened(node.domain)}."
        kind, name = f"{domain}{shortened(node.op_type)}", shortened(node.name)
        outputs = tuple(map(text_of, node.output))
        place = name or shortened(next(filter(None, outputs), "?"))
        attributes: dict[str, Any] = {}
        for attribute in node.attribute:
            read = _ATTRIBUTES.get(attribute.type)
            if read is None:
                continue
            value: Any = read(attribute)  # type: ignore[no-untyped-call]
            if attribute.type == AttributeProto.TENSOR:
                value = self.tensor(
                    value, f"attribute '{shortened(attribute.name)}' of {kind} at '{place}'"
                )
            attributes[text_of(attribute.name)] = value
        return Node(kind, name, tuple(map(text_of, node.input)), outputs, attributes)

    def ordered(self, nodes: Sequence[Node], known: set[str]) -> list[Node]:
        """The nodes, each after those that it needs; as in the file, if it is so there."""
        made = self.makers(nodes, known)
        waits: dict[int, int] = {}
        readers: dict[str, list[int]] = {}
        ready = []
        for index, node in enumerate(nodes):
            needed = {i for i in node.inputs if i and i not in known}
            for name in needed:
                if name not in made:
                    raise self.fail(
                        f"{node.kind} at '{shortened(node.place)}' reads '{shortened(name)}', "
                        "which is neither computed nor an input"
                    )
                readers.setdefault(name, []).append(index)
            waits[index] = len(needed)
            if not needed:
                ready.append(index)
        ordered = list(self.fired(ready, waits, readers, nodes))
        if len(ordered) != len(nodes):
            stuck = nodes[min(set(range(len(nodes))) - set(ordered))]
            raise self.fail(
                f"{stuck.kind} at '{shortened(stuck.place)}' is part of a cycle, or behind one"
            )
        return [nodes[i] for i in ordered]

    def makers(self, nodes: Sequence[Node], known: set[str]) -> dict[str, int]:
        made: dict[str, int] = {}
        for index, node in enumerate(nodes):
            for output in filter(None, node.outputs):
                if output in made or output in known:
                    raise self.fail(
                        f"{node.kind} at '{shortened(node.place)}' computes "
                        f"'{shortened(output)}', which is there already"
                    )
                made[output] = index
        return made

    @staticmethod
    def fired(
        ready: list[int],
        waits: dict[int, int],
        readers: Mapping[str, Sequence[int]],
        nodes: Sequence[Node],
    ) -> Iterator[int]:
        heapq.heapify(ready)
        while ready:
            index = heapq.heappop(ready)
            yield index
            for output in filter(None, nodes[index].outputs):
                for reader in readers.get(output, ()):
                    waits[reader] -= 1
                    if waits[reader] == 0:
                        heapq.heappush(ready, reader)

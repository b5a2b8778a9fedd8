"""ONNX models with wrong descriptions: well-formed protobuf that says something else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from support.onnx_builder import QdqNetwork, Style

_NUMBERS = (-(1 << 63), -(1 << 31), -3, -1, 0, 1, 2, 3, 7, 255, 65536, 1 << 31, (1 << 63) - 1)
_KINDS = ("Conv", "Gemm", "Add", "Reshape", "Softmax", "Loop", "If", "Slice", "Concat", "Constant")


def wide_model() -> bytes:
    """Most operators that are supported, once."""
    n = QdqNetwork(np.random.default_rng(0), Style("int8"))
    x = n.input((1, 4, 12, 10))
    x = n.conv(x, 6, (3, 3), activation="Relu", pads=[1, 1, 1, 1])
    x = n.op("Add", x, n.conv(x, 6, (3, 3), group=6, pads=[1, 1, 1, 1]))
    x = n.op("Mul", x, n.op("Sigmoid", x, scale=1 / 256))
    x = n.op("Concat", x, n.op("LeakyRelu", x), attributes={"axis": 1})
    x = n.moved("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = n.moved("Pad", x, np.array([0, 0, 1, 0, 0, 0, 0, 1]))
    x = n.op("AveragePool", x, attributes={"kernel_shape": [2, 2]})
    x = n.moved("Transpose", x, perm=[0, 2, 3, 1])
    x = n.moved("Slice", x, np.array([1]), np.array([4]), np.array([1]))
    x = n.moved("Transpose", x, perm=[0, 3, 1, 2])
    empty = np.zeros(0, np.float32)
    x = n.moved("Resize", x, empty, np.array([1, 1, 2, 2], np.float32), mode="nearest")
    x = n.moved("Squeeze", n.op("GlobalAveragePool", x), np.array([2, 3]))
    x = n.moved("Unsqueeze", x, np.array([1]))
    x = n.moved("Reshape", x, np.array([1, -1]))
    return n.build(n.op("Softmax", n.gemm(x, 5), attributes={"axis": -1}, scale=1 / 256))


def wide_float_model() -> bytes:
    """A model in float32 with operators of every group."""
    rng = np.random.default_rng(1)
    weights = {
        "w": (4, 3, 3, 3),
        "d": (4, 1, 3, 3),
        "b": (4,),
        "m": (4, 5),
        "c": (5,),
        "n": (4,),
        "v": (4,),
    }
    constants = [
        numpy_helper.from_array(np.abs(rng.normal(size=shape)).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    constants.append(numpy_helper.from_array(np.array([1, -1]), "s"))
    constants.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "p"))
    node = helper.make_node
    nodes = [
        node("Pad", ["x", "p"], ["x1"], mode="reflect"),
        node("Conv", ["x1", "w", "b"], ["x2"], strides=[2, 1]),
        node("BatchNormalization", ["x2", "b", "b", "n", "v"], ["x3"]),
        node("Relu", ["x3"], ["x4"]),
        node("Conv", ["x4", "d"], ["x5"], group=4, auto_pad="SAME_UPPER"),
        node("Add", ["x4", "x5"], ["x6"]),
        node("MaxPool", ["x6"], ["x7"], kernel_shape=[2, 2], ceil_mode=1),
        node(
            "Split",
            ["x7"],
            ["x8", "x9"],
            axis=1,
        ),
        node("Concat", ["x9", "x8"], ["x10"], axis=1),
        node("LeakyRelu", ["x10"], ["x11"], alpha=0.1),
        node("ReduceMean", ["x11"], ["x12"], axes=[2, 3], keepdims=1),
        node("Transpose", ["x12"], ["x13"], perm=[0, 2, 3, 1]),
        node("Reshape", ["x13", "s"], ["x14"]),
        node("Gemm", ["x14", "m", "c"], ["x15"], alpha=0.5),
        node("Erf", ["x15"], ["x16"]),
        node("Softmax", ["x16"], ["y"], axis=-1),
    ]
    value = helper.make_tensor_value_info
    given = value("x", TensorProto.FLOAT, [1, 3, 7, 6])
    result = value("y", TensorProto.FLOAT, [1, 5])
    graph = helper.make_graph(nodes, "wide", [given], [result], constants)
    imports = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()


def described_otherwise(data: bytes, first: int, count: int) -> Iterator[tuple[str, bytes]]:
    """One to three things that are wrong, or just unusual."""
    for seed in range(first, first + count):
        rng = random.Random(seed)
        model = onnx.load_from_string(data)
        for _ in range(rng.choice([1, 1, 2, 3])):
            rng.choice(_MISTAKES)(rng, model.graph)
        yield f"description {seed}", model.SerializeToString()


def _names(graph: Any) -> list[str]:
    return [o for node in graph.node for o in node.output] + [t.name for t in graph.initializer]


def _input(rng: random.Random, graph: Any) -> None:
    node = rng.choice(graph.node)
    if node.input:
        names = [*_names(graph), "", "nowhere"]
        node.input[rng.randrange(len(node.input))] = rng.choice(names)


def _number_of_inputs(rng: random.Random, graph: Any) -> None:
    node = rng.choice(graph.node)
    if rng.random() < 0.5 and node.input:
        del node.input[rng.randrange(len(node.input)) :]
    else:
        node.input.append(rng.choice(_names(graph)))


def _output(rng: random.Random, graph: Any) -> None:
    node = rng.choice(graph.node)
    if rng.random() < 0.5 and node.output:
        node.output[0] = rng.choice([*_names(graph), ""])
    else:
        del node.output[:]


def _kind(rng: random.Random, graph: Any) -> None:
    rng.choice(graph.node).op_type = rng.choice(_KINDS)


def _attribute(rng: random.Random, graph: Any) -> None:
    having = [node for node in graph.node if node.attribute]
    attribute = rng.choice(rng.choice(having).attribute)
    if rng.random() < 0.3:
        attribute.type = rng.choice(list(AttributeProto.AttributeType.values()))
    elif attribute.ints:
        if rng.random() < 0.3:
            attribute.ints.append(rng.choice(_NUMBERS))
        else:
            attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(_NUMBERS)
    else:
        attribute.i = rng.choice(_NUMBERS)
        attribute.f = rng.choice([0.0, -1.0, float("nan"), float("inf"), 1e30])


def _extent(rng: random.Random, graph: Any) -> None:
    having = [t for t in graph.initializer if t.dims]
    tensor = rng.choice(having)
    tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_NUMBERS)


def _values(rng: random.Random, graph: Any) -> None:
    """Other numbers of the same type and shape."""
    tensor = rng.choice(graph.initializer)
    values = numpy_helper.to_array(tensor).copy() if len(tensor.raw_data) else np.zeros(1, np.int8)
    if tensor.raw_data and values.size:
        extremes = [0, 1, -1, 100, np.nan, np.inf, 1e-40, 1e38]
        with np.errstate(all="ignore"):
            values.reshape(-1)[rng.randrange(values.size)] = np.array(rng.choice(extremes)).astype(
                values.dtype
            )
        tensor.raw_data = values.tobytes()


def _type(rng: random.Random, graph: Any) -> None:
    tensor = rng.choice(graph.initializer)
    tensor.data_type = rng.choice([*TensorProto.DataType.values(), 99])


def _outside(rng: random.Random, graph: Any) -> None:
    value = rng.choice([*graph.input, *graph.output])
    extents = value.type.tensor_type.shape.dim
    what = rng.randrange(4)
    if what == 0:
        extents[rng.randrange(len(extents))].dim_value = rng.choice(_NUMBERS)
    elif what == 1:
        extents[rng.randrange(len(extents))].dim_param = "N"
    elif what == 2:
        value.type.tensor_type.elem_type = rng.choice(list(TensorProto.DataType.values()))
    else:
        value.name = rng.choice(_names(graph))


def _order(rng: random.Random, graph: Any) -> None:
    nodes = list(graph.node)
    if rng.random() < 0.5:
        del nodes[rng.randrange(len(nodes))]
    else:
        rng.shuffle(nodes)
    del graph.node[:]
    graph.node.extend(nodes)


_MISTAKES = (
    *(_input, _number_of_inputs, _output, _kind, _attribute, _attribute, _attribute),
    *(_extent, _values, _type, _outside, _order),
)

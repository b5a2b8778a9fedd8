"""Random ONNX models in float32, compared with ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

#: Functions of one element that keep values in a range where errors do not grow.
_ACTIVATIONS: tuple[tuple[str, dict[str, float]], ...] = (
    ("Relu", {}),
    ("LeakyRelu", {"alpha": 0.1}),
    ("Sigmoid", {}),
    ("Tanh", {}),
    ("HardSwish", {}),
    ("Elu", {"alpha": 0.7}),
    ("Softplus", {}),
    ("Erf", {}),
    ("Softsign", {}),
)


class _Builder:
    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.rng = rng
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.shapes = {"x": shape}

    def constant(self, *shape: int, scale: float = 1.0, positive: bool = False) -> str:
        name = f"c{len(self.constants)}"
        values = np.asarray(self.rng.normal(size=shape) * scale, np.float32)
        if positive:
            values = np.abs(values) + np.float32(0.5)
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def ints(self, *values: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        model = self.model(name)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        dims = inferred.graph.output[0].type.tensor_type.shape.dim
        self.shapes[name] = tuple(d.dim_value for d in dims)
        return name

    def model(self, output: str) -> Any:
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shapes["x"])
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [given], [result], self.constants)
        imports = [helper.make_opsetid("", 18)]
        return helper.make_model(graph, opset_imports=imports, ir_version=9)


def _conv(draw: Any, b: _Builder, x: str) -> str:
    _, channels, height, width = b.shapes[x]
    groups = draw(st.sampled_from([1, 1, channels]))
    out = groups * draw(st.integers(1, 3)) if groups > 1 else draw(st.integers(1, 6))
    taps = [draw(st.integers(1, min(3, n))) for n in (height, width)]
    scale = 1 / np.sqrt(channels // groups * taps[0] * taps[1])
    inputs = [x, b.constant(out, channels // groups, *taps, scale=scale)]
    if draw(st.booleans()):
        inputs.append(b.constant(out))
    auto = draw(st.sampled_from(["NOTSET", "SAME_UPPER", "VALID"]))
    attributes = {"auto_pad": auto, "group": groups, "strides": [draw(st.integers(1, 2)), 1]}
    if auto == "NOTSET":
        attributes["pads"] = [draw(st.integers(0, n - 1)) for n in (*taps, *taps)]
    return b.node("Conv", *inputs, **attributes)


def _pool(draw: Any, b: _Builder, x: str) -> str:
    taps = [draw(st.integers(1, min(3, n))) for n in b.shapes[x][2:]]
    kind = draw(st.sampled_from(["MaxPool", "AveragePool"]))
    attributes: dict[str, Any] = {"kernel_shape": taps, "strides": [1, draw(st.integers(1, 2))]}
    attributes["pads"] = [draw(st.integers(0, n - 1)) for n in (*taps, *taps)]
    if kind == "AveragePool":
        attributes["count_include_pad"] = draw(st.integers(0, 1))
    return b.node(kind, x, **attributes)


def _step(draw: Any, b: _Builder, x: str) -> str:
    channels = b.shapes[x][1]
    kind = draw(st.sampled_from(["conv", "conv", "pool", "activation", "binary", "norm", "branch"]))
    if kind == "conv":
        return _conv(draw, b, x)
    if kind == "pool":
        return _pool(draw, b, x)
    if kind == "activation":
        name, attributes = draw(st.sampled_from(_ACTIVATIONS))
        return b.node(name, x, **attributes)
    if kind == "binary":
        shape = draw(st.sampled_from([(), (channels, 1, 1), b.shapes[x][-1:]]))
        return b.node(draw(st.sampled_from(["Add", "Mul", "Sub"])), x, b.constant(*shape))
    if kind == "norm":
        parameters = [b.constant(channels) for _ in range(3)]
        variance = b.constant(channels, positive=True)
        return b.node("BatchNormalization", x, *parameters, variance)
    return b.node("Concat", b.node("Relu", x), b.node("Neg", x), axis=1)


@st.composite
def float_networks(draw: Any) -> tuple[bytes, np.ndarray]:
    """A model and an input. Convolutions, pools, element-wise operators, then a head."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    shape = (1, draw(st.integers(1, 4)), draw(st.integers(2, 7)), draw(st.integers(2, 7)))
    b = _Builder(rng, shape)
    x = "x"
    for _ in range(draw(st.integers(1, 4))):
        x = _step(draw, b, x)
    head = draw(st.sampled_from(["none", "softmax", "dense", "mean"]))
    if head == "softmax":
        x = b.node("Softmax", x, axis=draw(st.integers(-4, 3)))
    elif head == "dense":
        x = b.node("Flatten", x)
        count = b.shapes[x][1]
        weights = b.constant(count, 5, scale=1 / np.sqrt(count))
        x = b.node("Gemm", x, weights, b.constant(5), alpha=0.5, beta=2.0)
    elif head == "mean":
        x = b.node("ReduceMean", x, b.ints(2, 3), keepdims=0)
    return b.model(x).SerializeToString(), rng.normal(size=shape).astype(np.float32)

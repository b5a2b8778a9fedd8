"""Products of integers in unusual forms, drawn by hypothesis, against ONNX Runtime: two
activations, uint8 weights of the full range, convolutions of signals, factors and transposed
operands of Gemm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from support.onnx_oracle import check_against_onnxruntime

_TYPES = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8}


@dataclass(frozen=True)
class Product:
    """An operator of two operands, of which the second is an input or a constant."""

    kind: str
    a_shape: tuple[int, ...]
    b_shape: tuple[int, ...]
    b_is_input: bool
    dtype: str
    has_bias: bool
    attributes: dict[str, Any]
    seed: int


@st.composite
def products(draw: Any) -> Product:
    kind = draw(st.sampled_from(["activations", "matmul", "gemm", "conv1d", "conv2d"]))
    dtype = draw(st.sampled_from(sorted(_TYPES)))
    seed = draw(st.integers(0, 1 << 30))
    n, m, k = (draw(st.integers(1, 9)) for _ in range(3))
    attributes: dict[str, Any] = {}
    if kind == "activations":
        lead = draw(st.sampled_from([(), (2,), (3, 2)]))
        return Product("MatMul", (*lead, n, k), (*lead, k, m), True, dtype, False, {}, seed)
    if kind == "matmul":
        return Product("MatMul", (2, n, k), (k, m), False, dtype, False, {}, seed)
    if kind == "gemm":
        attributes = {name: draw(st.integers(0, 1)) for name in ("transA", "transB")}
        has_bias = draw(st.booleans())
        if not has_bias:
            attributes["alpha"] = draw(st.sampled_from([1.0, 0.37, 2.5]))
        a = (k, n) if attributes["transA"] else (n, k)
        b = (m, k) if attributes["transB"] else (k, m)
        return Product("Gemm", a, b, False, dtype, has_bias, attributes, seed)
    axes = 1 if kind == "conv1d" else 2
    taps = [draw(st.integers(1, 3)) for _ in range(axes)]
    groups = draw(st.sampled_from([1, 2]))
    attributes = {
        "group": groups,
        "strides": [draw(st.integers(1, 2)) for _ in range(axes)],
        "dilations": [draw(st.integers(1, 2)) for _ in range(axes)],
        "pads": [draw(st.integers(0, 2)) for _ in range(2 * axes)],
    }
    size = [draw(st.integers(5, 9)) for _ in range(axes)]
    channels = draw(st.integers(1, 3))
    a = (1, channels * groups, *size)
    b = (groups * m, channels, *taps)
    return Product("Conv", a, b, False, dtype, draw(st.booleans()), attributes, seed)


def _model(p: Product) -> tuple[bytes, list[list[np.ndarray]]]:
    rng = np.random.default_rng(p.seed)
    limits = np.iinfo(p.dtype)

    def integers(shape: tuple[int, ...]) -> np.ndarray:
        return rng.integers(limits.min, limits.max + 1, shape).astype(p.dtype)

    constants: dict[str, np.ndarray] = {}
    nodes = []
    scales = {}
    for name in ("a", "b"):
        # Symmetric int8 weights are what ONNX Runtime has kernels for.
        is_symmetric = name == "b" and not p.b_is_input and p.dtype == "int8"
        zero_point = 0 if is_symmetric else int(rng.integers(limits.min, limits.max + 1))
        scales[name] = np.float32(rng.uniform(0.005, 0.05))
        constants[f"{name}_s"] = scales[name]
        constants[f"{name}_z"] = np.array(zero_point, p.dtype)
        quantisation = [f"{name}_s", f"{name}_z"]
        nodes.append(helper.make_node("DequantizeLinear", [name, *quantisation], [f"{name}_r"]))
    operands = ["a_r", "b_r"]
    if not p.b_is_input:
        constants["b"] = integers(p.b_shape)
    channels = p.b_shape[0] if p.kind == "Conv" or p.attributes.get("transB") else p.b_shape[-1]
    if p.has_bias:
        constants["c"] = rng.integers(-3000, 3000, channels).astype(np.int32)
        constants["c_s"] = np.float32(scales["a"] * scales["b"])
        nodes.append(helper.make_node("DequantizeLinear", ["c", "c_s"], ["c_r"]))
        operands.append("c_r")
    nodes.append(helper.make_node(p.kind, operands, ["y_r"], **p.attributes))
    depth = int(np.prod(p.b_shape)) // channels
    spread = 100 * 100 * scales["a"] * scales["b"] * np.sqrt(depth) * p.attributes.get("alpha", 1)
    constants["y_s"] = np.float32(spread / 60)
    constants["y_z"] = np.array(int(rng.integers(limits.min, limits.max + 1)), p.dtype)
    nodes.append(helper.make_node("QuantizeLinear", ["y_r", "y_s", "y_z"], ["y"]))
    element = _TYPES[p.dtype]
    inputs = [helper.make_tensor_value_info("a", element, p.a_shape)]
    if p.b_is_input:
        inputs.append(helper.make_tensor_value_info("b", element, p.b_shape))
    outputs = [helper.make_tensor_value_info("y", element, None)]
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "product", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    shapes = [p.a_shape, p.b_shape][: len(inputs)]
    return model.SerializeToString(), [[integers(s) for s in shapes] for _ in range(3)]


@given(products())
@settings(max_examples=4 * settings().max_examples)
def test_products(product: Product) -> None:
    model, inputs = _model(product)
    check_against_onnxruntime(model, inputs, str(product), machine="single-m4-1m")

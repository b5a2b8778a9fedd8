# SPDX-License-Identifier: Apache-2.0
"""Single layers with random weights as QDQ models, int8 in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET, _IR_VERSION = 17, 8
_X_SCALE, _X_ZERO = 0.02, -128
# Of random int8 operands, and what results should have.
_X_DEVIATION, _OUT_DEVIATION = 74.0, 40.0
_WEIGHT_DEVIATION = 30.0


def quantized_layer(size: int, given: int, made: int, kernel: int, stride: int) -> bytes:
    """A convolution of ``made`` by ``given`` channels with a window of ``kernel`` by ``kernel``,
    padded so that a stride of 1 keeps the size, on an image of ``size`` by ``size``.

    Operands are int8 with zero point -128, as behind a ReLU; weights have a scale per channel, and
    are spread as trained ones. The same bytes each time.
    """
    rng = np.random.default_rng(made * 31 + given)
    normal = rng.normal(0, _WEIGHT_DEVIATION, (made, given, kernel, kernel))
    weights = np.clip(np.rint(normal), -127, 127).astype(np.int8)
    scales = rng.uniform(0.0005, 0.001, made).astype(np.float32)
    deviation = _X_DEVIATION * _WEIGHT_DEVIATION * np.sqrt(given * kernel * kernel)
    constants = {
        "x_scale": np.float32(_X_SCALE),
        "x_zero": np.int8(_X_ZERO),
        "w": weights,
        "w_scale": scales,
        "w_zero": np.zeros(made, np.int8),
        "b": rng.integers(-1000, 1000, made).astype(np.int32),
        "b_scale": (scales * np.float32(_X_SCALE)).astype(np.float32),
        "b_zero": np.zeros(made, np.int32),
        "y_scale": np.float32(_X_SCALE * scales.mean() * deviation / _OUT_DEVIATION),
        "y_zero": np.int8(0),
    }
    pad = kernel // 2
    out = (size + 2 * pad - kernel) // stride + 1
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wf"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "b_scale", "b_zero"], ["bf"], axis=0),
        helper.make_node(
            "Conv",
            ["xf", "wf", "bf"],
            ["yf"],
            name="layer",
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
        ),
        helper.make_node("QuantizeLinear", ["yf", "y_scale", "y_zero"], ["y"]),
    ]
    return _model(nodes, (1, given, size, size), (1, made, out, out), constants)


def quantized_matmul(rows: int, given: int, made: int) -> bytes:
    """``rows`` vectors of ``given`` elements times a matrix, int8, with one scale. The same bytes
    each time."""
    rng = np.random.default_rng(made * 37 + given)
    weights = np.clip(np.rint(rng.normal(0, _WEIGHT_DEVIATION, (given, made))), -127, 127)
    deviation = _X_DEVIATION * _WEIGHT_DEVIATION * np.sqrt(given)
    w_scale = 0.001
    constants = {
        "x_scale": np.float32(_X_SCALE),
        "x_zero": np.int8(0),
        "w": weights.astype(np.int8),
        "w_scale": np.float32(w_scale),
        "w_zero": np.int8(0),
        "y_scale": np.float32(_X_SCALE * w_scale * deviation / _OUT_DEVIATION),
        "y_zero": np.int8(0),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wf"]),
        helper.make_node("MatMul", ["xf", "wf"], ["yf"], name="layer"),
        helper.make_node("QuantizeLinear", ["yf", "y_scale", "y_zero"], ["y"]),
    ]
    return _model(nodes, (rows, given), (rows, made), constants)


def _model(
    nodes: Sequence[onnx.NodeProto],
    given: tuple[int, ...],
    made: tuple[int, ...],
    constants: Mapping[str, Any],
) -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.INT8, given)
    y = helper.make_tensor_value_info("y", TensorProto.INT8, made)
    held = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    graph = helper.make_graph(nodes, "layer", [x], [y], held)
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())

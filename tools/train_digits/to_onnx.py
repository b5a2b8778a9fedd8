# SPDX-License-Identifier: Apache-2.0
"""The trained digits network as ONNX, and that quantised by ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

Floats = NDArray[np.float32]

OPSET = 17
IR_VERSION = 9


class _Writer:
    """One layer after the other becomes nodes; images are NCHW in ONNX."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: Any) -> str:
        array = np.ascontiguousarray(values, np.float32)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))

    def conv(self, layer: keras.Layer, x: str) -> None:
        """HWIO to OIHW; of a depthwise convolution, HWC1 to C1HW."""
        name, weights = layer.name, layer.get_weights()[0]
        is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        order = (2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1)
        attributes: dict[str, Any] = {"strides": list(layer.strides)}
        if is_depthwise:
            attributes["group"] = weights.shape[2]
        if layer.padding == "same" and max(layer.kernel_size) > 1:
            attributes["auto_pad"] = "SAME_UPPER"
        inputs = [x, self.constant(f"{name}_weights", weights.transpose(order))]
        self.node("Conv", inputs, name, **attributes)

    def layer(self, layer: keras.Layer, inputs: list[str]) -> None:
        """Raises ``ValueError`` for a layer that the network does not have today."""
        name = layer.name
        match type(layer).__name__:
            case "Conv2D" | "DepthwiseConv2D":
                self.conv(layer, inputs[0])
            case "BatchNormalization":
                kinds = ("gamma", "beta", "mean", "variance")
                values = layer.get_weights()
                names = [
                    self.constant(f"{name}_{k}", v) for k, v in zip(kinds, values, strict=True)
                ]
                self.node("BatchNormalization", [*inputs, *names], name, epsilon=layer.epsilon)
            case "ReLU":
                self.node("Relu", inputs, name)
            case "Add":
                self.node("Add", inputs, name)
            case "MaxPooling2D":
                window = {"kernel_shape": list(layer.pool_size), "strides": list(layer.strides)}
                self.node("MaxPool", inputs, name, **window)
            case "GlobalAveragePooling2D":
                self.node("GlobalAveragePool", inputs, f"{name}_image")
                self.node("Flatten", [f"{name}_image"], name)
            case "Dense":
                weights, bias = layer.get_weights()
                names = [
                    self.constant(f"{name}_weights", weights),
                    self.constant(f"{name}_bias", bias),
                ]
                self.node("Gemm", [*inputs, *names], name)
            case "Softmax":
                self.node("Softmax", inputs, name, axis=-1)
            case other:
                raise ValueError(f"no node for a layer {other}")


def to_onnx(model: keras.Model) -> Any:
    """The float network: 1x1x8x8 in, ten class probabilities out."""
    writer = _Writer()
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        writer.layer(layer, [tensor._keras_history.operation.name for tensor in given])
    image, result = model.layers[0].name, model.layers[-1].name
    graph = helper.make_graph(
        writer.nodes,
        "digits",
        [helper.make_tensor_value_info(image, TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, [1, 10])],
        writer.constants,
    )
    whole = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(whole, full_check=True)
    return whole


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, images: Floats) -> None:
        self._frames: Iterator[dict[str, Floats]] = (
            {name: image.transpose(2, 0, 1)[np.newaxis]} for image in images
        )

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._frames, None)


def to_onnx_int8(model: keras.Model, calibration: Floats) -> bytes:
    """Quantised by ONNX Runtime: QDQ, int8 activations, int8 weights per output channel.

    ``calibration`` are images as the float network takes them, NHWC.
    """
    with tempfile.TemporaryDirectory() as folder:
        real, folded, quantised = (Path(folder) / f"{n}.onnx" for n in ("real", "folded", "int8"))
        onnx.save(to_onnx(model), real)
        quant_pre_process(real, folded, skip_symbolic_shape=True)
        quantize_static(
            folded,
            quantised,
            _Calibration(model.layers[0].name, calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
        return quantised.read_bytes()


def outputs_of(data: bytes, images: Floats) -> Floats:
    """What ONNX Runtime gives for ``images`` (NHWC): rows of ten."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    frames = images.transpose(0, 3, 1, 2)[:, np.newaxis]
    return np.concatenate([session.run(None, {given.name: frame})[0] for frame in frames])

# SPDX-License-Identifier: Apache-2.0
"""Networks for benchmarks: of well-known shapes with random weights, quantised by ONNX Runtime."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_IR_VERSION = 8
_CALIBRATION_IMAGES = 4
Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass
class _Net:
    """A float model that grows layer by layer; tensors are known by name, NCHW."""

    seed: int
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, *shape: int) -> str:
        """Weights that keep the size of what goes through."""
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 16
        name = f"w{len(self.weights)}"
        values = self.rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(
        self, x: str, given: int, made: int, size: int, stride: int = 1, *, group: int = 1
    ) -> str:
        w, b = self.constant(made, given // group, size, size), self.constant(made)
        pads = [size // 2] * 4
        strides, kernel = [stride, stride], [size, size]
        return self.node(
            "Conv", x, w, b, group=group, pads=pads, strides=strides, kernel_shape=kernel
        )

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

    def end(self, x: str, channels: int, classes: int) -> str:
        flat = self.node("Flatten", self.node("GlobalAveragePool", x))
        return self.node("Gemm", flat, self.constant(channels, classes), self.constant(classes))

    def model(self, shape: tuple[int, ...], classes: int, last: str) -> Any:
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info(last, TensorProto.FLOAT, (1, classes))
        graph = helper.make_graph(self.nodes, "net", [x], [y], self.weights)
        opsets = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)


def _resnet_8(net: _Net) -> Any:
    """The shape of MLPerf Tiny's image classification: 12.5 million MACs."""
    x, width = net.relu(net.conv("x", 3, 16, 3)), 16
    for made, stride in ((16, 1), (32, 2), (64, 2)):
        y = net.relu(net.conv(x, width, made, 3, stride))
        y = net.conv(y, made, made, 3)
        if made != width:
            x = net.conv(x, width, made, 1, stride)
        x, width = net.relu(net.node("Add", x, y)), made
    return net.model((1, 3, 32, 32), 10, net.end(x, width, 10))


def _mobilenet(net: _Net) -> Any:
    """MobileNet V1, a quarter as wide, on 96x96: 7.5 million MACs."""
    x, width = net.relu(net.conv("x", 3, 8, 3, 2)), 8
    for made, stride in (
        *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
        *((128, 1),) * 5,
        *((256, 2), (256, 1)),
    ):
        x = net.relu(net.conv(x, width, width, 3, stride, group=width))
        x, width = net.relu(net.conv(x, width, made, 1)), made
    return net.model((1, 3, 96, 96), 2, net.end(x, width, 2))


#: By name.
NETWORKS: Mapping[str, Callable[[_Net], Any]] = {
    "resnet-8": _resnet_8,
    "mobilenet": _mobilenet,
}


class _Images:
    """Random images, as ONNX Runtime's calibration reads them."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        rng = np.random.default_rng(1)
        self.left = [rng.normal(0, 1, shape).astype(np.float32) for _ in range(_CALIBRATION_IMAGES)]

    def get_next(self) -> dict[str, Array] | None:
        """The next one; None behind the last."""
        return {"x": self.left.pop()} if self.left else None


def quantized_network(name: str) -> tuple[bytes, tuple[int, ...]]:
    """A QDQ model in int8 with scales per output channel, and the shape of its float input.

    The same bytes each time. Raises ``ImportError`` without onnxruntime, ``KeyError`` for another
    name than those of ``NETWORKS``.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = NETWORKS[name](_Net(seed=0))
    shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        given, made = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, given)
        logging.disable(logging.WARNING)  # advice on how to prepare models
        quantize_static(
            given,
            made,
            _Images(shape),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        logging.disable(logging.NOTSET)
        return made.read_bytes(), shape

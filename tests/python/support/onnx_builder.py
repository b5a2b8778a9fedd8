"""Quantised ONNX models of random weights: written in float, calibrated by ONNX Runtime, then
written again with QuantizeLinear and DequantizeLinear around every operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

_CALIBRATION_IMAGES = 4
_TYPES = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}


@dataclass(frozen=True)
class Style:
    """How a model is quantised. ``io`` is ``quantized`` or ``float``, what goes in and out."""

    dtype: str = "int8"
    symmetric: bool = False
    per_channel: bool = True
    io: str = "quantized"
    opset: int = 17
    float_bias: bool = False


@dataclass(frozen=True)
class _Op:
    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    channel_axis: int = 0
    constants: tuple[np.ndarray, ...] = ()
    # The tensor whose quantisation the result has, for what moves data.
    like: str = ""
    quantized: bool = True
    scale: float | None = None


@dataclass
class QdqNetwork:
    """Builds a model operator by operator; tensors are known by name."""

    rng: np.random.Generator
    style: Style
    ops: list[_Op] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)

    def input(self, shape: Sequence[int]) -> str:
        name = f"input{len(self.inputs)}"
        self.inputs.append(name)
        self.shapes[name] = tuple(shape)
        return name

    def op(self, kind: str, *inputs: str, attributes: Any = None, **details: Any) -> str:
        """Any operator; its shape is found when something asks for it."""
        name = f"t{len(self.ops)}"
        self.ops.append(_Op(kind, inputs, name, attributes or {}, **details))
        return name

    def shape(self, name: str) -> tuple[int, ...]:
        if name not in self.shapes:
            model = onnx.shape_inference.infer_shapes(self._float_model([name]))
            for value in (*model.graph.value_info, *model.graph.output):
                extents = [d.dim_value for d in value.type.tensor_type.shape.dim]
                self.shapes[value.name] = tuple(extents)
        return self.shapes[name]

    # --- layers with weights ---

    def conv(
        self,
        x: str,
        channels: int,
        kernel: Sequence[int] = (3, 3),
        group: int = 1,
        activation: str = "",
        bias: bool = True,
        **attributes: Any,
    ) -> str:
        shape = (channels, self.shape(x)[1] // group, *kernel)
        weights = self._weights(shape, fan_in=int(np.prod(shape[1:])))
        attributes |= {"group": group, "kernel_shape": list(kernel)}
        return self._activated(
            activation,
            lambda quantized: self.op(
                "Conv",
                x,
                attributes=attributes,
                weights=weights,
                bias=self._bias(channels) if bias else None,
                quantized=quantized,
            ),
        )

    def gemm(self, x: str, units: int, activation: str = "", transposed: bool = True) -> str:
        depth = self.shape(x)[1]
        weights = self._weights((units, depth) if transposed else (depth, units), depth)
        return self._activated(
            activation,
            lambda quantized: self.op(
                "Gemm",
                x,
                attributes={"transB": int(transposed)},
                weights=weights,
                bias=self._bias(units),
                channel_axis=0 if transposed else 1,
                quantized=quantized,
            ),
        )

    def matmul(self, x: str, units: int) -> str:
        depth = self.shape(x)[-1]
        return self.op("MatMul", x, weights=self._weights((depth, units), depth), channel_axis=1)

    def _weights(self, shape: Sequence[int], fan_in: int) -> np.ndarray:
        return (self.rng.normal(0, 1, shape) / np.sqrt(fan_in)).astype(np.float32)

    def _bias(self, count: int) -> np.ndarray:
        return self.rng.normal(0, 0.3, count).astype(np.float32)

    def _activated(self, activation: str, make: Any) -> str:
        """Straight before the quantise, where ONNX Runtime drops it if it says nothing new."""
        x = make(not activation)
        if activation == "Relu6":
            limits = (np.float32(0), np.float32(6))
            return self.op("Clip", x, constants=tuple(np.asarray(v) for v in limits))
        return self.op(activation, x) if activation else x

    def moved(self, kind: str, x: str, *constants: Any, **attributes: Any) -> str:
        """An operator whose result has the quantisation of its operand."""
        arrays = tuple(np.asarray(c) for c in constants)
        return self.op(kind, x, attributes=attributes, constants=arrays, like=x)

    # --- models ---

    def build(self, *outputs: str) -> bytes:
        ranges = self._ranges()
        return _Writer(self, ranges).model(outputs).SerializeToString()

    def _float_model(self, outputs: Sequence[str]) -> Any:
        nodes, tensors = [], []
        for op in self.ops:
            names = list(op.inputs)
            for index, array in enumerate((op.weights, op.bias, *op.constants)):
                if array is None:
                    continue
                names.append(f"{op.output}_c{index}")
                tensors.append(numpy_helper.from_array(array, names[-1]))
            nodes.append(_node(op, names, op.output))
        values = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, self.shapes[n]) for n in self.inputs
        ]
        results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
        return _model(nodes, values, results, tensors, self.style.opset)

    def _ranges(self) -> dict[str, tuple[float, float]]:
        """The least and the largest number that a few images give everywhere."""
        names = [op.output for op in self.ops]
        session = onnxruntime.InferenceSession(
            self._float_model(names).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        found: dict[str, tuple[float, float]] = dict.fromkeys(self.inputs, (-1.0, 1.0))
        for _ in range(_CALIBRATION_IMAGES):
            images = {
                n: self.rng.uniform(-1, 1, self.shapes[n]).astype(np.float32) for n in self.inputs
            }
            for name, value in zip(names, session.run(None, images), strict=True):
                low, high = found.get(name, (0.0, 0.0))
                found[name] = (min(low, float(value.min())), max(high, float(value.max())))
        return found

    def images(self, count: int) -> list[list[np.ndarray]]:
        """Inputs of the kind that the model takes."""
        if self.style.io == "float":
            return [
                [
                    self.rng.uniform(-1.1, 1.1, self.shapes[n]).astype(np.float32)
                    for n in self.inputs
                ]
                for _ in range(count)
            ]
        limits = np.iinfo(self.style.dtype)
        return [
            [
                self.rng.integers(limits.min, limits.max + 1, self.shapes[n]).astype(
                    self.style.dtype
                )
                for n in self.inputs
            ]
            for _ in range(count)
        ]


def _node(op: _Op, inputs: Sequence[str], output: str) -> Any:
    domain = "com.microsoft" if op.kind.startswith("QLinear") else ""
    return helper.make_node(op.kind, inputs, [output], domain=domain, **op.attributes)


def _model(nodes: Any, inputs: Any, outputs: Any, tensors: Any, opset: int) -> Any:
    graph = helper.make_graph(nodes, "network", inputs, outputs, tensors)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


class _Writer:
    """The model with quantise and dequantise."""

    def __init__(self, network: QdqNetwork, ranges: Mapping[str, tuple[float, float]]) -> None:
        self.network, self.ranges, self.style = network, ranges, network.style
        self.nodes: list[Any] = []
        self.tensors: dict[str, Any] = {}
        self.scales: dict[str, tuple[np.float32, int]] = {}

    def constant(self, name: str, value: Any) -> str:
        self.tensors[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def quantisation(self, name: str, scale: float | None = None) -> tuple[np.float32, int]:
        limits = np.iinfo(self.style.dtype)
        low, high = self.ranges[name]
        if scale is not None:
            return np.float32(scale), int(limits.min)
        if self.style.symmetric:
            most = max(abs(low), abs(high)) or 1.0
            return np.float32(most / 127), (limits.min + limits.max + 1) // 2
        step = np.float32((high - low) / 255 or 1.0)
        zero = int(np.clip(np.rint(limits.min - low / step), limits.min, limits.max))
        return step, zero

    def pair(self, source: str, name: str, quantize: bool, dequantize: bool) -> None:
        """Quantise ``source`` to ``name_q``, dequantise that to ``name_r``."""
        scale, zero = self.scales[name]
        parameters = [
            self.constant(f"{name}_scale", scale),
            self.constant(f"{name}_zero", np.asarray(zero, self.style.dtype)),
        ]
        if quantize:
            self.nodes.append(
                helper.make_node("QuantizeLinear", [source, *parameters], [f"{name}_q"])
            )
        if dequantize:
            integers = f"{name}_q" if quantize else source
            self.nodes.append(
                helper.make_node("DequantizeLinear", [integers, *parameters], [f"{name}_r"])
            )

    def model(self, outputs: Sequence[str]) -> Any:
        is_float = self.style.io == "float"
        for name in self.network.inputs:
            self.scales[name] = self.quantisation(name)
            self.pair(name, name, quantize=is_float, dequantize=True)
        unquantized: set[str] = set()
        for op in self.network.ops:
            names = [n if n in unquantized else f"{n}_r" for n in op.inputs]
            names += self.weights(op)
            names += [
                self.constant(f"{op.output}_k{i}", c) if c.size else ""
                for i, c in enumerate(op.constants)
            ]
            self.nodes.append(_node(op, names, op.output))
            if not op.quantized:
                unquantized.add(op.output)
                continue
            self.scales[op.output] = (
                self.scales[op.like] if op.like else self.quantisation(op.output, op.scale)
            )
            self.pair(op.output, op.output, quantize=True, dequantize=True)
        shapes = self.network.shapes
        for name in outputs:
            self.network.shape(name)
        kind = _TYPES["float32" if is_float else self.style.dtype]
        values = [helper.make_tensor_value_info(n, kind, shapes[n]) for n in self.network.inputs]
        ends = "_r" if is_float else "_q"
        results = [helper.make_tensor_value_info(n + ends, kind, shapes[n]) for n in outputs]
        read = {n for node in self.nodes for n in node.input} | {v.name for v in results}
        nodes = [n for n in self.nodes if any(o in read for o in n.output)]
        tensors = list(self.tensors.values())
        return _model(nodes, values, results, tensors, self.style.opset)

    def weights(self, op: _Op) -> list[str]:
        """Names of the dequantised weights and bias."""
        if op.weights is None:
            return []
        axis, out = op.channel_axis, op.output
        others = tuple(a for a in range(op.weights.ndim) if a != axis)
        per_channel = self.style.per_channel
        most = np.abs(op.weights).max(axis=others if per_channel else None)
        scales = np.maximum(most / 127, 1e-5).astype(np.float32)
        shape = [1] * op.weights.ndim
        if per_channel:
            shape[axis] = -1
        stored = np.clip(np.rint(op.weights / scales.reshape(shape)), -127, 127).astype(np.int8)
        weights = [
            self.constant(f"{out}_w", stored),
            self.constant(f"{out}_ws", scales),
            self.constant(f"{out}_wz", np.zeros(scales.shape, np.int8)),
        ]
        self.nodes.append(helper.make_node("DequantizeLinear", weights, [f"{out}_wr"], axis=axis))
        if op.bias is None:
            return [f"{out}_wr"]
        if self.style.float_bias:
            return [f"{out}_wr", self.constant(f"{out}_b", op.bias)]
        products = (self.scales[op.inputs[0]][0] * scales).astype(np.float32)
        sums = np.rint(op.bias / products).astype(np.int32)
        bias = [
            self.constant(f"{out}_b", sums),
            self.constant(f"{out}_bs", products),
            self.constant(f"{out}_bz", np.zeros(products.shape, np.int32)),
        ]
        self.nodes.append(helper.make_node("DequantizeLinear", bias, [f"{out}_br"], axis=0))
        return [f"{out}_wr", f"{out}_br"]

# SPDX-License-Identifier: Apache-2.0
"""Quantised operators of ONNX and ONNX Runtime as what they stand for: a dequantise of every
operand, the operator on floats, a quantise of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from weft.importers.onnx_reader import Node, Unsupported

if TYPE_CHECKING:
    from weft.importers.onnx import Importer

Expansion = Callable[["Importer", Node], list[Node]]
_MICROSOFT = "com.microsoft."


class _Parts:
    """The nodes that one quantised node becomes. Names that no file can have keep them apart."""

    def __init__(self, importer: Importer, node: Node) -> None:
        self.importer = importer
        self.node = node
        self.nodes: list[Node] = []

    def name(self, what: str) -> str:
        return f"{self.node.outputs[0]}\n{what}{len(self.nodes)}"

    def add(self, kind: str, inputs: Sequence[str], attributes: dict[str, Any], out: str) -> None:
        self.nodes.append(Node(kind, self.node.name, tuple(inputs), (out,), attributes))

    def real(self, first: int, axis: int = 0) -> str:
        """Dequantises the operand whose value, scale and zero point are inputs ``first`` on."""
        name = self.name("real")
        inputs = [self.node.input(first + i) for i in range(3)]
        self.add("DequantizeLinear", inputs, {"axis": axis}, name)
        return name

    def bias(self, index: int, x_scale: int, w_scale: int) -> str:
        """Dequantises int32 sums; empty if there are none."""
        if not self.node.input(index):
            return ""
        scales = [self.importer.array(self.node.input(i)) for i in (x_scale, w_scale)]
        if any(s.dtype != np.float32 for s in scales):
            raise Unsupported("a scale is no float32")
        scale, name = self.name("scale"), self.name("bias")
        self.importer.values[scale] = (scales[0] * scales[1]).reshape(-1)
        self.add("DequantizeLinear", [self.node.input(index), scale], {"axis": 0}, name)
        return name

    def finish(
        self, kind: str, inputs: Sequence[str], scale: int, zero_point: int, zero_like: int
    ) -> list[Node]:
        """The operator itself and the quantise; without a zero point it is 0, in the type of that
        which input ``zero_like`` is."""
        if self.node.attributes.get("channels_last"):
            raise Unsupported("its channels come last")
        real = self.name("result")
        self.add(kind, inputs, dict(self.node.attributes), real)
        zero = self.node.input(zero_point)
        if not zero:
            if not self.node.input(zero_like):
                raise Unsupported("it has no zero points")
            zero = self.name("zero")
            like = self.importer.array(self.node.input(zero_like))
            self.importer.values[zero] = np.zeros((), like.dtype)
        out = self.node.outputs[0]
        self.add("QuantizeLinear", [real, self.node.input(scale), zero], {}, out)
        return self.nodes


def _conv(importer: Importer, node: Node) -> list[Node]:
    parts = _Parts(importer, node)
    inputs = [parts.real(0), parts.real(3), parts.bias(8, 1, 4)]
    return parts.finish("Conv", inputs, 6, 7, 2)


def _matmul(importer: Importer, node: Node) -> list[Node]:
    parts = _Parts(importer, node)
    return parts.finish("MatMul", [parts.real(0), parts.real(3, axis=1)], 6, 7, 2)


def _gemm(importer: Importer, node: Node) -> list[Node]:
    parts = _Parts(importer, node)
    axis = 0 if node.attributes.get("transB") else 1
    inputs = [parts.real(0), parts.real(3, axis=axis), parts.bias(6, 1, 4)]
    return parts.finish("Gemm", inputs, 7, 8, 2)


def _binary(kind: str) -> Expansion:
    def expand(importer: Importer, node: Node) -> list[Node]:
        parts = _Parts(importer, node)
        return parts.finish(kind, [parts.real(0), parts.real(3)], 6, 7, 2)

    return expand


def _unary(kind: str) -> Expansion:
    def expand(importer: Importer, node: Node) -> list[Node]:
        parts = _Parts(importer, node)
        return parts.finish(kind, [parts.real(0)], 3, 4, 2)

    return expand


def _concat(importer: Importer, node: Node) -> list[Node]:
    parts = _Parts(importer, node)
    inputs = [parts.real(first) for first in range(2, len(node.inputs), 3)]
    return parts.finish("Concat", inputs, 0, 1, 4)


EXPANSIONS: dict[str, Expansion] = {
    "QLinearConv": _conv,
    "QLinearMatMul": _matmul,
    f"{_MICROSOFT}QGemm": _gemm,
    f"{_MICROSOFT}QLinearAdd": _binary("Add"),
    f"{_MICROSOFT}QLinearAveragePool": _unary("AveragePool"),
    f"{_MICROSOFT}QLinearConcat": _concat,
    f"{_MICROSOFT}QLinearGlobalAveragePool": _unary("GlobalAveragePool"),
    f"{_MICROSOFT}QLinearLeakyRelu": _unary("LeakyRelu"),
    f"{_MICROSOFT}QLinearMul": _binary("Mul"),
    f"{_MICROSOFT}QLinearSigmoid": _unary("Sigmoid"),
    f"{_MICROSOFT}QLinearSoftmax": _unary("Softmax"),
}

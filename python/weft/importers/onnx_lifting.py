# SPDX-License-Identifier: Apache-2.0
"""Operators on signals of one axis as the same on images of one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.importers.onnx_attributes import integers
from weft.importers.onnx_reader import Node, Unsupported
from weft.importers.onnx_values import shape_of

if TYPE_CHECKING:
    from weft.importers.onnx import Importer

# How many leading operands have the axis too.
_LIFTED = {"AveragePool": 1, "Conv": 2, "ConvTranspose": 2, "MaxPool": 1}
_LIFTED_GLOBAL = ("GlobalAveragePool", "GlobalMaxPool")
#: An attribute of one number an axis, and what it is along an axis of one element.
_ATTRIBUTES = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0}


def lifted(importer: Importer, node: Node) -> list[Node] | None:
    """The nodes that compute ``node``; None if it is not on signals. Names that no file can have
    keep what lies between apart."""
    if node.kind not in (*_LIFTED, *_LIFTED_GLOBAL) or len(_shape(importer, node, 0)) != 3:
        return None
    nodes, inputs = [], list(node.inputs)
    for index in range(_LIFTED.get(node.kind, 1)):
        if len(_shape(importer, node, index)) != 3:
            raise Unsupported(f"an operand of {len(_shape(importer, node, index))} axes, not 3")
        inputs[index] = f"{node.outputs[0]}\nrow{index}"
        nodes.append(_node("Unsqueeze", node, [node.inputs[index]], [inputs[index]]))
    outputs = [f"{name}\nrow" if name else "" for name in node.outputs]
    attributes = dict(node.attributes)
    for name, value in _ATTRIBUTES.items():
        if name in attributes:
            attributes[name] = [value, *integers(node, name, None)]
    if "pads" in attributes:
        pads = integers(node, "pads", None)
        if len(pads) != 2:
            raise Unsupported(f"pads {pads} of one axis")
        attributes["pads"] = [0, pads[0], 0, pads[1]]
    nodes.append(Node(node.kind, node.name, tuple(inputs), tuple(outputs), attributes))
    for inner, outer in zip(outputs, node.outputs, strict=True):
        if outer:
            nodes.append(_node("Squeeze", node, [inner], [outer]))
    return nodes


def _shape(importer: Importer, node: Node, index: int) -> tuple[int, ...]:
    return shape_of(importer.value(node.input(index)))


def _node(kind: str, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> Node:
    attributes: dict[str, Any] = {"axes": [2]}
    return Node(kind, node.name, tuple(inputs), tuple(outputs), attributes)

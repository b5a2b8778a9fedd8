# SPDX-License-Identifier: Apache-2.0
"""Reading the attributes of ONNX nodes, and those that several operators share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.importers.onnx_reader import Node, Unsupported


def number(node: Node, name: str, default: float) -> float:
    """A float attribute."""
    return float(_typed(node, name, default, (float, int)))


def integer(node: Node, name: str, default: int) -> int:
    """An integer attribute."""
    return int(_typed(node, name, default, (int,)))


def text(node: Node, name: str, default: str) -> str:
    """A text attribute."""
    return str(_typed(node, name, default, (str,)))


def integers(node: Node, name: str, default: Sequence[int] | None) -> list[int]:
    """An attribute of several integers; without a default it must be there."""
    value = node.attributes.get(name, default)
    if not isinstance(value, list | tuple) or not all(isinstance(v, int) for v in value):
        raise Unsupported(f"its {name} are {'missing' if value is None else value}")
    return [int(v) for v in value]


def _typed(node: Node, name: str, default: Any, kinds: tuple[type, ...]) -> Any:
    value = node.attributes.get(name, default)
    if not isinstance(value, kinds):
        raise Unsupported(f"its {name} is {value!r:.40}")
    return value


def axis_of(axis: int, rank: int) -> int:
    """Counted from the front. Raises ``Unsupported`` if it is not there."""
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} of {rank}")
    return axis % rank


def axes_of(axes: Sequence[int], rank: int) -> list[int]:
    """Counted from the front, in order, each once."""
    counted = sorted({axis_of(axis, rank) for axis in axes})
    if len(counted) != len(axes):
        raise Unsupported(f"axes {list(axes)} of {rank}")
    return counted


def window(
    node: Node, size: Sequence[int], taps: Sequence[int]
) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations and padding (before every axis, then behind) of a window of ``taps`` moved
    over an image of ``size``."""
    rank = len(size)
    strides = integers(node, "strides", [1] * rank)
    dilations = integers(node, "dilations", [1] * rank)
    pads = integers(node, "pads", [0] * (2 * rank))
    if not rank == len(taps) == len(strides) == len(dilations) or len(pads) != 2 * rank:
        raise Unsupported(f"a window of {len(taps)} axes over {rank}")
    if min(*strides, *dilations, *taps) < 1 or min(pads) < 0:
        raise Unsupported(f"window {list(taps)}, strides {strides}, pads {pads}")
    auto = text(node, "auto_pad", "NOTSET")
    if auto == "NOTSET":
        pass
    elif auto == "VALID":
        pads = [0] * (2 * rank)
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same(size, taps, strides, dilations, is_upper=auto == "SAME_UPPER")
    else:
        raise Unsupported(f"its auto_pad is {auto!r:.40}")
    reach = [(t - 1) * d + 1 for t, d in zip(taps, dilations, strict=True)]
    padded = [n + pads[axis] + pads[axis + rank] for axis, n in enumerate(size)]
    if any(r > n for r, n in zip(reach, padded, strict=True)):
        raise Unsupported(f"a window that reaches over {reach} of {padded} padded elements")
    return strides, dilations, pads


def _same(
    size: Sequence[int],
    taps: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    is_upper: bool,
) -> list[int]:
    begins, ends = [], []
    for extent, tap, stride, dilation in zip(size, taps, strides, dilations, strict=True):
        count = -(-extent // stride)
        total = max((count - 1) * stride + (tap - 1) * dilation + 1 - extent, 0)
        less, more = total // 2, total - total // 2
        begins.append(less if is_upper else more)
        ends.append(more if is_upper else less)
    return [*begins, *ends]

"""Hypothesis strategies for operators that move values without changing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from support.strategies import Draw, Instance, scales, zero_points
from support.tflite_builder import ModelBuilder
from support.tflite_graph import Tensor

_shapes = st.lists(st.integers(1, 8), min_size=1, max_size=4).map(tuple)
_images = st.tuples(st.just(1), *[st.integers(1, 9)] * 3)


def _moved(
    draw: Draw,
    name: str,
    shape: tuple[int, ...],
    apply: Callable[[ModelBuilder, Tensor], Tensor | list[Tensor]],
) -> Instance:
    scale, zero = draw(scales), draw(zero_points)

    def emit(m: ModelBuilder) -> None:
        result = apply(m, m.input(shape, scale, zero))
        m.output(*(result if isinstance(result, list) else [result]))

    return Instance(f"{name} x={(shape, scale, zero)}", emit)


@st.composite
def concatenation(draw: Draw) -> Instance:
    """CONCATENATION of 1 to 5 parts on any axis, some constant, some twice."""
    shape = draw(_shapes)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    extents = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    kinds = [draw(st.sampled_from(("input", "input", "constant", "first"))) for _ in extents]
    scale, zero = draw(scales), draw(zero_points)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def emit(m: ModelBuilder) -> None:
        parts: list[Tensor] = []
        for extent, kind in zip(extents, kinds, strict=True):
            part = [*shape]
            part[axis] = extent
            if not parts or kind == "input":
                parts.append(m.input(part, scale, zero))
            elif kind == "constant":
                value = rng.integers(-128, 128, part).astype(np.int8)
                parts.append(m.constant(value, scale, zero))
            else:
                parts.append(parts[0])
        m.output(m.concatenation(parts, axis))

    words = f"shape={shape} axis={axis} extents={extents} kinds={kinds}"
    return Instance(f"CONCATENATION {words} {(scale, zero)}", emit)


@st.composite
def pad(draw: Draw) -> Instance:
    """PAD of 1 to 4 axes; images padded in height and width only are a case of their own."""
    shape = draw(_shapes | _images)
    pairs = [draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in shape]
    if len(shape) == 4 and draw(st.booleans()):
        pairs[0] = pairs[3] = (0, 0)
    return _moved(draw, f"PAD {pairs}", shape, lambda m, x: m.pad(x, pairs))


@st.composite
def padv2(draw: Draw) -> Instance:
    """PADV2 with any value."""
    shape, value = draw(_shapes), draw(st.integers(-128, 127))
    pairs = [draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in shape]
    name = f"PADV2 {pairs} value={value}"
    return _moved(draw, name, shape, lambda m, x: m.padv2(x, pairs, value))


@st.composite
def reshape(draw: Draw) -> Instance:
    """RESHAPE to a permutation or a merge of the extents, with a -1 now and then."""
    shape = draw(_shapes)
    target = list(draw(st.permutations(shape)))
    while len(target) > 1 and draw(st.booleans()):
        target.append(target.pop() * target.pop())
    if draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return _moved(draw, f"RESHAPE {target}", shape, lambda m, x: m.reshape(x, target))


@st.composite
def transpose(draw: Draw) -> Instance:
    """TRANSPOSE of rank 1 to 5."""
    shape = draw(_shapes | st.tuples(*[st.integers(1, 4)] * 5))
    order = draw(st.permutations(range(len(shape))))
    return _moved(draw, f"TRANSPOSE {order}", shape, lambda m, x: m.transpose(x, order))


@st.composite
def expand_dims(draw: Draw) -> Instance:
    """EXPAND_DIMS at any place."""
    shape = draw(_shapes)
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    return _moved(draw, f"EXPAND_DIMS {axis}", shape, lambda m, x: m.expand_dims(x, axis))


@st.composite
def squeeze(draw: Draw) -> Instance:
    """SQUEEZE of some or of all axes of extent 1; one axis of another extent stays."""
    shape = (*draw(st.lists(st.sampled_from((1, 1, 3)), max_size=3)), 5)
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    axes = [axis - draw(st.sampled_from((0, len(shape)))) for axis in ones if draw(st.booleans())]
    return _moved(draw, f"SQUEEZE {axes}", shape, lambda m, x: m.squeeze(x, axes))


@st.composite
def _slice(draw: Draw, size: int) -> tuple[int, int, int]:
    """Begin, end and stride on one axis, with at least one element and legal negative indices."""
    low, high = sorted((draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))))
    stride = draw(st.integers(1, 3))
    if low > 0 and draw(st.booleans()):
        low, high, stride = high, low - 1, -stride
    else:
        high += 1
    begin = low - size if draw(st.booleans()) else low
    end = high - size if high < size and draw(st.booleans()) else high
    return begin, end, stride


@st.composite
def strided_slice(draw: Draw) -> Instance:
    """STRIDED_SLICE with strides of either sign, and with each of the masks TFLM knows."""
    shape = draw(_shapes)
    begin, end, strides = zip(*[draw(_slice(size)) for size in shape], strict=True)
    masks: dict[str, Any] = dict.fromkeys(("begin_mask", "end_mask", "shrink_axis_mask"), 0)
    for axis in range(len(shape)):
        kind = draw(st.sampled_from(("", "", *masks)))
        # A shrunk axis has stride 1 by definition, and the output must keep one axis.
        if kind and not (kind == "shrink_axis_mask" and (strides[axis] != 1 or axis == 0)):
            masks[kind] |= 1 << axis
    bounds = (begin, end, strides)
    name = f"STRIDED_SLICE {bounds} {masks}"
    return _moved(draw, name, shape, lambda m, x: m.strided_slice(x, *bounds, **masks))


@st.composite
def split(draw: Draw) -> Instance:
    """SPLIT into 1 to 4 parts on any axis."""
    shape, parts = [*draw(_shapes)], draw(st.integers(1, 4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    shape[axis] *= parts
    name = f"SPLIT {parts} axis={axis}"
    return _moved(draw, name, tuple(shape), lambda m, x: m.split(x, parts, axis))


@st.composite
def resize_nearest_neighbor(draw: Draw) -> Instance:
    """RESIZE_NEAREST_NEIGHBOR in each of its three sampling modes."""
    shape, size = draw(_images), draw(st.tuples(st.integers(1, 13), st.integers(1, 13)))
    mode = draw(st.sampled_from(((False, False), (True, False), (False, True))))
    name = f"RESIZE_NEAREST_NEIGHBOR {size} {mode}"
    return _moved(draw, name, shape, lambda m, x: m.resize_nearest_neighbor(x, size, *mode))

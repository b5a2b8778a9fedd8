# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that move data: on the integers, where a dequantise comes before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax

from weft.importers.onnx_attributes import axes_of, axis_of, integer, integers, text
from weft.importers.onnx_reader import DTYPES, Node, Unsupported, shortened
from weft.importers.onnx_values import Held, Quantized, identity, shape_of

if TYPE_CHECKING:
    from weft.importers.onnx import Importer

# Of constants that are made of others: sizes, not weights.
_MOST_INDICES = 64


def _ints_of(
    importer: Importer, node: Node, index: int, attribute: str, default: Sequence[int] | None
) -> list[int]:
    """Sizes or axes: an input in newer operator sets, an attribute in older ones."""
    if node.input(index):
        return importer.ints(node.input(index))
    return integers(node, attribute, default)


# --- shapes ---


def _reshaped(importer: Importer, node: Node, shape: Sequence[int]) -> None:
    value = importer.value(node.input(0))
    if prod(shape) != prod(shape_of(value)):
        raise Unsupported(f"{shape_of(value)} to {tuple(shape)}")
    if isinstance(value, np.ndarray):
        importer.values[node.outputs[0]] = value.reshape(shape)
        return
    if isinstance(value, Quantized):
        importer.values[node.outputs[0]] = value.reshaped(shape)
        return
    held = importer.in_order(value, identity(len(value.shape)))
    call = relax.op.reshape(held.value, list(shape))
    importer.define(node.outputs[0], call, identity(len(shape)), held.real)


def _reshape(importer: Importer, node: Node) -> None:
    old = shape_of(importer.value(node.input(0)))
    new = importer.ints(node.input(1))
    if not integer(node, "allowzero", 0):
        if any(n == 0 and axis >= len(old) for axis, n in enumerate(new)):
            raise Unsupported(f"{old} to {new}")
        new = [old[axis] if n == 0 else n for axis, n in enumerate(new)]
    if new.count(-1) == 1:
        known = prod(n for n in new if n != -1)
        if known < 1 or prod(old) % known:
            raise Unsupported(f"{old} to {new}")
        new[new.index(-1)] = prod(old) // known
    if any(n < 0 for n in new):
        raise Unsupported(f"{old} to {new}")
    _reshaped(importer, node, new)


def _flatten(importer: Importer, node: Node) -> None:
    old = shape_of(importer.value(node.input(0)))
    axis = integer(node, "axis", 1)
    if not -len(old) <= axis <= len(old):
        raise Unsupported(f"axis {axis} of {len(old)}")
    axis = axis + len(old) if axis < 0 else axis
    _reshaped(importer, node, [prod(old[:axis]), prod(old[axis:])])


def _squeeze(importer: Importer, node: Node) -> None:
    old = shape_of(importer.value(node.input(0)))
    ones = [axis for axis, n in enumerate(old) if n == 1]
    axes = axes_of(_ints_of(importer, node, 1, "axes", ones), len(old))
    if any(old[axis] != 1 for axis in axes):
        raise Unsupported(f"axes {axes} of {old}")
    _reshaped(importer, node, [n for axis, n in enumerate(old) if axis not in axes])


def _unsqueeze(importer: Importer, node: Node) -> None:
    old = list(shape_of(importer.value(node.input(0))))
    given = _ints_of(importer, node, 1, "axes", None)
    for axis in axes_of(given, len(old) + len(given)):
        old.insert(axis, 1)
    _reshaped(importer, node, old)


def _transpose(importer: Importer, node: Node) -> None:
    value = importer.value(node.input(0))
    rank = len(shape_of(value))
    permutation = integers(node, "perm", list(range(rank))[::-1])
    if sorted(permutation) != list(range(rank)):
        raise Unsupported(f"permutation {permutation} of {rank} axes")
    if isinstance(value, np.ndarray):
        importer.values[node.outputs[0]] = value.transpose(permutation)
    elif isinstance(value, Quantized):
        importer.values[node.outputs[0]] = value.transposed(permutation)
    else:
        order = tuple(permutation.index(axis) for axis in value.order)
        importer.values[node.outputs[0]] = Held(value.value, order, value.real)


def _identity(importer: Importer, node: Node) -> None:
    if any(node.outputs[1:]):
        raise Unsupported("it has several results")
    importer.values[node.outputs[0]] = importer.value(node.input(0))


def _dropout(importer: Importer, node: Node) -> None:
    ratio = importer.array(node.input(1)) if node.input(1) else np.array(0.5)
    if node.input(2) and importer.array(node.input(2)).any() and ratio.any():
        raise Unsupported("training mode")
    value = importer.value(node.input(0))
    importer.values[node.outputs[0]] = value
    if node.outputs[1:] and node.outputs[1]:
        # Of no memory, whatever shape a file claims.
        mask = np.broadcast_to(np.True_, shape_of(value))
        importer.values[node.outputs[1]] = mask


def _constant(importer: Importer, node: Node) -> None:
    for name, dtype in (("value_float", "float32"), ("value_int", "int64")):
        if name in node.attributes:
            importer.values[node.outputs[0]] = np.array(node.attributes[name], dtype)
            return
    for name, dtype in (("value_floats", "float32"), ("value_ints", "int64")):
        if name in node.attributes:
            importer.values[node.outputs[0]] = np.array(node.attributes[name], dtype)
            return
    value = node.attributes.get("value")
    if not isinstance(value, np.ndarray):
        raise Unsupported("a constant that is no tensor of numbers")
    importer.values[node.outputs[0]] = value


# --- parts ---


def _sliced(importer: Importer, name: str, out: str, taken: Sequence[range]) -> None:
    """``out`` is made of the elements ``taken`` along every axis of a computed value."""
    held = importer.held(name)
    if any(len(t) == 0 for t in taken):
        importer.values[out] = np.zeros([len(t) for t in taken], _real_dtype(held))
        return
    along = [taken[axis] for axis in held.order]
    extents = [int(n) for n in held.value.ty.shape]
    begins = [t.start for t in along]
    # Below 0 counts from the end.
    ends = [
        end if (end := t.start + len(t) * t.step) >= 0 else end - extent
        for t, extent in zip(along, extents, strict=True)
    ]

    def numbers(values: Sequence[int]) -> Any:
        return relax.Tuple([relax.prim_value(int(v)) for v in values])

    steps = [t.step for t in along]
    arguments = map(numbers, (range(len(along)), begins, ends, steps))
    call = relax.op.strided_slice(held.value, *arguments)
    importer.define(out, call, held.order, held.real)


def _real_dtype(held: Held) -> str:
    """Of the ONNX value."""
    return held.dtype if held.real is None else "float32"


def _slice(importer: Importer, node: Node) -> None:
    shape = shape_of(importer.value(node.input(0)))
    starts = _ints_of(importer, node, 1, "starts", None)
    ends = _ints_of(importer, node, 2, "ends", None)
    axes = [
        axis_of(axis, len(shape))
        for axis in _ints_of(importer, node, 3, "axes", list(range(len(starts))))
    ]
    steps = _ints_of(importer, node, 4, "steps", [1] * len(starts))
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Unsupported(f"starts {starts}, ends {ends}, axes {axes}, steps {steps}")
    taken = [range(n) for n in shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # Backwards to the front is written as far below -extent as can be.
        last = None if step < 0 and end < -shape[axis] else end
        taken[axis] = range(shape[axis])[start:last:step]
    value = importer.value(node.input(0))
    if isinstance(value, np.ndarray):
        places = np.ix_(*taken)
        importer.values[node.outputs[0]] = value[places]
        return
    _sliced(importer, node.input(0), node.outputs[0], taken)


def _split(importer: Importer, node: Node) -> None:
    shape = shape_of(importer.value(node.input(0)))
    axis = axis_of(integer(node, "axis", 0), len(shape))
    count = len(node.outputs)
    if integer(node, "num_outputs", count) != count:
        raise Unsupported(f"its num_outputs is not {count}")
    part = -(-shape[axis] // count)
    equal = [part] * (count - 1) + [shape[axis] - part * (count - 1)]
    sizes = _ints_of(importer, node, 1, "split", equal)
    if len(sizes) != count or min(sizes) < 0 or sum(sizes) != shape[axis]:
        raise Unsupported(f"{shape[axis]} elements into {sizes}")
    first = 0
    for out, size in zip(node.outputs, sizes, strict=True):
        taken = [range(n) for n in shape]
        taken[axis] = range(first, first + size)
        value = importer.value(node.input(0))
        if out and isinstance(value, np.ndarray):
            importer.values[out] = value[np.ix_(*taken)]
        elif out:
            _sliced(importer, node.input(0), out, taken)
        first += size


# --- constants of constants: how exporters write sizes ---


def _shape(importer: Importer, node: Node) -> None:
    shape = shape_of(importer.value(node.input(0)))
    part = slice(integer(node, "start", 0), node.attributes.get("end"))
    importer.values[node.outputs[0]] = np.array(shape[part], np.int64)


def _gather(importer: Importer, node: Node) -> None:
    """Of constants, and by constant indices."""
    values, indices = importer.value(node.input(0)), importer.array(node.input(1))
    axis = axis_of(integer(node, "axis", 0), len(shape_of(values)))
    if indices.dtype.kind != "i" or indices.size > _MOST_INDICES:
        raise Unsupported(f"indices of {indices.dtype} and shape {indices.shape}")
    if isinstance(values, np.ndarray):
        importer.values[node.outputs[0]] = np.asarray(np.take(values, indices, axis))
        return
    held = importer.held(node.input(0))
    held = importer.in_order(held, identity(len(held.shape)))
    extent = held.shape[axis]
    if indices.size == 0 or indices.min() < -extent or indices.max() >= extent:
        raise Unsupported(f"an index beyond {extent} elements, or none")
    chosen = relax.const(np.where(indices < 0, indices + extent, indices).astype(np.int32))
    call = relax.op.take(held.value, chosen, axis=axis)
    rank = len(held.shape) - 1 + indices.ndim
    importer.define(node.outputs[0], call, identity(rank), held.real)


def _cast(importer: Importer, node: Node) -> None:
    """Of constants."""
    dtype = DTYPES.get(integer(node, "to", 0))
    if dtype is None:
        raise Unsupported(f"to the type {integer(node, 'to', 0)}")
    with np.errstate(all="ignore"):
        importer.values[node.outputs[0]] = importer.array(node.input(0)).astype(dtype)


# --- several ---


def _concat(importer: Importer, node: Node) -> None:
    names = [name for name in node.inputs if name]
    values = [importer.value(name) for name in names]
    if not names or "axis" not in node.attributes:
        raise Unsupported("it has no operands or no axis")
    if all(isinstance(v, np.ndarray) for v in values):
        arrays = [importer.array(name) for name in names]
        importer.values[node.outputs[0]] = np.concatenate(arrays, integer(node, "axis", 0))
        return
    helds = [importer.held(name) for name in names]
    rank = len(helds[0].shape)
    axis = axis_of(integer(node, "axis", 0), rank)
    if any(len(h.shape) != rank for h in helds):
        raise Unsupported("its operands have different numbers of axes")
    order = next((h.order for h, v in zip(helds, values, strict=True) if isinstance(v, Held)))
    place = order.index(axis)
    real = helds[0].real
    if all((h.real, h.dtype) == (real, helds[0].dtype) for h in helds):
        # Of one quantisation, or of none: the integers themselves.
        parts = [importer.in_order(h, order).value for h in helds]
        importer.define(node.outputs[0], relax.op.concat(parts, axis=place), order, real)
        return
    parts = [importer.real(name, order) for name in names]
    importer.define(node.outputs[0], relax.op.concat(parts, axis=place), order)


_PAD_MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}


def _pad(importer: Importer, node: Node) -> None:
    held = importer.held(node.input(0))
    rank = len(held.shape)
    mode = _PAD_MODES.get(text(node, "mode", "constant"))
    if mode is None:
        raise Unsupported(f"its mode is {text(node, 'mode', '')!r:.40}")
    pads = _ints_of(importer, node, 1, "pads", None)
    axes = importer.ints(node.input(3)) if node.input(3) else list(range(rank))
    axes = [axis_of(axis, rank) for axis in axes]
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes) or min(pads, default=0) < 0:
        raise Unsupported(f"pads {pads} of axes {axes}")
    value = _pad_value(importer, node)
    widths = [0] * (2 * rank)
    for index, axis in enumerate(axes):
        place = held.order.index(axis)
        widths[2 * place], widths[2 * place + 1] = pads[index], pads[len(axes) + index]
    if mode != "constant":
        data = importer.real(node.input(0), held.order)
        importer.define(node.outputs[0], relax.op.nn.pad(data, widths, mode), held.order)
        return
    if held.real is not None and value == 0.0:
        call = relax.op.nn.pad(held.value, widths, "constant", float(held.real.zero_point))
        importer.define(node.outputs[0], call, held.order, held.real)
        return
    data = importer.real(node.input(0), held.order)
    call = relax.op.nn.pad(data, widths, "constant", value)
    importer.define(node.outputs[0], call, held.order)


def _pad_value(importer: Importer, node: Node) -> float:
    if not node.input(2):
        value = node.attributes.get("value", 0.0)
        return float(value) if isinstance(value, float) else 0.0
    constant = importer.value(node.input(2))
    array = constant.real() if isinstance(constant, Quantized) else importer.array(node.input(2))
    if array.size != 1:
        raise Unsupported(f"'{shortened(node.input(2))}' is not a number")
    return float(array.reshape(()))


CONVERTERS: dict[str, Callable[[Any, Node], None]] = {
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}

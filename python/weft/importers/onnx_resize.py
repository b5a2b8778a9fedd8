# SPDX-License-Identifier: Apache-2.0
"""Resize by nearest neighbour, of any axes: a choice of elements along each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax

from weft.importers.onnx_attributes import axis_of, integers, text
from weft.importers.onnx_reader import Node, Unsupported
from weft.importers.onnx_values import NHWC
from weft.kernels.nearest import COORDINATES, ROUNDINGS, nearest_indices

if TYPE_CHECKING:
    from weft.importers.onnx import Importer

# Along one axis; each is kept.
_MOST_INDICES = 1 << 20


@dataclass(frozen=True)
class _Sizes:
    """Of the result, along every axis, with the factors that the model has for them."""

    counts: list[int]
    factors: list[np.float32]

    def is_whole(self, shape: Sequence[int]) -> bool:
        """Whether the factors are those of the sizes."""
        pairs = zip(self.counts, shape, self.factors, strict=True)
        return all(np.float32(m) / np.float32(n) == f for m, n, f in pairs)


def _resize(importer: Importer, node: Node) -> None:
    held = importer.held(node.input(0))
    mode = text(node, "mode", "nearest")
    # Before 11 it floors, and has neither sizes nor coordinates to choose.
    is_old = importer.opset < 11 or node.kind == "Upsample"
    default = ("asymmetric", "floor") if is_old else ("half_pixel", "round_prefer_floor")
    coordinates = text(node, "coordinate_transformation_mode", default[0])
    rounding = text(node, "nearest_mode", default[1])
    if mode != "nearest" or coordinates not in COORDINATES or rounding not in ROUNDINGS:
        raise Unsupported(
            f"mode {mode:.40}, coordinates {coordinates:.40}, rounded by {rounding:.40}"
        )
    shape = held.shape
    sizes = _sizes(importer, node, shape, 1 if is_old else 2)
    if min(sizes.counts, default=1) < 1 or max(sizes.counts, default=1) > _MOST_INDICES:
        raise Unsupported(f"{tuple(shape)} to {sizes.counts}")
    is_image = len(shape) == 4 and tuple(sizes.counts[:2]) == tuple(shape[:2])
    if is_image and sizes.is_whole(shape):
        held = importer.in_order(held, NHWC)
        call = relax.op.image.resize2d(
            held.value,
            (sizes.counts[2], sizes.counts[3]),
            layout="NHWC",
            method="nearest_neighbor",
            coordinate_transformation_mode=coordinates,
            rounding_method=rounding,
        )
        importer.define(node.outputs[0], call, NHWC, held.real)
        return
    call = held.value
    for axis, (size, count, factor) in enumerate(
        zip(shape, sizes.counts, sizes.factors, strict=True)
    ):
        indices = nearest_indices(size, count, coordinates, rounding, float(factor))
        if indices != list(range(size)):
            chosen = relax.const(np.array(indices, np.int32))
            taken = relax.op.take(call, chosen, axis=held.order.index(axis))
            call = importer.builder.emit(taken)
    importer.define(node.outputs[0], call, held.order, held.real)


def _sizes(importer: Importer, node: Node, shape: Sequence[int], scales_at: int) -> _Sizes:
    rank = len(shape)
    given = integers(node, "axes", list(range(rank)))
    axes = [axis_of(axis, rank) for axis in given]
    counts = list(shape)
    factors = [np.float32(1)] * rank
    wanted = importer.ints(node.input(3)) if node.input(3) else []
    scales: Any = node.attributes.get("scales", [])
    if node.input(scales_at):
        scales = importer.array(node.input(scales_at)).reshape(-1)
    numbers: list[Any] = wanted or [np.float32(s) for s in scales]
    if len(numbers) != len(axes) or len(set(axes)) != len(axes):
        raise Unsupported(f"{len(numbers)} sizes or factors for {len(axes)} axes")
    policy = text(node, "keep_aspect_ratio_policy", "stretch")
    if wanted:
        ratios: list[Any] = [
            np.float32(n) / np.float32(shape[a]) for n, a in zip(wanted, axes, strict=True)
        ]
        if policy != "stretch":
            choose = {"not_larger": min, "not_smaller": max}.get(policy)
            if choose is None:
                raise Unsupported(f"its policy of aspect ratios is {policy:.40}")
            ratio = choose(ratios)
            ratios = [ratio] * len(axes)
            wanted = [int(np.floor(ratio * np.float32(shape[a]) + np.float32(0.5))) for a in axes]
    else:
        ratios = list(numbers)
        if not all(np.isfinite(r) and r > 0 for r in ratios):
            raise Unsupported(f"factors {ratios}")
        wanted = [
            int(np.floor(np.float32(shape[a]) * r)) for a, r in zip(axes, ratios, strict=True)
        ]
    for axis, count, ratio in zip(axes, wanted, ratios, strict=True):
        counts[axis], factors[axis] = count, ratio
    return _Sizes(counts, factors)


CONVERTERS: dict[str, Callable[[Any, Node], None]] = {"Resize": _resize, "Upsample": _resize}

# SPDX-License-Identifier: Apache-2.0
"""Which element of an axis each result of a resize by nearest neighbour is, by ONNX Runtime."""

from __future__ import annotations

import numpy as np

_F32 = np.float32

#: How coordinates of results become those of elements, and how these are rounded.
COORDINATES = ("align_corners", "asymmetric", "half_pixel", "pytorch_half_pixel")
ROUNDINGS = ("ceil", "floor", "round_prefer_ceil", "round_prefer_floor")


def nearest_indices(
    size: int, count: int, coordinates: str, rounding: str, factor: float | None = None
) -> list[int]:
    """core/providers/cpu/tensor/upsample.cc and upsamplebase.h: which of ``size`` elements each of
    ``count`` results is. ``factor`` is the one that the model has, if that is not count / size.
    Raises ``KeyError`` for modes that it does not have."""
    scale = _F32(count) / _F32(size) if factor is None else _F32(factor)
    if size == count and scale == 1:
        return list(range(size))
    at = np.arange(count, dtype=np.float32)
    half = _F32(0.5)
    aligned = at * _F32(size - 1) / _F32(max(count - 1, 1))
    centred = (at + half) / scale - half
    places = {
        "asymmetric": at / scale,
        "half_pixel": centred,
        "pytorch_half_pixel": centred if count > 1 else at * 0,
        "align_corners": aligned if count > 1 else at * 0,
    }[coordinates]
    nearest = {
        "round_prefer_floor": np.ceil(places - half),
        "round_prefer_ceil": np.floor(places + half),
        "floor": np.floor(places),
        "ceil": np.ceil(places),
    }[rounding]
    return [int(n) for n in np.clip(nearest, 0, size - 1)]

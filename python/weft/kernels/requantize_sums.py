# SPDX-License-Identifier: Apache-2.0
"""What the core makes of a device's raw sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.kernels.hand_written import HandWritten

#: Numbers a channel.
CHANNEL_WORDS = 3
_SHAPE = ("parts", "out_h", "out_w", "out_channels", "out_row", "out_pixel")
_LIMITS = ("zero_point", "low", "high")


class _Sums(HandWritten):
    pointers = ("sums", "channels", "out")
    dtypes = ("int32", "int32", "int8")
    outputs = ("sums", "out")
    sources = ("requantize_sums.c",)
    family = "requantize_sums"


@dataclass(frozen=True)
class RequantizeSums(_Sums):
    """TensorFlow Lite Micro's rounding, for scales and sums that ``can_double`` allows."""

    numbers = (*_SHAPE, *_LIMITS)
    name = "weft_requantize_sums_s8"
    summary = "Bias, scale and limits for raw sums, in few instructions."


@dataclass(frozen=True)
class RescaleSums(_Sums):
    """Any rounding and any scale."""

    numbers = (*_SHAPE, "is_float", *_LIMITS)
    name = "weft_rescale_sums_s8"
    summary = "Bias, scale and limits for raw sums."


def can_double(
    lowest: NDArray[np.int64], highest: NDArray[np.int64], shift: NDArray[np.int8]
) -> bool:
    """Whether ``RequantizeSums`` serves channels whose sums, bias included, lie in these ranges."""
    fits = bool((lowest > -(1 << 30)).all() and (highest < 1 << 30).all())
    return fits and bool((shift >= -31).all() and (shift <= -2).all())


def channel_words(
    bias: NDArray[np.int32],
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int8],
    *,
    doubled: bool,
) -> NDArray[np.int32]:
    """[channels, 3] int32: what ``channels`` points to, of ``RequantizeSums`` if ``doubled``."""
    wide = shift.astype(np.int64)
    if doubled:
        columns = [2 * bias.astype(np.int64), multiplier, np.int64(1) << (32 + wide)]
    else:
        columns = [bias, multiplier, wide]
    stacked = np.stack([np.asarray(c, np.int64) for c in columns], axis=1)
    return stacked.astype(np.uint32).view(np.int32)

# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the array reads them."""

from __future__ import annotations

import numpy as np

#: Output channels of a pass, as in mac_array.h.
CHANNELS = 16


def pack(weights: np.ndarray) -> bytes:
    """``weights`` [out_channels, kernel_h, kernel_w, channels], int8 or uint8, as the bytes that a
    job's ``weights`` point to: blocks of 16 output channels, taps row by row, input channels, and
    16 bytes for each, one an output channel. The last block is filled with zeros.

    A matrix [out, in] is ``weights[:, None, None, :]``; those of a depthwise convolution have one
    channel.
    """
    missing = -weights.shape[0] % CHANNELS
    filled = np.pad(weights, [(0, missing), (0, 0), (0, 0), (0, 0)])
    blocks = filled.reshape(-1, CHANNELS, *weights.shape[1:])
    return blocks.transpose(0, 2, 3, 4, 1).tobytes()


def packed_bytes(out_channels: int, taps: int) -> int:
    """Bytes of packed weights with ``taps`` products (window times input channels) a result."""
    return -(-out_channels // CHANNELS) * CHANNELS * taps

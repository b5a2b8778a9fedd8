# SPDX-License-Identifier: Apache-2.0
"""The scalar arithmetic of ``weft/arith.h`` as TensorIR expressions.

These few functions carry the contract of the source framework (rounding, saturation), so they are
written once, in C, and called by name from every kernel.
"""

from __future__ import annotations

from typing import Any

from tvm import tirx


def _call(dtype: str, name: str, *args: Any) -> Any:
    return tirx.call_pure_extern(dtype, name, *args)


def requantize(x: Any, multiplier: Any, shift: Any) -> Any:
    """x * multiplier * 2^(shift - 31) with TFLite Micro's double rounding; all int32."""
    return _call("int32", "weft_requantize", x, multiplier, shift)


def requantize_s8(x: Any, multiplier: Any, shift: Any, zero_point: Any, low: Any, high: Any) -> Any:
    """``requantize``, plus the zero point, limited to low..high; int8 from int32."""
    return _call("int8", "weft_requantize_s8", x, multiplier, shift, zero_point, low, high)


def rounding_shift_right(x: Any, exponent: Any) -> Any:
    """x / 2^exponent to nearest, ties away from zero; all int32."""
    return _call("int32", "weft_rounding_shift_right", x, exponent)


def clamp(x: Any, low: Any, high: Any) -> Any:
    """x limited to low..high; all int32."""
    return _call("int32", "weft_clamp", x, low, high)


def average(total: Any, count: Any) -> Any:
    """total / count to nearest, ties away from zero; all int32, count > 0."""
    return _call("int32", "weft_average", total, count)


def quantize(x: Any, scale: Any) -> Any:
    """x / scale (float32) to nearest, ties away from zero; int32."""
    return _call("int32", "weft_quantize", x, scale)


def softmax_factor(total: Any) -> Any:
    """The reciprocal of a sum of exponentials (Q19) as a Q31 factor; int32."""
    return _call("int32", "weft_softmax_factor", total)


def softmax_share(factor: Any, exponential: Any, total: Any) -> Any:
    """The int8 share of one exponential in their sum; all int32."""
    return _call("int8", "weft_softmax_share", factor, exponential, total)

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


def rescale_s8(x: Any, multiplier: Any, shift: Any, zero_point: Any, low: Any, high: Any) -> Any:
    """The same of a factor that is a float32: scaled as a float, rounded once, ties to even."""
    return _call("int8", "weft_rescale_s8", x, multiplier, shift, zero_point, low, high)


def rounding_shift_right(x: Any, exponent: Any) -> Any:
    """x / 2^exponent to nearest, ties away from zero; all int32."""
    return _call("int32", "weft_rounding_shift_right", x, exponent)


def clamp(x: Any, low: Any, high: Any) -> Any:
    """x limited to low..high; all int32."""
    return _call("int32", "weft_clamp", x, low, high)


def float_add(a: Any, b: Any, factors: Any, zero_point: Any, low: Any, high: Any) -> Any:
    """a * factors[0] + (b * factors[1] + factors[2]) as an int8; a and b int32."""
    numbers = (factors[0], factors[1], factors[2], zero_point, low, high)
    return _call("int8", "weft_float_add_s8", a, b, *numbers)


def float_mul(a: Any, b: Any, factors: Any, zero_point: Any, low: Any, high: Any) -> Any:
    """a * b * factors[0] + factors[1] as an int8; a and b int32."""
    numbers = (factors[0], factors[1], zero_point, low, high)
    return _call("int8", "weft_float_mul_s8", a, b, *numbers)


def float_sub(a: Any, b: Any, factors: Any, zero_point: Any, low: Any, high: Any) -> Any:
    """(a * factors[0] - b * factors[1]) / factors[2] as an int8; a and b int32."""
    numbers = (factors[0], factors[1], factors[2], zero_point, low, high)
    return _call("int8", "weft_float_sub_s8", a, b, *numbers)


def float_average(
    total: Any, count: Any, factors: Any, zero_point: Any, low: Any, high: Any
) -> Any:
    """total / count / factors[1] + factors[2] as an int8; total float32, count int32."""
    numbers = (factors[1], factors[2], zero_point, low, high)
    return _call("int8", "weft_float_average_s8", total, count, *numbers)


def float_share(exponential: Any, factor: Any, total: Any, zero_point: Any) -> Any:
    """exponential * factor / total as an int8; all float32 but the zero point."""
    return _call("int8", "weft_float_share_s8", exponential, factor, total, zero_point)


def float_quantize(x: Any, scale: Any, zero_point: Any) -> Any:
    """x / scale (float32) to nearest, ties to even, plus the zero point; int8."""
    return _call("int8", "weft_float_quantize_s8", x, scale, zero_point)


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

# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite Micro's int8 activations as tables of 256, for all inputs -128..127.

The fixed-point functions are gemmlowp's (fixedpoint/fixedpoint.h); each table says which of TFLM's
kernels it follows (paths below ``tensorflow/lite/``).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from weft.relax.tflite_contract import (
    INT8_MAX,
    INT8_MIN,
    Array,
    ContractError,
    Scaled,
    exp_on_negative_values,
    high_mul,
    quantize_multiplier,
    requantize,
    round_half_away,
    rounding_shift_right,
    saturating_shift_left,
)

_ONE = (1 << 31) - 1  # 1.0 in Q31, as near as it gets
_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1


def _table(function: Callable[[int], int]) -> Array:
    values = [min(max(function(q), INT8_MIN), INT8_MAX) for q in range(INT8_MIN, INT8_MAX + 1)]
    return np.array(values, np.int8)


def _newton_reciprocal(x: int) -> int:
    """2 / (1 + x) for ``x`` in [0, 1] as Q31; the result is Q29."""
    half_denominator = (x + _ONE + 1) // 2
    estimate = 1515870810 + high_mul(half_denominator, -1010580540)
    for _ in range(3):
        error = (1 << 29) - high_mul(half_denominator, estimate)
        estimate += saturating_shift_left(high_mul(estimate, error), 2)
    return estimate


def _logistic(a: int) -> int:
    """gemmlowp's logistic: ``a`` with 4 integer bits, result in Q31."""
    if a == 0:
        return 1 << 30
    positive = saturating_shift_left(_newton_reciprocal(exp_on_negative_values(-abs(a), 4)), 1)
    return positive if a > 0 else _ONE - positive


def _tanh(a: int) -> int:
    """gemmlowp's tanh: ``a`` with 4 integer bits, result in Q31."""
    if a == 0:
        return 0
    exponential = exp_on_negative_values(-abs(a), 5)  # doubling moves the point
    result = saturating_shift_left(_newton_reciprocal(exponential) - (1 << 29), 2)
    return result if a > 0 else -result


def _saturating_table(
    function: Callable[[int], int], scale: np.float32, zero_point: int, bits: int, offset: int
) -> Array:
    """Shared by logistic and tanh: ``bits`` of the result remain."""
    integer_bits = 4
    fraction, shift = math.frexp(float(scale) * (1 << (31 - integer_bits)))
    by = Scaled(round_half_away(fraction * (1 << 31)), shift)
    if shift < 0 or by.multiplier > _ONE:
        raise ContractError(f"the scale {float(scale):.3g} of its operand is out of range")
    radius = math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << shift))

    def value(q: int) -> int:
        x = q - zero_point
        if abs(x) >= radius:
            return INT8_MAX if x > 0 else INT8_MIN
        return rounding_shift_right(function(requantize(x, by)), 31 - bits) + offset

    return _table(value)


def logistic_table(scale: np.float32, zero_point: int) -> Array:
    """kernels/internal/reference/integer_ops/logistic.h; the result has scale 1/256, zero -128."""
    return _saturating_table(_logistic, scale, zero_point, 8, -128)


def tanh_table(scale: np.float32, zero_point: int) -> Array:
    """kernels/internal/reference/integer_ops/tanh.h; the result has scale 1/128, zero 0."""
    return _saturating_table(_tanh, scale, zero_point, 7, 0)


def leaky_relu_table(
    alpha: float, in_scale: np.float32, in_zero: int, out_scale: np.float32, out_zero: int
) -> Array:
    """kernels/internal/reference/leaky_relu.h; factors in double."""
    slope = float(in_scale) * float(np.float32(alpha)) / float(out_scale)
    identity = quantize_multiplier(float(in_scale) / float(out_scale))
    leak = quantize_multiplier(abs(slope))

    def value(q: int) -> int:
        x = q - in_zero
        if x >= 0:
            return out_zero + requantize(x, identity)
        scaled = requantize(x, leak)
        return out_zero + (-scaled if slope < 0 else scaled)

    return _table(value)


def _high_mul16(a: int, b: int) -> int:
    """gemmlowp's SaturatingRoundingDoublingHighMul on int16."""
    if a == b == _INT16_MIN:
        return _INT16_MAX
    product = a * b
    nudged = product + ((1 << 14) if product >= 0 else 1 - (1 << 14))
    return math.trunc(nudged / (1 << 15))


def _clamp16(x: int) -> int:
    return min(max(x, _INT16_MIN), _INT16_MAX)


def _wrap16(x: int) -> int:
    return ((x + (1 << 15)) & 0xFFFF) - (1 << 15)


def _shift_right16(x: int, exponent: int) -> int:
    """gemmlowp's RoundingDivideByPOT on int16, whose mask wraps for exponents beyond 15."""
    mask = _wrap16((1 << exponent) - 1)
    return (x >> exponent) + int((x & mask) > (mask >> 1) + int(x < 0))


def _narrow(multiplier: int) -> int:
    """DownScaleInt32ToInt16Multiplier."""
    return _INT16_MAX if multiplier >= _ONE - (1 << 15) else (multiplier + (1 << 15)) >> 16


def hard_swish_table(
    in_scale: np.float32, in_zero: int, out_scale: np.float32, out_zero: int
) -> Array:
    """kernels/internal/reference/hard_swish.h: x * relu6(x + 3) / 6 in 16 bits."""
    fine_scale = np.float32(np.float32(1 / 128) * np.float32(in_scale))
    out_by = quantize_multiplier(float(fine_scale / np.float32(out_scale)))
    relu_by = quantize_multiplier(float(fine_scale / np.float32(3 / 32768)), max_shift=31)
    if out_by.shift > 0:
        raise ContractError("its operand's scale is 128 times that of its result or more")

    def value(q: int) -> int:
        fine = (q - in_zero) * (1 << 7)
        on_output_scale = _high_mul16(fine, _narrow(out_by.multiplier))
        share = fine
        if relu_by.shift > 0:
            share = _clamp16(share << (relu_by.shift - 1))
        share = _high_mul16(share, _narrow(relu_by.multiplier))
        if relu_by.shift > 0:
            share = _clamp16(share << 1)
        elif relu_by.shift < 0:
            share = _shift_right16(share, -relu_by.shift)
        share = _wrap16((share + (1 << 15)) >> 1)
        # A doubling high multiplication that does not round.
        product = _clamp16(math.trunc(share * on_output_scale / (1 << 15)))
        return _wrap16(_shift_right16(product, -out_by.shift) + out_zero)

    return _table(value)

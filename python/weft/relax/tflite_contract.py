# SPDX-License-Identifier: Apache-2.0
"""The numbers of TensorFlow Lite Micro's int8 operators, computed when a program is compiled.

Every function says which of its sources it follows (paths below ``tensorflow/lite/``). Scales are
float32 as in the model file; where the source computes in double or in float, so do we.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

INT8_MIN, INT8_MAX = -128, 127
_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1

Array = np.ndarray[Any, Any]


class ContractError(ValueError):
    """Quantisation parameters for which the source framework gives no defined result."""


@dataclass(frozen=True)
class Scaled:
    """A real factor as a Q31 multiplier and a power of two: multiplier * 2^(shift - 31)."""

    multiplier: int
    shift: int


def round_half_away(x: float) -> int:
    """To the nearest integer, ties away from zero: std::round."""
    whole = math.trunc(x)
    rest = abs(x - whole)
    return whole + int(math.copysign(1, x)) if rest >= 0.5 else whole


def _wrap32(x: int) -> int:
    return ((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def quantize_multiplier(real: float, max_shift: int = 30) -> Scaled:
    """kernels/internal/quantization_util.cc, QuantizeMultiplier."""
    if real == 0.0:
        return Scaled(0, 0)
    if not math.isfinite(real):
        raise ContractError(f"the factor {real} between scales is not finite")
    fraction, shift = math.frexp(real)
    fixed = round_half_away(fraction * (1 << 31))
    if fixed == 1 << 31:
        fixed //= 2
        shift += 1
    if shift < -31:
        return Scaled(0, 0)
    if shift > max_shift:
        raise ContractError(f"the factor {real:.3g} between scales is out of range")
    return Scaled(fixed, shift)


def _below_one(real: float, what: str) -> Scaled:
    """QuantizeMultiplierSmallerThanOneExp, which aborts outside of 0..1."""
    if not 0.0 < real < 1.0:
        raise ContractError(f"the factor of the {what} is {real:.3g}, not between 0 and 1")
    return quantize_multiplier(real)


def high_mul(a: int, b: int) -> int:
    """gemmlowp's SaturatingRoundingDoublingHighMul."""
    if a == b == _INT32_MIN:
        return _INT32_MAX
    return (a * b + (1 << 30)) >> 31


def rounding_shift_right(x: int, exponent: int) -> int:
    """gemmlowp's RoundingDivideByPOT."""
    mask = (1 << exponent) - 1
    return (x >> exponent) + int((x & mask) > (mask >> 1) + int(x < 0))


def requantize(x: int, by: Scaled) -> int:
    """kernels/internal/common.cc, MultiplyByQuantizedMultiplier with double rounding."""
    left, right = max(by.shift, 0), max(-by.shift, 0)
    return rounding_shift_right(high_mul(_wrap32(x << left), by.multiplier), right)


def channel_multipliers(in_scale: np.float32, w_scales: Array, out_scale: np.float32) -> Array:
    """kernels/kernel_util.cc, PopulateConvolutionQuantizationParams: rows of multiplier, shift.

    Dense layers too. Sources of August 2026 multiply the scales of a dense layer with one weight
    scale in float, and divide those of a ReLU in float; the interpreter that is the oracle does
    all of it in double.
    """
    pairs = []
    for w_scale in w_scales:
        scaled = quantize_multiplier(float(in_scale) * float(w_scale) / float(out_scale))
        pairs.append((scaled.multiplier, scaled.shift))
    return np.array(pairs, np.int64)


def quantized_bound(bound: float, scale: np.float32, zero_point: int) -> int:
    """kernels/kernel_util.cc, Quantize: of an activation's limit."""
    return zero_point + round_half_away(float(np.float32(bound) / np.float32(scale)))


@dataclass(frozen=True)
class AddParameters:
    """Factors of both operands and of their sum."""

    a: Scaled
    b: Scaled
    out: Scaled


def add_parameters(
    a_scale: np.float32, b_scale: np.float32, out_scale: np.float32
) -> AddParameters:
    """micro/kernels/add_common.cc, CalculateOpDataAdd, with the left shift of 20 for int8."""
    twice_max = 2 * float(max(a_scale, b_scale))
    return AddParameters(
        _below_one(float(a_scale) / twice_max, "first operand"),
        _below_one(float(b_scale) / twice_max, "second operand"),
        _below_one(twice_max / ((1 << 20) * float(out_scale)), "sum"),
    )


def mul_multiplier(a_scale: np.float32, b_scale: np.float32, out_scale: np.float32) -> Scaled:
    """micro/kernels/mul_common.cc, CalculateOpDataMul."""
    return quantize_multiplier(float(a_scale) * float(b_scale) / float(out_scale))


def mean_multiplier(in_scale: np.float32, out_scale: np.float32, count: int) -> Scaled:
    """kernels/internal/reference/reduce.h, QuantizedMeanOrSum."""
    scaled = quantize_multiplier(float(in_scale) / float(out_scale))
    shift = min(count.bit_length() - 1, 32, 31 + scaled.shift)
    return Scaled((scaled.multiplier << shift) // count, scaled.shift - shift)


def requantize_table(
    in_scale: np.float32, in_zero_point: int, out_scale: np.float32, out_zero_point: int
) -> Array:
    """kernels/internal/reference/requantize.h for all int8; factor in double."""
    by = quantize_multiplier(float(in_scale) / float(out_scale))
    return _table(in_zero_point, by, out_zero_point, INT8_MIN, INT8_MAX)


def relu_table(
    in_scale: np.float32,
    in_zero_point: int,
    out_scale: np.float32,
    out_zero_point: int,
    low: int,
    high: int,
) -> Array:
    """micro/kernels/activations.h, ReluQuantized for all int8; factor in double."""
    by = quantize_multiplier(float(in_scale) / float(out_scale))
    return _table(in_zero_point, by, out_zero_point, low, high)


def _table(in_zero_point: int, by: Scaled, out_zero_point: int, low: int, high: int) -> Array:
    values = [
        min(max(_wrap32(requantize(q - in_zero_point, by) + out_zero_point), low), high)
        for q in range(INT8_MIN, INT8_MAX + 1)
    ]
    return np.array(values, np.int8)


def dequantize_table(scale: np.float32, zero_point: int) -> Array:
    """kernels/internal/reference/dequantize.h: a product in double, rounded to float32."""
    q = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.float64)
    return (float(scale) * (q - zero_point)).astype(np.float32)


def softmax_table(in_scale: np.float32, beta: float) -> Array:
    """kernels/internal/reference/softmax.h: exp(-d * scale * beta) in Q31 for d = 0..255.

    0 where the difference is below ``diff_min`` and does not take part.
    """
    integer_bits = 5
    real = min(beta * float(in_scale) * (1 << (31 - integer_bits)), (1 << 31) - 1.0)
    if real <= 1.0:
        raise ContractError(f"the scale {float(in_scale):.3g} of a softmax is too small")
    by = quantize_multiplier(real, max_shift=31)
    radius = ((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << by.shift)
    table = []
    for difference in range(256):
        if -difference < -math.floor(radius):
            table.append(0)
            continue
        scaled = high_mul(_wrap32(-difference << by.shift), by.multiplier)
        table.append(exp_on_negative_values(scaled, integer_bits))
    return np.array(table, np.int64).astype(np.int32)


def nearest_indices(size: int, count: int, align_corners: bool, half_pixel: bool) -> list[int]:
    """kernels/internal/reference/resize_nearest_neighbor.h, GetNearestNeighbor, in float."""
    aligned = align_corners and count > 1
    scale = np.float32(size - 1 if aligned else size) / np.float32(count - 1 if aligned else count)
    offset = np.float32(0.5 if half_pixel else 0.0)
    nearest = round_half_away if align_corners else math.floor
    return [min(nearest(float((np.float32(i) + offset) * scale)), size - 1) for i in range(count)]


def saturating_shift_left(x: int, exponent: int) -> int:
    """gemmlowp's SaturatingRoundingMultiplyByPOT with a positive exponent, on int32."""
    return min(max(x << exponent, _INT32_MIN), _INT32_MAX)


# gemmlowp's fixedpoint.h: exp(-2^k) in Q31 for k = -2 .. 4.
_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def exp_on_negative_values(a: int, integer_bits: int) -> int:
    """gemmlowp's exp_on_negative_values: ``a`` <= 0 with ``integer_bits``, result in Q31."""
    if a == 0:
        return _INT32_MAX
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    reduced = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(saturating_shift_left(reduced, integer_bits))
    remainder = reduced - a
    for k, factor in enumerate(_EXP_OF_POWERS, start=-2):
        if integer_bits > k and remainder & (1 << (fraction_bits + k)):
            result = high_mul(result, factor)
    return result


def _exp_near_zero(a: int) -> int:
    """exp on [-1/4, 0), Q31: a Taylor series around -1/8."""
    constant_term, one_third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4_over_4 = rounding_shift_right(high_mul(x2, x2), 2)
    series = rounding_shift_right(high_mul(x4_over_4 + x3, one_third) + x2, 1)
    return constant_term + high_mul(constant_term, x + series)

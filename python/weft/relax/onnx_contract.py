# SPDX-License-Identifier: Apache-2.0
"""The numbers of ONNX Runtime's quantised operators, computed when a program is compiled.

Every function says which of its sources it follows (paths below ``onnxruntime/``), of the CPU
provider on x86-64 with AVX2 and FMA. Scales are float32 and everything is computed in float32,
rounded to nearest, ties to even. Zero points are of int8: those of uint8 less 128.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from weft.relax.expressions import Quantization
from weft.relax.tflite_contract import INT8_MAX, INT8_MIN, Array, ContractError, Scaled

_F32 = np.float32
# Beyond these a factor, or what it is made of, is no normal float32 or leaves the shift's range.
_LEAST_FACTOR, _MOST_FACTOR = 2.0**-90, 2.0**90


def scaled(factor: Any) -> Scaled:
    """A float32 as a multiplier, whose low 7 bits are 0, and a power of two; exact."""
    value = float(_F32(factor))
    if not _LEAST_FACTOR <= value <= _MOST_FACTOR:
        raise ContractError(f"the factor {value:.3g} between scales is out of range")
    fraction, exponent = math.frexp(value)
    return Scaled(int(fraction * (1 << 31)), exponent)


def channel_multipliers(in_scale: np.float32, w_scales: Array, out_scale: np.float32) -> Array:
    """core/providers/cpu/quantization/qlinearconv.cc, ComputeOutputScale; the same in
    quantize_linear_matmul.cc and contrib_ops/cpu/quantization/quant_gemm.cc."""
    factors = _F32(in_scale) * w_scales.astype(np.float32) / _F32(out_scale)
    pairs = [(s.multiplier, s.shift) for s in map(scaled, factors)]
    return np.array(pairs, np.int64)


def mean_multiplier(in_scale: np.float32, out_scale: np.float32, count: int) -> Scaled:
    """core/mlas/lib/qlgavgpool.cpp, CheckQLinearGlobalAveragePoolScaleAndSize."""
    return scaled(_F32(in_scale) / (_F32(out_scale) * _F32(count)))


def quantized(values: Array, scale: np.float32, zero_point: int) -> Array:
    """core/mlas/lib/quantize.cpp, MlasQuantizeLinear: of float32, as int8; NaN becomes 127."""
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = values.astype(np.float32) / _F32(scale)
    ratio = np.nan_to_num(ratio, nan=np.inf, posinf=np.inf, neginf=-np.inf)
    bounded = np.clip(ratio, INT8_MIN - zero_point, INT8_MAX - zero_point)
    return np.asarray(np.rint(bounded) + zero_point, np.int8)


def dequantized(scale: np.float32, zero_point: int) -> Array:
    """core/providers/cpu/quantization/quantize_linear.cc: of all int8."""
    return (np.arange(INT8_MIN, INT8_MAX + 1) - zero_point).astype(np.float32) * _F32(scale)


def quantized_bound(bound: float, scale: np.float32, zero_point: int) -> int:
    """Of an activation's limit: a quantise is monotonic, so limiting before or after is one."""
    return int(quantized(np.array([bound]), scale, zero_point)[0])


def requantize_table(
    in_scale: np.float32, in_zero_point: int, out_scale: np.float32, out_zero_point: int
) -> Array:
    """A dequantise and a quantise, for all int8; those of QLinearConcat are the same."""
    return quantized(dequantized(in_scale, in_zero_point), out_scale, out_zero_point)


def relu_table(
    in_scale: np.float32,
    in_zero_point: int,
    out_scale: np.float32,
    out_zero_point: int,
    low: int,
    high: int,
) -> Array:
    """The same with limits."""
    table = requantize_table(in_scale, in_zero_point, out_scale, out_zero_point)
    return np.clip(table, low, high).astype(np.int8)


def fma(a: Any, b: Any, c: Any) -> Array:
    """a * b + c of float32, rounded once: the sum in double is made odd if it is not exact, so that
    rounding it again does no harm."""
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    addend = np.asarray(c, np.float64)
    total = np.asarray(product + addend)
    from_c = total - product
    rest = (product - (total - from_c)) + (addend - from_c)
    bits = total.view(np.int64).copy()
    is_even = (rest != 0) & (bits & 1 == 0)
    bits += np.where(is_even, np.where((rest > 0) == (total > 0), 1, -1), 0)
    return np.asarray(bits.view(np.float64).astype(np.float32))


def add_factors(a: Quantization, b: Quantization, out: Quantization) -> Array:
    """core/mlas/lib/intrinsics/avx2/qladd_avx2.cpp: both ratios, and what zero points add up to.

    The operands are the model's own numbers, as its zero points are.
    """
    (a_scale, a_zero), (b_scale, b_zero), (out_scale, out_zero) = map(_in_model, (a, b, out))
    a_ratio, b_ratio = a_scale / out_scale, b_scale / out_scale
    zero_points = fma(a_ratio, a_zero, b_ratio * b_zero)
    return np.array([a_ratio, b_ratio, out_zero - zero_points], np.float32)


def mul_factors(a: Quantization, b: Quantization, out: Quantization) -> Array:
    """core/mlas/lib/qlmul.cpp: the ratio, and the zero point that is added before rounding."""
    (a_scale, _), (b_scale, _), (out_scale, out_zero) = map(_in_model, (a, b, out))
    return np.array([a_scale * b_scale / out_scale, out_zero, 0.0], np.float32)


def pool_factors(x: Quantization, out: Quantization) -> Array:
    """contrib_ops/cpu/quantization/qlinear_pool.cc: both scales, and the zero point that is added
    before rounding."""
    (x_scale, _), (out_scale, out_zero) = map(_in_model, (x, out))
    return np.array([x_scale, out_scale, out_zero], np.float32)


def _in_model(quantization: Quantization) -> tuple[np.float32, np.float32]:
    scale, zero_point = quantization.single
    return scale, _F32(zero_point + quantization.offset)


def softmax_table(scale: np.float32, count: int) -> Array:
    """contrib_ops/cpu/quantization/qlinear_softmax.cc: multiples of exp(-d * scale) for d = 0..255,
    as large as a sum of ``count`` of them allows."""
    most = float(np.log(np.finfo(np.float32).max / _F32(count)))
    shift = max(0.0, most - 5) / float(scale)
    powers = (shift - np.arange(256, dtype=np.float64)) * float(scale)
    return np.asarray(np.exp(powers), np.float32)


def softmax_factor(out_scale: np.float32) -> Array:
    """The same source: the quanta of one, a whole number."""
    return np.array([np.floor(_F32(1.0) / _F32(out_scale))], np.float32)


# The coefficients of core/mlas/lib/logistic.cpp, highest power first.
_LOGISTIC_P = (
    4.37031012579801e-11,
    1.15627324459942e-07,
    6.08574864600143e-05,
    8.51377133304701e-03,
    2.48287947061529e-01,
)
_LOGISTIC_Q = (
    6.10247389755681e-13,
    5.76102136993427e-09,
    6.29106785017040e-06,
    1.70198817374094e-03,
    1.16817656904453e-01,
    9.93151921023180e-01,
)


def logistic(values: Array) -> Array:
    """core/mlas/lib/amd64/LogisticKernelFma3.asm: of float32, by a quotient of polynomials."""
    x = np.clip(values, _F32(-18.0), _F32(18.0))
    square = x * x
    numerator = _polynomial(square, _LOGISTIC_P) * x
    ratio = numerator / _polynomial(square, _LOGISTIC_Q)
    return np.asarray(np.clip(ratio + _F32(0.5), _F32(0.0), _F32(1.0)))


def _polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    total: Any = _F32(coefficients[0])
    for coefficient in coefficients[1:]:
        total = fma(total, x, _F32(coefficient))
    return np.asarray(total)

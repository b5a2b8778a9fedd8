"""The numbers of the TFLite contract against exact rational arithmetic and real functions.

That they are TensorFlow Lite Micro's numbers to the last bit is what the oracle tests say.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from weft.relax import tflite_contract as contract
from weft.relax.tflite_activations import leaky_relu_table, logistic_table, tanh_table
from weft.relax.tflite_contract import ContractError, Scaled

many = settings(max_examples=100 * settings().max_examples, phases=tuple(Phase))
some = settings(max_examples=12 * settings().max_examples, phases=tuple(Phase))

int32 = st.integers(-(1 << 31), (1 << 31) - 1)
multipliers = st.integers(1 << 30, (1 << 31) - 1)
zero_points = st.integers(-128, 127)
Q = np.arange(-128, 128)


def scales(low: float = 2.0**-16, high: float = 2.0**6) -> st.SearchStrategy[np.float32]:
    """float32 scales, evenly by their logarithm."""
    exponents = st.floats(math.log2(low), math.log2(high))
    return exponents.map(lambda e: np.float32(2.0**e))


def _nearest(x: Fraction) -> int:
    """To the nearest integer, ties away from zero."""
    whole = math.floor(abs(x) + Fraction(1, 2))
    return whole if x >= 0 else -whole


# Rounding


@many
@given(st.floats(-(2.0**40), 2.0**40) | st.integers(-(2**40), 2**40).map(lambda n: n / 2))
def test_round_half_away(x: float) -> None:
    assert contract.round_half_away(x) == _nearest(Fraction(x))


@pytest.mark.parametrize(
    ("x", "wanted"),
    [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (-2.5, -3), (0.49999999999999994, 0), (-0.0, 0)],
)
def test_round_half_away_of_ties(x: float, wanted: int) -> None:
    assert contract.round_half_away(x) == wanted


@many
@given(int32, int32)
def test_high_mul_is_the_product_over_2_31_to_nearest_ties_up(a: int, b: int) -> None:
    exact = Fraction(a * b, 1 << 31)
    wanted = math.floor(exact + Fraction(1, 2))
    assert contract.high_mul(a, b) == min(wanted, (1 << 31) - 1)


@many
@given(int32, st.integers(0, 31))
def test_rounding_shift_right_is_a_division_to_nearest_ties_away(x: int, exponent: int) -> None:
    assert contract.rounding_shift_right(x, exponent) == _nearest(Fraction(x, 1 << exponent))


@pytest.mark.parametrize(
    ("x", "wanted"), [(2, 1), (-2, -1), (1, 0), (-1, 0), (6, 2), (-6, -2), (5, 1), (-5, -1)]
)
def test_rounding_shift_right_of_ties(x: int, wanted: int) -> None:
    assert contract.rounding_shift_right(x, 2) == wanted


# Multipliers


@many
@given(st.floats(2.0**-32, 2.0**30 - 1))
def test_quantize_multiplier_is_near_and_normal(real: float) -> None:
    scaled = contract.quantize_multiplier(real)
    exact = Fraction(scaled.multiplier, 1 << 31) * Fraction(2) ** scaled.shift
    if scaled == Scaled(0, 0):
        assert real < 2.0**-32 * (1 + 2.0**-31)
        return
    assert 1 << 30 <= scaled.multiplier < 1 << 31
    assert -31 <= scaled.shift <= 30
    # Half a unit in the last of 31 places.
    assert abs(exact - Fraction(real)) <= Fraction(2) ** (scaled.shift - 32)


@many
@given(multipliers, st.integers(-31, 30))
def test_quantize_multiplier_gives_back_what_it_can_express(multiplier: int, shift: int) -> None:
    real = math.ldexp(multiplier, shift - 31)
    assert contract.quantize_multiplier(real) == Scaled(multiplier, shift)


@pytest.mark.parametrize(
    ("real", "wanted"),
    [
        (0.0, Scaled(0, 0)),
        (1.0, Scaled(1 << 30, 1)),
        (0.5, Scaled(1 << 30, 0)),
        (0.75, Scaled(3 << 29, 0)),
        # Rounds up to 2^31, which becomes 2^30 and one place more.
        (1.0 - 2.0**-40, Scaled(1 << 30, 1)),
        (2.0**-33, Scaled(0, 0)),
        (2.0**-32, Scaled(1 << 30, -31)),
    ],
)
def test_quantize_multiplier_at_its_edges(real: float, wanted: Scaled) -> None:
    assert contract.quantize_multiplier(real) == wanted


@pytest.mark.parametrize("real", [2.0**30, 2.0**31, 1e30])
def test_quantize_multiplier_refuses_what_is_too_large(real: float) -> None:
    with pytest.raises(ContractError, match="out of range"):
        contract.quantize_multiplier(real)


@many
@given(int32, multipliers, st.integers(-31, 30))
def test_requantize_is_within_one_of_the_exact_product(x: int, multiplier: int, shift: int) -> None:
    by = Scaled(multiplier, shift)
    assume(-(1 << 31) <= x << max(shift, 0) < 1 << 31)
    exact = Fraction(x * multiplier) * Fraction(2) ** (shift - 31)
    # Two roundings, the first one before the right shift.
    assert abs(contract.requantize(x, by) - exact) <= Fraction(1, 2) * (
        1 + Fraction(2) ** -max(-shift, 0)
    )


@many
@given(st.integers(-(1 << 20), 1 << 20), multipliers, st.integers(-31, 10))
def test_requantize_keeps_order(x: int, multiplier: int, shift: int) -> None:
    by = Scaled(multiplier, shift)
    assert contract.requantize(x, by) <= contract.requantize(x + 1, by)
    assert contract.requantize(0, by) == 0


def test_requantize_wraps_a_left_shift() -> None:
    assert contract.requantize(3 << 29, Scaled(1 << 30, 1)) == contract.requantize(
        -(1 << 30) // 2 * 2, Scaled(1 << 30, 0)
    )


# Tables and parameters of operators


def _assert_near(table: np.ndarray, exact: np.ndarray, quanta: float) -> None:
    assert table.shape == (256,)
    assert np.abs(table - np.clip(exact, -128, 127)).max() <= quanta


@some
@given(scales(), zero_points, scales(), zero_points)
def test_requantize_table(a: np.float32, a_zero: int, b: np.float32, b_zero: int) -> None:
    assume(2.0**-30 < float(a) / float(b) < 2.0**20)
    table = contract.requantize_table(a, a_zero, b, b_zero)
    assert table.dtype == np.int8
    _assert_near(table, float(a) * (Q - a_zero) / float(b) + b_zero, 1.001)
    assert (np.diff(table.astype(int)) >= 0).all()


@some
@given(scales(2.0**-6, 4), zero_points, scales(2.0**-6, 4), zero_points)
def test_relu_table(a: np.float32, a_zero: int, b: np.float32, b_zero: int) -> None:
    high = min(127, b_zero + 9)
    table = contract.relu_table(a, a_zero, b, b_zero, b_zero, high)
    exact = np.clip(float(a) * (Q - a_zero) / float(b) + b_zero, b_zero, high)
    _assert_near(table, exact, 1.001)
    assert table.min() >= b_zero and table.max() <= high


@some
@given(scales(), zero_points)
def test_dequantize_table_is_rounded_once(scale: np.float32, zero_point: int) -> None:
    table = contract.dequantize_table(scale, zero_point)
    assert table.dtype == np.float32
    for q, value in zip(Q, table, strict=True):
        exact = Fraction(float(scale)) * (int(q) - zero_point)
        below, above = (np.nextafter(value, np.float32(end)) for end in (-np.inf, np.inf))
        error = abs(Fraction(float(value)) - exact)
        assert all(error <= abs(Fraction(float(n)) - exact) for n in (below, above))


@some
@given(scales(2.0**-12, 16), st.floats(0.125, 4))
def test_softmax_table_is_the_exponential(scale: np.float32, beta: float) -> None:
    table = contract.softmax_table(scale, beta).astype(np.int64)
    steps = float(scale) * beta * np.arange(256)
    assert table[0] == (1 << 31) - 1
    assert (np.diff(table) <= 0).all() and (table >= 0).all()
    assert np.abs(table / 2.0**31 - np.exp(-steps)).max() < 1e-6
    # What is left out is too small to count: less than one quantum of 2^-19 in the sum.
    assert (np.exp(-steps[table == 0]) < 2.0**-19).all()


@pytest.mark.parametrize(("scale", "beta"), [(2.0**-27, 1.0), (2.0**-20, 2.0**-7), (1.0, 0.0)])
def test_softmax_table_refuses_what_has_no_factor(scale: float, beta: float) -> None:
    with pytest.raises(ContractError, match="softmax"):
        contract.softmax_table(np.float32(scale), beta)


@many
@given(scales(), scales(), scales())
def test_add_parameters(a: np.float32, b: np.float32, out: np.float32) -> None:
    twice = 2 * max(float(a), float(b))
    factor = twice / ((1 << 20) * float(out))
    assume(factor > 2.0**-31)
    if not factor < 1:
        with pytest.raises(ContractError, match="sum"):
            contract.add_parameters(a, b, out)
        return
    parameters = contract.add_parameters(a, b, out)
    for scaled, real in (
        (parameters.a, float(a) / twice),
        (parameters.b, float(b) / twice),
        (parameters.out, factor),
    ):
        assert math.ldexp(scaled.multiplier, scaled.shift - 31) == pytest.approx(real, rel=2**-30)
        assert scaled.shift <= 0 or real > 0.999999
    # Operands and result together are the sum of what was dequantised.
    assert contract.quantize_multiplier(0.5) in (parameters.a, parameters.b)


@many
@given(scales(2.0**-10, 4), scales(2.0**-10, 4), st.integers(1, 1 << 16))
def test_mean_multiplier_divides_by_the_count(
    scale: np.float32, out_scale: np.float32, count: int
) -> None:
    by = contract.mean_multiplier(scale, out_scale, count)
    real = float(scale) / float(out_scale) / count
    assert 0 <= by.multiplier < 1 << 31
    assert math.ldexp(by.multiplier, by.shift - 31) == pytest.approx(real, rel=2.0**-28)


@many
@given(scales(), st.lists(scales(), min_size=1, max_size=4), scales())
def test_channel_multipliers(x: np.float32, w: list[np.float32], out: np.float32) -> None:
    reals = [float(x) * float(scale) / float(out) for scale in w]
    assume(all(2.0**-31 < real < 2.0**30 for real in reals))
    rows = contract.channel_multipliers(x, np.array(w, np.float32), out)
    assert rows.shape == (len(w), 2)
    for (multiplier, shift), real in zip(rows.tolist(), reals, strict=True):
        assert Scaled(multiplier, shift) == contract.quantize_multiplier(real)


@many
@given(st.sampled_from([0.0, 6.0, -1.0, 1.0]), scales(2.0**-8, 8), zero_points)
def test_quantized_bound(bound: float, scale: np.float32, zero_point: int) -> None:
    ratio = Fraction(float(np.float32(bound) / scale))
    assert contract.quantized_bound(bound, scale, zero_point) == zero_point + _nearest(ratio)


CURVES: list[tuple[Callable[..., np.ndarray], Callable[[np.ndarray], np.ndarray], float, int]] = [
    (logistic_table, lambda x: 1 / (1 + np.exp(-x)), 256, -128),
    (tanh_table, np.tanh, 128, 0),
]


@pytest.mark.parametrize("number", range(len(CURVES)), ids=["logistic", "tanh"])
@some
@given(scale=scales(2.0**-8, 2.0**-1), zero_point=zero_points)
def test_curves(number: int, scale: np.float32, zero_point: int) -> None:
    table_of, function, steps, zero = CURVES[number]
    exact = function(float(scale) * (Q - zero_point)) * steps + zero
    _assert_near(table_of(scale, zero_point), exact, 1.001)


@some
@given(st.floats(0.01, 0.9), scales(2.0**-5, 2), scales(2.0**-5, 2), zero_points)
def test_leaky_relu_table(alpha: float, a: np.float32, b: np.float32, zero_point: int) -> None:
    x = float(a) * (Q - 3)
    exact = np.where(x < 0, alpha * x, x) / float(b) + zero_point
    _assert_near(leaky_relu_table(alpha, a, 3, b, zero_point), exact, 1.001)

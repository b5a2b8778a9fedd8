"""Fits of cost data: terms are found again, and none is negative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from weft.bench.costs import fit_terms
from weft.errors import InputError

TERMS = (lambda s: s.a, lambda s: s.b, lambda s: s.c)


@dataclass(frozen=True)
class Sample:
    name: str
    a: int
    b: int
    c: int
    cycles: int


def samples(a: int, b: int, c: int, noise: float = 0.0) -> list[Sample]:
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 10_000, (40, 3))
    made = []
    for number, row in enumerate(rows):
        cycles = round(float(row @ (a, b, c)) * (1 + noise * rng.uniform(-1, 1)))
        made.append(Sample(str(number), *(int(x) for x in row), cycles))
    return made


def test_terms_are_found_again() -> None:
    fit = fit_terms(samples(3, 7, 50), TERMS)
    assert fit.cycles == (3.0, 7.0, 50.0)
    assert (fit.samples, fit.mean_error, fit.largest_error) == (40, 0.0, 0.0)


def test_noise_is_told() -> None:
    fit = fit_terms(samples(3, 7, 50, noise=0.1), TERMS)
    assert fit.cycles == pytest.approx((3, 7, 50), rel=0.2)
    assert 0.02 < fit.mean_error < 0.1 and fit.mean_error < fit.largest_error < 0.15


def test_no_term_is_negative() -> None:
    made = [Sample("x", n, 2 * n + 1, 0, 5 * n - 1) for n in range(1, 20)]
    fit = fit_terms(made, TERMS)
    assert all(cycles >= 0 for cycles in fit.cycles)
    assert fit.largest_error > 0


def test_what_samples_do_not_tell_apart_gets_nothing() -> None:
    """The second term is always twice the first, the third always nothing."""
    made = [Sample("x", n, 2 * n, 0, 10 * n) for n in range(1, 20)]
    cycles = fit_terms(made, TERMS).cycles
    assert cycles[0] + 2 * cycles[1] == pytest.approx(10)
    assert min(cycles[:2]) == cycles[2] == 0


def test_the_worst_sample_is_named() -> None:
    made = [*samples(3, 7, 50), Sample("odd", 10, 10, 10, 6000)]
    assert fit_terms(made, TERMS).worst == "odd"


def test_nothing_to_fit() -> None:
    with pytest.raises(InputError, match="nothing was counted"):
        fit_terms([], TERMS)

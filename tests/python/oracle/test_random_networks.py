"""Whole networks, byte for byte against TFLM: random small ones, and two like MobileNets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from support.networks import mobilenet_v1, mobilenet_v2
from support.oracle_count import check_against_oracle
from support.strategies import Case
from support.strategies_networks import networks


@settings(max_examples=4 * settings().max_examples)
@given(networks())
def test_random_network(case: Case) -> None:
    check_against_oracle(case.model, case.input_sets, case.labels)


@pytest.mark.parametrize("build", [mobilenet_v1, mobilenet_v2])
def test_mobilenet(build: Callable[[], bytes]) -> None:
    rng = np.random.default_rng(1)
    images = [[rng.integers(-128, 128, (1, 48, 48, 3)).astype(np.int8)] for _ in range(3)]
    check_against_oracle(build(), images, [build.__name__])

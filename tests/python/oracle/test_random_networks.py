"""Whole networks, byte for byte against TFLM: random small ones, and two like MobileNets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from support.networks import Network, mobilenet_v1, mobilenet_v2
from support.oracle_count import check_against_oracle
from support.strategies import Case
from support.strategies_networks import networks


@settings(max_examples=2 * settings().max_examples)
@given(networks())
def test_random_network(case: Case) -> None:
    check_against_oracle(case.model, case.input_sets, case.labels)


@pytest.mark.parametrize("build", [mobilenet_v1, mobilenet_v2])
def test_mobilenet(build: Callable[[], bytes]) -> None:
    rng = np.random.default_rng(1)
    images = [[rng.integers(-128, 128, (1, 48, 48, 3)).astype(np.int8)] for _ in range(3)]
    check_against_oracle(build(), images, [build.__name__])


@pytest.mark.parametrize("operator", ["add", "mul"])
def test_a_column_of_one_channel_within_a_border(operator: str) -> None:
    """Its elements lie apart in memory: nothing of the last axis is left to step along by one."""
    n = Network(np.random.default_rng(7))
    x = n.conv2d(n.input((1, 8, 1, 4)), 1, (1, 1))
    padded = n.conv2d(x, 1, (1, 3))
    output = getattr(n, operator)(x, padded)
    image = np.random.default_rng(8).integers(-128, 128, (1, 8, 1, 4)).astype(np.int8)
    check_against_oracle(n.build(output), [[image]], [operator])

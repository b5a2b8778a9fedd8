"""Whole quantised ONNX networks, byte for byte against ONNX Runtime: on one PE and over many."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from support.onnx_networks import Made, mobilenet_v2, random_network, resnet_18
from support.onnx_oracle import check_against_onnxruntime, table_of_classes

#: In the quick profile 25 of each type; thousands in the thorough one.
COUNT = 25 if settings().max_examples <= 3 else 1000
_CHUNK = 5
#: Different results that make a network worth something; hardly any has fewer.
_RICH = 50


@pytest.mark.usefixtures("quickly_built")
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("first", range(0, COUNT, _CHUNK))
def test_random_networks(dtype: str, first: int) -> None:
    rich = 0
    for seed in range(first, first + _CHUNK):
        made = random_network(seed, dtype)
        answer = check_against_onnxruntime(made.model, made.input_sets, made.label)
        assert not answer.float_classes, f"{made.label}: {answer.float_classes}"
        values = np.concatenate([outputs[0].ravel() for outputs in answer.outputs])
        rich += len(np.unique(values)) >= _RICH
    assert rich >= _CHUNK - 1, f"{rich} of {_CHUNK} networks have {_RICH} different results"


@pytest.mark.usefixtures("quickly_built")
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("machine", ["grid-4x4", "spinn2-chip"])
def test_random_networks_over_pes(dtype: str, machine: str) -> None:
    for seed in range(100, 103):
        made = random_network(seed, dtype)
        check_against_onnxruntime(made.model, made.input_sets, made.label, machine)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("build", [mobilenet_v2, resnet_18])
@pytest.mark.parametrize(("machine", "pes"), [("single-m4-1m", 1), ("spinn2-chip", 40)])
def test_known_shapes(build: Callable[..., Made], dtype: str, machine: str, pes: int) -> None:
    made = build(dtype)
    answer = check_against_onnxruntime(made.model, made.input_sets, made.label, machine, pes=pes)
    print(table_of_classes({made.label: answer}))
    assert not answer.float_classes
    assert len(np.unique([o[0] for o in answer.outputs])) > 5

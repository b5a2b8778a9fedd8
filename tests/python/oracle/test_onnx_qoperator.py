"""Models of quantised operators instead of quantise and dequantise: the same bytes."""

from __future__ import annotations

import numpy as np
import pytest

from support.onnx_builder import QdqNetwork, Style
from support.onnx_networks import random_network
from support.onnx_oracle import check_against_onnxruntime
from support.onnx_qoperator import as_quantised_operators, kinds
from weft.importers.onnx_qlinear import EXPANSIONS

each_dtype = pytest.mark.parametrize("dtype", ["int8", "uint8"])


@each_dtype
def test_every_quantised_operator(dtype: str) -> None:
    n = QdqNetwork(np.random.default_rng(5), Style(dtype))
    x = n.input((1, 4, 11, 12))
    y = n.conv(x, 6, (3, 3), activation="Relu", strides=[2, 2], pads=[1, 1, 1, 1])
    y = n.op("Add", y, n.conv(y, 6, (3, 3), group=6, pads=[1, 1, 1, 1]))
    y = n.op("Mul", y, n.op("Sigmoid", n.op("LeakyRelu", y), scale=1 / 256))
    y = n.op("Concat", y, n.conv(y, 2, (1, 1)), attributes={"axis": 1})
    pooled = n.op("AveragePool", y, attributes={"kernel_shape": [2, 2], "pads": [0, 1, 0, 1]})
    flat = n.moved("Flatten", n.op("GlobalAveragePool", pooled))
    scores = n.matmul(n.gemm(flat, 9), 7)
    shares = n.op("Softmax", scores, attributes={"axis": -1}, scale=1 / 256)
    model = as_quantised_operators(n.build(pooled, shares))
    wanted = {kind.removeprefix("com.microsoft.") for kind in EXPANSIONS}
    assert wanted <= kinds(model)
    answer = check_against_onnxruntime(model, n.images(3), "all")
    assert not answer.float_classes


@each_dtype
@pytest.mark.parametrize("seed", range(200, 203))
def test_random_networks(dtype: str, seed: int) -> None:
    made = random_network(seed, dtype)
    model = as_quantised_operators(made.model)
    assert "QLinearConv" in kinds(model)
    assert not check_against_onnxruntime(model, made.input_sets, made.label).float_classes

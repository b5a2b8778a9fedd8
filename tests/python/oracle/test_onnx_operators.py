"""Each ONNX operator alone, with many attributes, against ONNX Runtime.

A model holds many operators that read one input; each result is an output. Those that ONNX Runtime
computes in integers, or that only move data, must have its bytes; those that it leaves in float may
differ as the contract allows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import helper

import weft
from support.onnx_builder import QdqNetwork, Style
from support.onnx_networks import random_network
from support.onnx_oracle import check_against_onnxruntime, check_results, run_onnxruntime
from weft.errors import ModelError, UnsupportedError
from weft.importers import import_model

SEEDS = range(1 if settings().max_examples <= 3 else 20)
STYLES = [Style(dtype, symmetric) for dtype in ("int8", "uint8") for symmetric in (False, True)]

each_style = pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.dtype}-{s.symmetric}")
each_seed = pytest.mark.parametrize("seed", SEEDS)


def _check(build: Callable[[QdqNetwork], list[str]], style: Style, seed: int) -> set[str]:
    """Gives the classes that ONNX Runtime left in float."""
    n = QdqNetwork(np.random.default_rng(seed), style)
    outputs = build(n)
    model = n.build(*outputs)
    answer = check_against_onnxruntime(model, n.images(3), build.__name__)
    for index, output in enumerate(answer.outputs[0]):
        values = np.concatenate([outputs[index].ravel() for outputs in answer.outputs])
        assert len(np.unique(values)) >= min(8, output.size), f"{build.__name__} {index}: constant"
    return answer.float_classes


def convolutions(n: QdqNetwork) -> list[str]:
    x = n.input((1, 6, 11, 14))
    return [
        n.conv(x, 5, (3, 3)),
        n.conv(x, 4, (1, 1), bias=False),
        n.conv(x, 7, (2, 5), strides=[2, 3], pads=[1, 0, 0, 4]),
        n.conv(x, 6, (3, 3), group=2, dilations=[2, 3], pads=[2, 2, 2, 2]),
        n.conv(x, 6, (3, 3), group=6, auto_pad="SAME_UPPER", strides=[2, 2]),
        n.conv(x, 12, (4, 2), group=6, auto_pad="SAME_LOWER"),
        n.conv(x, 3, (3, 3), group=3, auto_pad="VALID", dilations=[1, 2]),
    ]


def dense(n: QdqNetwork) -> list[str]:
    x = n.input((3, 37))
    y = n.input((2, 5, 29))
    return [n.gemm(x, 11), n.gemm(x, 8, transposed=False), n.matmul(x, 9), n.matmul(y, 7)]


def sums_and_products(n: QdqNetwork) -> list[str]:
    a, b = n.input((1, 5, 9, 8)), n.input((1, 5, 9, 8))
    row, channel = n.input((8,)), n.input((5, 1, 1))
    pairs = [(a, b), (b, a), (a, row), (row, a), (a, channel), (channel, a)]
    return [n.op(kind, *pair) for kind in ("Add", "Mul") for pair in pairs]


def pools(n: QdqNetwork) -> list[str]:
    x = n.input((1, 4, 12, 13))
    windows = [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 4], "strides": [2, 1], "pads": [1, 2, 2, 0]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER"},
    ]
    counted = {"kernel_shape": [3, 3], "pads": [1, 1, 2, 0], "count_include_pad": 1}
    return [
        *(n.moved("MaxPool", x, **window) for window in windows),
        *(n.op("AveragePool", x, attributes=window) for window in (*windows, counted)),
        n.op("GlobalAveragePool", x),
    ]


def functions(n: QdqNetwork) -> list[str]:
    x = n.input((1, 3, 20, 20))
    return [
        n.op("Sigmoid", x),
        n.op("Sigmoid", x, scale=1 / 256),
        n.op("LeakyRelu", x, attributes={"alpha": 0.3}),
        n.op("LeakyRelu", x),
        n.op("Softmax", x, attributes={"axis": -1}, scale=1 / 256),
        n.op("Softmax", x, attributes={"axis": 1}, scale=1 / 200),
        n.op("Softmax", x, attributes={"axis": 2}, scale=1 / 256),
    ]


def movement(n: QdqNetwork) -> list[str]:
    x = n.input((1, 4, 6, 10))
    y = n.conv(x, 4, (3, 3), pads=[1, 1, 1, 1])  # lies otherwise inside
    outputs = []
    for v in (x, y):
        outputs += [
            n.moved("Transpose", v, perm=[0, 2, 3, 1]),
            n.moved("Transpose", v, perm=[3, 1, 0, 2]),
            n.moved("Reshape", v, np.array([2, 0, -1], np.int64)),
            n.moved("Flatten", v, axis=2),
            n.moved("Unsqueeze", v, np.array([1, 4])),
            n.moved("Squeeze", v, np.array([0])),
            n.moved(
                "Slice",
                v,
                np.array([1, -2]),
                np.array([4, -99]),
                np.array([1, 3]),
                np.array([2, -3]),
            ),
            n.op(
                "Concat",
                v,
                n.moved("Slice", v, np.array([0]), np.array([2]), np.array([2])),
                attributes={"axis": 2},
            ),
        ]
    return [*outputs, n.op("Concat", x, y, x, attributes={"axis": 1})]


def resizes(n: QdqNetwork) -> list[str]:
    x = n.input((1, 3, 5, 8))
    empty = np.zeros(0, np.float32)
    outputs = []
    for coordinates in ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"):
        for nearest in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
            size = np.array([1, 3, *n.rng.integers(2, 20, 2)])
            modes = {"coordinate_transformation_mode": coordinates, "nearest_mode": nearest}
            outputs.append(n.moved("Resize", x, empty, empty, size, mode="nearest", **modes))
    scales = np.array([1, 1, 3, 2], np.float32)
    return [*outputs, n.moved("Resize", x, empty, scales, mode="nearest")]


INTEGER = [
    *(convolutions, dense, sums_and_products, pools, functions, movement, resizes),
]


@each_seed
@each_style
@pytest.mark.parametrize("build", INTEGER, ids=lambda b: b.__name__)
def test_same_bytes(build: Callable[..., list[str]], style: Style, seed: int) -> None:
    assert _check(build, style, seed) == set()


def test_sizes_that_are_computed_from_shapes() -> None:
    """As exporters write ``x.reshape(x.shape[0], -1)``."""
    n = QdqNetwork(np.random.default_rng(0), Style())
    x = n.conv(n.input((1, 3, 6, 6)), 4, (3, 3))
    model = onnx.load_from_string(n.build(n.gemm(n.moved("Reshape", x, np.array([1, -1])), 5)))
    (reshape,) = (node for node in model.graph.node if node.op_type == "Reshape")
    sizes = [
        helper.make_node("Shape", [reshape.input[0]], ["shape"]),
        helper.make_node("Constant", [], ["zero"], value_int=0),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Cast", ["batch"], ["whole"], to=onnx.TensorProto.INT64),
        helper.make_node("Constant", [], ["front"], value_ints=[0]),
        helper.make_node("Unsqueeze", ["whole", "front"], ["first"]),
        helper.make_node("Constant", [], ["rest"], value_ints=[-1]),
        helper.make_node("Concat", ["first", "rest"], ["sizes"], axis=0),
    ]
    reshape.input[1] = "sizes"
    nodes = list(model.graph.node)
    at = nodes.index(reshape)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:at], *sizes, *nodes[at:]])
    check_against_onnxruntime(model.SerializeToString(), n.images(2), "sizes")


def test_nodes_in_any_order() -> None:
    n = QdqNetwork(np.random.default_rng(1), Style())
    x = n.conv(n.input((1, 3, 6, 6)), 4, (3, 3))
    text, frames = n.build(n.op("Add", x, n.conv(x, 4, (1, 1)))), n.images(2)
    answer = run_onnxruntime(text, frames)
    model = onnx.load_from_string(text)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[::-1])
    with weft.compile(model.SerializeToString(), machine="single-m4-1m").open() as session:
        check_results([[session.run(frame)] for (frame,) in frames], answer, "reversed")


def test_a_relax_module_that_asks_for_the_contract() -> None:
    """What the importer makes is a module like those of users."""
    made = random_network(300, "uint8")
    answer = run_onnxruntime(made.model, made.input_sets)
    module, unsupported = import_model(made.model, "model", None)
    assert not unsupported
    with weft.compile(module, machine="single-m4-1m").open() as session:
        results = [session.run(frame) for (frame,) in made.input_sets]
        check_results([r if isinstance(r, tuple) else [r] for r in results], answer, made.label)
    module["main"] = module["main"].with_attr("weft.contract", "mine")
    with pytest.raises(ModelError, match=r"weft\.contract of main is 'mine', not tflite or onnx"):
        weft.compile(module, machine="single-m4-1m")
    module["main"] = module["main"].with_attr("weft.contract", "tflite")
    with pytest.raises(UnsupportedError, match="uint8, not int8"):
        weft.compile(module, machine="single-m4-1m")


# --- what ONNX Runtime leaves in float ---


def differences(n: QdqNetwork) -> list[str]:
    a, b, row = n.input((1, 5, 17, 16)), n.input((1, 5, 17, 16)), n.input((16,))
    return [n.op("Sub", a, b), n.op("Sub", row, a), n.op("Sub", b, row)]


def activations(n: QdqNetwork) -> list[str]:
    x = n.input((1, 5, 20, 20))
    limits = (np.array(-0.3, np.float32), np.array(0.6, np.float32))
    half = np.array(0.5, np.float32)
    return [
        n.op("Relu", x),
        n.op("Clip", x, constants=limits),
        n.op("HardSwish", x),
        n.op("HardSigmoid", x, attributes={"alpha": 0.3, "beta": 0.4}),
        n.op("Tanh", x),
        n.op("Mul", n.op("Sub", x, constants=(half,), quantized=False), constants=(half,)),
        n.op("Div", x, constants=(np.array([0.7], np.float32),)),
    ]


def limited_convolutions(n: QdqNetwork) -> list[str]:
    x = n.input((1, 6, 13, 12))
    limits = (np.array(-0.4, np.float32), np.array(0.7, np.float32))
    free = n.conv(x, 8, (3, 3))
    raw = n.op("Conv", x, weights=n._weights((8, 6, 3, 3), 54), bias=n._bias(8), quantized=False)
    return [free, n.op("Clip", raw, constants=limits)]


def means(n: QdqNetwork) -> list[str]:
    x = n.input((4, 12, 9, 11))
    axes = [[2, 3], [1], [3], [0, 2], [1, 2, 3]]
    return [
        n.op("ReduceMean", x, attributes={"axes": a, "keepdims": keeps})
        for a in axes
        for keeps in (0, 1)
    ]


def padding(n: QdqNetwork) -> list[str]:
    x = n.input((1, 4, 9, 10))
    pads = np.array([0, 0, 1, 2, 0, 0, 3, 0])
    return [
        n.moved("Pad", x, pads),
        n.op("Pad", x, constants=(pads, np.array(0.25, np.float32))),
        n.moved("Pad", x, np.array([0, 1, 0, 0, 0, 2, 0, 0])),
    ]


def normalisations(n: QdqNetwork) -> list[str]:
    x = n.input((1, 6, 14, 15))

    def parameters() -> tuple[np.ndarray, ...]:
        values = (n.rng.uniform(0.5, 2, 6), n.rng.normal(0, 0.5, 6), n.rng.normal(0, 0.5, 6))
        variance = n.rng.uniform(0.3, 2, 6)
        return tuple(v.astype(np.float32) for v in (*values, variance))

    weights = n._weights((6, 6, 3, 3), 54)
    raw = n.op("Conv", x, weights=weights, bias=n._bias(6), quantized=False)
    return [
        n.op("BatchNormalization", x, constants=parameters()),
        n.op("BatchNormalization", raw, constants=parameters()),
    ]


FLOAT = [differences, activations, limited_convolutions, means, padding, normalisations]


@each_seed
@each_style
@pytest.mark.parametrize("build", FLOAT, ids=lambda b: b.__name__)
def test_nearly_the_same(build: Callable[..., list[str]], style: Style, seed: int) -> None:
    print(f"left in float: {sorted(_check(build, style, seed))}")

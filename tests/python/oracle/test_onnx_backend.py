"""``weft.onnx_backend``: the public tests of the ``onnx`` package, as the page of the documentation
says they come out, and the interface itself."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper
from onnx.backend.base import Backend
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

from onnx_coverage import MACHINE, load_cases, operators_of, run_case, stated_outcomes
from weft import onnx_backend
from weft.errors import InputError

CASES = load_cases()
STATED = stated_outcomes()
#: Operators of which every float32 test must pass, and what their other tests may be about.
REQUIRED = frozenset(
    """Conv Gemm MatMul Add Mul Sub Concat Pad Clip Relu LeakyRelu HardSwish Sigmoid Softmax
    AveragePool MaxPool GlobalAveragePool GlobalMaxPool ReduceMean Reshape Flatten Transpose Squeeze
    Unsqueeze Slice Split QuantizeLinear DequantizeLinear Identity Dropout BatchNormalization
    Constant""".split()  # noqa: SIM905
)
EXCUSED = re.compile(  # test_operator_add* are of float64
    r"test_operator_add|u?int(16|32|64|[248])|float16|float4|e[45]m[23]|blocked|training|with_argmax|identity_(seq|opt)"
    r"|(edge|reflect|wrap)_pad|_pad$|count_include_pad_is_1_ceil|zero_size|allowzero"
)
#: A part of the tests in the quick profile, all in the thorough one.
COUNT = 20 if settings().max_examples < 10 else len(STATED)


def _chosen() -> list[str]:
    passing = sorted(name for name, status in STATED.items() if status == "passes")
    refused = sorted(name for name, status in STATED.items() if status == "refused")
    rng = random.Random(1)
    return [
        *rng.sample(passing, min(COUNT, len(passing))),
        *rng.sample(refused, min(COUNT, len(refused))),
    ]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("machine") / "large.toml"
    path.write_text(MACHINE, encoding="ascii")
    return str(path)


@pytest.mark.parametrize("name", _chosen())
def test_the_public_test_does_what_the_page_says(name: str, machine: str) -> None:
    if name not in CASES:
        pytest.skip(f"onnx {onnx.__version__} does not carry it; the page is of another version")
    outcome = run_case(CASES[name], machine)
    assert outcome.status == STATED[name], outcome.reason


def test_every_test_of_the_operators_that_must_pass_does() -> None:
    """By the page, which is made by running them all."""
    missing = [
        name
        for name, status in STATED.items()
        if status != "passes"
        and name in CASES
        and set(operators_of(CASES[name])) <= REQUIRED
        and not EXCUSED.search(name)
    ]
    assert missing == []


def test_the_interface() -> None:
    assert issubclass(onnx_backend.WeftBackend, Backend)
    assert onnx_backend.supports_device("CPU") and not onnx_backend.supports_device("CUDA")
    assert not onnx_backend.supports_device("TPU:7")
    x = np.array([[-1.0, 2.0]], np.float32)
    node = helper.make_node("Relu", ["x"], ["y"])
    (y,) = onnx_backend.run_node(node, [x])
    assert np.array_equal(y, [[0.0, 2.0]])
    with pytest.raises(InputError, match="2 inputs, the node has 1"):
        onnx_backend.run_node(node, [x, x])


def _model(shape: list[int | str]) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_open_shapes_are_closed_by_what_is_given() -> None:
    rep = onnx_backend.prepare(_model(["batch", 3]))
    for batch in (1, 4, 1):
        x = np.random.default_rng(batch).normal(size=(batch, 3)).astype(np.float32)
        (y,) = rep.run([x])
        assert np.allclose(y, np.exp(x), rtol=1e-6)


def test_refusals() -> None:
    model = _model([2])
    model.graph.node[0].op_type = "Det"
    with pytest.raises(BackendIsNotSupposedToImplementIt, match="Det at 'y'"):
        onnx_backend.prepare(model)
    with pytest.raises(BackendIsNotSupposedToImplementIt, match="no device CUDA"):
        onnx_backend.prepare(_model([2]), "CUDA")
    with pytest.raises(InputError, match="0 inputs, the model has 1"):
        onnx_backend.prepare(_model([2])).run([])


def test_the_page_is_there() -> None:
    page = Path(__file__).parents[3] / "docs" / "onnx-operators.md"
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert "Wrong results: none. Tests that took their process down: none." in text

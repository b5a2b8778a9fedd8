"""The builder and the oracle, without Weft.

The models that other tests compare on must be accepted by TFLM, mean what the builder says (real
arithmetic in numpy agrees to one quantum), and give outputs in which a wrong value would show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import float_reference as real_ops
from support import strategies as s
from support import strategies_elementwise as elementwise
from support import strategies_movement as movement
from support.networks import mobilenet_v1, mobilenet_v2
from support.strategies import Case, Instance, assemble
from support.strategies_networks import networks
from support.tflite_builder import ModelBuilder
from support.tflite_graph import Tensor
from support.tflm import TflmCrash, TflmError, run_tflm, run_tflm_batch

OPERATORS: list[Callable[[], st.SearchStrategy[Instance]]] = [
    s.conv2d,
    s.depthwise_conv2d,
    s.fully_connected,
    s.average_pool2d,
    s.max_pool2d,
    s.mean,
    elementwise.add,
    elementwise.sub,
    elementwise.mul,
    elementwise.maximum,
    elementwise.minimum,
    elementwise.relu,
    elementwise.relu6,
    elementwise.leaky_relu,
    elementwise.hard_swish,
    elementwise.logistic,
    elementwise.tanh,
    elementwise.softmax,
    elementwise.quantize,
    elementwise.requantize,
    elementwise.dequantize,
    movement.concatenation,
    movement.pad,
    movement.padv2,
    movement.reshape,
    movement.transpose,
    movement.expand_dims,
    movement.squeeze,
    movement.strided_slice,
    movement.split,
    movement.resize_nearest_neighbor,
]

# The repository of the trained models stands beside the project's.
TRAINED = Path(__file__).resolve().parents[4] / "shared" / "models"

X_SCALE, X_ZERO = 0.05, 7


def _shapes(model: bytes) -> list[tuple[int, ...]]:
    graph = schema.ModelT.InitFromPackedBuf(model, 0).subgraphs[0]
    return [tuple(graph.tensors[index].shape) for index in graph.outputs]


@pytest.mark.parametrize("operator", OPERATORS)
@settings(max_examples=5 * settings().max_examples)
@given(data=st.data())
def test_tflm_accepts_every_drawn_operator(
    operator: Callable[[], st.SearchStrategy[Instance]], data: st.DataObject
) -> None:
    instances = data.draw(st.lists(operator(), min_size=6, max_size=10))
    case = assemble(instances, np.random.default_rng(data.draw(s.seeds)))
    for outputs in run_tflm_batch(case.model, case.input_sets):
        assert [output.shape for output in outputs] == _shapes(case.model)


@given(s.cases(s.conv2d()))
def test_interpreter_is_deterministic_and_order_does_not_matter(case: Case) -> None:
    forward = run_tflm_batch(case.model, case.input_sets)
    backward = run_tflm_batch(case.model, case.input_sets[::-1])[::-1]
    for a, b in zip(forward, backward, strict=True):
        assert [x.tobytes() for x in a] == [y.tobytes() for y in b]


# Against real arithmetic


def _image(rng: np.random.Generator, shape: tuple[int, ...] = (1, 9, 7, 6)) -> np.ndarray:
    return rng.integers(-128, 128, shape).astype(np.int8)


def _reals(x: np.ndarray) -> np.ndarray:
    return real_ops.real(x, X_SCALE, X_ZERO)


def _assert_close(
    build: Callable[[ModelBuilder, Tensor], Tensor], x: np.ndarray, wanted: np.ndarray
) -> None:
    """The model's output is within one quantum of the wanted reals, and not trivially so."""
    m = ModelBuilder()
    y = build(m, m.input(x.shape, X_SCALE, X_ZERO))
    m.output(y)
    (actual,) = run_tflm(m.build(), x)
    expected = real_ops.stored(wanted, y.scale, y.zero_point)
    assert actual.shape == expected.shape
    assert len(np.unique(actual)) >= min(12, actual.size // 4)
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 1


def _layer(
    rng: np.random.Generator, shape: tuple[int, ...], axis: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights and bias, stored and real, with a scale for each channel along the axis."""
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    scales = rng.uniform(0.002, 0.02, shape[axis]).astype(np.float32)
    bias = rng.integers(-2000, 2000, shape[axis]).astype(np.int32)
    along = [-1 if place == axis else 1 for place in range(len(shape))]
    return weights, bias, weights * scales.reshape(along).astype(np.float64), scales


WINDOWS = [
    {"strides": (1, 1), "dilation": (1, 1), "padding": "SAME"},
    {"strides": (2, 1), "dilation": (1, 1), "padding": "SAME"},
    {"strides": (3, 2), "dilation": (1, 1), "padding": "VALID"},
    {"strides": (1, 2), "dilation": (3, 2), "padding": "SAME"},
    {"strides": (1, 1), "dilation": (2, 3), "padding": "VALID"},
]
ACTIVATIONS = ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("groups", [1, 3])
def test_conv_2d_is_a_convolution(window: dict[str, Any], groups: int) -> None:
    rng = np.random.default_rng(groups)
    x = _image(rng)
    weights, bias, reals, scales = _layer(rng, (12, 3, 2, 6 // groups), 0)
    wanted = real_ops.conv2d(_reals(x), reals, bias * X_SCALE * scales, **window)
    output = {"scale": 0.3, "zero_point": -11}
    _assert_close(lambda m, t: m.conv2d(t, weights, bias, scales, **window, **output), x, wanted)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_conv_2d_is_a_convolution(window: dict[str, Any], multiplier: int) -> None:
    rng = np.random.default_rng(multiplier)
    x = _image(rng)
    weights, bias, reals, scales = _layer(rng, (1, 3, 2, 6 * multiplier), 3)
    wanted = real_ops.depthwise_conv2d(_reals(x), reals, bias * X_SCALE * scales, **window)
    output = {"scale": 0.15, "zero_point": 20}
    _assert_close(
        lambda m, t: m.depthwise_conv2d(t, weights, bias, scales, **window, **output), x, wanted
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("keep", [False, True])
def test_fully_connected_is_a_product(activation: str, keep: bool) -> None:
    rng = np.random.default_rng(0)
    x = _image(rng, (1, 5, 30))
    weights, bias, _, _ = _layer(rng, (17, 30), 0)
    wanted = real_ops.fully_connected(_reals(x), weights * 0.003, bias * X_SCALE * 0.003)
    wanted = real_ops.activate(wanted, activation).reshape((1, 5, 17) if keep else (5, 17))
    output: dict[str, Any] = {
        "scale": 0.04,
        "zero_point": -30,
        "activation": activation,
        "keep_num_dims": keep,
    }
    _assert_close(lambda m, t: m.fully_connected(t, weights, bias, 0.003, **output), x, wanted)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("method", ["add", "sub", "mul"])
def test_arithmetic_broadcasts(method: str, activation: str) -> None:
    rng = np.random.default_rng(0)
    x, other = _image(rng), _image(rng, (7, 1))
    b_real = real_ops.real(other, 0.08, -3)
    function = {"add": np.add, "sub": np.subtract, "mul": np.multiply}[method]
    wanted = real_ops.activate(function(_reals(x), b_real), activation)
    output = {"scale": 0.07, "zero_point": -40, "activation": activation}

    def build(m: ModelBuilder, t: Tensor) -> Tensor:
        result: Tensor = getattr(m, method)(t, m.constant(other, 0.08, -3), **output)
        return result

    _assert_close(build, x, wanted)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("method", ["average_pool2d", "max_pool2d"])
def test_pools(method: str, padding: str) -> None:
    x = _image(np.random.default_rng(0))
    kernel, window = (3, 2), {"strides": (2, 1), "padding": padding}
    wanted = getattr(real_ops, method)(_reals(x), kernel, **window)
    _assert_close(lambda m, t: getattr(m, method)(t, kernel, **window), x, wanted)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("axes", [(1, 2), (3,), (-1, 1)])
def test_mean(axes: tuple[int, ...], keep: bool) -> None:
    x = _image(np.random.default_rng(0), (1, 9, 7, 24))
    wanted = _reals(x).mean(axis=axes, keepdims=keep)
    _assert_close(lambda m, t: m.mean(t, axes, keep, 0.01, 5), x, wanted)


UNARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x < 0, 0.1 * x, x),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "quantize": lambda x: x,
    "relu6": lambda x: np.clip(x, 0, 6),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softmax": real_ops.softmax,
}
# Arguments of the builder methods that do not fix the output themselves.
ARGUMENTS: dict[str, tuple[float, ...]] = {
    "relu": (0.03, -20),
    "leaky_relu": (0.1, 0.04, -5),
    "hard_swish": (0.04, 3),
    "quantize": (0.07, 9),
}


@pytest.mark.parametrize("method", UNARY)
def test_unary(method: str) -> None:
    x = np.random.default_rng(0).permutation(np.arange(-128, 128)).astype(np.int8).reshape(64, 4)
    arguments = ARGUMENTS.get(method, ())
    wanted = UNARY[method](_reals(x))
    _assert_close(lambda m, t: getattr(m, method)(t, *arguments), x, wanted)


def test_float_boundary() -> None:
    values = np.linspace(-3, 3, 41, dtype=np.float32).reshape(1, 41)
    m = ModelBuilder()
    x = m.quantize(m.input(values.shape, dtype=np.float32), 0.05, 4)
    m.output(x, m.dequantize(x))
    quantised, back = run_tflm(m.build(), values)
    assert np.abs(quantised - real_ops.stored(values, 0.05, 4)).max() <= 1
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, values, atol=0.051)


def _threshold(m: ModelBuilder, t: Tensor, method: str) -> Tensor:
    five = m.constant(np.array([-5], np.int8), X_SCALE, X_ZERO)
    result: Tensor = getattr(m, method)(t, five, scale=X_SCALE, zero_point=X_ZERO)
    return result


def _nearest(x: np.ndarray, height: int, width: int) -> np.ndarray:
    rows = np.arange(height) * x.shape[1] // height
    return x[:, rows][:, :, np.arange(width) * x.shape[2] // width]


MOVES: dict[str, tuple[Callable[[ModelBuilder, Tensor], Any], Callable[[np.ndarray], Any]]] = {
    "pad": (
        lambda m, t: m.pad(t, [(0, 0), (1, 2), (0, 3), (1, 0)]),
        lambda x: np.pad(x, [(0, 0), (1, 2), (0, 3), (1, 0)], constant_values=X_ZERO),
    ),
    "padv2": (
        lambda m, t: m.padv2(t, [(0, 0), (1, 2), (0, 3), (1, 0)], -100),
        lambda x: np.pad(x, [(0, 0), (1, 2), (0, 3), (1, 0)], constant_values=-100),
    ),
    "concatenation": (
        lambda m, t: m.concatenation([t, t, t], -2),
        lambda x: np.concatenate([x, x, x], -2),
    ),
    "reshape": (lambda m, t: m.reshape(t, (6, -1)), lambda x: x.reshape(6, -1)),
    "transpose": (
        lambda m, t: m.transpose(t, (3, 1, 0, 2)),
        lambda x: x.transpose(3, 1, 0, 2),
    ),
    "expand_dims": (lambda m, t: m.expand_dims(t, -2), lambda x: np.expand_dims(x, -2)),
    "squeeze": (lambda m, t: m.squeeze(t, [0]), lambda x: x.squeeze(0)),
    "strided_slice": (
        lambda m, t: m.strided_slice(
            t, (0, -1, 1, 0), (1, 2, 6, 9), (1, -3, 2, 1), shrink_axis_mask=1, end_mask=8
        ),
        lambda x: x[0, -1:2:-3, 1:6:2, 0:],
    ),
    "split": (lambda m, t: m.split(t, 3, 3)[1], lambda x: np.split(x, 3, 3)[1]),
    "resize": (lambda m, t: m.resize_nearest_neighbor(t, (5, 11)), lambda x: _nearest(x, 5, 11)),
    "maximum": (
        lambda m, t: m.maximum(
            t, m.constant(np.array([-5], np.int8), X_SCALE, X_ZERO), scale=1, zero_point=0
        ),
        lambda x: np.maximum(x, np.int8(-5)),
    ),
    "minimum": (
        lambda m, t: m.minimum(
            t, m.constant(np.array([-5], np.int8), X_SCALE, X_ZERO), scale=1, zero_point=0
        ),
        lambda x: np.minimum(x, np.int8(-5)),
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_movement_is_exact(name: str) -> None:
    build, function = MOVES[name]
    x = _image(np.random.default_rng(0))
    m = ModelBuilder()
    m.output(build(m, m.input(x.shape, X_SCALE, X_ZERO)))
    (actual,) = run_tflm(m.build(), x)
    np.testing.assert_array_equal(actual, function(x))


# The file, the wrapper and the networks


def test_constants_are_aligned() -> None:
    m = ModelBuilder()
    x = m.input((1, 8), 0.1, 0)
    m.output(
        m.fully_connected(x, np.ones((3, 8), np.int8), np.ones(3, int), 0.1, scale=1, zero_point=0)
    )
    model = m.build()
    file = schema.Model.GetRootAs(model, 0)
    whole = np.frombuffer(model, np.uint8)
    for index in range(file.BuffersLength()):
        data = file.Buffers(index).DataAsNumpy()
        if not isinstance(data, int):
            assert (data.ctypes.data - whole.ctypes.data) % 16 == 0


def test_refusal_is_an_exception() -> None:
    m = ModelBuilder()
    parts = [m.input((1, 4), scale, 0) for scale in (0.1, 0.2)]
    m.output(m.concatenation(parts, 1))
    zeros = np.zeros((1, 4), np.int8)
    with pytest.raises(TflmError, match="scale"):
        run_tflm(m.build(), zeros, zeros)


def test_crash_is_an_exception_and_the_next_run_works() -> None:
    zeros = np.zeros((1, 4), np.int8)
    for y_scale in (1e-7, 1.0):
        m = ModelBuilder()
        m.output(m.add(m.input((1, 4), 1.0), m.input((1, 4), 1.0), scale=y_scale, zero_point=3))
        if y_scale < 1e-6:
            with pytest.raises(TflmCrash):
                run_tflm(m.build(), zeros, zeros)
        else:
            assert run_tflm(m.build(), zeros, zeros)[0].tolist() == [[3] * 4]


def test_wrong_number_of_inputs_is_an_exception() -> None:
    m = ModelBuilder()
    m.output(m.relu6(m.input((1, 4), 0.1)))
    with pytest.raises(TflmError, match="input"):
        run_tflm(m.build())


@pytest.mark.skipif(not TRAINED.is_dir(), reason=f"no trained models (mlcommons/tiny) in {TRAINED}")
@pytest.mark.parametrize("name", ["kws", "ic", "ad"])
def test_recorded_outputs_of_trained_models(name: str) -> None:
    record = np.load(TRAINED / f"{name}_ref.npz")
    model = (TRAINED / f"{name}_int8.tflite").read_bytes()
    results = run_tflm_batch(model, [[record[f"in{number}"]] for number in range(3)])
    for number, (result,) in enumerate(results):
        np.testing.assert_array_equal(result, record[f"tflm{number}"])


def test_random_networks_use_their_range() -> None:
    telling: list[bool] = []

    @settings(max_examples=100, database=None, suppress_health_check=list(HealthCheck))
    @given(networks())
    def measure(case: Case) -> None:
        results = np.stack([outputs[-1] for outputs in run_tflm_batch(case.model, case.input_sets)])
        values = len(np.unique(results)) >= min(8, results.size // 16)
        telling.append(values and bool((results[0] != results[1]).any()))

    measure()
    assert np.mean(telling) > 0.9


@pytest.mark.parametrize("build", [mobilenet_v1, mobilenet_v2])
def test_mobilenets_tell_images_apart(build: Callable[[], bytes]) -> None:
    rng = np.random.default_rng(0)
    results = run_tflm_batch(build(), [[_image(rng, (1, 48, 48, 3))] for _ in range(4)])
    probabilities = np.concatenate([outputs[0] for outputs in results])
    assert len(np.unique(probabilities)) >= 16
    assert len(np.unique(probabilities, axis=0)) == 4

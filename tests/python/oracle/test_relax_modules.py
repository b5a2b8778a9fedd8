"""Relax modules as models: from TVM's own TFLite importer, and written by hand."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
import tvm
from tvm import relax
from tvm.relax.frontend.tflite import from_tflite

import weft
from support.oracle_count import compare
from support.tflite_builder import ModelBuilder
from support.tflm import run_tflm
from weft.errors import ModelError, UnsupportedError, WeftError
from weft.program import Program

MACHINE = "single-m4"
op = relax.op


def _run(program: Program, *frames: np.ndarray) -> list[np.ndarray]:
    with program.open(engine="native") as session:
        return [session.run(frame) for frame in frames]


def _images(program: Program, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    shape = program.inputs[0].shape
    return [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(count)]


# Modules from TVM's importer


@pytest.mark.parametrize(
    ("name", "machine"),
    [("digits", MACHINE), ("kws", MACHINE), ("ic", "single-m4-1m"), ("ad", "single-m4-1m")],
)
def test_same_bytes_as_the_file(
    name: str,
    machine: str,
    digits_model: Path,
    trained_file: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    path = digits_model if name == "digits" else trained_file(f"{name}_int8.tflite")
    module = from_tflite(tflite.Model.GetRootAsModel(path.read_bytes(), 0))
    program = weft.compile(module, machine=machine, output=tmp_path / "program")
    images = _images(program, 3)
    by_file = _run(weft.compile(path, machine=machine), *images)
    for image, result, same in zip(images, _run(program, *images), by_file, strict=True):
        assert result.tobytes() == same.tobytes()
        compare(result, run_tflm(path.read_bytes(), image)[0], f"{name} as a Relax module")


# Modules written by hand


def _const(value: Any, dtype: str = "float32") -> Any:
    return relax.const(np.asarray(value, dtype), dtype)


def _var(name: str, shape: tuple[Any, ...], dtype: str = "int8") -> Any:
    return relax.Var(name, relax.TensorType(list(shape), dtype))


def _dequantize(x: Any, scale: Any, zero_point: int, axis: int = -1) -> Any:
    points = _const(np.full(np.shape(scale), zero_point), "int32")
    return op.dequantize(x, _const(scale), points, axis=axis)


def _quantize(x: Any, scale: float, zero_point: int) -> Any:
    return op.quantize(x, _const(scale), _const(zero_point, "int32"), out_dtype="int8")


def _module(parameters: list[Any], body: Callable[[relax.BlockBuilder], Any]) -> tvm.IRModule:
    """A module whose ``main`` returns what ``body`` emits."""
    builder = relax.BlockBuilder()
    with builder.function("main", parameters):
        with builder.dataflow():
            result = body(builder)
            if not isinstance(result, relax.Tuple):
                result = builder.emit_output(result)
        builder.emit_func_output(result)
    return builder.get()


def _compile(module: tvm.IRModule, folder: Path, **keywords: Any) -> Program:
    return weft.compile(module, machine=MACHINE, output=folder / "program", **keywords)


class _Layer:
    """A convolution with bias and ReLU, in Relax and as a TFLite model for the oracle."""

    shape = (1, 7, 6, 3)
    x_scale, x_zero_point = 0.05, 7
    y_scale, y_zero_point = 0.11, -20

    def __init__(self) -> None:
        rng = np.random.default_rng(4)
        self.weights = rng.integers(-127, 128, (5, 3, 2, 3)).astype(np.int8)
        self.bias = rng.integers(-3000, 3000, 5).astype(np.int32)
        self.scales = rng.uniform(0.002, 0.01, 5).astype(np.float32)

    def tflite(self) -> bytes:
        m = ModelBuilder()
        x = m.input(self.shape, self.x_scale, self.x_zero_point)
        y = m.conv2d(
            x,
            self.weights,
            self.bias,
            self.scales,
            strides=(2, 1),
            padding="VALID",
            activation="RELU",
            scale=self.y_scale,
            zero_point=self.y_zero_point,
        )
        m.output(y)
        return m.build()

    def relax(self, parameters: list[Any], weights: Any, bias: Any, layout: str) -> tvm.IRModule:
        x = _var("x", self.shape)
        b_scales = (np.float32(self.x_scale) * self.scales).astype(np.float32)

        def body(b: relax.BlockBuilder) -> Any:
            data = b.emit(_dequantize(x, self.x_scale, self.x_zero_point))
            kernel = b.emit(_dequantize(weights, self.scales, 0, layout.index("O")))
            sums = b.emit(
                op.nn.conv2d(data, kernel, strides=(2, 1), data_layout="NHWC", kernel_layout=layout)
            )
            real = b.emit(op.add(sums, b.emit(_dequantize(bias, b_scales, 0, 0))))
            return _quantize(b.emit(op.nn.relu(real)), self.y_scale, self.y_zero_point)

        return _module([x, *parameters], body)

    def compare(self, program: Program) -> None:
        images = _images(program, 3)
        for image, result in zip(images, _run(program, *images), strict=True):
            compare(result, run_tflm(self.tflite(), image)[0], "a convolution in Relax")


@pytest.mark.parametrize("layout", ["OHWI", "HWIO", "OIHW"])
def test_convolution_written_by_hand(layout: str, tmp_path: Path) -> None:
    layer = _Layer()
    weights = layer.weights.transpose(["OHWI".index(axis) for axis in layout])
    constant = _const(np.ascontiguousarray(weights), "int8")
    layer.compare(
        _compile(layer.relax([], constant, _const(layer.bias, "int32"), layout), tmp_path)
    )


def test_parameters_are_bound_by_name(tmp_path: Path) -> None:
    layer = _Layer()
    weights, bias = _var("w", layer.weights.shape), _var("b", layer.bias.shape, "int32")
    module = layer.relax([weights, bias], weights, bias, "OHWI")
    program = _compile(module, tmp_path, params={"w": layer.weights, "b": layer.bias})
    assert [i.name for i in program.inputs] == ["x"]
    layer.compare(program)


def test_unknown_parameter_is_named(tmp_path: Path) -> None:
    layer = _Layer()
    weights, bias = _var("w", layer.weights.shape), _var("b", layer.bias.shape, "int32")
    module = layer.relax([weights, bias], weights, bias, "OHWI")
    with pytest.raises(ModelError, match="no parameter weights"):
        _compile(module, tmp_path, params={"weights": layer.weights})


@pytest.mark.parametrize("value", [np.zeros((5, 3, 2, 4), np.int8), np.zeros((5, 3, 2, 3))])
def test_parameter_of_another_type_is_the_users_mistake(value: np.ndarray, tmp_path: Path) -> None:
    layer = _Layer()
    weights = _var("w", layer.weights.shape)
    module = layer.relax([weights], weights, _const(layer.bias, "int32"), "OHWI")
    with pytest.raises(WeftError, match="w"):
        _compile(module, tmp_path, params={"w": value})


def test_parameters_do_not_go_with_a_file(digits_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Relax module"):
        weft.compile(digits_model, output=tmp_path / "program", params={"w": np.zeros(1)})


def test_two_outputs_and_two_inputs(tmp_path: Path) -> None:
    a, b = _var("a", (1, 6)), _var("b", (1, 6))

    def body(builder: relax.BlockBuilder) -> Any:
        both = op.concat([a, b], axis=1)
        joined = builder.emit_output(builder.emit(both, name_hint="joined"))
        folded = builder.emit_output(builder.emit(op.reshape(a, (2, 3)), name_hint="folded"))
        return relax.Tuple([joined, folded])

    program = _compile(_module([a, b], body), tmp_path)
    x, y = np.arange(6, dtype=np.int8)[None], np.arange(-6, 0, dtype=np.int8)[None]
    with program.open() as session:
        joined, folded = session.run([x, y])
    np.testing.assert_array_equal(joined, np.concatenate([x, y], 1))
    np.testing.assert_array_equal(folded, x.reshape(2, 3))


def test_program_without_a_folder_goes_away_quietly() -> None:
    x = _var("x", (1, 4))
    program = weft.compile(_module([x], lambda b: op.reshape(x, (2, 2))), machine=MACHINE)
    folder = program.folder
    (result,) = _run(program, np.arange(4, dtype=np.int8)[None])
    np.testing.assert_array_equal(result, [[0, 1], [2, 3]])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        del program
        gc.collect()
    assert not folder.exists()
    assert [str(warning.message) for warning in seen] == []


# What must be refused


def _all_unsupported(b: relax.BlockBuilder, x: Any) -> Any:
    real = b.emit(_dequantize(x, 0.1, 0))
    curves = [b.emit(op.erf(real), name_hint="bell"), b.emit(op.cos(real), name_hint="wave")]
    first, second = (
        b.emit(_quantize(curve, 0.1, 0), name_hint=name)
        for curve, name in zip(curves, ("bell_s8", "wave_s8"), strict=True)
    )
    ordered = b.emit(op.sort(b.emit(_dequantize(second, 0.1, 0))))
    third = b.emit(_quantize(ordered, 0.1, 0), name_hint="ordered_s8")
    return relax.Tuple([b.emit_output(first), b.emit_output(third)])


def test_unsupported_operators_are_named_at_once_with_their_places(tmp_path: Path) -> None:
    x = _var("x", (1, 4))
    module = _module([x], lambda b: _all_unsupported(b, x))
    with pytest.raises(UnsupportedError) as caught:
        _compile(module, tmp_path)
    assert len(caught.value.items) == 3
    for operator, place in (("erf", "bell_s8"), ("cos", "wave_s8"), ("sort", "ordered_s8")):
        assert any(operator in item and f"'{place}'" in item for item in caught.value.items)
        assert operator in str(caught.value) and place in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_module_without_main(tmp_path: Path) -> None:
    builder = relax.BlockBuilder()
    x = _var("x", (1, 4))
    with builder.function("other", [x]):
        builder.emit_func_output(x)
    with pytest.raises(ModelError, match="main"):
        _compile(builder.get(), tmp_path)


def _unknown_extent() -> tvm.IRModule:
    x = _var("x", (tvm.tirx.Var("n", "int64"), 4))
    real = _dequantize(x, 0.1, 0)
    return _module([x], lambda b: _quantize(b.emit(op.nn.relu(b.emit(real))), 0.1, 0))


def _other_dtype() -> tvm.IRModule:
    x = _var("x", (1, 4), "int16")
    return _module([x], lambda b: op.astype(x, "int16"))


def _nested_result() -> tvm.IRModule:
    x = _var("x", (1, 4))
    inner = relax.Tuple([x])
    return _module([x], lambda b: relax.Tuple([x, inner]))


@pytest.mark.parametrize("build", [_unknown_extent, _other_dtype, _nested_result])
def test_module_that_cannot_be_compiled_is_the_users_mistake(
    build: Callable[[], tvm.IRModule], tmp_path: Path
) -> None:
    with pytest.raises(WeftError):
        _compile(build(), tmp_path)


MOVES: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "reshape": (lambda x: op.reshape(x, (2, 2)), lambda x: x.reshape(2, 2)),
    "transpose": (lambda x: op.permute_dims(x, [1, 0]), lambda x: x.T),
    "concat": (lambda x: op.concat([x, x], axis=1), lambda x: np.concatenate([x, x], 1)),
    "pad": (lambda x: op.nn.pad(x, [0, 0, 1, 1]), lambda x: np.pad(x, [(0, 0), (1, 1)])),
}


@pytest.mark.parametrize("name", MOVES)
def test_moved_floats_stay_floats_or_are_refused(name: str, tmp_path: Path) -> None:
    move, reference = MOVES[name]
    x = _var("x", (1, 4), "float32")
    try:
        program = _compile(_module([x], lambda b: move(x)), tmp_path)
    except UnsupportedError as refusal:
        assert "float32" in str(refusal)
        return
    values = np.array([[1.5, -2.0, 3.25, 4.0]], np.float32)
    (result,) = _run(program, values)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, reference(values))


@pytest.mark.parametrize(("scale", "zero_point"), [(0.02, 0), (0.01, 50), (0.005, -7)])
def test_bias_means_what_its_dequantize_says(scale: float, zero_point: int, tmp_path: Path) -> None:
    """Another scale than that of the product is no TFLite model, but it has a meaning."""
    x, w = _var("x", (1, 1, 1, 1)), _const(np.full((1, 1, 1, 1), 10), "int8")

    def body(b: relax.BlockBuilder) -> Any:
        data, kernel = b.emit(_dequantize(x, 0.1, 0)), b.emit(_dequantize(w, 0.1, 0))
        sums = b.emit(op.nn.conv2d(data, kernel, data_layout="NHWC", kernel_layout="OHWI"))
        bias = b.emit(_dequantize(_const([100], "int32"), [scale], zero_point, 0))
        return _quantize(b.emit(op.add(sums, bias)), 0.1, 0)

    try:
        program = _compile(_module([x], body), tmp_path)
    except UnsupportedError as refusal:
        assert "bias" in str(refusal)
        return
    (result,) = _run(program, np.full((1, 1, 1, 1), 5, np.int8))
    assert abs(int(result.item()) - (5 + (100 - zero_point) * scale / 0.1)) <= 1


@pytest.mark.parametrize("between", [False, True])
def test_extrema_on_int8_and_between(between: bool, tmp_path: Path) -> None:
    a, b = _var("a", (2, 3)), _var("b", (3,))

    def body(builder: relax.BlockBuilder) -> Any:
        if not between:
            return op.minimum(a, b)
        reals = (builder.emit(_dequantize(x, 0.1, 5)) for x in (a, b))
        return _quantize(builder.emit(op.minimum(*reals)), 0.1, 5)

    program = _compile(_module([a, b], body), tmp_path)
    x, y = np.array([[-5, 0, 9], [100, -128, 127]], np.int8), np.array([1, 2, 3], np.int8)
    with program.open() as session:
        np.testing.assert_array_equal(session.run([x, y]), np.minimum(x, y))


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_windows_that_reach_over_the_edge(name: str, tmp_path: Path) -> None:
    """With ``ceil_mode`` the last windows are cut off by the edge of the image."""
    x = _var("x", (1, 5, 5, 1))
    window: dict[str, Any] = {"pool_size": (2, 2), "strides": (2, 2), "layout": "NHWC"}

    def body(b: relax.BlockBuilder) -> Any:
        real = b.emit(_dequantize(x, 0.5, 0))
        pooled = getattr(op.nn, name)(real, **window, ceil_mode=True)
        return _quantize(b.emit(pooled), 0.5, 0)

    try:
        program = _compile(_module([x], body), tmp_path)
    except UnsupportedError:
        return
    image = np.arange(-100, -50, 2, dtype=np.int8).reshape(1, 5, 5, 1)
    (result,) = _run(program, image)
    reduce = np.max if name == "max_pool2d" else np.mean
    wanted = [[reduce(image[0, i : i + 2, j : j + 2]) for j in (0, 2, 4)] for i in (0, 2, 4)]
    assert np.abs(result[0, :, :, 0] - np.array(wanted)).max() <= 0.5


def test_model_of_another_kind() -> None:
    with pytest.raises(ModelError, match="not int"):
        weft.compile(7)

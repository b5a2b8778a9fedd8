"""Models in float32, and float operators between dequantise and quantise: 1e-5 relative to ONNX
Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import tvm
from hypothesis import given, settings
from onnx import TensorProto, helper, numpy_helper
from tvm import relax

import weft
from support.float_networks import float_networks
from weft.errors import UnsupportedError
from weft.program import Program

MACHINE = "single-m4-1m"
#: Relative to the largest magnitude of a result: sums in another order cancel.
ACCURACY = 1e-5
onnxruntime.set_default_logger_severity(3)


def _run(model: Any, *arrays: np.ndarray, machine: str = MACHINE) -> Any:
    with weft.compile(model, machine=machine).open(engine="native") as session:
        return session.run(list(arrays))


def _oracle(data: bytes, *arrays: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))[0]


def _is_near(result: np.ndarray, expected: np.ndarray) -> None:
    assert result.shape == expected.shape
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    assert float(np.abs(result - expected).max(initial=0.0)) <= ACCURACY * scale


@given(float_networks())
@settings(max_examples=4 * settings().max_examples)
def test_random_networks(network: tuple[bytes, np.ndarray]) -> None:
    data, x = network
    _is_near(_run(data, x), _oracle(data, x))


@given(float_networks())
@settings(max_examples=settings().max_examples)
def test_a_mesh_gives_the_same_bytes(network: tuple[bytes, np.ndarray]) -> None:
    """However a network is cut: sums are never, and every element is computed as in the whole."""
    data, x = network
    assert _run(data, x).tobytes() == _run(data, x, machine="grid-4x4").tobytes()


@given(float_networks())
@settings(max_examples=settings().max_examples)
def test_machine_code_gives_the_same_bytes(network: tuple[bytes, np.ndarray]) -> None:
    data, x = network
    _is_same_as_machine_code(weft.compile(data, machine=MACHINE), x)


def _is_same_as_machine_code(program: Program, x: np.ndarray) -> None:
    with program.open(engine="native") as native, program.open(engine="cortex-m4") as target:
        assert native.run(x).tobytes() == target.run(x).tobytes()


FUNCTIONS = ("Exp", "Tanh", "Erf", "Sigmoid", "Sin", "Cos", "Floor", "Ceil", "Round", "Softplus")


def test_functions_on_the_fpu_are_those_of_the_host() -> None:
    """Each of them on numbers of all magnitudes, added up in ways that hide nothing."""
    nodes = [helper.make_node(f, ["x"], [f"y{i}"]) for i, f in enumerate(FUNCTIONS)]
    nodes.append(helper.make_node("Abs", ["x"], ["a"]))
    for function in ("Log", "Sqrt"):
        nodes.append(helper.make_node(function, ["a"], [f"y{function}"]))
    nodes.append(helper.make_node("Pow", ["a", "e"], ["yPow"]))
    names = [n.output[0] for n in nodes if n.output[0] != "a"]
    nodes.append(helper.make_node("Concat", names, ["y"], axis=0))
    rng = np.random.default_rng(9)
    x = np.sign(rng.normal(size=300)) * 10 ** rng.uniform(-6, 1.9, 300)
    data = _model(nodes, {"e": np.array(1.7, np.float32)}, [300])
    _is_same_as_machine_code(weft.compile(data, machine=MACHINE), x.astype(np.float32))


def _model(nodes: list[Any], constants: dict[str, np.ndarray], shape: list[int]) -> bytes:
    given_ = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "g", [given_], [result], tensors)
    imports = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=9)
    return model.SerializeToString()


def test_a_float_operator_between_dequantise_and_quantise() -> None:
    """ONNX Runtime computes it in float too; a result may be off by one quantum."""
    node = helper.make_node
    quantization = {"s": np.array(0.03, np.float32), "z": np.array(5, np.int8)}
    quantization |= {"t": np.array(0.02, np.float32), "o": np.array(-7, np.int8)}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("InstanceNormalization", ["d", "g", "b"], ["n"]),
        node("QuantizeLinear", ["n", "t", "o"], ["p"]),
        node("DequantizeLinear", ["p", "t", "o"], ["y"]),
    ]
    rng = np.random.default_rng(2)
    constants = quantization | {name: rng.normal(size=3).astype(np.float32) for name in ("g", "b")}
    data = _model(nodes, constants, [1, 3, 9, 11])
    x = rng.normal(size=(1, 3, 9, 11)).astype(np.float32)
    steps = np.rint((_run(data, x) - _oracle(data, x)) / np.float32(0.02))
    assert np.abs(steps).max() <= 1 and np.count_nonzero(steps) <= steps.size // 100


def test_a_deep_network() -> None:
    """Lowering does not recurse once for every operator."""
    count = 400
    names = ["x", *(f"t{i}" for i in range(count - 1)), "y"]
    kinds = [("Relu", "Softmax")[i % 2] for i in range(count)]
    nodes = [
        helper.make_node(k, [a], [b]) for k, a, b in zip(kinds, names[:-1], names[1:], strict=True)
    ]
    x = np.random.default_rng(3).normal(size=(2, 3)).astype(np.float32)
    data = _model(nodes, {}, [2, 3])
    _is_near(_run(data, x), _oracle(data, x))


def test_bias_and_activation_are_computed_with_the_sum() -> None:
    rng = np.random.default_rng(4)
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["t"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["t"], ["y"]),
    ]
    constants = {"w": rng.normal(size=(4, 3, 3, 3)), "b": rng.normal(size=4)}
    data = _model(nodes, {k: v.astype(np.float32) for k, v in constants.items()}, [1, 3, 8, 8])
    program = weft.compile(data, machine=MACHINE)
    assert len([s for s in program.stages if "order" not in s]) <= 3  # with the two transpositions
    text = (program.folder / "kernels.c").read_text(encoding="utf-8")
    assert "weft_max_f32" in text and text.count("void tir_") == 1


def test_relax_modules_in_float() -> None:
    """The default contract too, since there is nothing to round."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType([2, 6], "float32"))
    rng = np.random.default_rng(5)
    w = rng.normal(size=(6, 4)).astype(np.float32)
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(relax.op.matmul(x, relax.const(w)))
            y = builder.emit(relax.op.nn.gelu(y))
            y = builder.emit_output(relax.op.nn.log_softmax(y))
        builder.emit_func_output(y)
    module = builder.get()
    virtual = relax.VirtualMachine(relax.build(module, "llvm"), tvm.cpu())
    frame = rng.normal(size=(2, 6)).astype(np.float32)
    expected = virtual["main"](tvm.runtime.tensor(frame)).numpy()
    _is_near(_run(module, frame), expected)


def test_what_the_pe_has_no_function_for_is_named() -> None:
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType([2, 6], "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit_output(relax.op.atanh(x))
        builder.emit_func_output(y)
    with pytest.raises(UnsupportedError, match=r"atanh at 'gv': there is no atanh of float32"):
        weft.compile(builder.get(), machine=MACHINE)

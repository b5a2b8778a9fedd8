"""The oracle of ONNX models: ONNX Runtime, whose optimised model says what it really computed with.

A network of nothing but integer nodes and data movement must give the same bytes. Of one with nodes
that ONNX Runtime leaves in float, as many results as the contract allows may be off by one.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from support.oracle_count import MACHINE, compare

#: Computed in integers, or as ONNX Runtime's own formula on quantised numbers.
INTEGER = {
    *("QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat"),
    *("QLinearAveragePool", "QLinearGlobalAveragePool"),
    *("QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax"),
}
MOVEMENT = {
    *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Concat"),
    *("MaxPool", "NhwcMaxPool", "Resize", "Identity", "QuantizeLinear", "DequantizeLinear"),
}
#: Of the results of a float node, how many may be off by one quantum.
ALLOWED = 1e-3


@dataclass(frozen=True)
class Answer:
    """Outputs for every set of inputs, and how often each class of node was used."""

    outputs: list[list[np.ndarray]]
    classes: Counter[str]

    @property
    def float_classes(self) -> set[str]:
        return set(self.classes) - INTEGER - MOVEMENT


def run_onnxruntime(model: bytes, input_sets: Sequence[Sequence[np.ndarray]]) -> Answer:
    """With the options of the contract. Products of uint8 and int8 are computed exactly, also on
    hosts without the instructions for it, where pairs of them would else be cut off at 16 bits."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    loaded = onnx.load_from_string(model)
    if any(t.data_type == onnx.TensorProto.UINT8 for t in loaded.graph.initializer):
        options.add_session_config_entry("session.x64quantprecision", "1")
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        options.optimized_model_filepath = str(optimised)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        classes = Counter(node.op_type for node in onnx.load(optimised).graph.node)
    names = [i.name for i in session.get_inputs()]
    outputs = [session.run(None, dict(zip(names, s, strict=True))) for s in input_sets]
    return Answer(outputs, classes)


def check_against_onnxruntime(
    model: bytes,
    input_sets: Sequence[Sequence[np.ndarray]],
    label: str,
    machine: str = MACHINE,
    **options: object,
) -> Answer:
    """Compiles the model and compares all its outputs for every set of inputs."""
    import weft

    answer = run_onnxruntime(model, input_sets)
    program = weft.compile(model, machine=machine, **options)
    with program.open(engine="native") as session:
        actual = []
        for inputs in input_sets:
            result = session.run(list(inputs) if len(inputs) > 1 else inputs[0])
            actual.append([result] if isinstance(result, np.ndarray) else list(result))
    check_results(actual, answer, label)
    return answer


def check_results(actual: Sequence[Sequence[np.ndarray]], answer: Answer, label: str) -> None:
    """Same bytes, or nearly where floats are: the message names their classes."""
    label = f"{label} as {dict(answer.classes)}"
    for index, wanted in enumerate(zip(*answer.outputs, strict=True)):
        got = [results[index] for results in actual]
        if answer.float_classes:
            _check_near(got, wanted, f"{label} (output {index})")
            continue
        for number, pair in enumerate(zip(got, wanted, strict=True)):
            compare(*pair, f"{label} (output {index}, input set {number})")


def _check_near(got: Sequence[np.ndarray], wanted: Sequence[np.ndarray], where: str) -> None:
    for actual, expected in zip(got, wanted, strict=True):
        assert actual.dtype == expected.dtype and actual.shape == expected.shape, where
        assert actual.dtype in (np.int8, np.uint8), where
    off = np.abs(np.stack(got).astype(int) - np.stack(wanted).astype(int))
    assert off.max() <= 1, f"{where}: off by {off.max()}"
    count = int((off > 0).sum())
    assert count <= max(1, ALLOWED * off.size), f"{where}: {count} of {off.size} are off by one"


def table_of_classes(answers: Mapping[str, Answer]) -> str:
    """Rows of a class each, for the log: how often it was used, and whether bytes are equal."""
    lines = []
    for name, answer in answers.items():
        for kind, count in sorted(answer.classes.items()):
            exact = "float" if kind in answer.float_classes else "same bytes"
            lines.append(f"{name:20} {kind:26} {count:4}  {exact}")
    return "\n".join(lines)

"""Damaged, wrong and unusual ONNX files: imported or refused in one line that names the node."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, external_data_helper, helper

import weft
from unit.damaged_onnx import wide_float_model, wide_model
from unit.outcomes import outcomes_of
from weft.errors import ModelError, UnsupportedError, WeftError
from weft.importers import import_model
from weft.relax.to_integer import to_integer

MUTATIONS = 100 * settings().max_examples


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wide") / "wide.onnx"
    path.write_bytes(wide_model())
    return path


def _is_ever_right(outcomes: dict[str, str], texts: tuple[str, ...] = ("refused",)) -> None:
    wrong = {name: text for name, text in outcomes.items() if text not in ("imported", "refused")}
    assert wrong == {}
    for text in texts:
        assert list(outcomes.values()).count(text) > len(outcomes) // 20


def test_truncated_files(wide: Path) -> None:
    outcomes = outcomes_of("cut", wide)
    _is_ever_right(outcomes)
    assert "imported" not in outcomes.values()


def test_mutated_files(wide: Path) -> None:
    _is_ever_right(outcomes_of("mutate", wide, 0, MUTATIONS), ("imported", "refused"))


def test_wrong_descriptions(wide: Path) -> None:
    outcomes = outcomes_of("describe onnx", wide, 0, MUTATIONS)
    _is_ever_right(outcomes, ("imported", "refused"))


def test_wrong_descriptions_of_float_models(tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    path.write_bytes(wide_float_model())
    outcomes = outcomes_of("describe onnx", path, 0, MUTATIONS // 3)
    _is_ever_right(outcomes, ("imported", "refused"))


def _message(model: Any) -> str:
    """What is said of a model that is refused."""
    with pytest.raises(WeftError) as caught:
        module, unsupported = import_model(model.SerializeToString(), "model", None)
        to_integer(module, "model", unsupported)
    text = str(caught.value)
    assert "\n" not in text and text.startswith("model: ")
    return text


def _node(model: Any, kind: str) -> Any:
    return next(n for n in model.graph.node if n.op_type == kind)


def _set(node: Any, name: str, value: Any) -> None:
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _initializer(model: Any, name: str) -> Any:
    return next(t for t in model.graph.initializer if t.name == name)


def _cycle(model: Any) -> str:
    conv, add = _node(model, "Conv"), _node(model, "Add")
    later = next(n for n in model.graph.node if n.input[0] == add.output[0])
    pair = next(n for n in model.graph.node if n.input[0] == later.output[0])
    conv.input[0] = pair.output[0]
    return "Conv at 't0' is part of a cycle"


def _dynamic(model: Any) -> str:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    return r"input 'input0': the extent of axis 0 \('batch'\) is dynamic; export .* fixed shape"


def _no_shape(model: Any) -> str:
    model.graph.input[0].type.tensor_type.ClearField("shape")
    return "input 'input0' has no shape"


def _huge(model: Any) -> str:
    for extent in model.graph.input[0].type.tensor_type.shape.dim:
        extent.dim_value = 1 << 20
    return r"input 'input0' has the shape \(1048576, "


def _input_type(model: Any) -> str:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    return "input 'input0' is type 10, only int8, uint8, float32 are supported"


def _unknown(model: Any) -> str:
    _node(model, "Sigmoid").op_type = "Fft"
    return r"1 unsupported operator: Fft at 't\d+': this operator is not supported$"


def _two_unknown(model: Any) -> str:
    _node(model, "Sigmoid").op_type = "Fft"
    _node(model, "LeakyRelu").op_type = "Lstm"
    return r"2 unsupported operators: (Fft|Lstm) at 't\d+'.*; (Fft|Lstm) at"


def _weights_shape(model: Any) -> str:
    _initializer(model, "t0_w").dims[1] = 3
    return "initialiser 't0_w' has 216 bytes, not 162"


def _weights_type(model: Any) -> str:
    _initializer(model, "t0_w").data_type = TensorProto.UINT16
    return "DequantizeLinear at 't0_wr': "


def _scale(model: Any) -> str:
    _initializer(model, "t1_scale").raw_data = np.float32(-1).tobytes()
    return "QuantizeLinear at 't1_q': its scale is not a positive number"


def _pads(model: Any) -> str:
    _set(_node(model, "Conv"), "pads", [0, 0, -1, 0])
    return "Conv at 't0': window"


def _axis(model: Any) -> str:
    _set(_node(model, "Concat"), "axis", 9)
    return r"Concat at 't\d+': axis 9 of 4"


def _reshape(model: Any) -> str:
    node = _node(model, "Reshape")
    _initializer(model, node.input[1]).raw_data = np.array([1, 7]).tobytes()
    return r"Reshape at 't\d+': \(1, 1, 12\) to \(1, 7\)"


def _never_computed(model: Any) -> str:
    _node(model, "Add").input[1] = "nowhere"
    return r"Add at 't\d+' reads 'nowhere', which is neither computed nor an input"


def _twice(model: Any) -> str:
    model.graph.node.append(_node(model, "Conv"))
    return "Conv at 't0' computes 't0', which is there already"


def _opset(model: Any) -> str:
    model.opset_import[0].version = 99
    return "operator set 99: 6 to 28 are supported"


def _external(model: Any) -> str:
    _initializer(model, "t0_w").data_location = TensorProto.EXTERNAL
    return "initialiser 't0_w' lies in another file"


MISTAKES = [
    *(_cycle, _dynamic, _no_shape, _huge, _input_type, _unknown, _two_unknown, _weights_shape),
    *(_weights_type, _scale, _pads, _axis, _reshape, _never_computed, _twice, _opset, _external),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.__name__.strip("_"))
def test_mistakes_name_the_node(mistake: Callable[[Any], str], wide: Path) -> None:
    model = onnx.load(wide)
    wanted = mistake(model)
    text = _message(model)
    assert re.search(wanted, text), text


def test_float_operators_that_contradict_themselves() -> None:
    """Their places are named too, whoever finds it: the importer or TVM."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    for node in (
        helper.make_node("MatMul", ["x", "x"], ["y"]),
        helper.make_node("Clip", ["x", "x"], ["y"]),
        helper.make_node("ReduceSum", ["x"], ["y"], axes=[7]),
        helper.make_node("PRelu", ["x"], ["y"]),
    ):
        graph = helper.make_graph([node], "g", [x], [y])
        imports = [helper.make_opsetid("", 11)]
        text = _message(helper.make_model(graph, opset_imports=imports, ir_version=9))
        assert f"{node.op_type} at 'y'" in text, text


# --- data in other files ---


def _stored(model: Any, folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(
        model,
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="weights.bin",
        size_threshold=0,
    )
    return path


def test_external_data(wide: Path, tmp_path: Path) -> None:
    """The same program as with everything in one file, and another one if the data change."""
    path = _stored(onnx.load(wide), tmp_path)
    constants = []
    for model in (wide, path):
        program = weft.compile(model, machine="single-m4-1m", output=tmp_path / model.stem)
        constants.append((program.folder / "constants.bin").read_bytes())
    assert constants[0] == constants[1]
    before = weft.compile(path, machine="single-m4-1m").folder
    data = bytearray((tmp_path / "weights.bin").read_bytes())
    data[: len(data) // 2] = bytes(len(data) // 2)
    (tmp_path / "weights.bin").write_bytes(data)
    with pytest.raises((ModelError, UnsupportedError)):
        weft.compile(path, machine="single-m4-1m")
    assert before.is_dir()


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("location", "absent.bin", "lies in 'absent.bin', which is not there"),
        ("location", "../weights.bin", "lies outside of the model's folder: '../weights.bin'"),
        ("location", "/etc/passwd", "lies outside of the model's folder: '/etc/passwd'"),
        ("location", "link.bin", "lies outside of the model's folder: 'link.bin'"),
        ("location", "", "lies outside of the model's folder: ''"),
        ("location", "a\0b", "names no file"),
        ("offset", "999999999999", "ends at byte 1000000000"),
        ("offset", "-8", "ends at byte"),
        ("offset", "x", "an offset or length that is no number"),
        ("length", "3", "has 3 bytes in 'weights.bin', not"),
    ],
)
def test_external_data_that_is_not_there(
    key: str, value: str, wanted: str, wide: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = _stored(onnx.load(wide), folder)
    (folder / "link.bin").symlink_to("/etc/passwd")
    model = onnx.load(path, load_external_data=False)
    tensor = _initializer(model, "t0_w")
    assert external_data_helper.uses_external_data(tensor)
    entry = next((e for e in tensor.external_data if e.key == key), None)
    entry = entry if entry is not None else tensor.external_data.add(key=key)
    entry.value = value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        weft.compile(path, machine="single-m4-1m")
    text = str(caught.value)
    assert wanted in text and "'t0_w'" in text and "\n" not in text


def test_a_file_that_never_ends(tmp_path: Path) -> None:
    (tmp_path / "endless.onnx").symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="is no regular file"):
        weft.compile(tmp_path / "endless.onnx", machine="single-m4")
    with (tmp_path / "large.onnx").open("wb") as stream:
        stream.truncate(3 << 30)
    with pytest.raises(ModelError, match=r"has 3221225472 bytes, at most \d+ are read"):
        weft.compile(tmp_path / "large.onnx", machine="single-m4")

# SPDX-License-Identifier: Apache-2.0
"""What users of `--device` and authors of devices do wrong: exit status 2 and one line that says
what, where, and how to mend it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Done, Weft
from support.tflite_builder import ModelBuilder

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "my_accelerator"


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense layer of 24 inputs, 3 outputs."""
    m = ModelBuilder()
    weights = np.arange(-36, 36).reshape(3, 24).astype(np.int8)
    x = m.input((1, 24), 0.1, 0)
    m.output(m.fully_connected(x, weights, np.zeros(3, int), 0.01, scale=0.5, zero_point=0))
    path = tmp_path_factory.mktemp("models") / "dense.tflite"
    path.write_bytes(m.build())
    return path


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A copy of the example's folder."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "theirs"))


@pytest.fixture
def compiled(dense: Path, tmp_path: Path, weft_command: Weft):
    def run(*devices: object, model: Path = dense) -> Done:
        options = [text for device in devices for text in ("--device", device)]
        return weft_command(
            "compile", model, "--machine", "single-m4", "-o", tmp_path / "out", *options
        )

    return run


def edit(folder: Path, name: str, before: str, after: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert before in text
    (folder / name).write_text(text.replace(before, after, 1), encoding="utf-8")


def refused(done: Done, *wanted: str) -> None:
    assert (done.status, done.out) == (2, ""), done
    assert done.err.startswith("weft: ") and done.err.count("\n") == 1, done.err
    for part in wanted:
        assert part in done.err, done.err


def test_the_example_as_such_is_right(compiled, device: Path) -> None:
    done = compiled(device)
    assert done.status == 0, done.err
    assert "(dense): theirs" in done.out


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nope", ("there is no device called 'nope'; known are", "mac_array", "as ./nope")),
        ("./nope", ("there is no folder", "a device is a folder with a device.toml")),
        ("mac_array:depth=3", ("has no option 'depth'; there are accumulator_bits, overflow",)),
        ("mac_array:accumulator_bits=30", ("accumulator_bits is 30; it may be 24, 29, 32",)),
        ("mac_array:overflow=trap", ("overflow is 'trap'; it may be wrap, saturate",)),
        ("mac_array:subtracts_zero_points=1", ("is 1; it may be False, True",)),
        ("mac_array:overflow", ("'overflow' is no OPTION=VALUE",)),
        ("=mac_array", ("'' is no name; write NAME=KIND",)),
    ],
)
def test_no_such_device(compiled, text: str, wanted: tuple[str, ...]) -> None:
    refused(compiled(text), *wanted)


def test_a_folder_without_a_description(compiled, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(compiled(tmp_path / "empty"), "empty/device.toml cannot be read: No such file")


def test_two_of_one_name(compiled, device: Path) -> None:
    refused(
        compiled("mac_array", "mac_array"),
        "two devices of a PE are called mac_array; give one another name: OTHER=mac_array",
    )
    done = compiled(device, f"other={device}")
    assert done.status == 0, done.err


@pytest.mark.parametrize(
    ("other", "what"), [("", "name 'my_accelerator'"), ("mine", "driver 'my_accelerator_driver'")]
)
def test_two_folders_of_one_name(
    compiled, device: Path, tmp_path: Path, other: str, what: str
) -> None:
    copy = shutil.copytree(device, tmp_path / "copy")
    if other:
        edit(copy, "device.toml", 'name = "my_accelerator"', f'name = "{other}"')
    refused(
        compiled(device, copy), f"{device} and {copy} have the same {what}; change it in one of"
    )


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("CHANNELS = 8", "CHANNELS = = 8", "lowering.py:6: fails: SyntaxError: invalid syntax"),
        ("import numpy", "import nothing_like_it", "lowering.py:3: fails: ModuleNotFoundError"),
        ("PIXELS = 1\n", "", "lowering.py: lacks PIXELS: see docs/own-accelerator.md"),
        ("def refuse", "def accept", "lowering.py: lacks refuse: see docs/own-accelerator.md"),
        ('KINDS = ("conv2d", "dense")', 'KINDS = "dense"', "KINDS is 'dense'; it is a list of"),
        ('KINDS = ("conv2d", "dense")', "KINDS = 3", "KINDS is 3; it is a list of"),
        ('KINDS = ("conv2d", "dense")', 'KINDS = ["gru"]', "some of conv2d, depthwise, dense"),
        ("CHANNELS = 8", "CHANNELS = 0", "CHANNELS is 0; it is a whole number from 1"),
        ("PIXELS = 1", 'PIXELS = "1"', "PIXELS is '1'; it is a whole number from 1"),
        ("MOST_PRODUCTS = 32", "X_ALIGNMENT = 6", "X_ALIGNMENT is 6; memory of PEs has an"),
    ],
)
def test_a_lowering_that_cannot_be_loaded(
    compiled, device: Path, before: str, after: str, wanted: str
) -> None:
    edit(device, "lowering.py", before, after)
    refused(compiled(device), wanted)


def test_a_function_that_is_none(compiled, device: Path) -> None:
    text = (device / "lowering.py").read_text(encoding="utf-8")
    (device / "lowering.py").write_text(f"{text}\nrefuse = None\n", encoding="utf-8")
    refused(compiled(device), "lowering.py: refuse is no function")


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("if layer.channels % 4", "if layer.depth % 4", ":14: refuse fails: AttributeError: "),
        ("return None", "return True", "refuse gives True; it gives None, or says why not"),
        ("return None", 'return ""', "refuse gives ''; it gives None, or says why not"),
        ("    outputs, _, _, inputs =", "    outputs, inputs =", ":20: pack fails: ValueError: "),
        (".tobytes()", "", "pack gives a ndarray; it gives bytes"),
        (".tobytes()", ".tobytes()[:60]", "pack gives 60 bytes for weights [3, 1, 1, 24]; they"),
        (".tobytes()", '.tobytes() + b"?"', "pack gives 193 bytes for weights [3, 1, 1, 24]: no"),
        (
            ".tobytes()",
            ".tobytes() + bytes(4 * int(weights.any()))",
            "pack gives 196 bytes for some weights [3, 1, 1, 24] and 192 for others",
        ),
        ("part.out_w", "part.width", ":29: numbers fails: AttributeError: 'Part' object has no"),
        ('"pixels"', '"pixel"', "numbers gives no 'pixels', which the descriptor has"),
        ('"rows": part', '"more": 1, "rows": part', "numbers gives 'more'; the descriptor has r"),
        ("part.out_h,", "part.out_h / 1,", "numbers: rows is 1.0, no whole number"),
        ("part.out_h,", "1 << 32,", "numbers: rows is 4294967296; it must be from -2147483648"),
        ("return {", "return 3\n    return {", "numbers gives a int; it gives a dict"),
        ('timing["setup', 'timing["set_up', "cycles fails: KeyError: 'set_up_cycles'"),
        ('timing["setup_cycles"] +', "-", "cycles is -6; it must be from 0 to"),
        ('["inputs"] // 4', '["inputs"] / 4', "cycles is 18.0, no whole number"),
    ],
)
def test_what_a_lowering_gives_is_checked(
    compiled, device: Path, before: str, after: str, wanted: str
) -> None:
    edit(device, "lowering.py", before, after)
    refused(compiled(device), str(device / "lowering.py"), wanted)


def test_a_mistake_in_a_file_of_the_lowering_is_found_there(compiled, device: Path) -> None:
    (device / "helper.py").write_text("def half(n):\n    return n / 0\n", encoding="utf-8")
    edit(device, "lowering.py", "import numpy", "from .helper import half\nimport numpy")
    edit(device, "lowering.py", "return {", "half(part.out_h)\n    return {")
    refused(compiled(device), f"{device / 'helper.py'}:2: numbers fails: ZeroDivisionError")


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ('["x", "weights", "out"]', '["x", "out"]', "has three pointers: operand, weights, sums"),
        ('written = ["out"]', 'written = ["x"]', "has three pointers: operand, weights, sums"),
        ("accumulator_bits = 18", "", "a device with a lowering adds up; say how wide"),
        ("alignment = 4", "alignment = 64", "facts.alignment is 64; memory of PEs has an"),
        ('lowering = "lowering.py"', 'lowering = "README.md"', "its name must end in .py"),
    ],
)
def test_a_description_that_the_compiler_cannot_serve(
    compiled, device: Path, before: str, after: str, wanted: str
) -> None:
    edit(device, "device.toml", before, after)
    refused(compiled(device), wanted)


def test_machine_files_are_read_as_strictly(
    dense: Path, device: Path, tmp_path: Path, weft_command: Weft
) -> None:
    from weft.paths import machines_folder

    text = (machines_folder() / "single-m4.toml").read_text(encoding="utf-8")
    head, memory, rest = text.partition("\nmemory = ")
    assert memory

    def run(devices: str) -> Done:
        file = tmp_path / "mine.toml"
        file.write_text(f"{head}\ndevices = {devices}{memory}{rest}", encoding="utf-8")
        return weft_command("compile", dense, "--machine", file, "-o", tmp_path / "out")

    done = run('["mac_array", { kind = "./theirs", name = "dot" }]')
    assert done.status == 0, done.err
    assert "(dense): mac_array" in done.out
    refused(run('["nope"]'), "there is no device called 'nope'")
    refused(run('["./nope"]'), "there is no folder")
    refused(run('["mac_array", "mac_array"]'), "'mac_array' is there twice; give each a name")
    refused(run('[{ kind = "mac_array", options = { depth = 3 } }]'), "has no option 'depth'")
    refused(run('[{ kind = "mac_array", option = {} }]'), "unknown key 'option'; known are kind")


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        ("return WEFT_PENDNG;", ("my_accelerator.c", "WEFT_PENDNG")),
        ("return WEFT_E_DEVICE;", ("device theirs, job ", "tile 0: device failure")),
    ],
)
def test_c_that_is_wrong(
    dense: Path, device: Path, weft_command: Weft, after: str, wanted: tuple[str, ...]
) -> None:
    edit(device, "my_accelerator.c", "return WEFT_PENDING;", after)
    refused(weft_command("run", dense, "--machine", "single-m4", "--device", device), *wanted)

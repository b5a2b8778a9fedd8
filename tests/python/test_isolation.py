"""What an import and a run may load: nothing of any oracle, and no compiler on a warm run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from support.oracle_count import compare
from support.tflite_builder import ModelBuilder
from support.tflm import run_tflm_batch
from weft.program import Program

FRAMEWORKS = ("onnxruntime", "tflite_micro", "tensorflow", "ai_edge_litert")
COMPILERS = ("tvm", "tvm_ffi", "tflite")

# Makes the packages named in the first argument unimportable, then runs the code of the second.
BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} is blocked")

blocked = sys.argv[1].split(",")
sys.meta_path.insert(0, Blocker())
for name in blocked:
    try:
        __import__(name)
    except ImportError as error:
        assert str(error) == f"{name} is blocked", error
    else:
        raise SystemExit(f"{name} can be imported")
code, sys.argv = sys.argv[2], sys.argv[2:]
exec(code)
assert not set(blocked) & set(sys.modules)
"""

RUN = """
import sys
import numpy as np
import weft

program = weft.load(sys.argv[1])
with program.open(engine="native") as session:
    results = list(session.stream(np.load(sys.argv[2])))
np.save(sys.argv[3], np.stack(results))
"""

RUN_BY_COMMAND = """
import sys
from weft.cli import main

folder, given, result = sys.argv[1:]
try:
    main(["run", folder, "--frames", "5", "--input", given, "--output", result])
except SystemExit as request:
    assert not request.code
"""

# The packages that are imported in the end, besides Python's own.
LOADED = """
import atexit, json, sys
from weft.cli import main

def report():
    packages = {name.partition(".")[0] for name in sys.modules}
    print(json.dumps(sorted(packages - set(sys.stdlib_module_names))), file=sys.stderr)

atexit.register(report)
main(sys.argv[1:])
"""


def _python(code: str, *arguments: object, **environment: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {key: str(value) for key, value in environment.items()},
    )


def _digits(model: Path) -> tuple[np.ndarray, np.ndarray]:
    """Five inputs of the bundled model, and what the oracle makes of them."""
    with np.load(model.with_name("digits_test.npz")) as held_out:
        images = held_out["input"][:5, None]
    expected = run_tflm_batch(model.read_bytes(), [[image] for image in images])
    return images, np.stack([outputs[0] for outputs in expected])


def _runs_without_oracles(code: str, program: Program, model: Path, folder: Path) -> None:
    given, result = folder / "x.npy", folder / "y.npy"
    images, expected = _digits(model)
    np.save(given, images)
    # An empty cache: the library for this machine is built without them, too.
    done = _python(
        BLOCKED,
        ",".join([*FRAMEWORKS, *COMPILERS]),
        code,
        program.folder,
        given,
        result,
        WEFT_CACHE_DIR=folder / "cache",
    )
    assert done.returncode == 0, done.stderr
    compare(np.load(result), expected, "digits where no oracle can be imported")


def test_program_runs_where_no_oracle_can_be_imported(
    digits: Program, digits_model: Path, tmp_path: Path
) -> None:
    _runs_without_oracles(RUN, digits, digits_model, tmp_path)


def test_command_runs_where_no_oracle_can_be_imported(
    digits: Program, digits_model: Path, tmp_path: Path
) -> None:
    _runs_without_oracles(RUN_BY_COMMAND, digits, digits_model, tmp_path)


def test_import_is_light() -> None:
    code = (
        "import json, sys; before = set(sys.modules); import weft; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = _python(code)
    assert done.returncode == 0, done.stderr
    modules = json.loads(done.stdout)
    packages = {name.partition(".")[0] for name in modules}
    assert packages - set(sys.stdlib_module_names) == {"weft"}
    # numpy alone is more than a hundred, tvm more than five hundred.
    assert len(modules) <= 50, modules
    assert [name for name in modules if name.startswith("weft")] == ["weft"]


def test_public_names_are_there() -> None:
    code = "import weft; [getattr(weft, name) for name in weft.__all__]; print(dir(weft))"
    done = _python(code)
    assert done.returncode == 0, done.stderr
    for name in ("compile", "load", "Machine", "Program", "Session"):
        assert f"'{name}'" in done.stdout
    assert "has no attribute 'nothing'" in _python("import weft; weft.nothing").stderr


def test_warm_run_loads_no_compiler(tmp_path: Path) -> None:
    builder = ModelBuilder()
    builder.output(builder.relu6(builder.input((1, 4), 0.1, 0)))
    model = tmp_path / "model.tflite"
    model.write_bytes(builder.build())
    arguments = ["run", model, "--machine", "single-m4"]
    first = _python(LOADED, *arguments, WEFT_CACHE_DIR=tmp_path)
    second = _python(LOADED, *arguments, WEFT_CACHE_DIR=tmp_path)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout == second.stdout
    compiling, running = (set(json.loads(done.stderr)) for done in (first, second))
    assert {"tvm", "xdsl"} <= compiling
    assert "weft" in running
    assert not running & {*FRAMEWORKS, *COMPILERS, "xdsl", "cffi", "rich"}

"""Reading and printing IR as text, and comparing it with golden files."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.arith import Arith
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.func import Func
from xdsl.dialects.memref import MemRef
from xdsl.dialects.scf import Scf
from xdsl.parser import Parser
from xdsl.printer import Printer

from weft.dialects.accel import ACCEL
from weft.dialects.fabric import FABRIC
from weft.dialects.pe import PE
from weft.dialects.stages import STAGES

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
GRAPHS = HERE / "graphs"
EXAMPLES = HERE / "examples"
EXAMPLE_NAMES = ("stages", "packed", "offloaded", "shard", "jobs", "streamed", "mesh", "planned")
#: What passes make of graphs on PEs with devices.
DEVICE_GRAPHS = HERE / "device_graphs"
DEVICE_GOLDEN = GOLDEN / "devices"
_FOLDERS = (EXAMPLES, GRAPHS, GOLDEN, DEVICE_GRAPHS, DEVICE_GOLDEN)
#: Everything that the dialects can say.
FILES = sorted(path for folder in _FOLDERS for path in folder.glob("*.mlir"))

_DIALECTS = (Builtin, Func, Scf, MemRef, Arith, STAGES, PE, ACCEL, FABRIC)


def parse(text: str) -> ModuleOp:
    """The module in the text, verified."""
    context = Context()
    for dialect in _DIALECTS:
        context.load_dialect(dialect)
    module = Parser(context, text).parse_module()
    module.verify()
    return module


def printed(module: ModuleOp, *, generic: bool = False) -> str:
    """The module as text, in its own syntax or in the generic one that every MLIR tool reads."""
    stream = StringIO()
    Printer(stream, print_generic_format=generic).print_op(module)
    return stream.getvalue() + "\n"


def graph(name: str) -> ModuleOp:
    """One of the stage graphs beside the tests."""
    return parse((GRAPHS / f"{name}.mlir").read_text(encoding="utf-8"))


def check_golden(name: str, text: str) -> None:
    """Compares with a golden file; with WEFT_UPDATE_GOLDENS set, writes it instead."""
    path = GOLDEN / name
    if os.environ.get("WEFT_UPDATE_GOLDENS"):
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"{path} is missing: look at this and keep it if right:\n{text}"
    assert text == path.read_text(encoding="utf-8")


def example(name: str) -> str:
    """A text that verifies: one of ``EXAMPLE_NAMES``."""
    return (EXAMPLES / f"{name}.mlir").read_text(encoding="utf-8")


def broken(text: str, old: str, new: str) -> str:
    """The text with one mistake in it."""
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)

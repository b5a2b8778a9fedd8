"""The C printer on small functions: exact text for what it writes, runs for what it means.

``snippets/<name>.mlir`` is printed as ``snippets/<name>.c``.
"""

from __future__ import annotations

import ctypes
import re
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.func import FuncOp

from ir.c_compilers import STRICT, host_compiler, kernel_source
from ir.meanings import MEANING, REFUSED
from ir.text import HERE, check_golden, parse
from weft.codegen.c_printer import print_declaration, print_function
from weft.codegen.c_syntax import UnprintableError, float_literal

SNIPPETS = sorted(path.stem for path in (HERE / "snippets").glob("*.mlir"))


def _snippet(name: str) -> str:
    return (HERE / "snippets" / f"{name}.mlir").read_text(encoding="utf-8")


def _functions(text: str) -> list[FuncOp]:
    return [op for op in parse(text).ops if isinstance(op, FuncOp) and not op.is_declaration]


def _c(text: str) -> str:
    return "\n".join(print_function(function) for function in _functions(text))


def _library(source: Path, text: str) -> ctypes.CDLL:
    source.write_text(text, encoding="utf-8")
    target = source.with_suffix(".so")
    command = [*host_compiler(), *STRICT, "-O2", "-fPIC", "-shared", source, "-o", target]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{text}"
    return ctypes.CDLL(str(target))


# Text


@pytest.mark.parametrize("name", SNIPPETS)
def test_printed_text(name: str) -> None:
    text = _c(_snippet(name))
    assert max(map(len, text.splitlines())) <= 100
    check_golden(f"../snippets/{name}.c", text)


@pytest.mark.parametrize("name", SNIPPETS)
def test_printed_text_compiles(name: str, tmp_path: Path) -> None:
    library = _library(tmp_path / "snippet.c", kernel_source([_c(_snippet(name))]))
    for function in _functions(_snippet(name)):
        assert hasattr(library, function.sym_name.data)


@pytest.mark.parametrize("name", SNIPPETS)
def test_declaration_is_the_head_of_the_definition(name: str) -> None:
    for function in _functions(_snippet(name)):
        declaration = print_declaration(function)
        assert declaration.endswith(");\n")
        assert print_function(function).startswith(declaration.removesuffix(";\n") + "\n{\n")


@pytest.mark.parametrize("name", SNIPPETS)
def test_printing_changes_nothing(name: str) -> None:
    for function in _functions(_snippet(name)):
        before = str(function)
        assert print_function(function) == print_function(function)
        assert str(function) == before


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused(name: str) -> None:
    with pytest.raises(UnprintableError):
        _c(REFUSED[name])


# Meaning


def _call(library: ctypes.CDLL, name: str, arguments: Sequence[Any]) -> None:
    function = getattr(library, name)
    function.restype = None
    function(
        *(
            ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else ctypes.c_int32(a)
            for a in arguments
        )
    )


@pytest.mark.parametrize("name", MEANING)
def test_meaning(name: str, tmp_path: Path) -> None:
    case = MEANING[name]
    (function,) = _functions(case.text)
    library = _library(tmp_path / "meaning.c", kernel_source([_c(case.text)]))
    arguments = case.arguments()
    _call(library, function.sym_name.data, arguments)
    arrays = [a.tolist() for a in arguments if isinstance(a, np.ndarray)]
    assert arrays == list(case.expected), _c(case.text)


# Literals

_LITERAL = re.compile(r"-?(\d+\.\d*|\d+)(e[+-]\d+)?f")
many = settings(max_examples=100 * settings().max_examples)


@many
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_read_back(value: float) -> None:
    text = float_literal(value)
    assert _LITERAL.fullmatch(text), text
    assert "." in text or "e" in text, f"{text} is an integer with a suffix"
    assert struct.pack("<f", float(text.removesuffix("f"))) == struct.pack("<f", value)


def test_compiler_reads_the_same_floats(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 3000, dtype=np.uint64).astype(np.uint32)
    edges = [0, 1 << 31, 1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x3F800000, 0x4B7FFFFF]
    values = np.concatenate([bits, np.array(edges, np.uint32)]).view(np.float32)
    values = values[np.isfinite(values)]
    rows = ",\n".join(float_literal(float(v)) for v in values)
    text = f"extern const float floats[];\nconst float floats[] = {{{rows}}};\n"
    read = (ctypes.c_float * len(values)).in_dll(_library(tmp_path / "floats.c", text), "floats")
    assert bytes(read) == values.tobytes()


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_no_literal_for_what_is_no_number(value: float) -> None:
    with pytest.raises(UnprintableError):
        float_literal(value)

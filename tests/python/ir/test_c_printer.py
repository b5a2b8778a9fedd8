"""The C printer on small functions: exact text for what it writes, runs for what it means."""

from __future__ import annotations

import ctypes
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.func import FuncOp

from ir.c_compilers import STRICT, host_compiler, kernel_source
from ir.meanings import MEANING, REFUSED
from ir.snippets import PRINTED
from ir.text import parse
from weft.codegen.c_printer import (
    UnprintableError,
    float_literal,
    print_declaration,
    print_function,
)


def _functions(text: str) -> list[FuncOp]:
    return [op for op in parse(text).ops if isinstance(op, FuncOp) and not op.is_declaration]


def _c(text: str) -> str:
    return "\n".join(print_function(function) for function in _functions(text))


# Text


@pytest.mark.parametrize("name", PRINTED)
def test_printed_text(name: str) -> None:
    text, expected = PRINTED[name]
    assert _c(text) == expected.lstrip("\n")


@pytest.mark.parametrize("name", PRINTED)
def test_lines_are_short(name: str) -> None:
    assert max(map(len, _c(PRINTED[name][0]).splitlines())) <= 100


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused(name: str) -> None:
    with pytest.raises(UnprintableError):
        _c(REFUSED[name])


def test_declaration_is_the_head_of_the_definition() -> None:
    for text, _ in PRINTED.values():
        for function in _functions(text):
            declaration = print_declaration(function)
            assert declaration.endswith(");\n")
            assert print_function(function).startswith(declaration.removesuffix(";\n") + "\n{\n")


def test_printing_changes_nothing() -> None:
    for text, _ in PRINTED.values():
        for function in _functions(text):
            before = str(function)
            assert print_function(function) == print_function(function)
            assert str(function) == before


# Meaning


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """All snippets as one library, compiled without a warning."""
    folder = tmp_path_factory.mktemp("snippets")
    texts = [text for text, _ in PRINTED.values()] + [case.text for case in MEANING.values()]
    source = folder / "snippets.c"
    source.write_text(kernel_source(map(_c, texts)), encoding="utf-8")
    return _library(source)


def _library(source: Path) -> ctypes.CDLL:
    target = source.with_suffix(".so")
    command = [*host_compiler(), *STRICT, "-O2", "-fPIC", "-shared", source, "-o", target]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{source.read_text(encoding='utf-8')}"
    return ctypes.CDLL(str(target))


def _call(function: Callable[..., None], arguments: list[np.ndarray | int]) -> None:
    function.restype = None
    function(
        *(
            ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else ctypes.c_int32(a)
            for a in arguments
        )
    )


def test_printed_text_compiles(library: ctypes.CDLL) -> None:
    for text, _ in PRINTED.values():
        for function in _functions(text):
            assert hasattr(library, function.sym_name.data)


@pytest.mark.parametrize("name", MEANING)
def test_meaning(name: str, library: ctypes.CDLL) -> None:
    case = MEANING[name]
    (function,) = _functions(case.text)
    arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in case.arguments()]
    _call(getattr(library, function.sym_name.data), arguments)
    arrays = [a for a in arguments if isinstance(a, np.ndarray)]
    for array, expected in zip(arrays, case.expected, strict=True):
        assert array.tolist() == expected, _c(case.text)


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


@many
@given(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=0))
def test_float_literals_are_as_short_as_can_be(value: float) -> None:
    digits = len(re.sub(r"e.*|\D", "", float_literal(value).removesuffix(".0f")).strip("0") or "0")
    shorter = [float(f"{value:.{n}g}") for n in range(1, digits)]
    # What rounds beyond the largest float32 is another number, too.
    largest = float(np.finfo(np.float32).max)
    same = [s for s in shorter if s <= largest and struct.pack("<f", s) == struct.pack("<f", value)]
    assert same == []


def test_compiler_reads_the_same_floats(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 3000, dtype=np.uint64).astype(np.uint32)
    edges = [0, 1 << 31, 1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x3F800000, 0x4B7FFFFF]
    values = np.concatenate([bits, np.array(edges, np.uint32)]).view(np.float32)
    values = values[np.isfinite(values)]
    source = tmp_path / "floats.c"
    rows = ",\n".join(float_literal(float(v)) for v in values)
    source.write_text(f"extern const float floats[];\nconst float floats[] = {{{rows}}};\n")
    read = (ctypes.c_float * len(values)).in_dll(_library(source), "floats")
    assert bytes(read) == values.tobytes()


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_no_literal_for_what_is_no_number(value: float) -> None:
    with pytest.raises(UnprintableError):
        float_literal(value)

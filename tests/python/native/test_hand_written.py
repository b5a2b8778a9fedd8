# SPDX-License-Identifier: Apache-2.0
"""Hand-written kernels on the host, in their portable form: right values, and no byte touched that
is not theirs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.c_compilers import SANITIZE, STRICT, require_flags, succeed
from native.hand_written_cases import KERNELS, MAKERS, Case
from native.kernel_library import Kernels
from weft.kernels.hand_written import HandWritten
from weft.paths import runtime_folder

HERE = Path(__file__).resolve().parent
seeds = st.integers(0, 2**32 - 1)
each_kernel = pytest.mark.parametrize("name", MAKERS)

_GUARD = 64


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return Kernels(tmp_path_factory.mktemp("by_hand") / "program", KERNELS)


def guarded(rng: np.random.Generator, values: np.ndarray) -> tuple[np.ndarray, slice]:
    """The values inside of a larger array, at any address that is good for them."""
    start = _GUARD + int(rng.integers(0, 8))
    bits = rng.integers(-128, 128, (start + len(values) + _GUARD) * values.itemsize)
    memory = bits.astype(np.int8).view(values.dtype)
    inside = slice(start, start + len(values))
    memory[inside] = values
    return memory, inside


@each_kernel
@settings(max_examples=40 * settings().max_examples)
@given(seed=seeds)
def test_values(kernels: Kernels, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = MAKERS[name](rng)
    memories = {key: guarded(rng, values) for key, values in case.arrays.items()}
    before = {key: memory.copy() for key, (memory, _) in memories.items()}
    pointers = {key: memory[inside] for key, (memory, inside) in memories.items()}
    kernels.call(case.kernel, **pointers, **case.numbers)
    before["out"][memories["out"][1]] = case.expected
    if "workspace" in before:
        before["workspace"][memories["workspace"][1]] = pointers["workspace"]
    for key, (memory, _) in memories.items():
        np.testing.assert_array_equal(memory, before[key], err_msg=f"{key} of {case}")


def test_cases_say_something() -> None:
    """Results take many values, and the limits of sums are reached."""
    for maker in MAKERS.values():
        cases = [maker(np.random.default_rng([seed, 1])) for seed in range(60)]
        assert np.mean([len(np.unique(case.expected)) for case in cases]) > 15


# --- every access, by a sanitizer ---


def calls_header(kernels: Sequence[HandWritten]) -> str:
    """What ``call_kernels.c`` knows of kernels, from their declarations in Python."""
    types = {"int8": "int8_t *", "int32": "int32_t *"}
    cases = []
    for number, kernel in enumerate(kernels):
        arguments = [f"({types[d]})p[{i}]" for i, d in enumerate(kernel.dtypes)]
        arguments += [f"n[{i}]" for i in range(len(kernel.numbers))]
        cases.append(f"    case {number}: {kernel.name}({', '.join(arguments)}); break;\n")

    def table(name: str, values: Sequence[int]) -> str:
        return f"static const int {name}[] = {{{', '.join(map(str, values))}}};\n"

    return (
        table("POINTERS", [len(k.pointers) for k in kernels])
        + table("NUMBERS", [len(k.numbers) for k in kernels])
        + table("OUT", [k.pointers.index("out") for k in kernels])
        + "static void call_kernel(int32_t kernel, void *const *p, const int32_t *n)\n{\n"
        + f"    switch (kernel) {{\n{''.join(cases)}    default: exit(7);\n    }}\n}}\n"
    )


def case_bytes(case: Case, rng: np.random.Generator) -> bytes:
    """The case as ``call_kernels.c`` reads it."""
    parts = [struct.pack("<i", KERNELS.index(case.kernel))]
    for name in case.kernel.pointers:
        data = case.arrays[name]
        in_front = int(rng.integers(0, 4)) if data.itemsize == 1 else 0
        is_written = name in case.kernel.outputs
        parts += [struct.pack("<3i", data.nbytes, in_front, is_written), data.tobytes()]
    numbers = [case.numbers[name] for name in case.kernel.numbers]
    return b"".join([*parts, struct.pack(f"<{len(numbers)}i", *numbers)])


Runner = Callable[[Sequence[Case], np.random.Generator], list[bytes]]


@pytest.fixture(scope="module", params=["gcc", "clang"])
def sanitized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Runs cases where every access outside of an array ends the process."""
    compiler = require_flags(request.param, *SANITIZE)
    folder = tmp_path_factory.mktemp("sanitized")
    (folder / "calls.h").write_text(calls_header(KERNELS), encoding="ascii")
    sources = [HERE / "call_kernels.c", *sorted((runtime_folder() / "kernels").glob("*.c"))]
    includes = ["-I", folder, "-I", runtime_folder() / "include"]
    program = folder / "call_kernels"
    succeed([compiler, *STRICT, *SANITIZE, *includes, *sources, "-o", program])

    def run(cases: Sequence[Case], rng: np.random.Generator) -> list[bytes]:
        given, got = folder / "cases.bin", folder / "results.bin"
        given.write_bytes(b"".join(case_bytes(case, rng) for case in cases))
        succeed([program, given, got])
        data, results = got.read_bytes(), []
        for case in cases:
            results.append(data[: len(case.expected)])
            data = data[len(case.expected) :]
        assert not data
        return results

    return run


@each_kernel
@settings(max_examples=settings().max_examples)
@given(seed=seeds)
def test_touches_nothing_else(sanitized: Runner, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = [MAKERS[name](rng) for _ in range(40)]
    for case, result in zip(cases, sanitized(cases, rng), strict=True):
        assert result == case.expected.tobytes(), case


@pytest.mark.parametrize("array", ["x", "packed", "workspace", "out"])
def test_a_missing_byte_is_found(sanitized: Runner, array: str) -> None:
    """The sanitizer sees the last byte of every array: with one less, the process fails."""
    rng = np.random.default_rng(5)
    case = MAKERS["weft_conv2d_packed_s8"](rng)
    shorter = {**case.arrays, array: case.arrays[array][:-1]}
    cut = Case(case.kernel, shorter, case.numbers, case.expected, case.what)
    with pytest.raises(pytest.fail.Exception, match="AddressSanitizer"):
        sanitized([cut], rng)

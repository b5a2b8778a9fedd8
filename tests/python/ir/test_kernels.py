"""Golden C of a kernel of every family, and the MLIR text before it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

import weft.kernels
from ir.c_compilers import STRICT, host_compiler, kernel_source
from ir.kernels import KERNELS
from ir.text import GOLDEN, check_golden, parse, printed
from weft.adapter.operator_loops import operator_loops
from weft.codegen.c_printer import print_function
from weft.kernels.base import Kernel, TensorKernel
from weft.kernels.module import kernel_module

NAMES = [kernel.name for kernel in KERNELS]


@pytest.fixture(scope="module")
def module() -> ModuleOp:
    return kernel_module(KERNELS)


@pytest.fixture(scope="module")
def functions(module: ModuleOp) -> dict[str, FuncOp]:
    """The lowered kernels by name."""
    found = [op for op in module.ops if isinstance(op, FuncOp) and not op.is_declaration]
    return {op.sym_name.data: op for op in found}


@pytest.mark.parametrize("name", NAMES)
def test_golden_c(name: str, functions: dict[str, FuncOp]) -> None:
    check_golden(f"{name}.c", print_function(functions[name]))


def test_golden_files_are_all_used() -> None:
    assert {path.stem for path in GOLDEN.glob("*.c")} == set(NAMES)


def test_every_family_has_a_golden() -> None:
    folder = Path(weft.kernels.__file__).parent
    declared = {
        name
        for path in folder.glob("*.py")
        for name in re.findall(r"^class ([A-Z]\w+)\(.*(?:Kernel|_Binary)\)", path.read_text(), re.M)
    }
    bases = {"WindowKernel", "TensorKernel", "HandWritten", "DeviceLaunch"}
    assert declared - bases == {type(kernel).__name__ for kernel in KERNELS}


def test_golden_c_compiles(tmp_path: Path) -> None:
    source = tmp_path / "kernels.c"
    texts = [(GOLDEN / f"{name}.c").read_text(encoding="utf-8") for name in NAMES]
    source.write_text(kernel_source(texts), encoding="utf-8")
    command = [*host_compiler(), *STRICT, "-O2", "-c", source, "-o", tmp_path / "kernels.o"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kernel", KERNELS, ids=NAMES)
def test_parameters_are_those_declared(kernel: Kernel, functions: dict[str, FuncOp]) -> None:
    head, _, _ = print_function(functions[kernel.name]).partition("\n{\n")
    assert head.startswith(f"void {kernel.name}(")
    names = re.findall(r"(\w+)(?:,|\))", head)
    assert tuple(names) == kernel.pointers + kernel.numbers
    for pointer in kernel.pointers:
        (declaration,) = re.findall(rf"((?:const )?)\w+ \*restrict {pointer}\b", head)
        assert (declaration == "const ") == (pointer not in kernel.outputs)


def test_memrefs_have_an_unknown_length(module: ModuleOp) -> None:
    text = printed(module, generic=True)
    memrefs = set(re.findall(r"memref<[^>]*>", text))
    parameters = {"memref<?xi8>", "memref<?xi32>", "memref<?xf32>"}
    assert parameters <= memrefs
    # Locals alone have a length: scalars here.
    assert memrefs - parameters <= {"memref<1xi8>", "memref<1xi32>", "memref<1xf32>"}


def test_mlir_text_can_be_read_back(module: ModuleOp, functions: dict[str, FuncOp]) -> None:
    for generic in (False, True):
        text = printed(module, generic=generic)
        again = parse(text)
        assert printed(again, generic=generic) == text
        for op in again.ops:
            if isinstance(op, FuncOp) and not op.is_declaration:
                assert print_function(op) == print_function(functions[op.sym_name.data])


def test_lowering_is_reproducible(functions: dict[str, FuncOp]) -> None:
    for kernel in KERNELS[::4]:
        if isinstance(kernel, TensorKernel):
            again = kernel.lowered(type(kernel).schedule)
        else:
            operator_loops.cache_clear()
            again = kernel.function()
        assert print_function(again) == print_function(functions[kernel.name])

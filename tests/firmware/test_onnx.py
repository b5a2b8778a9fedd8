# SPDX-License-Identifier: Apache-2.0
"""A quantised ONNX model as machine code: the FPU of a Cortex-M4 gives ONNX Runtime's bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from emulation.pe import Pe

import weft
from support.onnx_builder import QdqNetwork, Style
from support.onnx_oracle import check_results, run_onnxruntime
from weft.codegen.images import build_image
from weft.codegen.toolchain import gcc_target_toolchain, zig_target_toolchain
from weft.machines import load_machine

PE_CLASS = next(iter(load_machine("single-m4").classes.values()))


def _network(dtype: str) -> QdqNetwork:
    return QdqNetwork(np.random.default_rng(9), Style(dtype))


def _all_kernels(n: QdqNetwork) -> str:
    """Every kernel of the contract, one after the other."""
    x = n.conv(n.input((1, 3, 10, 9)), 6, (3, 3), activation="Relu", pads=[1, 1, 1, 1])
    y = n.op("Add", x, n.conv(x, 6, (3, 3), group=6, pads=[1, 1, 1, 1]))
    y = n.op("Mul", y, n.op("Sigmoid", y, scale=1 / 256))
    y = n.op("Sub", y, x)
    y = n.op("AveragePool", y, attributes={"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})
    y = n.gemm(n.moved("Flatten", n.op("GlobalAveragePool", y)), 60)
    return n.op("Softmax", y, attributes={"axis": -1}, scale=1 / 256)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("find", [zig_target_toolchain, gcc_target_toolchain])
def test_image(dtype: str, find: object, tmp_path: Path) -> None:
    toolchain = find(PE_CLASS.core)
    if toolchain is None:
        pytest.skip("this compiler is not installed")
    n = _network(dtype)
    model = n.build(_all_kernels(n))
    program = weft.compile(model, machine="single-m4", output=tmp_path / "program")
    image = build_image(
        program.folder,
        "p0",
        memory=PE_CLASS.memory,
        stack_bytes=PE_CLASS.stack_bytes,
        toolchain=toolchain,
        out=tmp_path / "image.elf",
        runtime_hash=program.manifest["runtime_sha256"],
    )
    frames = n.images(2)
    answer = run_onnxruntime(model, frames)
    (output,) = program.outputs
    pe = Pe(image.elf, [(r.origin, r.length) for r in PE_CLASS.memory])
    pe.run()
    results = []
    for (frame,) in frames:
        pe.feed(0, frame.tobytes())
        pe.run()
        data = np.frombuffer(pe.collect(1), output.dtype).reshape(output.shape)
        results.append([data])
    check_results(results, answer, f"{dtype} on a Cortex-M4")
    assert not _soft_floats(image.elf)


def _soft_floats(elf: Path) -> set[str]:
    """Functions that do what the FPU should do, or what it cannot."""
    with elf.open("rb") as stream:
        sections = ELFFile(stream).iter_sections()
        tables = [s for s in sections if isinstance(s, SymbolTableSection)]
        names = {symbol.name for table in tables for symbol in table.iter_symbols()}
    return {name for name in names if name.startswith(("__aeabi_d", "__aeabi_f", "fma"))}

# SPDX-License-Identifier: Apache-2.0
"""From a model to a compiled program: the steps in order, and the cache around them."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft import __version__
from weft.codegen.toolchain import target_compiler_path
from weft.errors import ModelError
from weft.machines import Machine, PeClass, load_machine
from weft.paths import cache_folder, runtime_folder
from weft.program import Program, load_program

if TYPE_CHECKING:
    from weft.kernels.base import ScheduleFunction

DEFAULT_MACHINE = "spinn2-chip"


def compile_model(
    model: Any,
    machine: str | Path | Machine = DEFAULT_MACHINE,
    *,
    output: str | Path | None = None,
    params: Mapping[str, Any] | None = None,
    schedules: Mapping[str, ScheduleFunction] | None = None,
    dump_ir: str | Path | None = None,
) -> Program:
    """Compiles a model for a machine.

    ``model`` is the path or the bytes of a TFLite file, or a ``tvm.IRModule`` of Relax whose
    ``main`` has quantise and dequantise around its operators; ``params`` then binds parameters by
    name (NumPy arrays). ``machine`` is a bundled name, the path of a machine file, or a machine.

    ``output`` is the folder to write; without it the program goes to the cache, where a later call
    with the same arguments finds it. ``schedules`` replaces the TensorIR schedule of a family of
    kernels (``{"conv2d": f}`` with ``f(kernel, schedule)``). ``dump_ir`` is a folder for the IR
    after every pass.

    Raises ``ModelError``, ``UnsupportedError``, ``MachineError``, ``DoesNotFitError``,
    ``ProgramError`` or ``ToolchainError``.
    """
    found = machine if isinstance(machine, Machine) else load_machine(machine)
    data, name = _model_bytes(model)
    if output is not None or data is None or schedules or dump_ir is not None:
        folder = Path(output) if output is not None else None
        return _compile(model, data, name, found, folder, params, schedules, dump_ir)
    folder = cache_folder() / "programs" / _cache_key(data, name, found)
    if (folder / "manifest.json").is_file():
        return load_program(folder)
    return _compile(model, data, name, found, folder, params, None, None, in_cache=True)


def _model_bytes(model: Any) -> tuple[bytes | None, str]:
    """The bytes of a model file and what to call it; no bytes for a Relax module."""
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model), "model"
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        try:
            return path.read_bytes(), path.stem
        except IsADirectoryError:
            raise ModelError(f"{path} is a folder; give a model file") from None
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    if type(model).__name__ == "IRModule":
        return None, "module"
    raise ModelError(
        f"a model is a path, bytes of a TFLite file or a tvm.IRModule, not {type(model).__name__}"
    )


@functools.lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Of everything that decides what is generated: this package and the runtime."""
    digest = hashlib.sha256(__version__.encode())
    package = Path(__file__).resolve().parent
    for root, pattern in ((package, "*.py"), (runtime_folder(), "*.[chS]")):
        for path in sorted(root.rglob(pattern)):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _cache_key(data: bytes, name: str, machine: Machine) -> str:
    digest = hashlib.sha256()
    tools = f"{version('apache-tvm')} {version('xdsl')} {target_compiler_path()}"
    parts = (data, name.encode(), repr(machine).encode(), _fingerprint().encode(), tools.encode())
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:32]


class _TemporaryFolder:
    """A folder that goes away, quietly, with the last program that lies in it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="weft-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _pe_class(machine: Machine) -> PeClass:
    """The class of the PE that the program runs on: the first usable one."""
    return machine.class_of(machine.usable()[0])


def _compile(
    model: Any,
    data: bytes | None,
    name: str,
    machine: Machine,
    folder: Path | None,
    params: Mapping[str, Any] | None,
    schedules: Mapping[str, ScheduleFunction] | None,
    dump_ir: str | Path | None,
    *,
    in_cache: bool = False,
) -> Program:
    # Imported here: these import TVM.
    from weft.codegen.folder import check_target, whole_folder
    from weft.importers import import_model
    from weft.kernels.module import kernel_module
    from weft.relax.to_integer import to_integer
    from weft.relax.to_stages import to_stages
    from weft.transforms.pipeline import Dump, run_passes

    keep: _TemporaryFolder | None = None
    if folder is None:
        keep = _TemporaryFolder()
        folder = keep.path / name
    check_target(folder)
    dump = Dump(Path(dump_ir) if dump_ir is not None else None)
    relax_module, unsupported = import_model(model if data is None else data, name, params)
    dump.text("import", ".relax.py", relax_module.script())
    integer = to_integer(relax_module, name, unsupported)
    dump.text("integer-stages", ".relax.py", integer.script())
    compilation = run_passes(to_stages(integer), dump)
    pe_class = _pe_class(machine)
    from weft.codegen.build import finish, precheck

    precheck(compilation, pe_class)
    kernels = kernel_module(compilation.kernels.values(), schedules)
    dump.module("kernels", kernels)
    with whole_folder(folder, replace=not in_cache) as scratch:
        finish(compilation, kernels, scratch, name, data, machine, pe_class)
    return load_program(folder, keep)

# SPDX-License-Identifier: Apache-2.0
"""From a model to a compiled program: the steps in order, and the cache around them."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft import __version__
from weft.codegen.toolchain import target_compiler_path
from weft.devices import load_device
from weft.devices.accelerator import accelerators_by_class
from weft.errors import MachineError, MappingError, ModelError
from weft.importers import whole_model
from weft.kernels.tuned import Tuned
from weft.machines import DeviceUse, Machine, device_use, load_machine
from weft.machines.model import WEIGHTS
from weft.mapping.source import read_mapping, shown
from weft.paths import cache_folder, runtime_folder
from weft.program import Program, load_program

if TYPE_CHECKING:
    from weft.kernels.base import Kernel, ScheduleFunction
    from weft.mapping.mapping import Mapping as NetworkMapping
    from weft.placing import Placing
    from weft.transforms.compilation import Compilation
    from weft.transforms.pipeline import Dump

# Neither format can have larger files.
_MAX_MODEL_BYTES = (1 << 31) - 1


def compile_model(
    model: Any,
    machine: str | Path | Machine | None = None,
    *,
    output: str | Path | None = None,
    params: Mapping[str, Any] | None = None,
    schedules: Mapping[str, ScheduleFunction] | None = None,
    mapping: str | Path | Mapping[str, Any] | None = None,
    pes: int | None = None,
    hand_written: bool = True,
    tuned: str | Path | Mapping[str, Any] | None = None,
    devices: Sequence[str | DeviceUse] = (),
    weights: str = "sram",
    dump_ir: str | Path | None = None,
) -> Program:
    """Compiles a model for a machine.

    ``model`` is the path or the bytes of a TFLite or ONNX file, a ``tvm.IRModule`` of Relax, or a
    ``torch.export.ExportedProgram``; ``params`` binds parameters of a module by name (NumPy
    arrays). ``machine`` is a bundled name, the path of a machine file, or
    a machine; by default the one that ``load_machine()`` gives.

    ``output`` is the folder to write; without it the program goes to the cache, where a later call
    with the same arguments finds it. ``schedules`` replaces the TensorIR schedule of a family of
    kernels (``{"conv2d": f}`` with ``f(kernel, schedule)``), which are then generated even where
    hand-written ones would be used; without ``hand_written`` all are generated. ``tuned``
    is what ``weft tune`` wrote, or what ``json`` would read from it: schedules of single kernels,
    where they are generated and ``schedules`` says nothing of their family. ``mapping`` is a
    mapping file, or what ``json`` would read from one (docs/formats/mapping.md): stages that it
    does not name are mapped by rule. ``pes`` limits the rule to that many PEs, and lets them work
    more than ``MOST_WORK`` of ``weft.placing``. ``devices`` are devices that every PE has beside
    those of the machine file, as ``--device`` names them. With ``weights`` ``"dram"``, large
    weights lie in DRAM, from where a device of each PE copies them when they are needed; else,
    ``"sram"``, all are in the PEs' memory. ``dump_ir`` is a folder for the IR after every pass.

    Raises ``ModelError``, ``UnsupportedError``, ``MachineError``, ``DeviceError``,
    ``MappingError``, ``TuningError``, ``DoesNotFitError``, ``ProgramError`` or ``ToolchainError``.
    """
    found = _machine(machine, devices, weights)
    decided = None if tuned is None else Tuned.of(tuned)
    data, name = model_bytes(model)
    request = MappingRequest.of(mapping, pes)
    job = _Job(model, data, name, found, request, params, schedules, hand_written, decided, dump_ir)
    is_usual = hand_written and not schedules and dump_ir is None
    if output is not None or data is None or not is_usual:
        return job.compile(Path(output) if output is not None else None)
    folder = cache_folder() / "programs" / _cache_key(data, name, found, request, decided)
    if (folder / "manifest.json").is_file():
        return load_program(folder)
    return job.compile(folder, in_cache=True)


def _machine(
    machine: str | Path | Machine | None, devices: Sequence[str | DeviceUse], weights: str
) -> Machine:
    """A machine with some more devices, which are looked at before anything else is done."""
    if weights not in WEIGHTS:
        raise MachineError(f"weights lie in {' or '.join(WEIGHTS)}, not in {weights!r}")
    found = machine if isinstance(machine, Machine) else load_machine(machine)
    found = found.with_devices([device_use(d) if isinstance(d, str) else d for d in devices])
    accelerators_by_class(found.device_uses())
    return found.with_weights(weights)


def model_bytes(model: Any) -> tuple[bytes | None, str]:
    """The bytes of a model file and what to call it; no bytes for a Relax module."""
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model), "model"
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        return whole_model(_file_bytes(path), path), path.stem
    if type(model).__name__ in ("IRModule", "ExportedProgram"):
        return None, "module"
    raise ModelError(
        "a model is a path, bytes of a TFLite or ONNX file, a tvm.IRModule or a program of "
        "torch.export, not "
        f"{type(model).__name__}"
    )


def _file_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise ModelError(f"{path} is a folder; give a model file")
        if not path.is_file():
            raise ModelError(f"{path} is no regular file; give a model file")
        if size > _MAX_MODEL_BYTES:
            raise ModelError(f"{path} has {size} bytes, at most {_MAX_MODEL_BYTES} are read")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ModelError(f"{str(path)!r} cannot be read: {error}") from None


@functools.lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Of everything that decides what is generated: this package and the runtime."""
    digest = hashlib.sha256(__version__.encode())
    package = Path(__file__).resolve().parent
    runtime = runtime_folder()
    patterns = [(package, "*.py"), (package, "*.json")]
    patterns += [(runtime, p) for p in ("*.[chS]", "*.cmake", "*.py", "*.toml")]
    for root, pattern in patterns:
        for path in sorted(root.rglob(pattern)):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _cache_key(
    data: bytes, name: str, machine: Machine, request: MappingRequest, tuned: Tuned | None
) -> str:
    digest = hashlib.sha256()
    tools = f"{version('apache-tvm')} {version('xdsl')} {target_compiler_path()}"
    wishes = (request.fingerprint(), "" if tuned is None else tuned.fingerprint())
    texts = (name, repr(machine), _fingerprint(), tools, *wishes, *_devices(machine))
    for part in (data, *(text.encode() for text in texts)):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:32]


def _devices(machine: Machine) -> Iterator[str]:
    """Text that differs when the files of a device do."""
    kinds = {use.kind for c in machine.classes.values() for use in c.devices}
    for folder in sorted({load_device(kind).folder for kind in kinds}):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            if path.parent.name != "__pycache__":
                yield f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}"


class _TemporaryFolder:
    """A folder that goes away, quietly, with the last program that lies in it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="weft-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class MappingRequest:
    """What the user wants of the mapping: what a mapping file holds, what messages call it, and how
    many PEs at most."""

    mapping: Any
    where: str
    pes: int | None

    @staticmethod
    def of(mapping: str | Path | Mapping[str, Any] | None, pes: int | None) -> MappingRequest:
        """``mapping`` is a file or its data. Raises ``MappingError`` if it is no JSON."""
        data, where = (None, "") if mapping is None else read_mapping(mapping)
        if mapping is not None and not isinstance(data, dict):
            raise MappingError(f"{where}: the file: must be an object, not {shown(data)}")
        return MappingRequest(data, where, pes)

    def placing(
        self, stages: Compilation, machine: Machine, generated: Collection[str] = ()
    ) -> Placing:
        """Kernels of the families ``generated`` are not hand-written. Raises ``MappingError``."""
        from weft.placing import Placing

        return Placing(stages, machine, self.mapping, self.pes, self.where, generated)

    def fingerprint(self) -> str:
        """Text that differs whenever the request does."""
        return json.dumps([self.mapping, self.pes], sort_keys=True)


def stage_graph(model: Any, params: Mapping[str, Any] | None = None) -> tuple[str, Compilation]:
    """A model's name and its stage graph. Raises ``ModelError`` or ``UnsupportedError``."""
    from weft.transforms.pipeline import Dump

    data, name = model_bytes(model)
    return name, _stages(model if data is None else data, name, params, Dump(None))


def _stages(source: Any, name: str, params: Mapping[str, Any] | None, dump: Dump) -> Compilation:
    # Imported here: these import TVM.
    from weft.importers import import_model
    from weft.relax.channels_last import channels_last
    from weft.relax.to_integer import to_integer
    from weft.relax.to_stages import to_stages
    from weft.transforms.to_mesh import unique_labels

    relax_module, unsupported = import_model(source, name, params)
    dump.text("import", ".relax.py", relax_module.script())
    relax_module = channels_last(relax_module)
    dump.text("channels-last", ".relax.py", relax_module.script())
    integer = to_integer(relax_module, name, unsupported)
    dump.text("integer-stages", ".relax.py", integer.script())
    stages = unique_labels(to_stages(integer))
    dump.module("stages", stages.module)
    return stages


def check_mapping(
    model: Any,
    machine: str | Path | Machine | None = None,
    *,
    mapping: str | Path | Mapping[str, Any] | None = None,
    pes: int | None = None,
    params: Mapping[str, Any] | None = None,
    devices: Sequence[str | DeviceUse] = (),
    weights: str = "sram",
) -> dict[str, Any]:
    """Everything that ``compile`` checks of a mapping before it makes code: boxes, PEs, liveness,
    memory without code. Gives ``pes_used``, ``predicted_fps``, ``limited_by`` and the like.

    Raises what ``compile`` raises.
    """
    found = _machine(machine, devices, weights)
    request = MappingRequest.of(mapping, pes)
    _, stages = stage_graph(model, params)
    placing = request.placing(stages, found)
    placed = placing.search(placing.place)
    return {
        "machine": found.name,
        "pes_used": len(placed.workers),
        "programs": len(placed.mesh.programs),
        "stages": len(placing.stages),
        **placed.compilation.facts["timing"],
    }


def generated_kernels(
    model: Any, machine: str | Path | Machine | None = None, *, hand_written: bool = True
) -> list[Kernel]:
    """The kernels of a program that are made from TensorIR, of one PE.

    Raises what ``compile_model`` raises before it makes code.
    """
    from weft.kernels.base import TensorKernel
    from weft.transforms.choose_kernels import FAMILIES

    _, stages = stage_graph(model)
    generated = frozenset() if hand_written else FAMILIES
    placing = MappingRequest.of(None, 1).placing(stages, _machine(machine, (), "sram"), generated)
    kernels = placing.search(placing.place).compilation.kernels
    return [kernel for kernel in kernels.values() if isinstance(kernel, TensorKernel)]


@dataclass(frozen=True)
class _Job:
    """What one call of ``compile_model`` asks for."""

    model: Any
    data: bytes | None
    name: str
    machine: Machine
    request: MappingRequest
    params: Mapping[str, Any] | None
    schedules: Mapping[str, ScheduleFunction] | None
    hand_written: bool
    tuned: Tuned | None
    dump_ir: str | Path | None

    def compile(self, folder: Path | None, *, in_cache: bool = False) -> Program:
        from weft.codegen.build import finish
        from weft.codegen.folder import check_target, whole_folder
        from weft.kernels.module import kernel_module
        from weft.transforms.choose_kernels import FAMILIES
        from weft.transforms.pipeline import Dump

        keep: _TemporaryFolder | None = None
        if folder is None:
            keep = _TemporaryFolder()
            folder = keep.path / self.name
        check_target(folder)
        dump = Dump(Path(self.dump_ir) if self.dump_ir is not None else None)
        source = self.model if self.data is None else self.data
        stages = _stages(source, self.name, self.params, dump)
        generated = frozenset(self.schedules or {}) if self.hand_written else FAMILIES
        placing = self.request.placing(stages, self.machine, generated)

        def write(mapping: NetworkMapping) -> None:
            placed = placing.place(mapping, dump)
            used = placed.compilation.kernels.values()
            kernels = kernel_module(used, self._schedules(used))
            dump.module("kernels", kernels)
            with whole_folder(folder, replace=not in_cache) as scratch:
                finish(placed, kernels, scratch, self.name, self.data)

        placing.search(write)
        return load_program(folder, keep)

    def _schedules(self, kernels: Collection[Kernel]) -> Mapping[str, ScheduleFunction]:
        if self.tuned is None:
            return self.schedules or {}
        self.tuned.check(kernels)
        return self.tuned.schedules(kernels, self.schedules or {})

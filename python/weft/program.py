# SPDX-License-Identifier: Apache-2.0
"""A compiled program: a folder that can be run, built into firmware, or looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.errors import EngineError, ProgramError

if TYPE_CHECKING:
    from weft.engines.session import Session

ENGINES = ("native", "timed", "cortex-m4")

#: Tasks of no stage: borders of slots, parts of results, and constants that are outputs.
PREPARATION = ("border", "copy")


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: ``dtype`` is a NumPy name, ``shape`` includes the batch."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """A compiled program in ``folder`` with its ``manifest`` (docs/formats/manifest.md)."""

    folder: Path
    manifest: dict[str, Any]
    _keep: object = None

    def _channels(self, direction: str) -> list[TensorInfo]:
        return [
            TensorInfo(c["name"], c["dtype"], tuple(c["shape"]))
            for c in self.manifest["channels"]
            if c["direction"] == direction
        ]

    @property
    def inputs(self) -> list[TensorInfo]:
        """In the order of the model."""
        return self._channels("in")

    @property
    def outputs(self) -> list[TensorInfo]:
        """In the order of the model."""
        return self._channels("out")

    @property
    def sram_bytes(self) -> int:
        """What the fullest PE needs, in bytes, stack included."""
        return max(int(pe.get("sram_bytes", 0)) for pe in self.manifest["pes"])

    @property
    def pes(self) -> list[dict[str, Any]]:
        """The manifest's rows of the PEs that have something to do."""
        return [pe for pe in self.manifest["pes"] if pe["program"] is not None]

    @property
    def stages(self) -> list[str]:
        """The stages of the network, in the order in which they can be computed."""
        return list(self.manifest["stages"])

    @property
    def predicted_fps(self) -> float:
        """The frames a second that no schedule on the machine exceeds, by its cost data."""
        return float(self.manifest["timing"]["predicted_fps"])

    @property
    def limited_by(self) -> str:
        """What that rate is limited by: a PE, a link, or credits."""
        return str(self.manifest["timing"]["limited_by"])

    def open(
        self,
        engine: str = "native",
        *,
        threads: int | None = None,
        machine_code: Sequence[str] | None = None,
        device_seconds: float | None = None,
    ) -> Session:
        """Starts an engine: ``native``, ``timed`` or ``cortex-m4``. Use the session as a context
        manager.

        ``threads`` are for ``native`` and step its PEs: by default as many as there are processors,
        and none for a single PE, which the caller's thread steps. ``machine_code`` is for
        ``cortex-m4`` and names the PEs that run as machine code, such as ``"(0,0).0"``: by default
        all; the others run as in ``native``. ``device_seconds`` is what a job of a device may take
        at most, 30 s unless said otherwise: of this computer's time, or with ``timed`` of the
        machine's.

        Raises ``EngineError`` if there is no such engine, or if the emulator that ``cortex-m4``
        needs is not installed, ``ToolchainError`` if the host library or an image cannot be built.
        """
        if engine not in ENGINES:
            raise EngineError(f"there is no engine '{engine}'; there are: {', '.join(ENGINES)}")
        if engine != "native" and threads is not None:
            raise EngineError(f"the engine {engine} takes no threads: leave them out")
        if engine == "cortex-m4":
            from weft.engines.cortex_m4.session import MachineCodeSession

            if device_seconds is not None:
                raise EngineError("images have deadlines of their own: leave device_seconds out")
            return MachineCodeSession(self, machine_code)
        if machine_code is not None:
            raise EngineError("PEs run as machine code with the engine cortex-m4 only")
        if engine == "timed":
            from weft.engines.timed.session import TimedSession

            return TimedSession(self, device_seconds)
        from weft.engines.native import NativeSession

        return NativeSession(self, threads, device_seconds=device_seconds)


def load_program(folder: str | Path, keep: object = None) -> Program:
    """Reads a compiled program. ``keep`` is held for as long as the program lives.

    Raises ``ProgramError`` if the folder holds none, or if files are missing.
    """
    from weft.codegen.manifest import read_manifest

    path = Path(folder)
    manifest = read_manifest(path)
    for name in manifest["files"]:
        if not (path / name).is_file():
            raise ProgramError(f"{path} lacks {name}; compile it again")
    return Program(path, manifest, keep)

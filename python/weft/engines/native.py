# SPDX-License-Identifier: Apache-2.0
"""The ``native`` engine: PEs in this process, generated C compiled for this machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weft import _native
from weft.engines.library import host_library
from weft.engines.session import Array, Session
from weft.errors import EngineError, ProgramError
from weft.program import Program

# A frame that takes longer than this has gone wrong: the largest networks take seconds.
FRAME_SECONDS = 600.0


class NativeSession(Session):
    """One PE that runs the whole network."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._library = _native.Library(str(host_library(program)))
        expected = program.manifest["runtime_sha256"]
        if self._library.runtime_hash != expected:
            raise EngineError(f"{program.folder}: its library was built from another runtime")
        (name,) = self._library.program_names
        constants = (program.folder / f"{name}_constants.bin").read_bytes()
        try:
            self._pe: _native.Pe | None = _native.Pe(self._library, 0, constants)
        except RuntimeError as error:
            raise ProgramError(f"{program.folder} is damaged ({error}); compile it again") from None
        self._inputs = range(len(program.inputs))
        self._outputs = range(len(program.inputs), len(program.inputs) + len(program.outputs))

    @property
    def runtime_hash(self) -> str:
        """SHA-256 of the runtime sources in the loaded library."""
        return self._library.runtime_hash

    def _open_pe(self) -> _native.Pe:
        if self._pe is None:
            raise EngineError("the session is closed; open the program again")
        return self._pe

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        pe = self._open_pe()
        self._release_outputs(pe)
        for channel, frame in zip(self._inputs, inputs, strict=True):
            if not pe.feed(channel, frame):
                raise EngineError(f"input {channel} is still in use by an earlier frame")
        self._run_until_idle(pe)
        results = []
        for channel, info in zip(self._outputs, self.program.outputs, strict=True):
            result = np.empty(info.shape, info.dtype)
            if not pe.fetch(channel, result):
                raise EngineError(f"no frame came out at '{info.name}'")
            results.append(result)
        return results

    def _release_outputs(self, pe: _native.Pe) -> None:
        """Gives back what a run in place left in the output slots."""
        for channel in self._outputs:
            pe.release(channel)

    def _run_until_idle(self, pe: _native.Pe) -> None:
        try:
            if pe.run(FRAME_SECONDS):
                return
        except RuntimeError as error:
            raise EngineError(f"PE 0: {error}") from None
        raise EngineError(f"a frame did not end within {FRAME_SECONDS:.0f} s")

    def slots(self) -> tuple[list[np.ndarray[tuple[int, int], np.dtype[np.uint8]]], list[Array]]:
        """The slots of all inputs and outputs in the PE's own memory: views of (rows, bytes a
        row), not copies. Write inputs, call ``run_in_place``, read outputs."""
        pe = self._open_pe()
        return [pe.slot(c) for c in self._inputs], [pe.slot(c) for c in self._outputs]

    def run_in_place(self) -> None:
        """Runs the frame that lies in the input slots; results are then in the output slots,
        which are the caller's until the next call."""
        pe = self._open_pe()
        self._release_outputs(pe)
        for channel in self._inputs:
            pe.publish(channel)
        self._run_until_idle(pe)

    def close(self) -> None:
        """Frees the PE's memory."""
        self._pe = None

# SPDX-License-Identifier: Apache-2.0
"""A machine's PEs in this process, with several programs beside each other."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from weft import _native
from weft.engines.native import NativeSession
from weft.errors import EngineError
from weft.machines import Machine, Pe, load_machine
from weft.program import Program


class Mesh:
    """Programs are loaded onto free PEs and run as streams of their own: what happens to one, an
    end or a failure, changes nothing of another. ``threads`` step all of them, by default as many
    as there are processors. Use it as a context manager."""

    def __init__(self, machine: str | Path | Machine, threads: int | None = None) -> None:
        """``machine`` is a bundled name, a machine file, or a machine. Raises ``MachineError``."""
        self.machine = machine if isinstance(machine, Machine) else load_machine(machine)
        count = (os.cpu_count() or 1) if threads is None else threads
        if count < 1:
            raise EngineError(f"a mesh cannot be stepped by {count} threads")
        self._workers: _native.Workers | None = _native.Workers(count)
        self._free = dict.fromkeys(self.machine.usable())
        self._sessions: list[NativeSession] = []

    @property
    def free_pes(self) -> list[Pe]:
        """The usable PEs that no program is on."""
        return list(self._free)

    @property
    def sessions(self) -> list[NativeSession]:
        """The open streams, in the order in which they were loaded."""
        return list(self._sessions)

    def load(self, program: Program, pes: Sequence[Pe] | None = None) -> NativeSession:
        """Puts a program on ``pes``, in the order of the manifest's rows; without them on those
        that it was compiled for if they are free, or else on free ones of the same classes.

        The session's ``close`` takes it off again. Raises ``EngineError`` if PEs are taken, too few
        or of another class.
        """
        if self._workers is None:
            raise EngineError("the mesh is closed")
        places = self._choose(program) if pes is None else self._checked(program, list(pes))
        session = NativeSession(
            program, workers=self._workers, places=[str(p) for p in places], on_close=self._unload
        )
        for place in places:
            del self._free[place]
        session.pes = tuple(places)
        self._sessions.append(session)
        return session

    def _choose(self, program: Program) -> list[Pe]:
        own = {(str(pe), self.machine.class_of(pe).name): pe for pe in self._free}
        wanted = [(row["name"], row["pe_class"]) for row in program.pes]
        if program.manifest["machine"] == self.machine.name and all(w in own for w in wanted):
            return [own[w] for w in wanted]
        free: dict[str, list[Pe]] = {}
        for pe in self._free:
            free.setdefault(self.machine.class_of(pe).name, []).append(pe)
        needed = Counter(row["pe_class"] for row in program.pes)
        for name, count in needed.items():
            if len(free.get(name, [])) < count:
                raise EngineError(
                    f"{_name(program)} needs {count} PEs of class {name}; "
                    f"{self.machine.name} has {len(free.get(name, []))} free"
                )
        return [free[row["pe_class"]].pop(0) for row in program.pes]

    def _checked(self, program: Program, pes: list[Pe]) -> list[Pe]:
        rows = program.pes
        if len(pes) != len(rows) or len(set(pes)) != len(pes):
            raise EngineError(
                f"{_name(program)} goes on {len(rows)} different PEs; {len(pes)} given"
            )
        for pe, row in zip(pes, rows, strict=True):
            if pe not in self._free:
                raise EngineError(f"PE {pe} of {self.machine.name} is not free")
            if self.machine.class_of(pe).name != row["pe_class"]:
                raise EngineError(
                    f"PE {pe} is of class {self.machine.class_of(pe).name}; "
                    f"{_name(program)} was compiled for {row['pe_class']} there"
                )
        return pes

    def _unload(self, session: NativeSession) -> None:
        self._sessions.remove(session)
        taken = {*self._free, *session.pes}
        self._free = dict.fromkeys(pe for pe in self.machine.usable() if pe in taken)

    def close(self) -> None:
        """Ends all streams and frees everything."""
        for session in self.sessions:
            session.close()
        self._workers = None

    def __enter__(self) -> Mesh:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _name(program: Program) -> str:
    return str(program.manifest["model"]["name"])

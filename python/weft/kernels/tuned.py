# SPDX-License-Identifier: Apache-2.0
"""Tuned schedules: decisions about kernels by name, as ``weft tune`` finds and writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.errors import TuningError
from weft.kernels.base import Kernel, ScheduleFunction, TensorKernel
from weft.kernels.schedule_space import Decisions, apply, choices, space_of

if TYPE_CHECKING:
    from tvm.s_tir import Schedule

FORMAT = 1


@dataclass(frozen=True)
class Tuned:
    """Decisions by the name of a kernel; ``where`` is what messages call them."""

    kernels: Mapping[str, Decisions]
    where: str = "tuned schedules"

    @staticmethod
    def of(source: str | Path | Mapping[str, Any]) -> Tuned:
        """From a file, or from what ``json`` would read of it. Raises ``TuningError``."""
        if isinstance(source, Mapping):
            return _parsed(source, "tuned schedules")
        where = str(source)
        try:
            return _parsed(json.loads(Path(source).read_text(encoding="utf-8")), where)
        except OSError as error:
            raise TuningError(f"{where} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise TuningError(f"{where} is not JSON: {error}") from None

    def check(self, kernels: Iterable[Kernel]) -> None:
        """That some of a program's kernels are named, and can be scheduled as it says.

        Raises ``TuningError``.
        """
        known = {kernel.name: kernel for kernel in kernels}
        if not set(known) & set(self.kernels):
            named = ", ".join(sorted(self.kernels)) or "nothing"
            raise TuningError(
                f"{self.where} is of other kernels than this program's: it names {named}, and "
                "kernels that are hand-written have no schedule; leave it out, or tune this model"
            )
        for name in sorted(set(known) & set(self.kernels)):
            self._check(known[name])

    def _check(self, kernel: Kernel) -> None:
        options, given = space_of(kernel), self.kernels[kernel.name]
        whose = f"{self.where}: kernels.{kernel.name}.decisions"
        if set(options) != set(given):
            raise TuningError(
                f"{whose}: are {_listed(given)}, where this version decides {_listed(options)}; "
                "tune again"
            )
        if dict(given) not in list(choices(kernel)):
            raise TuningError(f"{whose}: {dict(given)} is none of what may be chosen; tune again")

    def schedules(
        self, kernels: Iterable[Kernel], given: Mapping[str, ScheduleFunction]
    ) -> dict[str, ScheduleFunction]:
        """What schedules each family of these kernels: what is ``given``, else these decisions."""
        found = dict(given)
        for kernel in kernels:
            if kernel.name in self.kernels:
                found.setdefault(kernel.family, self._schedule)
        return found

    def _schedule(self, kernel: Kernel, sch: Schedule) -> None:
        assert isinstance(kernel, TensorKernel)
        if kernel.name in self.kernels:
            apply(kernel, sch, self.kernels[kernel.name])
        else:
            kernel.schedule(sch)

    def fingerprint(self) -> str:
        """Text that differs whenever the decisions do."""
        return json.dumps({name: dict(d) for name, d in self.kernels.items()}, sort_keys=True)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _parsed(data: Any, where: str) -> Tuned:
    if not isinstance(data, Mapping):
        raise TuningError(f"{where}: the file: must be an object")
    if data.get("format") != FORMAT or isinstance(data["format"], bool):
        raise TuningError(
            f"{where}: format: is {data.get('format')!r}; this Weft reads format {FORMAT}"
        )
    kernels = _object(data.get("kernels"), f"{where}: kernels")
    found = {}
    for name, row in kernels.items():
        whose = f"{where}: kernels.{name}"
        decisions = _object(_object(row, whose).get("decisions"), f"{whose}.decisions")
        for key, value in decisions.items():
            if isinstance(value, bool) or not isinstance(value, int):
                raise TuningError(f"{whose}.decisions.{key}: must be an integer, not {value!r}")
        found[str(name)] = dict(decisions)
    return Tuned(found, where)


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TuningError(f"{where}: must be an object, not {value!r}")
    return value

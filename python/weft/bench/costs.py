# SPDX-License-Identifier: Apache-2.0
"""``weft bench costs``: cost data of machine files, fitted to counted machine code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from weft.bench.counting import compile_single, count_frames
from weft.bench.samples import FiringSample, StageSample, firing_samples, stage_samples
from weft.compiler import compile_model
from weft.errors import InputError
from weft.exported_graph import graph
from weft.machines.model import COSTS_BY_KIND

#: Where the samples come from beside one PE: networks whole and cut, many layers and few a PE.
MACHINES: Sequence[tuple[str, int | None]] = (
    ("grid-4x4", 4),
    ("grid-4x4", None),
    ("spinn2-chip", 40),
)

_GENERAL_TERMS: Sequence[Callable[[StageSample], float]] = (
    lambda sample: sample.inner,
    lambda sample: sample.elements,
)
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Fit:
    """Cycles for each of some terms, and how far off they are: the mean and the largest relative
    error, and the sample that has it."""

    cycles: tuple[float, ...]
    samples: int
    mean_error: float
    largest_error: float
    worst: str

    def facts(self) -> dict[str, Any]:
        """The error alone."""
        return {key: value for key, value in asdict(self).items() if key != "cycles"}


def fit_costs(models: Mapping[str, Path], machine: str | None, pes: int | None) -> dict[str, Any]:
    """Counts every model on one PE and on meshes (``MACHINES``, or ``machine`` with ``pes``), and
    fits what a machine file says of costs.

    Errors are relative, so small boxes count as much as large ones; no figure is negative. Raises
    what ``compile_model`` does, and ``EngineError``.
    """
    stages: list[StageSample] = []
    firings: list[FiringSample] = []
    for path in models.values():
        stage_graph = graph(path, machine)
        programs = [compile_single(path)]
        meshes = MACHINES if machine is None else ((machine, pes),)
        programs += [compile_model(path, name, pes=count) for name, count in meshes]
        for program in programs:
            work = count_frames(program)
            stages += stage_samples(program, stage_graph, work)
            firings += firing_samples(program, work)
    return {**_fit_stages(stages), **_fit_firings(firings)}


def _fit_stages(samples: Sequence[StageSample]) -> dict[str, Any]:
    tables: dict[str, dict[str, float]] = {key: {} for key in COSTS_BY_KIND}
    errors: dict[str, Any] = {}
    general: dict[str, float] = {}
    for kind in sorted({sample.kind for sample in samples if sample.cycles}):
        alike = [sample for sample in samples if sample.kind == kind and sample.cycles]
        fit = _fit_kind(alike)
        # What has another default than nothing.
        kept = {"elements", "kinds"} if alike[0].has_macs else {"elements"}
        for key, cycles in zip(COSTS_BY_KIND, fit.cycles, strict=True):
            if cycles > 0 or key in kept:
                tables[key][kind] = cycles
        errors[kind] = fit.facts()
    for key, has_macs in (("mac", True), ("element", False)):
        chosen = [s for s in samples if s.has_macs == has_macs and s.cycles]
        if chosen:
            general[key] = fit_terms(chosen, _GENERAL_TERMS).cycles[0 if has_macs else 1]
    return {**general, **tables, "errors": errors}


def _fit_kind(samples: Sequence[StageSample]) -> Fit:
    """In the order of ``COSTS_BY_KIND``."""
    if not samples[0].has_macs:
        fit = fit_terms(samples, _GENERAL_TERMS)
        return replace(fit, cycles=(*fit.cycles, 0.0, 0.0))
    return fit_terms(samples, (*_GENERAL_TERMS, _window_elements, _pixels))


def _window_elements(sample: StageSample) -> float:
    return sample.inner / sample.channels


def _pixels(sample: StageSample) -> float:
    return sample.elements / sample.channels


def _fit_firings(samples: Sequence[FiringSample]) -> dict[str, Any]:
    keys = ("firing", "task", "message", "byte")
    terms = (lambda s: s.firings, lambda s: s.tasks, lambda s: s.messages, lambda s: s.bytes)
    fit = fit_terms(samples, terms)
    return {**dict(zip(keys, fit.cycles, strict=True)), "firing_error": fit.facts()}


def fit_terms(samples: Sequence[Any], terms: Sequence[Callable[[Any], float]]) -> Fit:
    """Cycles for each term, none negative, with the least sum of squares of relative errors.

    Terms are few, so all choices of those that are not zero are tried. A term that the others
    determine gets nothing, since samples say nothing of it. Raises ``InputError`` for no samples.
    """
    if not samples:
        raise InputError("nothing was counted that costs could be fitted to")
    cycles = np.array([sample.cycles for sample in samples], float)
    given: Array = np.array([[term(sample) for term in terms] for sample in samples], float)
    relative = given / cycles[:, None]
    best, least = np.zeros(len(terms)), float(len(samples))
    for size in range(1, len(terms) + 1):
        for chosen in combinations(range(len(terms)), size):
            columns = relative[:, chosen]
            if np.linalg.matrix_rank(columns) < size:
                continue
            found = np.linalg.lstsq(columns, np.ones(len(samples)), rcond=None)[0]
            error = float(np.sum((columns @ found - 1) ** 2))
            if np.all(found >= 0) and error < least * (1 - 1e-9):
                best, least = np.zeros(len(terms)), error
                best[list(chosen)] = found
    errors = np.abs(relative @ best - 1)
    return Fit(
        tuple(round(float(value), 3) for value in best),
        len(samples),
        round(float(np.mean(errors)), 4),
        round(float(np.max(errors)), 4),
        samples[int(np.argmax(errors))].name,
    )

# SPDX-License-Identifier: Apache-2.0
"""A device against a reference on random jobs: the smallest job that differs is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from weft.errors import DeviceError
from weft.testing.device_library import DeviceLibrary, Job

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Does a job as the device should: writes to the arrays that are ``written``.
Reference = Callable[[Job], None]


class DeviceMismatchError(AssertionError):
    """A device's bytes are not those of the reference. ``job`` is the smallest that shows it."""

    def __init__(self, message: str, job: Job) -> None:
        self.job = job
        super().__init__(message)


def compare_device(
    library: DeviceLibrary,
    jobs: SearchStrategy[Job],
    reference: Reference,
    *,
    examples: int = 100,
) -> None:
    """Does ``examples`` random jobs on device and reference; every byte must agree.

    ``jobs`` is a hypothesis strategy of jobs, ``reference`` gets a job with arrays of its own.
    Raises ``DeviceMismatchError`` with the smallest job that differs, or that the device does not
    end as done, ``DeviceError`` without hypothesis.
    """
    try:
        import hypothesis
    except ImportError:
        raise DeviceError(
            "comparing devices takes the Python package hypothesis: pip install hypothesis"
        ) from None

    # Every example is judged anew, always the same ones: no examples of earlier runs.
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(jobs)
    def check(job: Job) -> None:
        compare_job(library, job, reference)

    check()


def compare_job(library: DeviceLibrary, job: Job, reference: Reference) -> None:
    """The same for one job. Its arrays stay as they are."""
    done, expected = _copy(job), _copy(job)
    name = library.device.name
    try:
        (state,) = library.run(done)
    except DeviceError as error:
        raise DeviceMismatchError(f"{error}; job: {_shown(job)}", job) from None
    if state != "ok":
        raise DeviceMismatchError(f"device {name} reports '{state}'; job: {_shown(job)}", job)
    reference(expected)
    for field in library.device.descriptor.written:
        if not isinstance(done[field], np.ndarray):
            continue
        if done[field].tobytes() == expected[field].tobytes():
            continue
        where = _first_difference(done[field], expected[field])
        raise DeviceMismatchError(f"device {name}: {field}{where}; job: {_shown(job)}", job)


def _copy(job: Job) -> dict[str, Any]:
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in job.items()}


def _first_difference(got: Any, expected: Any) -> str:
    """Bytes are compared: one nan may differ from another."""
    size = got.dtype.itemsize
    pairs = zip(_pieces(got.tobytes(), size), _pieces(expected.tobytes(), size), strict=True)
    at = next(i for i, (a, b) in enumerate(pairs) if a != b)
    place = np.unravel_index(at, got.shape)
    shown = ", ".join(str(int(i)) for i in place)
    return f"[{shown}] is {got[place]}, not {expected[place]}"


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def _shown(job: Job) -> str:
    return ", ".join(
        f"{name}={value.dtype}{list(value.shape)} {value.tolist()}"
        if isinstance(value, np.ndarray)
        else f"{name}={value}"
        for name, value in job.items()
    )

# SPDX-License-Identifier: Apache-2.0
"""Where candidates are measured: processes of this computer, or the workers of a Ray cluster."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from weft.errors import TuningError

_T = TypeVar("_T")
_R = TypeVar("_R")
#: Calls a function of a module with every item, in parallel; results in the order of the items.
#: Function, items and results are pickled. Exceptions of the function come out.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]

# Of all items of a call together.
_SECONDS = 3600.0
_CONNECT_SECONDS = 10.0


@contextmanager
def local_workers(jobs: int) -> Iterator[Map]:
    """Processes of this computer, which live as long as the context.

    A call raises ``TuningError`` if one of them dies, or if it takes longer than an hour.
    """
    # Not forked: TVM has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:

        def run(function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
            try:
                return list(pool.map(function, items, timeout=_SECONDS))
            except BrokenProcessPool:
                raise TuningError(
                    "a process that measured died, for want of memory perhaps: use fewer --jobs"
                ) from None
            except TimeoutError:
                raise _late() from None

        yield run


@contextmanager
def ray_workers(address: str) -> Iterator[Map]:
    """The workers of the Ray cluster at ``address``, as ``ray.init`` takes it. They need Weft, of
    this version, and what the engine ``cortex-m4`` does.

    Raises ``TuningError`` if Ray is not installed or no cluster answers, and as ``local_workers``.
    """
    try:
        import ray
    except ImportError:
        raise TuningError("--ray needs the Python package ray: pip install weft[ray]") from None
    _check_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise TuningError(f"no Ray cluster answers at {address}: {error}") from None

    def run(function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        remote = ray.remote(_called)
        tasks = [remote.remote(function, item) for item in items]
        try:
            found: list[_R] = ray.get(tasks, timeout=_SECONDS)
        except ray.exceptions.GetTimeoutError:
            raise _late() from None
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise TuningError(f"the Ray cluster at {address} failed: {error}") from None
        return found

    try:
        yield run
    finally:
        ray.shutdown()


def _called(function: Callable[[_T], _R], item: _T) -> _R:
    """Ray takes no built-in functions."""
    return function(item)


def _check_reachable(address: str) -> None:
    """That somebody listens at ``[ray://]HOST:PORT``: Ray itself tries for minutes."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator:
        return  # "auto" and the like, which Ray knows at once
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError, ValueError) as error:
        raise TuningError(f"no Ray cluster answers at {address}: {error}") from None


def _late() -> TuningError:
    return TuningError(f"candidates were not measured within {_SECONDS:.0f} s: tune fewer trials")

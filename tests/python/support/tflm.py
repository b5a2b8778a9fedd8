"""The oracle: TensorFlow Lite Micro, through its own Python interpreter.

TFLM answers most models it does not like with an error status, but some checks abort the process
(every TFLITE_CHECK, and plain faults such as an arithmetic exception in a kernel). The interpreter
therefore lives in a worker process that is started on first use and again after it died: a refusal
and a crash both arrive here as a TflmError, with the messages that TFLM printed.
"""

from __future__ import annotations

import atexit
import os
import pickle
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

_FIRST_ARENA_BYTES = 1 << 20
_LAST_ARENA_BYTES = 1 << 28


class TflmError(RuntimeError):
    """TFLM refused the model or the input; the message has what it printed."""


class TflmCrash(TflmError):
    """TFLM ended its process."""


def run_tflm(model: bytes, *inputs: np.ndarray) -> list[np.ndarray]:
    """The outputs of the model for one set of inputs, in the model's order."""
    return run_tflm_batch(model, [inputs])[0]


def run_tflm_batch(
    model: bytes, input_sets: Sequence[Sequence[np.ndarray]]
) -> list[list[np.ndarray]]:
    """The outputs for each of several sets of inputs, from one interpreter."""
    return _worker().request(model, [list(inputs) for inputs in input_sets])


class _Worker:
    """A process that serves requests over its standard input and output."""

    def __init__(self) -> None:
        # A file, not a pipe: TFLM may print more than a pipe holds while nobody reads.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Else the modules beside this file could hide others of the same name.
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def request(self, model: bytes, input_sets: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._log.seek(0)
        self._log.truncate()
        try:
            _send(self._process.stdin, (model, input_sets))
            reply = _receive(self._process.stdout)
        except (BrokenPipeError, EOFError):
            status = self._process.wait()
            message = f"TFLM ended its process with status {status}: {self._printed()}"
            raise TflmCrash(message) from None
        if isinstance(reply, str):
            raise TflmError(f"{reply}: {self._printed()}")
        return reply

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _printed(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace").strip() or "no message"


_current: _Worker | None = None


def _worker() -> _Worker:
    global _current
    if _current is None or not _current.alive:
        _current = _Worker()
        atexit.register(_current.stop)
    return _current


def _send(stream: IO[bytes], message: Any) -> None:
    frame = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(struct.pack("<Q", len(frame)) + frame)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    header = stream.read(8)
    if len(header) < 8:
        raise EOFError
    (size,) = struct.unpack("<Q", header)
    frame = stream.read(size)
    if len(frame) < size:
        raise EOFError
    return pickle.loads(frame)


# What follows runs in the worker.


def _interpreter(model: bytes) -> Any:
    from tflite_micro import runtime

    # TFLM cannot say how much memory it wants, and a small arena is refused like a bad model, so
    # a refusal counts only after a large arena was refused as well.
    arena = _FIRST_ARENA_BYTES
    while True:
        try:
            return runtime.Interpreter.from_bytes(model, arena_size=arena)
        except RuntimeError:
            if arena >= _LAST_ARENA_BYTES:
                raise
            arena *= 16


def _run_here(model: bytes, input_sets: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    interpreter = _interpreter(model)
    results = []
    for inputs in input_sets:
        # TFLM would compute with whatever lies in an input that was not set.
        if len(inputs) != graph.InputsLength():
            raise ValueError(f"{len(inputs)} input arrays, the model has {graph.InputsLength()}")
        for index, value in enumerate(inputs):
            interpreter.set_input(value, index)
        interpreter.invoke()
        results.append([interpreter.get_output(index) for index in range(graph.OutputsLength())])
    return results


def _serve() -> None:
    # Anything that prints on descriptor 1 would break the protocol, so it is moved away first.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            model, input_sets = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            reply: Any = _run_here(model, input_sets)
        except Exception as error:
            reply = f"{type(error).__name__}: {error}"
        _send(replies, reply)


if __name__ == "__main__":
    _serve()

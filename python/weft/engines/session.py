# SPDX-License-Identifier: Apache-2.0
"""What every engine offers: frames in, frames out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from weft.errors import InputError
from weft.program import Program, TensorInfo

Array = np.ndarray[Any, Any]
Frame = Array | Sequence[Array]


class Session(ABC):
    """An open program. A frame is one array, or a sequence of them if the network has several
    inputs; what comes back has the same form. Arrays must have the exact dtype and shape of
    ``program.inputs``. One thread at a time."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @property
    def machine_code(self) -> list[dict[str, str]]:
        """The PEs that run as machine code: ``pe``, and ``sha256`` of the ELF file of its image."""
        return []

    @property
    def emulator(self) -> str | None:
        """What runs these, None if there are none."""
        return None

    @property
    def instructions(self) -> int | None:
        """How many instructions those have run since their start, None if none is counted."""
        return None

    @property
    def figures(self) -> dict[str, Any]:
        """What the engine's clock has measured, for reports; nothing where it has none."""
        return {}

    def run(self, frame: Frame) -> Any:
        """Runs one frame to its end.

        Raises ``InputError`` for a frame of another form, ``EngineError`` if the runtime reports
        an error or a deadline passes.
        """
        outputs = self._run(self._checked(frame))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def stream(self, frames: Iterable[Frame]) -> Iterator[Any]:
        """Results of ``frames``, in order, as they become ready.

        Frames are taken as there is room for them, so several are under way at a time; the one
        after those is not asked for before. Raises what ``run`` does.
        """
        for outputs in self._stream_checked(self._checked(frame) for frame in frames):
            yield outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _checked(self, frame: Frame) -> list[Array]:
        expected = self.program.inputs
        if not isinstance(frame, np.ndarray | Iterable):
            raise InputError(f"a frame is a NumPy array or several, not a {type(frame).__name__}")
        arrays = [frame] if isinstance(frame, np.ndarray) else list(frame)
        if len(arrays) != len(expected):
            raise InputError(
                f"the network takes {len(expected)} array(s) "
                f"({', '.join(i.name for i in expected)}), "
                f"{len(arrays)} given"
            )
        return [_checked(a, i) for a, i in zip(arrays, expected, strict=True)]

    @abstractmethod
    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        """Runs checked, contiguous inputs."""

    @abstractmethod
    def _stream_checked(self, frames: Iterable[Sequence[Array]]) -> Iterator[list[Array]]:
        """Runs checked, contiguous inputs, several at a time."""

    @abstractmethod
    def reset(self) -> None:
        """Starts all PEs and their devices anew, whatever happened before. Frames that are under
        way are lost; the next one is as good as the first."""

    @abstractmethod
    def close(self) -> None:
        """Frees what the engine holds. A closed session runs nothing."""

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _checked(array: Any, info: TensorInfo) -> Array:
    if not isinstance(array, np.ndarray):
        raise InputError(f"input '{info.name}' is a {type(array).__name__}, not a NumPy array")
    if array.dtype != np.dtype(info.dtype):
        raise InputError(
            f"input '{info.name}' is {array.dtype}, the network takes {info.dtype}; quantise it "
            "with the scale and zero point of the model"
        )
    if array.shape != info.shape:
        raise InputError(
            f"input '{info.name}' has shape {array.shape}, the network takes {info.shape}"
        )
    return np.ascontiguousarray(array)

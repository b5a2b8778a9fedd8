# SPDX-License-Identifier: Apache-2.0
"""Frames on disk: reading inputs, making random ones, writing results."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from weft.errors import InputError
from weft.program import TensorInfo

Array = np.ndarray[Any, Any]


def random_frame(inputs: Sequence[TensorInfo], rng: np.random.Generator) -> list[Array]:
    """Uniform over the whole range of integers, normal for floats."""
    frame: list[Array] = []
    for info in inputs:
        if info.dtype == "float32":
            frame.append(rng.standard_normal(info.shape).astype(np.float32))
        else:
            limits = np.iinfo(info.dtype)
            frame.append(
                rng.integers(limits.min, limits.max, info.shape, endpoint=True).astype(info.dtype)
            )
    return frame


def read_frames(
    inputs: Sequence[TensorInfo], path: str | None, count: int, seed: int
) -> list[list[Array]]:
    """``count`` frames: from a file, the same one again if it holds one, or random ones.

    Raises ``InputError`` if the file cannot be read or does not go with the network.
    """
    if path is None:
        rng = np.random.default_rng(seed)
        return [random_frame(inputs, rng) for _ in range(count)]
    arrays = _load(path, inputs)
    stacked = []
    for info, array in zip(inputs, arrays, strict=True):
        if array.shape == info.shape:
            stacked.append([array] * count)
        elif array.shape == (count, *info.shape):
            stacked.append(list(array))
        else:
            raise InputError(
                f"{path}: input '{info.name}' has shape {array.shape}, the network takes "
                f"{info.shape}, or {(count, *info.shape)} for {count} frames"
            )
    return [list(frame) for frame in zip(*stacked, strict=True)]


def _load(path: str, inputs: Sequence[TensorInfo]) -> list[Array]:
    try:
        with open(path, "rb") as stream:  # NumPy does not close a file that it refuses
            return _arrays(stream, path, inputs)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _arrays(stream: BinaryIO, path: str, inputs: Sequence[TensorInfo]) -> list[Array]:
    try:
        loaded = np.load(stream, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is neither .npy nor .npz: {error}") from None
    if isinstance(loaded, np.ndarray):
        if len(inputs) != 1:
            raise InputError(f"{path} holds one array, the network has {len(inputs)} inputs")
        return [loaded]
    with loaded:
        try:
            arrays = _pick(loaded, path, inputs)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} holds something that is no plain array: {error}") from None
    if not all(isinstance(a, np.ndarray) for a in arrays):
        raise InputError(f"{path} holds something that is no array")
    return arrays


def _pick(loaded: Any, path: str, inputs: Sequence[TensorInfo]) -> list[Array]:
    names = loaded.files
    if len(names) == 1 and len(inputs) == 1:
        return [loaded[names[0]]]
    missing = [i.name for i in inputs if i.name not in names]
    if missing:
        raise InputError(f"{path} has no array '{missing[0]}'; it has {', '.join(names)}")
    return [loaded[i.name] for i in inputs]


def output_digest(outputs: Sequence[Sequence[Array]]) -> str:
    """SHA-256 over the bytes of all outputs of all frames, in order."""
    digest = hashlib.sha256()
    for frame in outputs:
        for array in frame:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def write_outputs(
    path: Path, infos: Sequence[TensorInfo], outputs: Sequence[Sequence[Array]]
) -> None:
    """One frame as it is, several stacked along a new first axis; .npz if there are several
    outputs. The file appears whole or not at all."""
    arrays = {
        info.name: frames[0] if len(outputs) == 1 else np.stack(frames)
        for info, frames in zip(infos, zip(*outputs, strict=True), strict=True)
    }
    is_archive = path.suffix == ".npz"
    if path.suffix not in (".npy", ".npz"):
        raise InputError(f"{path}: an output file ends in .npy or .npz")
    if not is_archive and len(arrays) != 1:
        raise InputError(f"{path}: the network has {len(arrays)} outputs; write them to a .npz")
    with _replacing(path) as stream:
        if is_archive:
            np.savez(stream, allow_pickle=False, **arrays)
        else:
            np.save(stream, next(iter(arrays.values())))


def write_text(path: Path, text: str) -> None:
    """A text file that appears whole or not at all. Raises ``InputError``."""
    with _replacing(path) as stream:
        stream.write(text.encode())


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` once it is complete."""
    try:
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
            os.chmod(scratch, 0o644)
            os.replace(scratch, path)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None

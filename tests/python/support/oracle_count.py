"""Compares what Weft computes with what the oracle computes, and counts the comparisons.

With WEFT_TEST_KEEP set to a folder, a model whose results differ is written there, with its inputs
and the oracle's outputs, under the first word of its label. The last one stays: after shrinking,
the smallest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from support.tflm import run_tflm_batch

if TYPE_CHECKING:
    from weft.program import Program

MACHINE = "single-m4-1m"


@dataclass
class _Counter:
    pairs: int = 0
    values: int = 0


_counter = _Counter()


def compare(actual: np.ndarray, expected: np.ndarray, label: str) -> None:
    """Asserts that a result of Weft is the oracle's, byte for byte, and counts the pair."""
    actual = np.asarray(actual)
    assert actual.dtype == expected.dtype, f"{label}: dtype {actual.dtype}, not {expected.dtype}"
    assert actual.shape == expected.shape, f"{label}: shape {actual.shape}, not {expected.shape}"
    assert actual.tobytes() == expected.tobytes(), f"{label}: {_difference(actual, expected)}"
    _counter.pairs += 1
    _counter.values += expected.size


def check_against_oracle(
    model: bytes,
    input_sets: Sequence[Sequence[np.ndarray]],
    labels: Sequence[str],
    machine: str = MACHINE,
    **options: Any,
) -> Program:
    """Compiles the model once, with the ``options`` of ``weft.compile``, and compares all its
    outputs for every set of inputs. Gives the program.

    The labels say, for each output, what made it; they head the message of a difference."""
    expected = run_tflm_batch(model, input_sets)
    program, actual = _run_weft(model, input_sets, machine, options)
    try:
        for number, results in enumerate(zip(actual, expected, strict=True)):
            for index, (got, wanted) in enumerate(zip(*results, strict=True)):
                compare(got, wanted, f"{labels[index]} (output {index}, input set {number})")
    except AssertionError:
        _keep(labels[0].split()[0].strip(","), model, input_sets, expected)
        raise
    return program


def totals() -> tuple[int, int]:
    """Pairs and values compared so far."""
    return _counter.pairs, _counter.values


def add(pairs: int, values: int) -> None:
    """Counts what another process of the same run compared."""
    _counter.pairs += pairs
    _counter.values += values


def summary() -> str:
    """One line for the end of a test run."""
    return f"{_counter.pairs} results, {_counter.values} values"


def _keep(
    name: str,
    model: bytes,
    input_sets: Sequence[Sequence[np.ndarray]],
    expected: list[list[np.ndarray]],
) -> None:
    folder = os.environ.get("WEFT_TEST_KEEP")
    if not folder:
        return
    stem = Path(folder) / name
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".tflite").write_bytes(model)
    arrays: dict[str, np.ndarray] = {}
    for number, (inputs, outputs) in enumerate(zip(input_sets, expected, strict=True)):
        arrays |= {f"in{number}_{index}": value for index, value in enumerate(inputs)}
        arrays |= {f"out{number}_{index}": value for index, value in enumerate(outputs)}
    np.savez(stem.with_suffix(".npz"), allow_pickle=False, **arrays)


def _run_weft(
    model: bytes,
    input_sets: Sequence[Sequence[np.ndarray]],
    machine: str,
    options: Mapping[str, Any],
) -> tuple[Program, list[list[np.ndarray]]]:
    # Imported here: the tests of the oracle itself run without Weft.
    import weft

    program = weft.compile(model, machine=machine, **options)
    with program.open(engine="native") as session:
        return program, [_as_list(session.run(_argument(inputs))) for inputs in input_sets]


def _argument(inputs: Sequence[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _as_list(result: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    return [result] if isinstance(result, np.ndarray) else list(result)


def _difference(actual: np.ndarray, expected: np.ndarray) -> str:
    # Bytes are what counts, so that NaN equals itself and -0.0 differs from 0.0.
    width = expected.dtype.itemsize
    bytes_of = [
        np.ascontiguousarray(a).view(np.uint8).reshape(-1, width) for a in (actual, expected)
    ]
    wrong = (bytes_of[0] != bytes_of[1]).any(axis=1)
    flat = int(np.argmax(wrong))
    place = tuple(map(int, np.unravel_index(flat, expected.shape)))
    most = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).max()
    return (
        f"{int(wrong.sum())} of {expected.size} values differ, by {most:g} at most; first at "
        f"{place}: weft {actual.ravel()[flat]}, oracle {expected.ravel()[flat]}"
    )


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.frombuffer(array.tobytes(), np.uint8).reshape(array.size, -1)

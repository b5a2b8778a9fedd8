"""Imports models, good and damaged, and prints a line of JSON for each: what became of it.

A process of its own, since what goes wrong here may be a crash. Run by test_damaged_models.py.
"""

from __future__ import annotations

import json
import random
import resource
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from support.tflite_builder import ModelBuilder
from weft.errors import WeftError
from weft.importers import import_model

# Importing TVM takes a quarter of this, the bundled model next to nothing.
MEBIBYTES = 1024

_WORDS = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80")


def truncations(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The file cut at every 97th byte."""
    for length in range(0, len(data), 97):
        yield f"cut at {length}", data[:length]


def mutations(data: bytes, first: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Bytes, bits and words that are wrong, one to sixteen in a file."""
    for seed in range(first, first + count):
        rng = random.Random(seed)
        damaged = bytearray(data)
        kind = rng.choice(["byte", "bit", "word"])
        for _ in range(rng.choice([1, 2, 4, 16])):
            at = rng.randrange(len(data) - 4)
            if kind == "byte":
                damaged[at] = rng.randrange(256)
            elif kind == "bit":
                damaged[at] ^= 1 << rng.randrange(8)
            else:
                damaged[at : at + 4] = rng.choice(_WORDS)
        yield f"{kind} mutation {seed}", bytes(damaged)


def reshaped(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The result of the last convolution of the bundled model with another shape."""
    shape = struct.pack("<4i", 1, 2, 2, 48)
    assert data.count(shape) == 1
    for other in (
        (1, 1 << 23, 2, 48),
        (1 << 16, 1 << 16, 1 << 16, 1 << 16),
        (1, 3, 2, 48),
        (2, 2, 2, 48),
        (1, 2, 2, 49),
        (1, 0, 2, 48),
        (1, -2, 2, 48),
    ):
        yield f"shape {other}", data.replace(shape, struct.pack("<4i", *other))


def unusual() -> Iterator[tuple[str, bytes]]:
    """Models that are whole and that a runtime accepts, if hardly anybody makes them."""
    for name in ("an input", "a constant", "both and a result", "a result twice"):
        m = ModelBuilder()
        x = m.input((1, 4), 0.1, 0)
        y = m.relu6(x)
        k = m.constant(np.zeros((1, 4), np.int8), 0.1, 0)
        outputs = {"an input": [x], "a constant": [k], "a result twice": [y, y]}
        m.output(*outputs.get(name, [x, k, y]))
        yield f"output is {name}", m.build()


def _peak_mebibytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _outcome(data: bytes) -> str:
    try:
        _, unsupported = import_model(data, "model", None)
    except WeftError as error:
        return "refused" if "\n" not in str(error) else f"not one line: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "refused" if unsupported else "imported"


def main() -> None:
    """Arguments: what to do (``cut``, ``mutate``,
    ``reshape``, ``unusual``), model file, first seed, count."""
    what, model, first, count = sys.argv[1], Path(sys.argv[2]).read_bytes(), *map(int, sys.argv[3:])
    cases = {
        "cut": truncations(model),
        "mutate": mutations(model, first, count),
        "reshape": reshaped(model),
        "unusual": unusual(),
    }
    for name, data in cases[what]:
        # Before and after, so that a crash or a hang has a name.
        print(json.dumps([name]), flush=True)
        before, start = _peak_mebibytes(), time.perf_counter()
        outcome = _outcome(data)
        if _peak_mebibytes() > max(before, MEBIBYTES):
            outcome = f"takes {_peak_mebibytes()} MiB"
        print(json.dumps([name, outcome, time.perf_counter() - start]), flush=True)


if __name__ == "__main__":
    main()

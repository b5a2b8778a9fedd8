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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from damaged_onnx import described_otherwise

from support.tflite_builder import ModelBuilder
from support.tflite_graph import Tensor
from weft.errors import WeftError
from weft.importers import import_model
from weft.relax.to_integer import to_integer
from weft.relax.to_stages import to_stages

# Importing TVM takes a quarter of this, the bundled model next to nothing.
MEBIBYTES = 1024

_NUMBERS = (0, 1, 2, 3, 8, 127, 128, 255, 65536, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
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


def single_operators() -> list[bytes]:
    """Small models that have, together, every kind of operator options."""
    models = []
    rng = np.random.default_rng(0)
    output: dict[str, Any] = {"scale": 0.1, "zero_point": -3}
    same: dict[str, Any] = {"scale": 0.05, "zero_point": 3}

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-127, 128, shape).astype(np.int8)

    def add(build: Callable[[ModelBuilder, Tensor], Sequence[Tensor]]) -> None:
        m = ModelBuilder()
        m.output(*build(m, m.input((1, 6, 5, 4), 0.05, 3)))
        models.append(m.build())

    bias, scales = np.arange(6, dtype=np.int32), np.full(6, 0.01)
    add(lambda m, x: [m.conv2d(x, weights(6, 3, 2, 4), bias, scales, strides=(2, 1), **output)])
    add(lambda m, x: [m.conv2d(x, weights(6, 1, 2, 2), None, scales, padding="VALID", **output)])
    add(lambda m, x: [m.depthwise_conv2d(x, weights(1, 3, 2, 8), None, 0.01, **output)])
    add(lambda m, x: [m.fully_connected(x, weights(6, 4), bias, 0.01, **output)])
    add(lambda m, x: [m.add(x, m.mul(x, m.sub(x, x, **output), **output), **output)])
    add(lambda m, x: [m.leaky_relu(x, 0.1, **output), m.softmax(x, 0.7), m.dequantize(x)])
    add(lambda m, x: [m.average_pool2d(m.max_pool2d(x, (2, 2)), (3, 2), strides=(2, 1))])
    add(lambda m, x: [m.mean(x, (1, 2), False, 0.1, 0), m.mean(x, (1, -1), True, 0.1, 0)])
    add(lambda m, x: m.split(m.transpose(m.concatenation([x, x], -1), (0, 3, 2, 1)), 2, 1))
    add(lambda m, x: [m.strided_slice(x, [0] * 4, [1, 5, 5, 1], [1, 2, 1, 1], end_mask=4)])
    add(lambda m, x: [m.maximum(x, m.resize_nearest_neighbor(x, (6, 5)), **same)])
    add(lambda m, x: [m.padv2(m.pad(x, [(0, 1)] * 4), [(1, 0)] * 4, 3), m.reshape(x, (1, -1))])
    return models


def _description(data: bytes) -> list[int]:
    """Where a file holds something else than long constants."""
    model = tflite.Model.GetRootAsModel(data, 0)
    constants: set[int] = set()
    for buffer in map(model.Buffers, range(model.BuffersLength())):
        if buffer.DataLength() > 32:
            first = buffer._tab.Vector(buffer._tab.Offset(4))
            constants.update(range(first, first + buffer.DataLength()))
    return [at for at in range(len(data) - 4) if at not in constants]


def redescribed(first: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Small models with one to four wrong or swapped numbers in their description."""
    models = [(data, _description(data)) for data in single_operators()]
    for seed in range(first, first + count):
        rng = random.Random(seed)
        data, places = models[seed % len(models)]
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 4])):
            at = rng.choice(places) & ~3
            word = int.from_bytes(damaged[at : at + 4], "little")
            other = rng.choice(places) & ~3
            words = (
                *(word + 1, word - 1, word ^ 1 << rng.randrange(32), rng.choice(_NUMBERS)),
                int.from_bytes(damaged[other : other + 4], "little"),
            )
            damaged[at : at + 4] = (rng.choice(words) & 0xFFFFFFFF).to_bytes(4, "little")
        yield f"description {seed}", bytes(damaged)


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


def _outcome(data: bytes, goes_on: bool) -> str:
    try:
        module, unsupported = import_model(data, "model", None)
        if goes_on and not unsupported:
            to_stages(to_integer(module, "model"))
    except WeftError as error:
        return "refused" if "\n" not in str(error) else f"not one line: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "refused" if unsupported else "imported"


def main() -> None:
    """Arguments: what to do (see ``cases``), model file, first seed, count."""
    what, model, first, count = sys.argv[1], Path(sys.argv[2]).read_bytes(), *map(int, sys.argv[3:])
    cases = {
        "cut": truncations(model),
        "mutate": mutations(model, first, count),
        "describe": redescribed(first, count),
        "describe onnx": described_otherwise(model, first, count),
        "reshape": reshaped(model),
        "unusual": unusual(),
    }
    for name, data in cases[what]:
        # Before and after, so that a crash or a hang has a name.
        print(json.dumps([name]), flush=True)
        before, start = _peak_mebibytes(), time.perf_counter()
        outcome = _outcome(data, goes_on=what.startswith("describe"))
        if _peak_mebibytes() > max(before, MEBIBYTES):
            outcome = f"takes {_peak_mebibytes()} MiB"
        print(json.dumps([name, outcome, time.perf_counter() - start]), flush=True)


if __name__ == "__main__":
    main()

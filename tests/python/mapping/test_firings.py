# SPDX-License-Identifier: Apache-2.0
"""Which parts fire together: never so that firings wait for each other in a circle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from support.meshes import build, simplest_mapping, stage_graph
from support.networks import Network
from weft.dialects.stages.base import shape_of
from weft.machines import load_machine
from weft.mapping.files import parse_mapping
from weft.transforms.compilation import Compilation, stages_of
from weft.transforms.firings import make_firings, make_parts

#: Of the stages, in order: the third reads what the first has sent away, and shares an input with
#: the last one, which reads what the first left here.
PLACES = (0, 1, 0, 0)


def network() -> bytes:
    n = Network(np.random.default_rng(3))
    u, v = n.input((1, 4, 4, 2)), n.input((1, 4, 4, 2))
    first = n.conv2d(u, 2, (1, 1))
    away = n.conv2d(first, 2, (1, 1))
    return n.build(n.add(away, v), n.add(first, v))


def mapping(stages: Compilation) -> dict[str, Any]:
    shards = {}
    for stage, place in zip(stages_of(stages), PLACES, strict=True):
        shape = list(shape_of(stage.result))
        shards[stage.label.data] = [{"pe": [place, 0, 0], "begin": [0] * 4, "shape": shape}]
    return {"format": 1, "stages": shards}


def test_a_shared_input_joins_no_circle() -> None:
    stages = stage_graph(network())
    found = parse_mapping(mapping(stages), stages_of(stages), load_machine("grid-4x4"))
    firings = make_firings(make_parts(stages_of(stages), found))
    labels = [s.label.data for s in stages_of(stages)]
    fired = [[labels.index(p.label) for p in firing.parts] for firing in firings]
    assert sorted(map(len, fired)) == [1, 1, 2]
    assert not any({0, 2} <= set(parts) for parts in fired), fired


def test_it_runs(tmp_path: Path) -> None:
    """A circle would wait for ever."""
    stages, machine = stage_graph(network()), load_machine("grid-4x4")
    rng = np.random.default_rng(5)
    frames = [[rng.integers(-128, 128, (1, 4, 4, 2)).astype(np.int8) for _ in "uv"] for _ in "abc"]
    results = []
    for name, data in (("one", simplest_mapping(stages, machine)), ("two", mapping(stages))):
        with build(stages, machine, data, tmp_path / name).open() as session:
            results.append([[y.tobytes() for y in out] for out in session.stream(frames)])
    assert results[0] == results[1]

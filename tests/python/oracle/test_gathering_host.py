"""Results of two PEs, put together by a host that fires nothing itself, in every engine."""

from __future__ import annotations

import numpy as np
import pytest

import weft
from support.meshes import stage_graph
from support.networks import Network
from support.oracle_count import compare
from support.tflm import run_tflm
from weft.dialects.stages.base import shape_of
from weft.transforms.compilation import stages_of


@pytest.mark.parametrize("engine", ["native", "timed", "cortex-m4"])
def test_a_host_without_shards_gets_messages(engine: str) -> None:
    n = Network(np.random.default_rng(3))
    model = n.build(n.fully_connected(n.fully_connected(n.input((1, 32)), 48), 10))
    first, last = stages_of(stage_graph(model))
    boxes = {first: [((0, 0), shape_of(first.result))], last: [((0, 0), (1, 5)), ((0, 5), (1, 5))]}
    stages = {
        stage.label.data: [
            {"pe": [x, 0, 0], "begin": list(begin), "shape": list(shape)}
            for x, (begin, shape) in enumerate(rows)
        ]
        for stage, rows in boxes.items()
    }
    mapping = {"format": 1, "machine": "grid-4x4", "stages": stages}
    program = weft.compile(model, "grid-4x4", mapping=mapping)
    host = program.manifest["pes"][-1]
    assert (host["name"], host["shards"]) == ("host", []) and host["arena_bytes"] > 0
    frame = np.random.default_rng(0).integers(-128, 128, (1, 32)).astype(np.int8)
    with program.open(engine) as session:
        compare(session.run(frame), run_tflm(model, frame)[0], f"two halves, {engine}")

"""What boxes cost by the cost data of a machine file, worked out by hand."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

import weft
from support.networks import Network
from weft.dialects.stages import Stage
from weft.dialects.stages.base import shape_of
from weft.dialects.stages.box import Box
from weft.errors import MachineError
from weft.exported_graph import graph
from weft.machines import Machine, PeClass, load_machine
from weft.machines.model import COSTS_BY_KIND, CostData
from weft.mapping.cost import cost, cycles_for
from weft.placing import check_costs

NOTHING = CostData(mac=0, element=0, byte=0, firing=0)
COSTS = CostData(
    mac=100.0,
    element=200.0,
    task=40_000.0,
    firing=10_000.0,
    kinds={"conv2d": 2.0, "pool": 3.0},
    elements={"conv2d": 5.0},
    windows={"conv2d": 7.0},
    pixels={"conv2d": 11.0},
)

ALONE = 40_000 + 10_000  # a task that is all of a firing


@functools.cache
def model() -> bytes:
    """A convolution, an average over all of its pixels, a softmax."""
    n = Network(np.random.default_rng(0))
    conv = n.conv2d(n.input((1, 6, 8, 3)), 10, (3, 3))
    pooled = n.average_pool2d(conv, (6, 8), (1, 1))
    n.builder.output(n.softmax(pooled).tensor)
    return n.builder.build()


@functools.cache
def stages() -> dict[str, Stage]:
    return {stage.kind: stage.op for stage in graph(model(), "single-m4").stages}


def a_class(data: CostData) -> PeClass:
    return PeClass("m4", "cortex-m4f", 150_000_000, 4096, (), data)


def cycles(kind: str, shape: tuple[int, ...]) -> int:
    return cost(stages()[kind], Box((0,) * len(shape), shape), a_class(COSTS)).cycles


def test_a_convolution() -> None:
    assert shape_of(stages()["conv2d"].result) == (1, 6, 8, 10)
    window, pixels = 3 * 3 * 3, 6 * 8

    def by_hand(pixels: int, channels: int) -> int:
        inner = pixels * channels * window * 2 + pixels * window * 7
        return inner + pixels * channels * 5 + pixels * 11 + ALONE

    assert cycles("conv2d", (1, 6, 8, 10)) == by_hand(pixels, 10)
    assert cycles("conv2d", (1, 3, 8, 10)) == by_hand(pixels // 2, 10)
    # Half the channels take the windows of all pixels.
    assert cycles("conv2d", (1, 6, 8, 5)) == by_hand(pixels, 5)
    # A number of elements without a shape is taken at its best.
    least = cycles_for(stages()["conv2d"], pixels * 5, a_class(COSTS))
    assert least == by_hand(pixels // 2, 10) < by_hand(pixels, 5)


def test_pooling_by_what_it_looks_at() -> None:
    assert cycles("pool", (1, 1, 1, 10)) == 10 * 6 * 8 * 3 + 10 * 200 + ALONE
    # Without a cost of its own it is not taken for MACs.
    plain = replace(COSTS, kinds={})
    whole = Box.whole(shape_of(stages()["pool"].result))
    assert cost(stages()["pool"], whole, a_class(plain)).cycles == 10 * 200 + ALONE


def test_a_kind_without_costs_of_its_own() -> None:
    shape = shape_of(stages()["softmax"].result)
    assert cycles("softmax", shape) == 10 * 200 + ALONE


def machine(data: CostData) -> Machine:
    whole = load_machine("grid-4x4")
    classes = {name: replace(c, cost=data) for name, c in whole.classes.items()}
    return replace(whole, classes=classes, links={})


@pytest.mark.parametrize(
    ("second", "messages"),
    [
        # Pooling takes a credit back, and sends all of its result at once, and that it is there.
        ({"pes": [[1, 0, 0]]}, 1 + 1 + 1),
        # To two PEs that read half of the channels of every pixel: a box each, however many runs.
        ({"pes": [[1, 0, 0], [2, 0, 0]], "axis": "channels"}, 2 * (1 + 1)),
        ({"pes": [[0, 0, 0]]}, 0),
    ],
)
def test_messages(second: dict[str, object], messages: int) -> None:
    first, then, last = (stage.name for stage in graph(model(), "single-m4").stages)
    mapping = {
        "format": 1,
        "stages": {
            first: {"pes": [[0, 0, 0]]},
            then: second,
            last: {"pes": [[3, 3, 0]] if messages else [[0, 0, 0]]},
        },
    }
    found = weft.check_mapping(
        model(), machine(replace(NOTHING, message=1000.0, firing=1.0)), mapping=mapping
    )
    limit = 150_000_000 / found["predicted_fps"]
    assert limit == pytest.approx(1000 * messages + 1, rel=1e-3)


@pytest.mark.parametrize("key", COSTS_BY_KIND)
def test_a_cost_of_no_kind_of_stage_is_refused(key: str) -> None:
    with pytest.raises(MachineError, match=rf"m4\.cost\.{key}: there is no kind of stage 'conv'"):
        check_costs(machine(replace(NOTHING, **{key: {"conv": 1.0}})))

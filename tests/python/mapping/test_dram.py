"""Weights in DRAM in the prediction and in the mapping rule: a link that all PEs share, and room
for the weights of two stages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import weft
from support.meshes import stage_graph
from support.networks import Network
from weft.dialects.stages.base import shape_of
from weft.dialects.stages.box import Box
from weft.errors import MachineError
from weft.machines import DeviceUse, Machine, load_machine
from weft.machines.model import STREAMED_BYTES
from weft.mapping.cost import cost
from weft.mapping.weights import CHUNK_BYTES
from weft.paths import devices_folder
from weft.placing import Placing
from weft.transforms.compilation import stages_of

DMA, MAC_ARRAY = DeviceUse("dma", "dma"), DeviceUse("mac_array", "mac_array")


def dense_layers() -> bytes:
    n = Network(np.random.default_rng(3))
    x = n.input((1, 128))
    for units in (256, 256, 256, 256, 10):
        x = n.fully_connected(x, units)
    return n.build(x)


def machine(
    *devices: DeviceUse, rate: int | None = 6_400_000_000, name: str = "grid-4x4"
) -> Machine:
    found = load_machine(name).with_devices(devices)
    return replace(found, links={} if rate is None else {"dram": rate})


# --- prediction ---


def test_a_slow_dram_is_what_limits() -> None:
    rate = 2_000_000
    program = weft.compile(dense_layers(), machine(DMA, rate=rate), weights="dram", pes=4)
    assert program.limited_by == "DRAM"
    copied = program.manifest["dram"]["bytes_per_frame"]
    assert copied > 128 * 256 + 3 * 256 * 256
    assert program.predicted_fps == pytest.approx(rate / copied, rel=1e-3)


def test_all_pes_share_it() -> None:
    """Cut by rows, every PE copies the same weights: they are in DRAM once."""
    n = Network(np.random.default_rng(3))
    model = n.build(n.conv2d(n.input((1, 16, 4, 32)), 64, (3, 3)))
    shards = [{"pe": [x, 0, 0], "begin": [0, 8 * x, 0, 0], "shape": [1, 8, 4, 64]} for x in (0, 1)]
    (label,) = (stage.label.data for stage in stages_of(stage_graph(model)))
    copied = []
    for stages in ({}, {label: shards}):
        mapping = {"format": 1, "machine": "grid-4x4", "stages": stages}
        program = weft.compile(model, machine(DMA), weights="dram", pes=1, mapping=mapping)
        dram = program.manifest["dram"]
        assert len(program.pes) * dram["bytes"] == dram["bytes_per_frame"]
        copied.append(dram["bytes_per_frame"])
    assert copied[1] == 2 * copied[0]


def test_copies_cost_the_core_and_are_waited_for() -> None:
    fast = weft.compile(dense_layers(), machine(DMA), weights="sram", pes=4)
    slow = weft.compile(dense_layers(), machine(DMA), weights="dram", pes=4)
    assert fast.manifest["dram"] is None
    assert slow.predicted_fps < fast.predicted_fps
    tasks = [task for pe in slow.pes for shard in pe["shards"] for task in shard]
    jobs = [job for task in tasks for job in task.get("jobs", ())]
    # Set-up, latency, one row, and a cycle for each word of 16 bytes.
    copied = slow.manifest["dram"]["bytes_per_frame"]
    assert sum(j["cycles"] for j in jobs) == copied // 16 + len(jobs) * (24 + 60 + 1)


# --- memory ---


@pytest.mark.parametrize("devices", [(DMA,), (DMA, MAC_ARRAY)])
def test_cost_has_room_for_what_is_copied(devices: tuple[DeviceUse, ...]) -> None:
    plain = machine(*devices).classes["m4"]
    streaming = machine(*devices).with_weights("dram").classes["m4"]
    for stage in stages_of(stage_graph(dense_layers())):
        box = Box.whole(shape_of(stage.result))
        here, there = cost(stage, box, plain), cost(stage, box, streaming)
        assert here.streamed_bytes == 0 and here.memory_bytes >= there.memory_bytes
        weights = here.constants_bytes - there.constants_bytes
        assert (weights > 0) == (here.constants_bytes > STREAMED_BYTES + 100)
        room = min(weights, 2 * CHUNK_BYTES) if MAC_ARRAY in devices else weights
        assert there.streamed_bytes == room


def test_the_rule_puts_more_on_a_pe_than_it_has_memory_for_weights() -> None:
    n = Network(np.random.default_rng(3))
    x = n.input((1, 200))
    for _ in range(8):
        x = n.fully_connected(x, 200)
    stages = stage_graph(n.build(x))
    one = machine(DMA, name="single-m4")
    assert sum(data.nbytes for data in stages.constants.values()) > 2 * (128 << 10)
    assert Placing(stages, one).choose(0) is None
    assert Placing(stages, one.with_weights("dram")).choose(0) is not None


# --- mistakes ---


@pytest.mark.parametrize(
    ("devices", "rate", "words"),
    [
        ((), 1_000_000, ("PEs of class m4", "--device dma")),
        ((MAC_ARRAY,), 1_000_000, ("PEs of class m4", "--device dma")),
        ((DMA,), None, ("grid-4x4", "links.dram")),
    ],
)
def test_what_is_missing_is_said(
    devices: tuple[DeviceUse, ...], rate: int | None, words: tuple[str, ...]
) -> None:
    for call in (weft.compile, weft.check_mapping):
        with pytest.raises(MachineError) as refusal:
            call(dense_layers(), machine(*devices, rate=rate), weights="dram")
        message = str(refusal.value)
        assert "\n" not in message and all(word in message for word in words), message


def test_there_is_no_other_place() -> None:
    with pytest.raises(MachineError, match="sram or dram, not in 'flash'"):
        weft.compile(dense_layers(), machine(DMA), weights="flash")


def test_a_device_whose_words_are_longer_than_buffers_are_aligned(tmp_path: Path) -> None:
    (tmp_path / "wide").mkdir()
    for path in (devices_folder() / "dma").iterdir():
        text = path.read_text(encoding="utf-8").replace("alignment = 16", "alignment = 32")
        (tmp_path / "wide" / path.name).write_text(text, encoding="utf-8")
    wide = DeviceUse("dma", str(tmp_path / "wide"))
    with pytest.raises(MachineError, match="multiples of 32 bytes"):
        weft.compile(dense_layers(), machine(wide), weights="dram")

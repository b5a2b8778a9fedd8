# SPDX-License-Identifier: Apache-2.0
"""The table by which kernels are chosen, and the command that remakes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weft.bench import kernels as bench
from weft.bench.kernel_layers import SHAPES, LayerShape
from weft.codegen.toolchain import find_target_toolchain
from weft.machines import load_machine
from weft.testing.layer_programs import compile_layers
from weft.transforms.measured_choice import TABLE

COMMITTED: Mapping[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
POINTWISE = LayerShape("conv2d", "pointwise", "conv2d", (12, 12, 16), 8)
FEW = LayerShape("conv2d", "few channels", "conv2d", (8, 8, 1), 16)
DEPTHWISE = LayerShape("depthwise", "window", "depthwise", (8, 8, 16), 16, (3, 1))
ADD = LayerShape("add", "few channels", "binary", (8, 8, 3), 3)
KEYS = ("family", "class", "layer", "pixels", "channels", "taps")


@pytest.fixture(scope="module")
def emulator() -> None:
    pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    if find_target_toolchain("cortex-m4") is None:
        pytest.skip("no target compiler is installed")


def test_it_is_of_the_layers_of_this_version() -> None:
    rows = [[row[key] for key in KEYS] for row in COMMITTED["layers"]]
    assert rows == [[s.family, s.shape_class, s.name, s.pixels, s.channels, s.taps] for s in SHAPES]


def test_its_rules_follow_from_its_counts() -> None:
    assert list(bench.rules(COMMITTED["layers"])) == COMMITTED["generated"]


def test_rules_stop_where_the_hand_written_kernel_is_faster() -> None:
    def row(taps: int, by_hand: tuple[int, int], channels: int = 1) -> dict[str, Any]:
        shape = replace(FEW, given=taps, out=(8, 8, channels))
        pairs = {"hand_written": by_hand, "generated": (100, 100)}
        counts = {
            name: dict(zip(("instructions", "cycles"), pair, strict=True))
            for name, pair in pairs.items()
        }
        names = {"pixels": shape.pixels, "channels": channels, "taps": taps}
        return {"family": "conv2d", "class": "few channels", **names, **counts}

    rows = [row(2, (120, 120)), row(4, (101, 101)), row(8, (101, 100)), row(16, (200, 200))]
    rows += [row(2, (99, 200), 2)]
    rule = {"family": "conv2d", "pixels": "several", "channels": 1, "most_taps": 4}
    assert list(bench.rules(rows)) == [rule]


@pytest.mark.usefixtures("emulator")
def test_measuring_again_gives_the_same() -> None:
    """Counts by another compiler are others, but say the same."""
    again = bench.measure([POINTWISE, FEW, DEPTHWISE, ADD])
    committed = {row["layer"]: row for row in COMMITTED["layers"]}
    for row in again["layers"]:
        known = committed[row["layer"]]
        assert bench.is_generated_faster(row) == bench.is_generated_faster(known)
        if again["compiler"] == COMMITTED["compiler"]:
            for name in ("hand_written", "generated"):
                assert row[name]["instructions"] == known[name]["instructions"], row["layer"]
    faster = [row["layer"] for row in again["layers"] if bench.is_generated_faster(row)]
    assert faster == [FEW.name]


def test_the_compiler_follows_it(tmp_path: Path) -> None:
    shapes = [replace(FEW, out=out, given=n) for out in ((8, 8, 1), (1, 1, 2)) for n in (16, 80)]
    shapes += [replace(FEW, out=(8, 8, 3), given=2), POINTWISE, ADD]
    layers, machine = [shape.layer() for shape in shapes], load_machine("single-m4-1m")
    chosen = compile_layers(layers, machine, tmp_path / "chosen")
    assert set(chosen.manifest["hand_written"]) == {"1", "3", "4", "5", "6"}
    by_hand = compile_layers(layers, machine, tmp_path / "by_hand", by_measurement=False)
    assert len(by_hand.manifest["hand_written"]) == len(shapes)


@pytest.mark.usefixtures("emulator")
def test_the_command(
    weft_command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = bench.measure
    monkeypatch.setattr(bench, "measure", lambda: measure([FEW, ADD]))
    done = weft_command("bench", "kernels", "-o", tmp_path / "table.json")
    assert (done.status, done.err) == (0, "")
    table = json.loads((tmp_path / "table.json").read_text("utf-8"))
    assert [row["layer"] for row in table["layers"]] == [FEW.name, ADD.name]
    assert [rule["most_taps"] for rule in table["generated"]] == [16]
    assert FEW.name in done.out
    assert "1 output channel(s), up to 16 taps" in done.out

# SPDX-License-Identifier: Apache-2.0
"""``weft bench devices``: what the issue of a fast array is measured by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx", reason="the benchmark makes its layers with onnx: weft[bench]")

from weft.bench import devices
from weft.bench.report import devices_text


@pytest.fixture(scope="module")
def report(trained_file: Callable[..., Path]) -> dict[str, Any]:
    """kws, and layers of a ResNet-50 that are small: bound by the core, by the array, in parts."""
    folder = trained_file("kws_int8.tflite").parent
    chosen = {"conv4.next", "conv5.3x3", "classes"}
    patch = pytest.MonkeyPatch()
    shapes = [s for s in devices._resnet_50() if s.name in chosen]
    patch.setattr(devices, "_resnet_50", lambda: iter(shapes))
    try:
        return devices.measure(["kws"], str(folder))
    finally:
        patch.undo()


def test_all_macs_are_on_the_array(report: dict[str, Any]) -> None:
    assert report["mac_share"] >= 0.95
    assert report["elsewhere"] == []


def test_layers_overlap(report: dict[str, Any]) -> None:
    models = {row["model"] for row in report["layers"]}
    assert models == {"kws", "resnet-50", "matmul"}
    for row in report["layers"]:
        bound = max(row["core_cycles"], row["device_cycles"])
        assert bound * 0.9 <= row["overlapped_cycles"] <= 1.15 * bound, row
        assert row["overlapped_cycles"] <= row["sync_cycles"]


def test_the_array_is_used(report: dict[str, Any]) -> None:
    for row in report["layers"]:
        used = row["macs"] / (64 * row["device_cycles"])
        assert row["utilisation"] == pytest.approx(used, abs=1e-4)
        if row["kind"] == "conv2d" and row["in_channels"] >= 16:
            assert used >= 0.5, row
        if row["kind"] == "matmul":
            assert used >= 0.78, row


def test_it_is_told_in_lines(report: dict[str, Any]) -> None:
    lines = devices_text(report).splitlines()
    assert any(line.startswith("resnet-50 conv5.3x3") for line in lines)
    assert any("100.00 % of the MACs are on the array" in line for line in lines)

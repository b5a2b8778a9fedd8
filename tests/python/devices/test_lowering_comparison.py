# SPDX-License-Identifier: Apache-2.0
"""Random layers with a device and without: sound lowerings pass, each single fault is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from weft.errors import DeviceError
from weft.testing import LoweringMismatchError, compare_lowering
from weft.testing.random_layers import random_layers

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "my_accelerator"


def changed(tmp_path: Path, name: str, before: str, after: str) -> Path:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "changed"))
    text = (folder / name).read_text(encoding="utf-8")
    assert before in text
    (folder / name).write_text(text.replace(before, after, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "options", [{}, {"accumulator_bits": 29, "overflow": "saturate", "subtracts_zero_points": True}]
)
def test_the_array_takes_every_layer(options: dict) -> None:
    rows = compare_lowering("mac_array", options, layers=12, seed=1)
    assert [row.is_on_device for row in rows] == [True] * 12
    assert not any(row.reason for row in rows)


def test_the_example_takes_what_it_says() -> None:
    rows = compare_lowering(EXAMPLE)
    assert {row.reason.partition(" ")[2][:14] for row in rows if not row.is_on_device} == {
        "computes no de",
        "takes windows ",
        "takes multiple",
    }
    taken = [row for row in rows if row.is_on_device]
    assert {row.layer.split(" ")[0] for row in taken} == {"conv2d", "dense"}
    assert max(row.parts for row in taken) > 4


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("device.toml", "accumulator_bits = 18", "accumulator_bits = 24"),
        ("lowering.py", "transpose(1, 0, 2)", "transpose(0, 1, 2)"),
        ("lowering.py", '"rows": part.out_h', '"rows": 1'),
        ("lowering.py", "layer.stride_h * ", ""),
        ("lowering.py", "layer.stride_w * ", ""),
        ("lowering.py", "MOST_PRODUCTS = 32", "MOST_PRODUCTS = 48"),
        ("my_accelerator.c", "k / 4 * 32", "k / 4 * 16"),
    ],
)
def test_a_fault_is_found(tmp_path: Path, name: str, before: str, after: str) -> None:
    folder = changed(tmp_path, name, before, after)
    with pytest.raises(LoweringMismatchError) as caught:
        compare_lowering(folder)
    assert "\n" not in str(caught.value)


def test_a_device_that_takes_nothing_is_no_success(tmp_path: Path) -> None:
    folder = changed(tmp_path, "lowering.py", 'KINDS = ("conv2d", "dense")', "KINDS = ()")
    with pytest.raises(DeviceError, match=r"takes none of 3 layers: device: computes no conv2d"):
        compare_lowering(folder, layers=3)
    with pytest.raises(DeviceError, match=r"takes none of 3 layers: device gets nothing from"):
        compare_lowering("null", layers=3)


def test_results_of_random_layers_use_int8() -> None:
    """Else a wrong sum would not be seen in a byte."""
    layers = random_layers(np.random.default_rng(0), 24)
    assert [layer.kind for layer in layers[:3]] == ["conv2d", "depthwise", "conv2d"]
    rng = np.random.default_rng(1)
    for layer in layers:
        if layer.kind != "dense":
            continue
        weights, bias, multiplier, shift = layer.constants
        x = rng.integers(-128, 128, (100, layer.x_shape[-1]))
        sums = x @ weights.T.astype(np.int64) + bias
        results = sums * (multiplier * 2.0 ** (shift - 31.0))
        assert 20 < results.std() < 250
    assert max(layer.size for layer in layers[:3]) < max(layer.size for layer in layers[-3:])

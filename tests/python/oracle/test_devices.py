"""Networks whose layers a device computes, byte for byte what they are without one: random networks
against the interpreters, trained models against their records, sums that are too large."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weft
from support.networks import Network
from support.onnx_networks import random_network
from support.onnx_oracle import check_against_onnxruntime
from support.oracle_count import check_against_oracle, compare
from support.strategies import Case
from support.strategies_networks import networks
from weft.dialects.stages.device import DeviceStage
from weft.program import Program
from weft.transforms import choose_devices, overlap, pipeline

#: Every kind of accumulator.
DEVICES = [
    f"mac_array:accumulator_bits={bits},overflow={overflow},subtracts_zero_points={subtracts}"
    for bits in (24, 29, 32)
    for overflow in ("wrap", "saturate")
    for subtracts in ("false", "true")
]
IS_THOROUGH = settings().max_examples > 3
MACHINES = {"kws": "single-m4-1m", "ic": "single-m4-1m", "ad": "single-m4-1m"}
#: For trained models: as the array is by itself, what differs most from it, and one between.
THREE = [DEVICES[0], DEVICES[7], DEVICES[11]]

pytestmark = pytest.mark.usefixtures("quickly_built")


def offloaded(program: Program) -> float:
    """The share of MACs that devices have."""
    rows = [row for row in program.manifest["offload"] if row["macs"]]
    total = sum(row["macs"] for row in rows)
    return 1 - sum(row["on"].get("core", 0) for row in rows) / total if total else 0.0


# --- random networks ---


@settings(max_examples=2 * settings().max_examples)
@given(networks(), st.sampled_from(DEVICES))
def test_random_networks(case: Case, device: str) -> None:
    labels = [f"{device}: {label}" for label in case.labels]
    program = check_against_oracle(case.model, case.input_sets, labels, devices=[device])
    assert program.manifest["offload"]


@given(networks(), st.sampled_from(DEVICES), st.sampled_from((2, 5)))
def test_random_networks_over_pes(case: Case, device: str, pes: int) -> None:
    labels = [f"{device} on {pes}: {label}" for label in case.labels]
    options: Mapping[str, Any] = {"devices": [device], "pes": pes}
    check_against_oracle(case.model, case.input_sets, labels, "grid-4x4", **options)


@pytest.mark.parametrize("device", DEVICES if IS_THOROUGH else DEVICES[::5])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_random_onnx_networks(device: str, dtype: str) -> None:
    """Their rounding is that of floats."""
    for seed in range(300, 306 if IS_THOROUGH else 301):
        made = random_network(seed, dtype)
        check_against_onnxruntime(
            made.model, made.input_sets, f"{device}: {made.label}", devices=[device]
        )


def test_onnx_networks_over_pes() -> None:
    made = random_network(310, "int8")
    options = {"devices": DEVICES[:1], "pes": 4}
    check_against_onnxruntime(made.model, made.input_sets, made.label, "grid-4x4", **options)


# --- every kind of accumulator, every kind of layer ---


def _layers(seed: int) -> tuple[bytes, list[list[np.ndarray]]]:
    """All kinds that a device takes, with odd sizes, strides and dilation."""
    n = Network(np.random.default_rng(seed))
    x = n.conv2d(n.input((1, 9, 7, 5)), 19, (3, 2), (1, 1), (1, 2))
    x = n.depthwise_conv2d(x, (3, 3), (2, 1))
    x = n.conv2d(x, 33, (1, 1), activation="NONE")
    x = n.add(x, n.conv2d(x, 33, (1, 1), activation="RELU"))
    output = n.fully_connected(n.flatten(x), 21)
    rng = np.random.default_rng(seed + 1)
    images = [[rng.integers(-128, 128, (1, 9, 7, 5)).astype(np.int8)] for _ in range(2)]
    images += [[np.full((1, 9, 7, 5), value, np.int8)] for value in (-128, 127)]
    return n.build(output), images


@pytest.mark.parametrize("device", DEVICES)
def test_every_kind_of_accumulator(device: str) -> None:
    model, images = _layers(1)
    program = check_against_oracle(model, images, [device], devices=[device])
    assert offloaded(program) == 1.0


@pytest.mark.parametrize("device", DEVICES[::5])
def test_groups_and_batches(device: str) -> None:
    """Three groups of channels, two images, a dense layer of several rows."""
    rng = np.random.default_rng(9)
    shape = (2, 5, 6, 9)
    n = Network(rng)
    x = n.input(shape).tensor
    about: dict[str, Any] = {"zero_point": 5, "activation": "RELU", "padding": "SAME"}
    weights = rng.integers(-127, 128, (21, 3, 3, 3)).astype(np.int8)
    bias = rng.integers(-5000, 5000, 21).astype(np.int32)
    x = n.builder.conv2d(x, weights, bias, 0.01, scale=0.02, **about)
    weights = rng.integers(-127, 128, (7, 21)).astype(np.int8)
    about = {"scale": 0.1, "zero_point": -3, "activation": "NONE"}
    x = n.builder.fully_connected(x, weights, bias[:7], 0.01, keep_num_dims=True, **about)
    n.builder.output(x)
    inputs = [[rng.integers(-128, 128, shape).astype(np.int8)] for _ in range(2)]
    program = check_against_oracle(n.builder.build(), inputs, [device], devices=[device])
    assert offloaded(program) == 1.0


def test_two_devices_and_two_frames_at_once() -> None:
    """The second device has what the first does not take; both lanes are under way."""
    model, images = _layers(2)
    program = weft.compile(model, "grid-4x4", pes=2, devices=["null", "mac_array"])
    assert offloaded(program) == 1.0
    plain = weft.compile(model, "grid-4x4", pes=2)
    frames = [image for (image,) in images] * 3
    with program.open() as session, plain.open() as other:
        for got, wanted in zip(session.stream(frames), other.stream(frames), strict=True):
            compare(got, wanted, "streamed")


# --- order ---


def test_bytes_are_the_same_without_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing moves, tasks are only cut where they wait: the same bytes, in another order."""
    model, images = _layers(3)
    found: list[list[np.ndarray]] = []
    tasks = []
    for is_moved in (True, False):
        with monkeypatch.context() as patch:
            if not is_moved:
                patch.setattr(overlap, "_hoist", lambda items: None)
                patch.setattr(overlap, "_sink", lambda items: None)
            folder = tmp_path / str(is_moved)
            program = weft.compile(model, "single-m4-1m", devices=["mac_array"], output=folder)
        tasks.append(str(program.manifest["pes"]))
        with program.open() as session:
            found.append([session.run(image) for (image,) in images])
    assert tasks[0] != tasks[1]
    for first, second in zip(*found, strict=True):
        compare(first, second, "without overlap")
    assert "overlap" in dict(pipeline.PASSES)


# --- trained models ---


@pytest.mark.parametrize("device", THREE)
@pytest.mark.parametrize("name", MACHINES)
def test_trained_models(name: str, device: str, trained_file: Callable[..., Path]) -> None:
    model = trained_file(f"{name}_int8.tflite")
    program = weft.compile(model, MACHINES[name], devices=[device])
    assert offloaded(program) > 0.95
    with np.load(trained_file(f"{name}_ref.npz")) as record, program.open() as session:
        for i in range(3):
            wanted = record[f"tflm{i}"]
            got = session.run(record[f"in{i}"]).reshape(wanted.shape)
            compare(got, wanted, f"{name} {i} with {device}")


@pytest.mark.parametrize("name", MACHINES)
def test_trained_models_over_pes(name: str, trained_file: Callable[..., Path]) -> None:
    program = weft.compile(trained_file(f"{name}_int8.tflite"), "grid-4x4", devices=["mac_array"])
    with np.load(trained_file(f"{name}_ref.npz")) as record, program.open() as session:
        cases = [(record[f"in{i}"], record[f"tflm{i}"]) for i in range(3)]
        cases = list(itertools.islice(itertools.cycle(cases), 8))
        for got, (_, wanted) in zip(session.stream(x for x, _ in cases), cases, strict=True):
            compare(got.reshape(wanted.shape), wanted, f"{name} over PEs")


# --- sums that are too large ---


def _wide() -> tuple[bytes, list[list[np.ndarray]]]:
    """Weights of 127 over 1500 inputs: a sum of up to 24 million, where 24 bits hold 8 million."""
    n = Network(np.random.default_rng(4))
    x = n.input((1, 1500))
    weights = np.full((3, 1500), 127, np.int8)
    weights[1, ::2], weights[2] = -127, -127
    bias = np.array([1000, 0, -5], np.int32)
    # Scales under which 24 million is 100, and what wraps is not.
    y = n.builder.fully_connected(
        x.tensor, weights, bias, 0.5, scale=0.5 / 128 * 240000, zero_point=0, activation="NONE"
    )
    n.builder.output(y)
    inputs = [np.full((1, 1500), value, np.int8) for value in (127, -128, 90)]
    inputs.append(np.random.default_rng(5).integers(60, 128, (1, 1500)).astype(np.int8))
    return n.builder.build(), [[x] for x in inputs]


def _parts(model: bytes, device: str, folder: Path) -> list[int]:
    """How many parts the reductions of a network have."""
    found = []

    def look(compilation: Any) -> Any:
        after = choose_devices.choose_devices(compilation)
        found.extend(op for op in after.module.walk() if isinstance(op, DeviceStage))
        return after

    with pytest.MonkeyPatch.context() as patch:
        passes = [(n, look if n == "choose-devices" else run) for n, run in pipeline.PASSES]
        patch.setattr(pipeline, "PASSES", tuple(passes))
        weft.compile(model, "single-m4-1m", devices=[device], output=folder)
    return [len(stage.part_pairs()) for stage in found]


@pytest.mark.parametrize("device", [DEVICES[0], DEVICES[2], DEVICES[3]])
def test_sums_of_more_than_24_bits_are_right(device: str, tmp_path: Path) -> None:
    model, inputs = _wide()
    check_against_oracle(model, inputs, [device], devices=[device])
    (parts,) = _parts(model, device, tmp_path / "program")
    assert parts > 1


@pytest.mark.parametrize("device", DEVICES[0:3:2])
def test_without_parts_they_would_be_wrong(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, inputs = _wide()
    plain = weft.compile(model, "single-m4-1m", output=tmp_path / "plain")
    monkeypatch.setattr(
        choose_devices,
        "split_reduction",
        lambda weights, operands, accumulator, axis, **_: [(0, weights.shape[axis])],
    )
    wrong = weft.compile(model, "single-m4-1m", devices=[device], output=tmp_path / "wrong")
    with plain.open() as first, wrong.open() as second:
        same = [np.array_equal(first.run(x), second.run(x)) for (x,) in inputs]
    assert same == [False] * len(inputs)


@pytest.mark.parametrize("axis", ["channels", "rows"])
def test_convolutions_are_cut_along_either_axis(axis: str, tmp_path: Path) -> None:
    """A depthwise window is cut by rows, another by input channels."""
    n = Network(np.random.default_rng(6))
    about: dict[str, Any] = {"scale": 4000.0, "zero_point": 3, "activation": "NONE"}
    if axis == "channels":
        shape = (1, 4, 4, 192)
        x = n.input(shape)
        weights = np.full((5, 3, 3, 192), 127, np.int8)
        y = n.builder.conv2d(x.tensor, weights, np.zeros(5, np.int32), 0.5, padding="SAME", **about)
    else:
        shape = (1, 30, 30, 2)
        x = n.input(shape)
        weights = np.full((1, 28, 28, 2), 127, np.int8)
        bias = np.zeros(2, np.int32)
        y = n.builder.depthwise_conv2d(x.tensor, weights, bias, 0.5, padding="VALID", **about)
    n.builder.output(y)
    model = n.builder.build()
    inputs = [np.full(shape, value, np.int8) for value in (127, -128)]
    inputs.append(np.random.default_rng(7).integers(-128, 128, shape).astype(np.int8))
    program = check_against_oracle(model, [[x] for x in inputs], [axis], devices=[DEVICES[2]])
    assert offloaded(program) == 1.0
    (parts,) = _parts(model, DEVICES[2], tmp_path / "program")
    assert parts > 1

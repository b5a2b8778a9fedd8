# SPDX-License-Identifier: Apache-2.0
"""``weft bench devices``: layers with ``mac_array`` under the clock, beside what it could do.

The layers are those of kws and ic, in their networks, those of a ResNet-50 and a matrix product,
both with random weights, one by one, on a PE with room for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from weft.bench.model_files import find_models
from weft.compiler import compile_model
from weft.engines.timed.session import TimedSession
from weft.errors import EngineError
from weft.machines import Machine, load_machine
from weft.program import Program

#: Products a cycle of the array.
PEAK = 64
DEVICE = "mac_array"
_MACHINE = "single-m4-1m"
_ROOM = 64 << 20  # bytes of a PE for layers of a ResNet-50
_MATMUL = (128, 512, 512)
_WEIGHTED = ("conv2d", "depthwise", "dense")


@dataclass(frozen=True)
class _Shape:
    """A layer of a ResNet-50: ``size`` is the edge of the (square) operand, 1 for dense."""

    name: str
    size: int
    given: int
    made: int
    kernel: int = 1
    stride: int = 1


def _resnet_50() -> Iterator[_Shape]:
    """All that differ. Deep Residual Learning for Image Recognition (He and others, 2015), table 1,
    with the stride of a block in its 3x3 convolution."""
    yield _Shape("conv1", 224, 3, 64, 7, 2)
    given = 64
    for stage, (size, width) in enumerate(((56, 64), (28, 128), (14, 256), (7, 512)), 2):
        before = size if stage == 2 else 2 * size
        stride = before // size
        yield _Shape(f"conv{stage}.first", before, given, width)
        yield _Shape(f"conv{stage}.3x3 first", before, width, width, 3, stride)
        yield _Shape(f"conv{stage}.last", size, width, 4 * width)
        yield _Shape(f"conv{stage}.shortcut", before, given, 4 * width, 1, stride)
        yield _Shape(f"conv{stage}.next", size, 4 * width, width)
        if stage > 2:
            yield _Shape(f"conv{stage}.3x3", size, width, width, 3)
        given = 4 * width
    yield _Shape("classes", 1, 2048, 1000)


def measure(names: Sequence[str] | None = None, models: str | None = None) -> dict[str, Any]:
    """``mac_share`` of all MACs on the array, and ``layers``: docs/command-line.md says what the
    keys mean. ``names`` are kws and ic unless others are given, found as ``weft bench cortex-m4``
    finds them.

    Raises ``EngineError`` if onnx is not installed or outputs differ from those without the array,
    and what ``compile_model`` does.
    """
    layers: list[dict[str, Any]] = []
    offload: list[dict[str, Any]] = []
    for name, path in find_models(list(names or ("kws", "ic")), models).items():
        program = compile_model(path, _MACHINE, devices=[DEVICE])
        _check(program, compile_model(path, _MACHINE))
        layers += _layers(name, program)
        offload += program.manifest["offload"]
    machine = _roomy()
    for model, name, module in _made():
        program = compile_model(module, machine, devices=[DEVICE])
        layers += [{**row, "layer": name} for row in _layers(model, program)]
        offload += program.manifest["offload"]
    weighted = [row for row in offload if row["kind"] in _WEIGHTED]
    there = sum(row["on"].get(DEVICE, 0) for row in weighted)
    return {
        "mac_share": round(there / sum(row["macs"] for row in weighted), 6),
        "elsewhere": [
            {key: row[key] for key in ("stage", "kind", "macs", "reasons")}
            for row in weighted
            if DEVICE not in row["on"]
        ],
        "peak_macs_per_cycle": PEAK,
        "layers": layers,
    }


def _roomy() -> Machine:
    """One PE with more memory than there is, for whole layers."""
    machine = load_machine(_MACHINE)
    classes = {
        name: replace(c, memory=tuple(replace(r, length=_ROOM) for r in c.memory[:1]))
        for name, c in machine.classes.items()
    }
    return replace(machine, classes=classes)


def _check(program: Program, plain: Program) -> None:
    rng = np.random.default_rng(0)
    frame = [rng.integers(-128, 128, i.shape).astype(i.dtype) for i in program.inputs]
    with program.open() as session, plain.open() as reference:
        made, wanted = _outputs(session.run(frame)), _outputs(reference.run(frame))
        if not all(np.array_equal(a, b) for a, b in zip(made, wanted, strict=True)):
            raise EngineError(f"{program.folder.name} gives other bytes with {DEVICE}")


def _outputs(result: Any) -> Sequence[Any]:
    return result if isinstance(result, tuple) else (result,)


# --- what the clock says ------------------------------------------------------------------------


def _layers(model: str, program: Program) -> Iterator[dict[str, Any]]:
    """Of every stage that the array computes, in one frame."""
    spans = _spans(program)
    rows: Mapping[str, dict[str, Any]] = {r["stage"]: r for r in program.manifest["offload"]}
    (shard,) = program.manifest["pes"][0]["shards"]
    before = 0
    for name in dict.fromkeys(task["name"] for task in shard):
        tasks = [task for task in shard if task["name"] == name]
        end = max(e for label, e in spans if label == name)
        elapsed, before = end - before, end
        jobs = [job for task in tasks for job in task.get("jobs", ())]
        if not jobs:
            continue
        device = sum(job["cycles"] for job in jobs)
        core = sum(task["core_cycles"] for task in tasks)
        macs = rows[name]["macs"]
        yield {
            "model": model,
            "layer": name,
            "kind": _kind(program, name, rows[name]["kind"]),
            "in_channels": rows[name]["in_channels"],
            "macs": macs,
            "jobs": len(jobs),
            "device_cycles": device,
            "core_cycles": core,
            "sync_cycles": device + core,
            "overlapped_cycles": elapsed,
            "overlap": round(elapsed / max(device, core), 4),
            "utilisation": round(macs / (PEAK * device), 4),
        }


def _kind(program: Program, stage: str, kind: str) -> str:
    """Dense layers and convolutions of one pixel are products of a matrix and a vector, which have
    work for one of four rows of the array; of several vectors they are ``matmul``."""
    row = next(r for r in program.manifest["offload"] if r["stage"] == stage)
    if kind == "depthwise" or row["vectors"] > 1:
        return "matmul" if kind == "dense" else kind
    return "matvec"


def _spans(program: Program) -> list[tuple[str, int]]:
    """The stage and the end, in cycles, of everything that the core does in a frame."""
    (shard,) = program.manifest["pes"][0]["shards"]
    rng = np.random.default_rng(0)
    frame = [rng.integers(-128, 128, i.shape).astype(i.dtype) for i in program.inputs]
    with program.open("timed") as session:
        assert isinstance(session, TimedSession)
        session.record()
        session.run(frame)
        return [
            (shard[int(span.label.partition(".")[2])]["name"], span.end)
            for span in session.spans
            if not span.device and span.pe == 0
        ]


# --- layers of a ResNet-50 ----------------------------------------------------------------------


def _made() -> Iterator[tuple[str, str, Any]]:
    """Layers with random weights: what they are of, their names, and Relax modules. Raises
    ``EngineError`` without onnx."""
    try:
        from weft.bench.qdq_layers import quantized_layer, quantized_matmul
    except ImportError as error:
        raise EngineError(
            f"weft bench devices makes a ResNet-50 ({error}): pip install weft[bench]"
        ) from None
    for shape in _resnet_50():
        data = quantized_layer(shape.size, shape.given, shape.made, shape.kernel, shape.stride)
        yield "resnet-50", shape.name, _module(data, shape.name)
    rows, given, made = _MATMUL
    name = f"{rows}x{given} by {given}x{made}"
    yield "matmul", name, _module(quantized_matmul(*_MATMUL), "matmul")


def _module(data: bytes, name: str) -> Any:
    """The model as a Relax module with the rounding of TensorFlow Lite Micro."""
    from weft.importers import import_model
    from weft.relax.contracts import ATTRIBUTE

    module, _ = import_model(data, name, None)
    main = module.get_global_var("main")
    module.update_func(main, module[main].without_attr(ATTRIBUTE))
    return module

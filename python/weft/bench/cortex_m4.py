# SPDX-License-Identifier: Apache-2.0
"""``weft bench cortex-m4``: models as machine code, counted, beside the figures of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from weft.bench.counting import Work, compile_single, count_frames
from weft.bench.image_size import image_size, runtime_size
from weft.bench.peers import peers_of
from weft.compiler import compile_model
from weft.engines.cortex_m4.counts import Count
from weft.engines.cortex_m4.images import linked_pes
from weft.program import Program


def measure(models: Mapping[str, Path], machine: str | None, pes: int | None) -> dict[str, Any]:
    """Compiles and counts every model. Without ``machine`` a model runs on one PE.

    Raises what ``compile_model`` does, and ``EngineError``.
    """
    measured: dict[str, Any] = {}
    runtime: dict[str, int] = {}
    for name, path in models.items():
        single = compile_single(path)
        work = count_frames(single)
        if machine is None:
            found = _describe(single, work)
        else:
            program = compile_model(path, machine, pes=pes)
            found = _describe(program, count_frames(program))
            found["one_pe"] = {"machine": single.manifest["machine"], **asdict(work.total)}
            found["ratio_to_one_pe"] = _ratio(found["instructions"], work.total.instructions)
        measured[name] = found
        for key, size in found["runtime"].items():
            runtime[key] = max(runtime.get(key, 0), size)
    return {"models": measured, "runtime": runtime}


def _describe(program: Program, work: Work) -> dict[str, Any]:
    numbers = [n for n, pe in enumerate(program.manifest["pes"]) if pe["program"] is not None]
    elves = [linked.elf for linked in linked_pes(program, numbers).values()]
    sizes = [image_size(elf) for elf in elves]
    runtimes = [asdict(runtime_size(program.folder, elf)) for elf in elves]
    busiest = max(work.by_pe, key=lambda pe: work.by_pe[pe].cycles)
    layers = [
        {"layer": layer.label, "kind": layer.kind, "macs": layer.macs, **asdict(layer.count)}
        for layer in work.layers
    ]
    facts = {
        "machine": program.manifest["machine"],
        "pes": len(numbers),
        **asdict(work.total),
        "macs": sum(layer.macs for layer in work.layers),
        "kernels": asdict(work.kernels),
        "executive": asdict(work.executive),
        "waiting": asdict(work.waiting),
        "frames": [asdict(count) for count in work.by_frame],
        "busiest_pe": {"pe": busiest, **asdict(work.by_pe[busiest])},
        "functions": _sorted(work.functions),
        "text": max(size.text for size in sizes),
        "image": max(size.image for size in sizes),
        "runtime": {key: max(row[key] for row in runtimes) for key in runtimes[0]},
        "layers": layers,
    }
    return {**facts, **_compare(program.manifest["model"]["sha256"], facts)}


def _sorted(functions: Mapping[str, Count]) -> list[dict[str, Any]]:
    """The most cycles first."""
    rows = [{"function": name, **asdict(count)} for name, count in functions.items()]
    return sorted(rows, key=lambda row: (-row["cycles"], row["function"]))


def _compare(sha256: str | None, facts: dict[str, Any]) -> dict[str, Any]:
    """Ratios to peers; layers get those to the first peer that knows them."""
    peers = peers_of(sha256)
    slower = []
    for layer in facts["layers"]:
        known = next((p.layers[layer["layer"]] for p in peers if layer["layer"] in p.layers), None)
        if known is None or layer["kind"] in ("border", "copy"):
            continue
        layer["peer_instructions"] = known
        layer["peer_ratio"] = _ratio(layer["instructions"], known)
        if layer["instructions"] > known:
            slower.append(layer["layer"])
    rows = [
        {
            "peer": peer.name,
            "instructions": peer.instructions,
            "ratio": _ratio(facts["instructions"], peer.instructions),
            "text": peer.text,
        }
        for peer in peers
    ]
    return {"peers": rows, "slower_layers": slower}


def _ratio(ours: int, theirs: int) -> float:
    return round(ours / theirs, 4)

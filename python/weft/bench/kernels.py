# SPDX-License-Identifier: Apache-2.0
"""``weft bench kernels``: hand-written kernels beside generated ones, layer by layer, and where the
generated ones are faster. The compiler chooses by what this writes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from weft.bench.counting import count_frames
from weft.bench.kernel_layers import SHAPES, LayerShape
from weft.bench.report import render, table
from weft.codegen.toolchain import find_target_toolchain
from weft.engines.cortex_m4.counts import Count
from weft.machines import load_machine
from weft.program import Program
from weft.testing.layer_programs import compile_layers
from weft.transforms.choose_kernels import FAMILIES
from weft.transforms.measured_choice import pixels_of

_MACHINE = "single-m4-1m"
# Layers of one program: tables of a PE hold so many slots.
_TOGETHER = 64
_CANDIDATES: Mapping[str, frozenset[str]] = {"hand_written": frozenset(), "generated": FAMILIES}


def measure(shapes: Sequence[LayerShape] = SHAPES) -> dict[str, Any]:
    """The table: ``compiler``, ``generated`` and ``layers``, as docs/command-line.md says.

    Raises ``EngineError`` or ``ToolchainError``.
    """
    parts = [shapes[at : at + _TOGETHER] for at in range(0, len(shapes), _TOGETHER)]
    rows = [row for part in parts for row in _rows(part)]
    toolchain = find_target_toolchain("cortex-m4f")
    assert toolchain is not None  # it has made the images
    return {"compiler": toolchain.version, "generated": list(rules(rows)), "layers": rows}


def _rows(shapes: Sequence[LayerShape]) -> Iterator[dict[str, Any]]:
    """Of shapes that are one network."""
    layers = [shape.layer() for shape in shapes]
    machine = load_machine(_MACHINE)
    counts: dict[str, dict[str, Count]] = {}
    by_hand: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as scratch:
        for name, families in _CANDIDATES.items():
            program = compile_layers(layers, machine, Path(scratch) / name, families, False)
            counts[name] = _by_layer(program)
            by_hand |= set(program.manifest["hand_written"])
    for number, shape in enumerate(shapes):
        label = str(number)
        found = {name: asdict(counted[label]) for name, counted in counts.items()}
        yield {
            "family": shape.family,
            "class": shape.shape_class,
            "layer": shape.name,
            "pixels": shape.pixels,
            "channels": shape.channels,
            "taps": shape.taps,
            **found,
            "hand_written": found["hand_written"] if label in by_hand else None,
        }


def _by_layer(program: Program) -> dict[str, Count]:
    """Kernels and what prepares for them."""
    counted: dict[str, Count] = {}
    for layer in count_frames(program).layers:
        counted[layer.label] = counted.get(layer.label, Count()) + layer.count
    return counted


def is_generated_faster(row: Mapping[str, Any]) -> bool:
    """By instructions and by cycles."""
    pairs = [
        (row["generated"][key], row["hand_written"][key]) for key in ("instructions", "cycles")
    ]
    return all(generated < by_hand for generated, by_hand in pairs)


def rules(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Where generated kernels are to be used: by family, class of pixels and output channels, the
    most taps up to which each of them was faster."""
    classes: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["class"] == "few channels" and row["taps"] and row["hand_written"] is not None:
            key = row["family"], pixels_of(row["pixels"]), row["channels"]
            classes.setdefault(key, []).append(row)
    for (family, pixels, channels), alike in sorted(classes.items()):
        slower = [row["taps"] for row in alike if not is_generated_faster(row)]
        most = max(
            (r["taps"] for r in alike if r["taps"] < min(slower, default=1 << 31)), default=0
        )
        if most:
            yield {"family": family, "pixels": pixels, "channels": channels, "most_taps": most}


def write(report: Mapping[str, Any], path: Path) -> None:
    """One row a line, for ``git diff``."""
    parts = [f' "compiler": {json.dumps(report["compiler"])}']
    for key in ("generated", "layers"):
        rows = ",\n".join(f"  {json.dumps(row)}" for row in report[key])
        parts.append(f' "{key}": [\n{rows}\n ]')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def text(report: Mapping[str, Any]) -> str:
    """A line for every layer, and the rules."""
    made = table("layer", "class", "by hand", "generated", "ratio", "cycles", "generated", "ratio")
    for row in report["layers"]:
        by_hand, generated = row["hand_written"], row["generated"]
        figures: list[str] = []
        for key in ("instructions", "cycles"):
            ratio = f"{by_hand[key] / generated[key]:.3f}" if by_hand else ""
            figures += [str(by_hand[key]) if by_hand else "", str(generated[key]), ratio]
        made.add_row(row["layer"], f"{row['family']}, {row['class']}", *figures)
    rules = [
        f"generated: {rule['family']} of {rule['pixels']} pixel(s), {rule['channels']} output "
        f"channel(s), up to {rule['most_taps']} taps"
        for rule in report["generated"]
    ]
    return render(made, "", *rules, f"compiled by {report['compiler']}")

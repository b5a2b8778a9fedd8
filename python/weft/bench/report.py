# SPDX-License-Identifier: Apache-2.0
"""The reports of benchmarks as text."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.table import Table

from weft.machines.model import COSTS_BY_KIND, GENERAL_COSTS

_WIDTH = 120


def render(*parts: Table | str) -> str:
    """Tables and lines, one under the other, without colours."""
    out = io.StringIO()
    console = Console(file=out, width=_WIDTH, highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def table(*columns: str) -> Table:
    """The first column is text, the others are figures."""
    made = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        made.add_column(column, justify="left" if number == 0 else "right", no_wrap=True)
    return made


def cortex_m4_text(report: dict[str, Any]) -> str:
    """Of ``weft bench cortex-m4``."""
    parts: list[Table | str] = []
    for name, model in report["models"].items():
        parts += [_heading(name, model), _layers(model), *_comparison(model), ""]
    runtime = report["runtime"]
    parts.append(
        f"runtime core: {runtime['text']} bytes of text, {runtime['ram']} of RAM; its port "
        f"{runtime['port_text']} and {runtime['port_ram']}"
    )
    return render(*parts)


def costs_text(report: dict[str, Any]) -> str:
    """Of ``weft bench costs``: TOML to paste, and the errors as comments."""
    lines = ["[pe_class.NAME.cost]"]
    for key in GENERAL_COSTS:
        if key in report:
            lines.append(f"{key} = {report[key]:g}")
    for key in COSTS_BY_KIND:
        pairs = ", ".join(f"{kind} = {value:g}" for kind, value in report[key].items())
        if pairs:
            lines.append(f"{key} = {{ {pairs} }}")
    lines += ["", "# relative errors: of the stages that were counted, mean, largest, and where"]
    for name, error in (*report["errors"].items(), ("firings", report["firing_error"])):
        lines.append(
            f"# {name:10} {error['samples']:5} {100 * error['mean_error']:6.1f} % "
            f"{100 * error['largest_error']:6.1f} %  {error['worst']}"
        )
    return "\n".join(lines)


def _heading(name: str, model: dict[str, Any]) -> str:
    size = "" if model["pes"] == 1 else ", the largest PE's"
    return (
        f"{name} on {model['pes']} PE(s) of {model['machine']}: "
        f"{model['instructions']} instructions, {model['cycles']} cycles a frame\n"
        f"  text {model['text']} bytes, image {model['image']} bytes{size}"
    )


def _layers(model: dict[str, Any]) -> Table:
    made = table("layer", "kind", "MACs", "instructions", "a MAC", "cycles", "/ peer")
    for layer in model["layers"]:
        macs, instructions = layer["macs"], layer["instructions"]
        ratio = layer.get("peer_ratio")
        made.add_row(
            layer["layer"],
            layer["kind"],
            str(macs),
            str(instructions),
            f"{instructions / macs:.2f}" if macs else "",
            str(layer["cycles"]),
            "" if ratio is None else f"{ratio:.3f}",
        )
    for key, text in (("executive", "executive and messages"), ("waiting", "waiting, not counted")):
        made.add_row(text, "", "", str(model[key]["instructions"]), "", str(model[key]["cycles"]))
    return made


def _comparison(model: dict[str, Any]) -> list[str]:
    lines = [
        f"{peer['ratio']:.3f} x the instructions of {peer['peer']} ({peer['instructions']})"
        for peer in model["peers"]
    ]
    if model["peers"]:
        slower = ", ".join(model["slower_layers"]) or "none that is known"
        lines.append(f"layers slower than the peer's: {slower}")
    if "one_pe" in model:
        busiest = model["busiest_pe"]
        lines.append(
            f"{model['ratio_to_one_pe']:.3f} x the instructions of one PE of "
            f"{model['one_pe']['machine']} ({model['one_pe']['instructions']})"
        )
        lines.append(f"busiest PE {busiest['pe']}: {busiest['cycles']} cycles a frame")
    return lines


def devices_text(report: dict[str, Any]) -> str:
    """Of ``weft bench devices``."""
    layers = table("layer", "kind", "MACs", "array", "core", "overlapped", "x", "used")
    for row in report["layers"]:
        layers.add_row(
            f"{row['model']} {row['layer']}",
            row["kind"],
            f"{row['macs']:,}",
            f"{row['device_cycles']:,}",
            f"{row['core_cycles']:,}",
            f"{row['overlapped_cycles']:,}",
            f"{row['overlap']:.3f}",
            f"{100 * row['utilisation']:.1f} %",
        )
    return render(
        layers,
        "",
        f"{100 * report['mac_share']:.2f} % of the MACs are on the array; x is the overlapped time "
        "in relation to the larger of array and core",
    )

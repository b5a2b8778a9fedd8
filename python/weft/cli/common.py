# SPDX-License-Identifier: Apache-2.0
"""Options and lines of the report that several commands have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from weft.program import Program

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
MACHINE = click.option("--machine", default=None, help="Bundled name or machine file.")
MAPPING = click.option("--mapping", type=click.Path(), help="Mapping file (JSON).")
PES = click.option("--pes", type=click.IntRange(1), help="Use at most so many PEs.")
DEVICES = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="[NAME=]KIND[:OPTION=VALUE,...]",
    help="Every PE has this device, too: a name or a folder. Several times for several.",
)
WEIGHTS = click.option(
    "--weights",
    default="sram",
    show_default=True,
    type=click.Choice(["sram", "dram"]),
    help="Where large weights lie: with the PE, or in DRAM, from where a device copies them.",
)


def emit(report: dict[str, Any], as_json: bool, text: str) -> None:
    """Prints the report, as JSON or as text."""
    click.echo(json.dumps(report, sort_keys=True) if as_json else text)


def facts_of(program: Program) -> dict[str, Any]:
    """What both ``run`` and ``compile`` report."""
    programs = program.manifest["programs"]
    return {
        "machine": program.manifest["machine"],
        "pes_used": len(program.pes),
        "programs": len(programs),
        "stages": len(program.stages),
        "sram_peak_bytes": program.sram_bytes,
        "predicted_fps": program.predicted_fps,
        "limited_by": program.limited_by,
    }


def speed_text(facts: dict[str, Any]) -> str:
    """What the model of time predicts, as a line."""
    return (
        f"  at most {facts['predicted_fps']:g} frames/s on the machine by the model of time, "
        f"limited by {facts['limited_by']}"
    )

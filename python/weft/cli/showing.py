# SPDX-License-Identifier: Apache-2.0
"""Commands that show what there is: images, machines, the demo."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from weft.cli.common import JSON, emit


@click.command()
@click.argument("folder", type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="Folder for the ELF files.")
@JSON
def images(folder: str, output: str | None, as_json: bool) -> None:
    """Link the image of every PE of a compiled FOLDER, and show what each takes."""
    import weft
    from weft.engines.cortex_m4.footprints import footprint_table, image_footprints

    start = time.perf_counter()
    program = weft.load(Path(folder))
    rows = image_footprints(program, Path(output) if output is not None else None)
    report = {
        "machine": program.manifest["machine"],
        "pes_used": len(program.pes),
        "images": rows,
        "wall_s": round(time.perf_counter() - start, 3),
    }
    emit(report, as_json, "\n".join(footprint_table(rows)))


@click.command()
@click.argument("name", required=False)
@JSON
def machines(name: str | None, as_json: bool) -> None:
    """List the bundled machines, or show one (or a machine file)."""
    from weft.machines import bundled_machines, load_machine
    from weft.machines.describe import describe, summary

    if name is None:
        found = [load_machine(m) for m in bundled_machines()]
        report: dict[str, Any] = {"machines": [summary(m) for m in found]}
        lines = [f"{m.name:14} {len(m.usable()):5} PEs  {m.description}" for m in found]
        emit(report, as_json, "\n".join(lines))
        return
    machine = load_machine(name)
    emit(summary(machine), as_json, describe(machine))


@click.command()
@click.option("-o", "--output", default="weft-demo.png", show_default=True, help="The picture.")
@JSON
def demo(output: str, as_json: bool) -> None:
    """Recognise handwritten digits with the bundled model, from nothing to a picture."""
    from weft.demo import run_demo

    report, text = run_demo(Path(output), quiet=as_json)
    emit(report, as_json, text)

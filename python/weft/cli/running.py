# SPDX-License-Identifier: Apache-2.0
"""The command that runs a model or a compiled folder."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weft.cli.common import (
    DEVICES,
    JSON,
    MACHINE,
    MAPPING,
    PES,
    WEIGHTS,
    emit,
    facts_of,
    speed_text,
)
from weft.errors import InputError

if TYPE_CHECKING:
    from weft.program import Program


@click.command()
@click.argument("model", type=click.Path())
@MACHINE
@MAPPING
@PES
@DEVICES
@WEIGHTS
@click.option(
    "--engine",
    default="native",
    show_default=True,
    type=click.Choice(["native", "timed", "cortex-m4"]),
    help="C compiled for this computer, as fast as it can or by the machine's clock, or the images "
    "of PEs as machine code.",
)
@click.option("--machine-code", metavar="PE,...", help="Only these are machine code.")
@click.option("--input", "input_file", type=click.Path(), help=".npy, or .npz with several.")
@click.option("--output", "output_file", type=click.Path(), help=".npy, or .npz if several.")
@click.option("--frames", default=1, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Random input.")
@JSON
def run(
    model: str,
    machine: str | None,
    mapping: str | None,
    pes: int | None,
    devices: tuple[str, ...],
    weights: str,
    engine: str,
    machine_code: str | None,
    input_file: str | None,
    output_file: str | None,
    frames: int,
    seed: int,
    as_json: bool,
) -> None:
    """Run MODEL (a file, or a folder from `weft compile`) on an input.

    The input is one frame, or as many as --frames says stacked along a new first axis. Without
    one, seeded random frames are used.
    """
    from weft.frames import output_digest, read_frames, write_outputs

    start = time.perf_counter()
    program = _compiled(model, machine, mapping, pes, devices, weights)
    batch = read_frames(program.inputs, input_file, frames, seed)
    chosen = None if machine_code is None else pe_names(machine_code)
    with program.open(engine, machine_code=chosen) as session:
        begun = time.perf_counter()
        results = list(session.stream(batch))
        streaming = time.perf_counter() - begun
        ran, counted, emulator = session.machine_code, session.instructions, session.emulator
        figures = session.figures
    outputs = [r if isinstance(r, tuple) else (r,) for r in results]
    digest = output_digest(outputs)
    if output_file is not None:
        write_outputs(Path(output_file), program.outputs, outputs)
    report = {
        **facts_of(program),
        "engine": engine,
        "frames": len(outputs),
        "measured_fps": round(len(outputs) / streaming, 3),
        "machine_code": ran,
        "emulator": emulator,
        "instructions": None if counted is None else round(counted / len(outputs)),
        "output_sha256": digest,
        "wall_s": round(time.perf_counter() - start, 3),
        **figures,
    }
    text = [
        f"{len(outputs)} frame(s) on {report['pes_used']} PE(s) of {report['machine']} ({engine})"
    ]
    for info, array in zip(program.outputs, outputs[0], strict=True):
        text.append(f"  {info.name} {info.dtype}{list(info.shape)}: {_preview(array)}")
    text.append(f"  sha256 of the output {digest}")
    if figures:
        from weft.engines.timed.figures import summary

        text.append(f"  {summary(figures)}")
    elif len(outputs) > 1:
        text.append(f"  {report['measured_fps']:g} frames/s on this computer")
    if ran:
        count = "" if counted is None else f": {report['instructions']} instructions a frame"
        text.append(f"  machine code on {len(ran)} PE(s), in {emulator}{count}")
    text.append(speed_text(report))
    emit(report, as_json, "\n".join(text))


def _compiled(
    model: str,
    machine: str | None,
    mapping: str | None = None,
    pes: int | None = None,
    devices: Sequence[str] = (),
    weights: str = "sram",
) -> Program:
    """A program folder as it is, or a model compiled (or found in the cache)."""
    import weft

    path = Path(model)
    if path.is_dir():
        program = weft.load(path)
        compiled_for = program.manifest["machine"]
        if machine is not None and Path(machine).stem != compiled_for:
            raise InputError(f"{path} was compiled for {compiled_for}, not for {machine}")
        given = {"mapping": mapping, "pes": pes, "device": devices or None}
        given["weights"] = None if weights == "sram" else weights
        for name, value in given.items():
            if value is not None:
                raise InputError(f"{path} is compiled already; --{name} goes with a model file")
        return program
    return weft.compile(path, machine, mapping=mapping, pes=pes, devices=devices, weights=weights)


def pe_names(text: str) -> list[str]:
    """Names of PEs, separated by commas outside of parentheses, or by blanks."""
    return [name for name in re.split(r"[\s,]+(?![^()]*\))", text) if name]


def _preview(array: Any) -> str:
    values = " ".join(f"{v:g}" for v in array.reshape(-1)[:12])
    return values + (" ..." if array.size > 12 else "")

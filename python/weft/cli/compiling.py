# SPDX-License-Identifier: Apache-2.0
"""Commands that compile a model, or look at it as the compiler does."""

from __future__ import annotations

import json
import time
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
@click.option("-o", "--output", type=click.Path(), help="Folder to write.")
@MACHINE
@MAPPING
@PES
@DEVICES
@WEIGHTS
@click.option("--tuned", type=click.Path(), help="Schedules that weft tune wrote (JSON).")
@click.option("--check-mapping", is_flag=True, help="Check the mapping and stop before code.")
@click.option("--dump-ir", type=click.Path(), help="Folder for the IR after every pass.")
@JSON
def compile(
    model: str,
    output: str | None,
    machine: str | None,
    mapping: str | None,
    pes: int | None,
    devices: tuple[str, ...],
    weights: str,
    tuned: str | None,
    check_mapping: bool,
    dump_ir: str | None,
    as_json: bool,
) -> None:
    """Compile MODEL into a folder of C sources, constants and a manifest."""
    import weft
    from weft.codegen.offload_report import offload_text

    start = time.perf_counter()
    if check_mapping:
        if output is not None or dump_ir is not None or tuned is not None:
            raise InputError("--check-mapping makes no code: leave -o, --tuned and --dump-ir out")
        checked = weft.check_mapping(
            Path(model), machine, mapping=mapping, pes=pes, devices=devices, weights=weights
        )
        report = {**checked, "wall_s": round(time.perf_counter() - start, 3)}
        emit(report, as_json, _mapping_text(report))
        return
    if output is None:
        raise InputError("say where the program goes: -o DIR")
    program = weft.compile(
        Path(model),
        machine,
        output=output,
        mapping=mapping,
        pes=pes,
        devices=devices,
        weights=weights,
        tuned=tuned,
        dump_ir=dump_ir,
    )
    stack = _worst_stack(program)
    facts = {
        **facts_of(program),
        "stack_bytes": stack and stack["bytes"],
        "stack_chain": stack and stack["chain"],
        "offload": program.manifest["offload"],
        "dram": program.manifest["dram"],
        "wall_s": round(time.perf_counter() - start, 3),
    }
    fullest = max(program.pes, key=lambda pe: pe["sram_bytes"])
    packing = program.manifest["packing"]
    lines = [
        f"{output}: {facts['stages']} stages on {facts['pes_used']} PE(s) of {facts['machine']}, "
        f"{facts['programs']} program(s)",
        f"  fullest PE {fullest['name']}, {facts['sram_peak_bytes']} bytes of SRAM: "
        + ", ".join(f"{k} {v}" for k, v in fullest["sections"].items()),
        f"  scratch memory, of the shard that packs worst, {packing['ratio']:.3f} x its lower "
        f"bound of {packing['lower_bound']} bytes",
        speed_text(facts),
    ]
    sizes = [v for p in program.manifest["programs"] for v in p["sizes_from"].values()]
    if stack is not None:
        chain = " > ".join(f"{name} {size}" for name, size in stack["chain"] if size)
        lines.insert(2, f"  stack, at worst: {stack['bytes']} bytes: {chain}")
    dram = program.manifest["dram"]
    if dram is not None:
        lines.append(
            f"  weights in DRAM: {dram['bytes']} bytes, {dram['bytes_per_frame']} are copied for a "
            "frame"
        )
    if None in sizes:
        lines.append(
            "  code and stack not measured: no target compiler (pip install weft[embedded])"
        )
    emit(facts, as_json, "\n".join([*lines, *offload_text(program.manifest["offload"])]))


def _worst_stack(program: Program) -> dict[str, Any] | None:
    """That of the program that takes most; None where no target compiler was there to ask."""
    stacks = [s for p in program.manifest["programs"] for s in p["stacks"].values()]
    return max(stacks, key=lambda stack: int(stack["bytes"]), default=None)


def _mapping_text(facts: dict[str, Any]) -> str:
    return (
        f"the mapping is sound: {facts['stages']} stages on {facts['pes_used']} PE(s) of "
        f"{facts['machine']}, no deadlock\n{speed_text(facts)}"
    )


@click.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="JSON file to write.")
@MACHINE
@JSON
def graph(model: str, output: str, machine: str | None, as_json: bool) -> None:
    """Write the stage graph of MODEL with its costs, for mappers outside of Weft."""
    import weft
    from weft.frames import write_text

    start = time.perf_counter()
    found = weft.graph(Path(model), machine)
    write_text(Path(output), json.dumps(found.to_json(), indent=1) + "\n")
    report = {
        "machine": found.machine.name,
        "stages": len(found.stages),
        "macs": sum(stage.macs for stage in found.stages),
        "output": output,
        "wall_s": round(time.perf_counter() - start, 3),
    }
    emit(report, as_json, f"{output}: {report['stages']} stages, {report['macs']} MACs a frame")


@click.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="JSON file to write.")
@click.option("--trials", default=32, show_default=True, type=click.IntRange(1))
@click.option("--jobs", type=click.IntRange(1), help="Processes; one a processor if not given.")
@click.option("--ray", metavar="ADDRESS", help="Measure on the workers of a Ray cluster instead.")
@click.option("--seed", default=0, show_default=True)
@JSON
def tune(
    model: str,
    output: str,
    trials: int,
    jobs: int | None,
    ray: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Search for faster schedules of the kernels that are generated for MODEL, by counting machine
    code; weft compile --tuned uses them."""
    from weft.tuning import tune_model
    from weft.tuning.tune import text, write_tuned

    if ray is not None and jobs is not None:
        raise InputError("--jobs are processes of this computer: leave it out with --ray")

    def progress(done: int, whole: int) -> None:
        click.echo(f"{done} of {whole} trials", err=True)

    start = time.perf_counter()
    report = tune_model(
        Path(model), trials=trials, jobs=jobs, ray=ray, seed=seed, progress=progress
    )
    write_tuned(report, Path(output))
    wall = round(time.perf_counter() - start, 3)
    emit({**report, "wall_s": wall}, as_json, "" if as_json else f"{text(report)}\n{output}")

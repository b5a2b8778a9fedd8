# SPDX-License-Identifier: Apache-2.0
"""The command line: thin, with one exit status for each side's mistakes.

0 done, 2 the user's mistake (one line on stderr), 1 ours. With ``--json`` exactly one JSON object
goes to stdout and everything else to stderr. Imports are inside of the commands, so that a command
pays only for what it uses.
"""

from __future__ import annotations

import json as json_module
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weft import __version__
from weft.errors import InputError, WeftError

if TYPE_CHECKING:
    from weft.program import Program

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_DEBUG_VARIABLE = "WEFT_TRACEBACK"


class _Group(click.Group):
    """Turns the user's mistakes into one line."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.Exit as request:
            sys.exit(request.exit_code)
        except click.Abort:
            click.echo("interrupted", err=True)
            sys.exit(130)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(0)
        except click.ClickException as error:
            message = error.format_message().splitlines()
            click.echo(f"weft: {' '.join(message)}", err=True)
            sys.exit(2)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"weft: {where}{error.strerror or error}", err=True)
            sys.exit(2)
        except WeftError as error:
            import os

            if os.environ.get(_DEBUG_VARIABLE):
                raise
            click.echo(f"weft: {' '.join(str(error).split())}", err=True)
            sys.exit(2)


def _show_cmake_dir(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    from weft.paths import cmake_folder

    if wanted:
        click.echo(cmake_folder())
        context.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="weft")
@click.option(
    "--cmake-dir",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_cmake_dir,
    help="Show where the CMake package is, and exit.",
)
def main() -> None:
    """Neural networks on meshes of small bare-metal processing elements."""


def _emit(report: dict[str, Any], as_json: bool, text: str) -> None:
    click.echo(json_module.dumps(report, sort_keys=True) if as_json else text)


def _facts(program: Program) -> dict[str, Any]:
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


_MACHINE = click.option("--machine", default=None, help="Bundled name or machine file.")
_MAPPING = click.option("--mapping", type=click.Path(), help="Mapping file (JSON).")
_PES = click.option("--pes", type=click.IntRange(1), help="Use at most so many PEs.")
_DEVICES = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="[NAME=]KIND[:OPTION=VALUE,...]",
    help="Every PE has this device, too: a name or a folder. Several times for several.",
)
_WEIGHTS = click.option(
    "--weights",
    default="sram",
    show_default=True,
    type=click.Choice(["sram", "dram"]),
    help="Where large weights lie: with the PE, or in DRAM, from where a device copies them.",
)


@main.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="Folder to write.")
@_MACHINE
@_MAPPING
@_PES
@_DEVICES
@_WEIGHTS
@click.option("--tuned", type=click.Path(), help="Schedules that weft tune wrote (JSON).")
@click.option("--check-mapping", is_flag=True, help="Check the mapping and stop before code.")
@click.option("--dump-ir", type=click.Path(), help="Folder for the IR after every pass.")
@_JSON
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
        _emit(report, as_json, _mapping_text(report))
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
        **_facts(program),
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
        _speed(facts),
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
    _emit(facts, as_json, "\n".join([*lines, *offload_text(program.manifest["offload"])]))


def _worst_stack(program: Program) -> dict[str, Any] | None:
    """That of the program that takes most; None where no target compiler was there to ask."""
    stacks = [s for p in program.manifest["programs"] for s in p["stacks"].values()]
    return max(stacks, key=lambda stack: int(stack["bytes"]), default=None)


def _speed(facts: dict[str, Any]) -> str:
    return (
        f"  at most {facts['predicted_fps']:g} frames/s on the machine by the model of time, "
        f"limited by {facts['limited_by']}"
    )


def _mapping_text(facts: dict[str, Any]) -> str:
    return (
        f"the mapping is sound: {facts['stages']} stages on {facts['pes_used']} PE(s) of "
        f"{facts['machine']}, no deadlock\n{_speed(facts)}"
    )


@main.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="JSON file to write.")
@_MACHINE
@_JSON
def graph(model: str, output: str, machine: str | None, as_json: bool) -> None:
    """Write the stage graph of MODEL with its costs, for mappers outside of Weft."""
    import weft
    from weft.frames import write_text

    start = time.perf_counter()
    found = weft.graph(Path(model), machine)
    write_text(Path(output), json_module.dumps(found.to_json(), indent=1) + "\n")
    report = {
        "machine": found.machine.name,
        "stages": len(found.stages),
        "macs": sum(stage.macs for stage in found.stages),
        "output": output,
        "wall_s": round(time.perf_counter() - start, 3),
    }
    _emit(report, as_json, f"{output}: {report['stages']} stages, {report['macs']} MACs a frame")


@main.command()
@click.argument("model", type=click.Path())
@_MACHINE
@_MAPPING
@_PES
@_DEVICES
@_WEIGHTS
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
@_JSON
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
    chosen = None if machine_code is None else _names(machine_code)
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
        **_facts(program),
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
    text.append(_speed(report))
    _emit(report, as_json, "\n".join(text))


def _names(text: str) -> list[str]:
    """Names of PEs, separated by commas outside of parentheses, or by blanks."""
    return [name for name in re.split(r"[\s,]+(?![^()]*\))", text) if name]


def _preview(array: Any) -> str:
    values = " ".join(f"{v:g}" for v in array.reshape(-1)[:12])
    return values + (" ..." if array.size > 12 else "")


@main.command()
@click.argument("folder", type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="Folder for the ELF files.")
@_JSON
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
    _emit(report, as_json, "\n".join(footprint_table(rows)))


@main.command()
@click.argument("name", required=False)
@_JSON
def machines(name: str | None, as_json: bool) -> None:
    """List the bundled machines, or show one (or a machine file)."""
    from weft.machines import bundled_machines, load_machine
    from weft.machines.describe import describe, summary

    if name is None:
        found = [load_machine(m) for m in bundled_machines()]
        report: dict[str, Any] = {"machines": [summary(m) for m in found]}
        lines = [f"{m.name:14} {len(m.usable()):5} PEs  {m.description}" for m in found]
        _emit(report, as_json, "\n".join(lines))
        return
    machine = load_machine(name)
    _emit(summary(machine), as_json, describe(machine))


@main.command()
@click.option("-o", "--output", default="weft-demo.png", show_default=True, help="The picture.")
@_JSON
def demo(output: str, as_json: bool) -> None:
    """Recognise handwritten digits with the bundled model, from nothing to a picture."""
    from weft.demo import run_demo

    report, text = run_demo(Path(output), quiet=as_json)
    _emit(report, as_json, text)


@main.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="JSON file to write.")
@click.option("--trials", default=32, show_default=True, type=click.IntRange(1))
@click.option("--jobs", type=click.IntRange(1), help="Processes; one a processor if not given.")
@click.option("--ray", metavar="ADDRESS", help="Measure on the workers of a Ray cluster instead.")
@click.option("--seed", default=0, show_default=True)
@_JSON
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
    _emit({**report, "wall_s": wall}, as_json, "" if as_json else f"{text(report)}\n{output}")


@main.group(invoke_without_command=True)
@click.pass_context
def bench(context: click.Context) -> None:
    """Measure what a PE takes for a network; alone, list the benchmarks."""
    from weft.bench import BENCHMARKS

    if context.invoked_subcommand is None:
        click.echo("\n".join(f"{name:10} {text}" for name, text in BENCHMARKS.items()))


_MODELS = click.option("--models", type=click.Path(), help="Folder in which names are looked up.")


@bench.command("cortex-m4")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@_MODELS
@click.option("--machine", default=None, help="Machine in place of one PE.")
@_PES
@_JSON
def bench_cortex_m4(
    names: tuple[str, ...], models: str | None, machine: str | None, pes: int | None, as_json: bool
) -> None:
    """Count instructions and cycles of MODELs as machine code, beside other engines.

    A MODEL is a file, or the name of one in --models, in $WEFT_MODELS, or bundled. Without any, the
    bundled model is counted.
    """
    from weft.bench.cortex_m4 import measure
    from weft.bench.model_files import find_models
    from weft.bench.report import cortex_m4_text

    if pes is not None and machine is None:
        raise InputError("--pes goes with --machine: without that there is one PE")
    report = measure(find_models(names, models), machine, pes)
    _emit(report, as_json, "" if as_json else cortex_m4_text(report))


@bench.command("native")
@_JSON
def bench_native(as_json: bool) -> None:
    """Time a frame on the engine native, beside ONNX Runtime with one thread on the same models."""
    from weft.bench.native import measure, text

    report = measure()
    _emit(report, as_json, "" if as_json else text(report))


@bench.command("devices")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@_MODELS
@_JSON
def bench_devices(names: tuple[str, ...], models: str | None, as_json: bool) -> None:
    """Layers of MODELs (kws and ic), of a ResNet-50 and a matrix product with mac_array: cycles of
    array and core, apart and overlapped."""
    from weft.bench.devices import measure
    from weft.bench.report import devices_text

    report = measure(names, models)
    _emit(report, as_json, "" if as_json else devices_text(report))


@bench.command("costs")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@_MODELS
@click.option("--machine", default=None, help="Mesh in place of grid-4x4, whole and 4 PEs of it.")
@_PES
@_JSON
def bench_costs(
    names: tuple[str, ...], models: str | None, machine: str | None, pes: int | None, as_json: bool
) -> None:
    """Fit the cost data of machine files to the cycles of MODELs as machine code.

    Each MODEL is counted on one PE and on a mesh. Prints TOML, with the errors of the fit.
    """
    from weft.bench.costs import fit_costs
    from weft.bench.model_files import find_models
    from weft.bench.report import costs_text

    if pes is not None and machine is None:
        raise InputError("--pes goes with --machine")
    report = fit_costs(find_models(names, models), machine, pes)
    _emit(report, as_json, "" if as_json else costs_text(report))


@bench.command("kernels")
@click.option("-o", "--output", type=click.Path(), help="JSON file for the table.")
@_JSON
def bench_kernels(output: str | None, as_json: bool) -> None:
    """Count layers with hand-written and with generated kernels, and say where generated ones are
    faster. The compiler chooses by the table, python/weft/transforms/measured_kernels.json."""
    from weft.bench.kernels import measure, text, write

    report = measure()
    if output is not None:
        write(report, Path(output))
    _emit(report, as_json, "" if as_json else text(report))


@main.group()
def device() -> None:
    """Devices: accelerators and DMA engines behind C wrappers."""


@device.command("list")
@_JSON
def device_list(as_json: bool) -> None:
    """List the bundled devices."""
    from weft.devices import bundled_devices, load_device

    found = [load_device(name) for name in bundled_devices()]
    report: dict[str, Any] = {"devices": [{"name": d.name, "about": d.description} for d in found]}
    _emit(report, as_json, "\n".join(f"{d.name:14} {d.description}" for d in found))


@device.command("test")
@click.argument("name", metavar="FOLDER")
@click.option("--target", default="host", show_default=True, help="host or cortex-m4.")
@_JSON
def device_test(name: str, target: str, as_json: bool) -> None:
    """Run the conformance suite on the device of FOLDER, or on a bundled one by its name.

    Exit status 2 if a check fails.
    """
    from weft.devices import load_device
    from weft.errors import DeviceError
    from weft.testing import conformance

    found = load_device(Path(name) if Path(name).is_dir() else name)
    checks = conformance.test_device(found, target)
    _emit(dict(conformance.report(found, target, checks)), as_json, conformance.text(checks))
    failed = sum(check.has_failed for check in checks)
    if failed:
        raise DeviceError(f"device {found.name} fails {failed} of {len(checks)} checks on {target}")

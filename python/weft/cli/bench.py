# SPDX-License-Identifier: Apache-2.0
"""Benchmarks."""

from __future__ import annotations

from pathlib import Path

import click

from weft.cli.common import JSON, PES, emit
from weft.errors import InputError


@click.group(invoke_without_command=True)
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
@PES
@JSON
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
    emit(report, as_json, "" if as_json else cortex_m4_text(report))


@bench.command("native")
@JSON
def bench_native(as_json: bool) -> None:
    """Time a frame on the engine native, beside ONNX Runtime with one thread on the same models."""
    from weft.bench.native import measure, text

    report = measure()
    emit(report, as_json, "" if as_json else text(report))


@bench.command("devices")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@_MODELS
@JSON
def bench_devices(names: tuple[str, ...], models: str | None, as_json: bool) -> None:
    """Layers of MODELs (kws and ic), of a ResNet-50 and a matrix product with mac_array: cycles of
    array and core, apart and overlapped."""
    from weft.bench.devices import measure
    from weft.bench.report import devices_text

    report = measure(names, models)
    emit(report, as_json, "" if as_json else devices_text(report))


@bench.command("costs")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@_MODELS
@click.option("--machine", default=None, help="Mesh in place of grid-4x4, whole and 4 PEs of it.")
@PES
@JSON
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
    emit(report, as_json, "" if as_json else costs_text(report))


@bench.command("kernels")
@click.option("-o", "--output", type=click.Path(), help="JSON file for the table.")
@JSON
def bench_kernels(output: str | None, as_json: bool) -> None:
    """Count layers with hand-written and with generated kernels, and say where generated ones are
    faster. The compiler chooses by the table, python/weft/transforms/measured_kernels.json."""
    from weft.bench.kernels import measure, text, write

    report = measure()
    if output is not None:
        write(report, Path(output))
    emit(report, as_json, "" if as_json else text(report))

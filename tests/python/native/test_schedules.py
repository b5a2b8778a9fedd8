# SPDX-License-Identifier: Apache-2.0
"""A TensorIR schedule changes the C of a kernel and not one byte of what it computes."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weft
from native.c_compilers import STRICT, require, succeed
from native.kernel_library import kernels_source, write_kernels
from native.models import MACHINE, Compiled
from weft.kernels.base import Kernel, TensorKernel
from weft.kernels.conv2d import Conv2d

Schedule = Any  # importing tvm for a name takes a second
ScheduleFunction = Callable[[Kernel, Schedule], None]


def reordered(_: Kernel, sch: Schedule) -> None:
    """Input channels outermost of the reduction, columns outside of rows."""
    accumulate = sch.get_sblock("accumulate")
    row, column, channel, ky, kx, depth = sch.get_loops(accumulate)
    sch.reorder(column, row, channel, depth, kx, ky)
    sch.reverse_compute_at(sch.get_sblock("requantize"), channel)
    sch.decompose_reduction(accumulate, depth)


def split(kernel: Kernel, sch: Schedule) -> None:
    """The depth in parts, the outer one around the filter."""
    assert isinstance(kernel, Conv2d)
    accumulate = sch.get_sblock("accumulate")
    _, _, channel, ky, kx, depth = sch.get_loops(accumulate)
    part = next(n for n in (4, 3, 1) if kernel.in_channels % n == 0)
    far, near = sch.split(depth, [None, part])
    sch.reorder(far, ky, kx, near)
    sch.reverse_compute_at(sch.get_sblock("requantize"), channel)
    sch.decompose_reduction(accumulate, far)


def split_with_a_rest(_: Kernel, sch: Schedule) -> None:
    """Output channels in fours, with a rest where they do not divide."""
    accumulate = sch.get_sblock("accumulate")
    _, _, channel, ky, _, _ = sch.get_loops(accumulate)
    _, inner = sch.split(channel, [None, 4])
    sch.reverse_compute_at(sch.get_sblock("requantize"), inner)
    sch.decompose_reduction(accumulate, ky)


def unrolled(_: Kernel, sch: Schedule) -> None:
    """The filter written out tap by tap."""
    accumulate = sch.get_sblock("accumulate")
    _, _, channel, ky, kx, _ = sch.get_loops(accumulate)
    sch.reverse_compute_at(sch.get_sblock("requantize"), channel)
    sch.decompose_reduction(accumulate, ky)
    _, _, _, ky, kx, _ = sch.get_loops(sch.get_sblock("accumulate_update"))
    sch.unroll(ky)
    sch.unroll(kx)


SCHEDULES: list[ScheduleFunction] = [reordered, split, unrolled]
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda f: f.__name__)


@each_schedule
def test_the_c_changes_and_the_bytes_do_not(
    digits: Compiled, schedule: ScheduleFunction, tmp_path: Path
) -> None:
    seen: list[str] = []

    def noted(kernel: Kernel, sch: Schedule) -> None:
        seen.append(kernel.name)
        schedule(kernel, sch)

    program = weft.compile(
        digits.model, MACHINE, output=tmp_path / "digits", schedules={"conv2d": noted}
    )
    (description,) = program.manifest["programs"]
    assert sorted(seen) == sorted(n for n in description["kernels"] if n.startswith("conv2d"))

    def default(kernel: Kernel, sch: Schedule) -> None:
        assert isinstance(kernel, TensorKernel)
        kernel.schedule(sch)

    default_program = weft.compile(
        digits.model, MACHINE, output=tmp_path / "default", schedules={"conv2d": default}
    )
    usual = (default_program.folder / "kernels.c").read_text("utf-8")
    changed = (program.folder / "kernels.c").read_text("utf-8")
    assert changed != usual
    # Same functions, same interface; other kernels are untouched.
    assert (program.folder / "kernels.h").read_bytes() == (
        default_program.folder / "kernels.h"
    ).read_bytes()
    assert functions(changed).keys() == functions(usual).keys()
    differing = {n for n, text in functions(usual).items() if functions(changed)[n] != text}
    assert differing
    assert differing <= set(seen)

    with program.open() as session:
        for frame, result in zip(digits.frames, digits.results, strict=True):
            assert session.run(frame).tobytes() == result.tobytes()


def functions(source: str) -> dict[str, str]:
    """The text of each kernel."""
    parts = source.split("\nvoid ")[1:]
    return {part.split("(", 1)[0]: part for part in parts}


def test_what_is_scheduled_is_not_taken_from_the_cache(digits: Compiled) -> None:
    usual = weft.compile(digits.model, MACHINE)
    changed = weft.compile(digits.model, MACHINE, schedules={"conv2d": reordered})
    texts = [(p.folder / "kernels.c").read_text("utf-8") for p in (usual, changed)]
    assert texts[0] != texts[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the next test's subject
        del changed
        gc.collect()


def test_a_program_without_an_output_goes_away_quietly(digits: Compiled) -> None:
    program = weft.compile(digits.model, MACHINE, schedules={"conv2d": reordered})
    folder = program.folder
    assert folder.is_dir()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del program
        gc.collect()
    assert not folder.exists()
    for warning in caught:
        raise warning.message


ONE = Conv2d(3, 3, 2, 1, 1, 1, 12)


def test_schedules_give_different_loops() -> None:
    texts = [kernels_source([ONE], {"conv2d": f})[1] for f in SCHEDULES]
    assert len({kernels_source([ONE])[1], *texts}) == 1 + len(SCHEDULES)
    loops = [text.count("for (") for text in texts]
    assert loops == [6, 7, 12]


def compiles_without_a_warning(schedule: ScheduleFunction, compiler: str, scratch: Path) -> None:
    program = write_kernels(scratch / "program", [ONE], {"conv2d": schedule})
    command = [require(compiler), *STRICT, "-O2", "-Iruntime/include", "-c", "kernels.c"]
    succeed([*command, "-o", scratch / "kernels.o"], program.folder)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@each_schedule
def test_scheduled_c_has_no_warnings(
    schedule: ScheduleFunction, compiler: str, tmp_path: Path
) -> None:
    compiles_without_a_warning(schedule, compiler, tmp_path)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_split_with_a_rest_has_no_warnings(compiler: str, tmp_path: Path) -> None:
    compiles_without_a_warning(split_with_a_rest, compiler, tmp_path)


def test_an_impossible_schedule_fails_in_python(tmp_path: Path) -> None:

    def impossible(_: Kernel, sch: Schedule) -> None:
        sch.get_sblock("no_such_block")

    with pytest.raises(Exception, match="no_such_block"):
        write_kernels(tmp_path / "program", [ONE], {"conv2d": impossible})

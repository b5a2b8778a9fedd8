# SPDX-License-Identifier: Apache-2.0
"""Decisions about kernels change no byte, whatever extents do not divide."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from native import test_kernels_cffi as plain
from native.c_compilers import STRICT, require, require_flags, succeed
from native.kernel_library import Kernels, kernels_source, write_kernels
from weft.adapter.to_mlir import UntranslatableError
from weft.kernels.base import Kernel
from weft.kernels.conv2d import Conv2d
from weft.kernels.depthwise import DepthwiseConv2d
from weft.kernels.pool import Pool2d
from weft.kernels.schedule_space import choices, space_of
from weft.kernels.tuned import Tuned

CONVOLUTIONS = [
    Conv2d(1, 1, 1, 1, 1, 1, 8),
    Conv2d(1, 1, 2, 1, 1, 1, 3),
    Conv2d(3, 2, 2, 1, 1, 2, 2),
]
DEPTHWISE = [DepthwiseConv2d(3, 3, 1, 1, 1, 1, 1), DepthwiseConv2d(2, 1, 1, 2, 1, 1, 2)]
ALL: list[Kernel] = [*CONVOLUTIONS, *DEPTHWISE]


def drawn(seed: int) -> Tuned:
    """A choice for every kernel; of the first seed the one with the largest blocks."""
    rng = np.random.default_rng(seed)
    chosen = {}
    for kernel in ALL:
        found = list(choices(kernel))
        chosen[kernel.name] = found[-1 if seed == 0 else int(rng.integers(len(found)))]
    return Tuned(chosen)


@pytest.fixture(scope="module", params=range(2))
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernels]:
    """Built to report undefined behaviour."""
    folder = tmp_path_factory.mktemp("kernels") / "program"
    flags = plain.UNDEFINED
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CC", f"{require_flags('gcc', flags)} {flags}")
        yield Kernels(folder, ALL, drawn(request.param).schedules(ALL, {}))


@pytest.fixture(autouse=True)
def no_undefined_behaviour(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert "runtime error" not in capfd.readouterr().err


@plain.each_seed
@plain.each_kernel(CONVOLUTIONS)
def test_conv2d(kernels: Kernels, kernel: Conv2d, seed: int) -> None:
    plain.test_conv2d(kernels, kernel, seed)


@plain.each_seed
@plain.each_kernel(DEPTHWISE)
def test_depthwise(kernels: Kernels, kernel: DepthwiseConv2d, seed: int) -> None:
    plain.test_depthwise(kernels, kernel, seed)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_there_are_no_warnings(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("warnings") / "program"
    program = write_kernels(folder, ALL, drawn(0).schedules(ALL, {}))
    command = [require(compiler), *STRICT, "-O2", "-Iruntime/include", "-c", "kernels.c"]
    succeed([*command, "-o", folder / "kernels.o"], program.folder)


@plain.each_kernel(ALL)
def test_choices_differ_and_are_of_the_space(kernel: Kernel) -> None:
    found = [tuple(sorted(c.items())) for c in choices(kernel)]
    assert len(set(found)) == len(found) > 1
    options = space_of(kernel)
    assert all(value in options[name] for choice in found for name, value in choice)


def test_other_kernels_have_nothing_to_decide() -> None:
    kernel = Pool2d("max", 2, 2, 2, 2, False)
    assert list(choices(kernel)) == []
    assert dict(space_of(kernel)) == {}


def test_a_block_whose_sums_have_no_bounds_is_refused() -> None:
    """TVM cannot say how large a guarded block of two axes is, and its two guesses multiplied are
    1 modulo 2^32: all sums in one place."""

    def blocks(_: Kernel, sch: object) -> None:
        accumulate = sch.get_sblock("accumulate")
        _, column, channel, ky, kx, depth = sch.get_loops(accumulate)
        pixels, pixel = sch.split(column, [None, 2])
        channels, part = sch.split(channel, [None, 2])
        sch.reorder(pixels, channels, ky, kx, depth, pixel, part)
        sch.reverse_compute_at(sch.get_sblock("requantize"), channels)
        sch.decompose_reduction(accumulate, ky)

    with pytest.raises(UntranslatableError, match="acc without bounds"):
        kernels_source([CONVOLUTIONS[2]], {"conv2d": blocks})

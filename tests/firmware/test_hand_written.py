# SPDX-License-Identifier: Apache-2.0
"""Hand-written kernels as machine code of a Cortex-M4, assembly and portable twins, by both
toolchains: right bytes, the procedure call standard kept, nothing touched that is not theirs, and
nothing lost to interrupts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from emulation.functions import Array, BrokenPromiseError, FunctionCore, link_functions
from hypothesis import given, settings
from hypothesis import strategies as st

from native.hand_written_cases import KERNELS, MAKERS, Case, conv2d_case
from weft.codegen.toolchain import Toolchain, gcc_target_toolchain, zig_target_toolchain
from weft.paths import runtime_folder

CPU = "cortex-m4"
TOOLCHAINS = ("zig", "arm-none-eabi-gcc")
# Of arrays: instructions grow with them, and each is looked at.
MOST_WATCHED_BYTES = 3000

seeds = st.integers(0, 2**32 - 1)
each_kernel = pytest.mark.parametrize("name", MAKERS)


def toolchain_named(name: str) -> Toolchain:
    found = zig_target_toolchain(CPU) if name == "zig" else gcc_target_toolchain(CPU)
    if found is None:
        missing = "the Python package ziglang" if name == "zig" else name
        pytest.skip(f"{missing} is not installed")
    return found


@pytest.fixture(
    scope="module",
    params=[(name, with_dsp) for name in TOOLCHAINS for with_dsp in (True, False)],
    ids=lambda param: f"{param[0]}-{'assembly' if param[1] else 'twins'}",
)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FunctionCore:
    name, with_dsp = request.param
    flags = [] if with_dsp else ["-DWEFT_DSP=0"]
    if name == "zig":
        # Where every instruction is looked at, Unicorn takes what follows a conditional return
        # for a part of its IT block. GCC makes no such returns.
        flags += ["-mllvm", "-arm-restrict-it"]
    folder = tmp_path_factory.mktemp("by_hand") / "linked"
    sources = sorted((runtime_folder() / "kernels").glob("*.c"))
    elf = link_functions(toolchain_named(name), folder, sources, KERNELS[0].name, *flags)
    return FunctionCore(elf)


def run(core: FunctionCore, case: Case, rng: np.random.Generator, watched: bool = False) -> None:
    """Runs a case and compares what it leaves."""
    kernel = case.kernel
    arrays = {
        name: Array(
            case.arrays[name].tobytes(),
            is_written=name in kernel.outputs,
            is_first=bool(rng.integers(0, 2)),
        )
        for name in kernel.pointers
    }
    numbers = [case.numbers[name] for name in kernel.numbers]
    core.call(kernel.name, *(arrays[name] for name in kernel.pointers), *numbers, watched=watched)
    assert arrays["out"].data == case.expected.tobytes(), case


@each_kernel
@settings(max_examples=15 * settings().max_examples)
@given(seed=seeds)
def test_bytes_and_registers(core: FunctionCore, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    run(core, MAKERS[name](rng), rng)


def small_case(name: str, rng: np.random.Generator) -> Case:
    while True:
        case = MAKERS[name](rng)
        if sum(values.nbytes for values in case.arrays.values()) <= MOST_WATCHED_BYTES:
            return case


@each_kernel
@settings(max_examples=2 * settings().max_examples)
@given(seed=seeds)
def test_every_access_and_interrupts(core: FunctionCore, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    run(core, small_case(name, rng), rng, watched=True)
    assert core.watched_instructions > 20


@pytest.mark.parametrize("channels", range(1, 10))
def test_every_count_of_channels(core: FunctionCore, channels: int) -> None:
    for seed in range(3):
        rng = np.random.default_rng([seed, channels])
        run(core, conv2d_case(rng, channels), rng)


# --- that the tests above can fail ---

BREAKERS = """\
#include <stdint.h>
int32_t keeps_all(const int8_t *x, int8_t *out);
int32_t keeps_all(const int8_t *x, int8_t *out) { return out[0] = x[3]; }
#define DECLARE(name) int32_t name(const int8_t *x __attribute__((unused)), \\
                                   int8_t *out __attribute__((unused)))
#define BREAK(name, code) DECLARE(name); \\
    __attribute__((naked)) DECLARE(name) { __asm volatile(code "bx lr\\n"); }
BREAK(register_lost, "mov r9, r0\\n")
BREAK(stack_pointer_lost, "sub sp, sp, #8\\n")
BREAK(below_the_stack, "str r0, [sp, #-8]\\nldr r0, [sp, #-8]\\n")
BREAK(callers_stack, "ldr r0, [sp]\\n")
BREAK(reads_beyond, "ldrb r0, [r0, #4]\\n")
BREAK(reads_before, "ldrb r0, [r0, #-1]\\n")
BREAK(writes_input, "strb r0, [r0]\\n")
BREAK(never_returns, "b .\\n")
BREAK(words_off_words, "push {r4, lr}\\nadd r0, r0, #1\\nldrd r2, r3, [r0]\\npop {r4, lr}\\n")
"""
PROMISES = {
    "register_lost": "does not preserve r9",
    "stack_pointer_lost": "another stack pointer",
    "below_the_stack": "below its stack pointer",
    "callers_stack": "caller's stack",
    "reads_beyond": "reads 1 bytes|READ_UNMAPPED|Invalid memory read",
    "reads_before": "reads 1 bytes|READ_UNMAPPED|Invalid memory read",
    "writes_input": "may only read",
    "words_off_words": "several words",
    "never_returns": "did not return within",
}


@pytest.fixture(scope="module")
def breakers(tmp_path_factory: pytest.TempPathFactory) -> FunctionCore:
    folder = tmp_path_factory.mktemp("breakers")
    (folder / "breakers.c").write_text(BREAKERS, encoding="ascii")
    sources = [folder / "breakers.c"]
    elf = link_functions(toolchain_named("zig"), folder / "linked", sources, "keeps_all")
    return FunctionCore(elf)


def test_a_good_function_is_believed(breakers: FunctionCore) -> None:
    out = Array(b"\0", is_written=True)
    assert breakers.call("keeps_all", Array(b"\x01\x02\x03\x04"), out, watched=True) == 4
    assert out.data == b"\x04"


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("name", PROMISES)
def test_broken_promises_are_found(breakers: FunctionCore, name: str, is_first: bool) -> None:
    size = 12 if name == "words_off_words" else 4
    x = Array(bytes(range(size)), is_first=is_first)
    with pytest.raises(BrokenPromiseError, match=PROMISES[name]):
        is_watched = name != "never_returns"  # a million instructions take their time
        breakers.call(name, x, Array(b"\0", is_written=True), watched=is_watched)

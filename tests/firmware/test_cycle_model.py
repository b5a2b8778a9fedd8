# SPDX-License-Identifier: Apache-2.0
"""What instructions and blocks cost: docs/design/cycle-model.md, by hand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from emulation.assembly import assemble, disassemble

import weft
from weft import _native
from weft.codegen.toolchain import (
    Toolchain,
    find_target_toolchain,
    gcc_target_toolchain,
    zig_target_toolchain,
)
from weft.engines.cortex_m4.images import linked_pes
from weft.paths import models_folder

CPU = "cortex-m4"
CONDITIONS = ("eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    found = find_target_toolchain(CPU)
    if found is None:
        pytest.skip("no target compiler is installed")
    return found


# Code, its instructions, and its cycles without the refill after a jump. The first four are the
# examples of the Technical Reference Manual.
BLOCKS = [
    ("ldr r0, [r1]; ldr r1, [r2]", 2, 3),
    ("ldr r0, [r1, r2]; str r0, [r3, #20]", 2, 3),
    ("ldr r0, [r1, r2]; str r1, [r3, r2]", 2, 3),
    ("ldr r0, [r1, r5]; ldr r1, [r2]; ldr r2, [r3, #4]", 3, 4),
    # An address that the load before gives.
    ("ldr r0, [r1]; ldr r2, [r0]", 2, 2 + 2),
    ("ldrb r0, [r1]; ldrsb r2, [r3, r0]", 2, 2 + 2),
    # A base that the load before has moved, and one that it has not.
    ("ldr r0, [r1], #4; ldr r2, [r1], #4", 2, 2 + 2),
    ("ldr r0, [r1], #4; ldr r2, [r3], #4; smlad r4, r0, r2, r4", 3, 2 + 1 + 1),
    ("ldr r0, [r1, #4]!; ldr r2, [r1]", 2, 2 + 2),
    # An address that data processing gives, one that is only compared, one of long ago.
    ("adds r1, r1, r2; ldr r0, [r1]", 2, 1 + 3),
    ("add.w r8, r1, r2, lsl #2; str r0, [r8, #4]", 2, 1 + 2),
    ("smull r0, r1, r2, r3; ldr r4, [r0]", 2, 1 + 3),
    ("sub sp, #8; str r0, [sp, #4]", 2, 1 + 2),
    ("sub sp, #8; push {r4, r5}", 2, 1 + 4),
    ("cmp r1, #3; ldr r0, [r1]", 2, 1 + 2),
    ("tst.w r1, r2; ldr r0, [r1]", 2, 1 + 2),
    ("adds r1, r1, r2; nop; ldr r0, [r1]", 3, 1 + 1 + 2),
    # Nothing overlaps with the access after a store, nor with several words.
    ("str r0, [r1]; ldr r2, [r3]", 2, 1 + 2),
    ("str r0, [r1, r2]; ldr r2, [r3]", 2, 2 + 2),
    ("ldrd r0, r1, [r2]; ldr r3, [r4]", 2, 3 + 2),
    ("ldr r3, [r4]; ldrd r0, r1, [r2]", 2, 2 + 3),
    ("ldr r3, [r4]; ldm r0!, {r1, r2, r5}", 2, 2 + 4),
    # Where both operands of a multiplication are widened: 28 instructions for 32 MACs.
    ("ldr r0, [r1], #4; sxtb16 r2, r0; sxtb16 r3, r0, ror #8; smlad r4, r2, r3, r4", 4, 2 + 3),
    ("subs r0, #1; bne .", 2, 2),
    ("cmp r0, #0; ite eq; moveq r0, #1; movne r0, #2; bx lr", 5, 5),
]


@pytest.mark.parametrize(("text", "instructions", "cycles"), BLOCKS)
def test_a_block(
    text: str, instructions: int, cycles: int, toolchain: Toolchain, tmp_path: Path
) -> None:
    code = assemble(text.replace(";", "\n"), toolchain, tmp_path)
    assert _native.block_cost(code)[:2] == (instructions, cycles)


# What compilers write rarely: code, cycles alone, cycles of the refill.
SINGLE = [
    *((f"{op} r0, r1, r2, r3", 1, 0) for op in ("smlad", "smlsd", "smladx", "smmla", "smlabt")),
    *((f"{op} r0, r1, r2, r3", 1, 0) for op in ("smull", "umull", "smlal", "umlal", "smlald")),
    *((f"{op} r0, r1, r2, r3", 1, 0) for op in ("umaal", "mla", "mls", "usada8")),
    *((f"{op} r0, r1, r2", 1, 0) for op in ("smmul", "smmulr", "smuad", "mul", "smulbb", "smulwt")),
    *((f"{op} r0, r1, r2", 1, 0) for op in ("sadd16", "qadd", "uqsub8", "shadd8", "sel", "usad8")),
    *((f"{op} r0, r1, r2", 1, 0) for op in ("sxtab16", "uxtab", "pkhbt", "lsl.w", "ror.w")),
    *((f"{op} r0, #7, r1", 1, 0) for op in ("ssat", "ssat16")),
    *((f"{op} r0, r1", 1, 0) for op in ("sxtb16", "clz", "rbit", "rev", "rev.w", "uxth.w")),
    *((f"{op} r0, r1, #3, #5", 1, 0) for op in ("ubfx", "sbfx", "bfi")),
    *((f"{op} r0, #1000", 1, 0) for op in ("movw", "movt", "mov", "mvn", "subw r1,")),
    *((f"{op} r0, r1, r2", 12, 0) for op in ("sdiv", "udiv")),
    *((f"{op} r0, [r1]", 2, 0) for op in ("ldr", "ldrb.w", "ldrsh", "ldrex", "ldrexb", "ldrexh")),
    *((f"{op} r0, [r1, r2, lsl #2]", 2, 0) for op in ("ldr.w", "ldrb.w", "ldrsh.w", "str.w")),
    *((f"{op} r0, [r1, #-4]", 2, 0) for op in ("ldr", "ldrsb", "ldrh")),
    *((f"{op} r0, [r1, #-4]", 1, 0) for op in ("str", "strb", "strh")),
    *((f"{op} r0, [r1], #4", 1, 0) for op in ("str", "strb", "strh")),
    *((f"{op} r2, r0, [r1]", 2, 0) for op in ("strex", "strexb", "strexh")),
    *((f"{op} r0, r3, [r1], #8", 3, 0) for op in ("ldrd", "strd")),
    ("ldrd r0, r3, [r1, #-8]!", 3, 0),
    ("ldrt r0, [r1]", 2, 0),
    ("pld [r1, #4]", 1, 0),
    ("stmdb r0!, {r1, r2, r3}", 4, 0),
    ("ldmdb r0, {r1, r2, r3, r8}", 5, 0),
    ("push {r4, lr}", 3, 0),
    ("pop {r4, r5}", 3, 0),
    ("pop {r4, pc}", 3, 3),
    ("ldmia r0!, {r1, r8, pc}", 4, 3),
    ("ldr pc, [r0, #4]", 2, 3),
    ("ldr pc, [sp], #4", 2, 3),
    ("tbb [pc, r0]", 3, 3),
    ("tbh [r1, r0, lsl #1]", 3, 3),
    ("mov pc, r0", 1, 2),
    ("bx r3", 1, 2),
    ("blx r3", 1, 2),
    ("cbz r0, . + 8", 1, 1),
    ("isb", 3, 0),
    ("dsb", 1, 0),
    ("mrs r0, primask", 2, 0),
    ("msr primask, r0", 2, 0),
    ("cpsid i", 2, 0),
    ("vadd.f32 s0, s1, s2", 1, 0),
    ("vmul.f32 s0, s1, s2", 1, 0),
    ("vnmul.f32 s0, s1, s2", 1, 0),
    *((f"{op}.f32 s0, s1, s2", 3, 0) for op in ("vmla", "vmls", "vfma", "vfms", "vnmla", "vfnma")),
    ("vdiv.f32 s0, s1, s2", 14, 0),
    ("vsqrt.f32 s0, s1", 14, 0),
    ("vabs.f32 s0, s1", 1, 0),
    ("vneg.f32 s0, s1", 1, 0),
    ("vcmp.f32 s0, #0", 1, 0),
    ("vcvt.s32.f32 s0, s1", 1, 0),
    ("vmov.f32 s0, #1.0", 1, 0),
    ("vmov s0, r0", 1, 0),
    ("vmov r0, s0", 1, 0),
    ("vmov r0, r1, d0", 2, 0),
    ("vmrs apsr_nzcv, fpscr", 1, 0),
    ("vldr s0, [r0]", 2, 0),
    ("vldr d0, [r0]", 3, 0),
    ("vstr s0, [r0, #8]", 2, 0),
    ("vldmia r0!, {s0-s3}", 5, 0),
    ("vstmdb r0!, {d0-d1}", 5, 0),
    ("vpush {d8}", 3, 0),
]


def test_instructions_one_by_one(toolchain: Toolchain, tmp_path: Path) -> None:
    for text, cycles, refill in SINGLE:
        code = assemble(text, toolchain, tmp_path)
        assert _native.block_cost(code)[:3] == (1, cycles, refill), text


def reference(mnemonic: str, operands: str) -> tuple[int, int, bool]:
    """Cycles, refill and whether it always jumps, from a disassembler's text."""
    name = mnemonic.partition(".")[0]
    registers = re.search(r"\{(.*)\}", operands)
    words = len(registers.group(1).split(",")) if registers else 0
    refill = 3 if name.startswith(("pop", "ldm")) and "pc" in operands else 0
    if name == "b" or (name[0] == "b" and name[1:] in CONDITIONS):
        return 1, 1, name == "b"
    if name in ("cbz", "cbnz"):
        return 1, 1, False
    for always, refill_cycles in (("blx", 2), ("bx", 2), ("bl", 1)):
        if name.startswith(always):  # a condition after it needs an IT before it
            return 1, refill_cycles, True
    if name.startswith(("tbb", "tbh")):
        return 3, 3, True
    if name.startswith(("ldrd", "strd")):
        return 3, 0, True
    if name.startswith(("ldm", "stm", "push", "pop")):
        return 1 + words, refill, True
    if name.startswith(("ldr", "strex")):
        return 2, 3 if operands.startswith("pc,") else 0, True
    if name.startswith("str"):
        return 2 if re.search(r"\[\w+, [a-z]", operands) else 1, 0, True
    if name.startswith(("udiv", "sdiv")):
        return 12, 0, True
    costs = {"mrs": 2, "msr": 2, "isb": 3, "vdiv": 14, "vsqrt": 14, "vmla": 3, "vldr": 2, "vstr": 2}
    if name not in costs:
        assert name[0] != "v" or name in ("vmov", "vadd", "vmul", "vcmp", "vcvt", "vmrs", "vsub")
    return costs.get(name, 1), 0, True


def is_plain_branch(code: bytes) -> bool:
    """Encodings T2 and T4 of B, which have no condition of their own (ARMv7-M manual, A7.7.12)."""
    first, second = (int.from_bytes(code[i : i + 2], "little") for i in (0, 2))
    return first >> 11 == 0b11100 or (first >> 11 == 0b11110 and second & 0xD000 == 0x9000)


@pytest.mark.parametrize("compiler", [gcc_target_toolchain, zig_target_toolchain])
def test_every_instruction_of_an_image_against_a_disassembler(
    compiler: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GNU objdump says where instructions begin, how long they are and what they are."""
    objdump = shutil.which("arm-none-eabi-objdump")
    found = compiler(CPU)  # type: ignore[operator]
    if objdump is None or found is None:
        pytest.skip("arm-none-eabi-objdump or the compiler is not installed")
    monkeypatch.setattr("weft.engines.cortex_m4.images.find_target_toolchain", lambda _core: found)
    program = weft.compile(models_folder() / "digits_int8.tflite", "single-m4")
    elf = linked_pes(program, [0])[0].elf
    seen = set()
    for address, code, mnemonic, operands in disassemble(elf, objdump):
        cost = _native.block_cost(code)
        # The condition that is shown with a plain branch is that of the IT before it.
        known = "b" if is_plain_branch(code) else mnemonic
        assert cost == (1, *reference(known, operands)), f"{address:#x}: {known} {operands}"
        seen.add(known)
    assert len(seen) > 60

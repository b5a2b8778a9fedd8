# SPDX-License-Identifier: Apache-2.0
"""The stack that an image takes at worst, computed from its machine code, beside what is seen."""

from __future__ import annotations

import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from emulation.building import (
    CONSTANTS,
    STACK_BYTES,
    UNUSED,
    Builder,
    check_frames,
    frames,
    plus,
    start,
)
from emulation.pe import Pe

from weft.codegen.bodies import Bodies
from weft.codegen.elf import ElfFile
from weft.codegen.images import Image
from weft.codegen.stack import GUARD_BYTES, worst_stacks
from weft.errors import DoesNotFitError, ImageError

FILLING = 0xA5  # of memory that nobody wrote


def naked(code: str, after: str = "bx lr") -> str:
    """A declaration of ``helper``, all of it in assembler."""
    return f"""\
void helper(void);
__attribute__((naked, noinline)) void helper(void)
{{
    __asm volatile("{code}\\n {after}");
}}
"""


BIG = UNUSED + "    volatile int8_t big[600];\n    for (int i = 0; i < 600; ++i) big[i] = 1;\n"
BIG += "    out[0] = big[0];\n"

CALL_HELPER = UNUSED + "    helper();\n    out[0] = 1;\n"


def bytes_of(image: Image, function: str) -> int:
    """What a function takes by itself."""
    return Bodies(ElfFile(image.elf)).body(image.symbol(function) & ~1).taken


def computed(image: Image) -> int:
    """Without an exception and the guard."""
    chain = [name for name, _ in image.stack.chain]
    return sum(size for _, size in image.stack.chain[: chain.index("an exception")])


def seen(image: Image, pe: Pe) -> int:
    """Bytes of the stack that were written, guard not counted."""
    limit, top = image.symbol("weft_ld_stack_limit"), image.symbol("weft_ld_stack_top")
    return len(pe.core.read(limit, top - limit).lstrip(bytes([FILLING])))


@pytest.mark.parametrize("optimise", ["-O2", "-Os"])
def test_no_frame_takes_more_than_was_computed(build: Builder, optimise: str) -> None:
    image = build(optimise=optimise)
    assert image.stack.chain[0][0] == "weft_image_reset"
    assert image.stack.chain[-1] == ("the guard", GUARD_BYTES)
    pe = start(image)
    check_frames(pe, lambda frame: plus(frame, CONSTANTS))
    assert 0 < seen(image, pe) <= computed(image)


def test_a_chain_that_is_taken_is_computed_to_the_word(build: Builder) -> None:
    """A kernel that fills what it takes, so that its bytes are seen."""
    image = build(body=BIG)
    pe = start(image)
    pe.feed(0, frames(1)[0])
    pe.run()
    # A compiler may leave a word for alignment.
    assert computed(image) - 8 <= seen(image, pe) <= computed(image)


@pytest.mark.parametrize(
    ("code", "after", "taken"),
    [
        (("push {r4-r11, lr}",), "pop {r4-r11, pc}", 36),
        (("push {r4, lr}", "vpush {d8-d10}", "vpop {d8-d10}"), "pop {r4, pc}", 32),
        (("vpush {s16}", "vpop {s16}"), "bx lr", 4),
        (("stmdb sp!, {r4}", "sub.w sp, sp, #600", "add.w sp, sp, #600", "pop {r4}"), "bx lr", 604),
        (("str lr, [sp, #-8]!", "subw sp, sp, #1004", "addw sp, sp, #1004"),
         "ldr pc, [sp], #8", 1012),
        (("strd r4, r5, [sp, #-16]!", "ldrd r4, r5, [sp], #16"), "bx lr", 16),
        (("cbz r0, 1f", "push {r4}", "pop {r4}", "1: push {r4-r6}", "pop {r4-r6}"), "bx lr", 12),
        (("push {r4, lr}", "cmp r0, #0", "it eq", "popeq {r4, pc}", "push {r5}", "pop {r5}"),
         "pop {r4, pc}", 12),
        (("push {r4, lr}", "sub sp, sp, #8", "adr.w r4, 1f", "orr r4, r4, #1", "str r4, [sp, #4]",
          "ldr pc, [sp, #4]", ".balign 4", "1: nop", "nop", "cbnz r0, 2f", "2: push {r5}",
          "pop {r5}", "add sp, sp, #8"), "pop {r4, pc}", 20),
        (("push {r4, lr}", "bl weft_pe_fail", "pop {r4, lr}"), "b weft_runtime_hash", 8),
    ],
)  # fmt: skip
def test_what_is_written_in_assembler_counts(
    build: Builder, code: tuple[str, ...], after: str, taken: int
) -> None:
    image = build(declarations=naked("\\n ".join(code), after), body=CALL_HELPER)
    assert bytes_of(image, "helper") == taken


def test_every_function_is_followed(build: Builder) -> None:
    """That of a library too: a division of 64 bits."""
    body = UNUSED + "    out[0] = (int8_t)((int64_t)rows * 1000000007 / ((int64_t)in[0] + 1000));\n"
    elf = ElfFile(build(body=body).elf)
    bodies = Bodies(elf)
    assert any("div" in name for name in elf.functions.values())
    assert len(elf.functions) > 40
    for entry in elf.functions:
        assert 0 <= bodies.body(entry).taken < 200


# --- what is refused -----------------------------------------------------------------------------


def test_recursion_is_refused_by_name(build: Builder) -> None:
    recursion = """\
int first(int n);
int second(int n);
__attribute__((noinline)) int first(int n) { return n > 0 ? second(n - 1) + 1 : 0; }
__attribute__((noinline)) int second(int n) { return n > 0 ? first(n - 2) * 3 : 1; }
"""
    with pytest.raises(
        ImageError, match=r"(first > second > first|second > first > second) is rec"
    ):
        build(declarations=recursion, body=UNUSED + "    out[0] = (int8_t)first(rows);\n")


def test_a_kernel_that_calls_the_executive_is_recursion(build: Builder) -> None:
    declarations = "struct weft_pe;\nextern int weft_pe_step(struct weft_pe *pe);\n"
    body = UNUSED + "    out[0] = (int8_t)weft_pe_step((struct weft_pe *)0);\n"
    with pytest.raises(ImageError, match=r"weft_pe_step > .*weft_pe_step is recursion"):
        build(declarations=declarations, body=body)


def test_a_call_through_a_pointer_is_refused(build: Builder) -> None:
    declarations = "int (*volatile chosen)(int);\n"
    body = UNUSED + "    out[0] = (int8_t)chosen(3);\n"
    with pytest.raises(ImageError, match=r"^tiny.* calls through a pointer at 0x"):
        build(declarations=declarations, body=body)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("mov sp, r0", "mov sp, r0 sets it"),
        ("sub sp, sp, r0", "sub.w sp, sp, r0"),
        ("msr msp, r0", "msr msp, r0"),
        ("tbb [pc, r0]", "tbb"),
        ("ldr pc, [r0]", "ldr.w pc, [r0]"),
        ("sub sp, sp, #8\\n ldr pc, [sp, #4]", "nothing says where to"),
        ("sub sp, sp, #8\\n adr.w r0, 1f\\n str r0, [sp, #4]\\n ldr pc, [sp, #4]\\n"
         ".balign 4\\n 1: nop\\n add sp, sp, #8", "may jump past add sp"),
        ("push {r4}", "leaves 4 bytes"),
        ("pop {r4}", "leaves -4 bytes"),
        ("1: push {r4}\\n cbz r0, 2f\\n b 1b\\n 2:", "bytes are taken there"),
    ],
)  # fmt: skip
def test_a_stack_that_cannot_be_followed_is_refused(build: Builder, code: str, says: str) -> None:
    with pytest.raises(ImageError, match="the stack of helper cannot be followed at 0x") as caught:
        build(declarations=naked(code), body=CALL_HELPER)
    assert says in str(caught.value)


# --- how large the stack is ----------------------------------------------------------------------


def test_too_small_a_stack_is_refused_with_chain_and_bytes(build: Builder) -> None:
    needed = build(body=BIG).stack.bytes
    with pytest.raises(DoesNotFitError) as caught:
        build(body=BIG, stack_bytes=512)
    error = caught.value
    assert (error.program, error.needed, error.available) == ("program p0", needed, 512)
    for part in ("the stack needs", "weft_image_main", "weft_pe_step", " > tiny 6", "an exception"):
        assert part in str(error)


def test_a_refused_image_leaves_no_file(build: Builder, tmp_path: object) -> None:
    image = build()
    image.elf.unlink()
    with pytest.raises(DoesNotFitError):
        build(body=BIG, stack_bytes=512)
    assert not image.elf.exists()


@pytest.mark.parametrize("body", [BIG, UNUSED + "    out[0] = 1;\n"])
def test_a_stack_of_no_said_size_has_the_worst_case(build: Builder, body: str) -> None:
    image = build(body=body, stack_bytes=None)
    assert image.sections["stack"] == image.stack.bytes < STACK_BYTES
    limit, top = image.symbol("weft_ld_stack_limit"), image.symbol("weft_ld_stack_top")
    assert image.stack.bytes == top - limit + GUARD_BYTES
    assert worst_stacks(ElfFile(image.elf), ["p0"])["p0"] == image.stack
    pe = start(image)
    pe.feed(0, frames(1)[0])
    pe.run()
    assert pe.has_frame(1)

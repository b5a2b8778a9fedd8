# SPDX-License-Identifier: Apache-2.0
"""Images of a hand-written program, built by each target toolchain and run as machine code."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from elftools.elf.elffile import ELFFile
from emulation.building import (
    CONSTANTS,
    HASH,
    SRAM_BYTES,
    STACK_BYTES,
    UNUSED,
    Builder,
    check_frames,
    frames,
    plus,
    sram,
    start,
)
from emulation.pe import BudgetExceededError, FaultError, Pe, StoppedError
from emulation.tiny_program import ARENA_BYTES, FRAME_BYTES, tiny_tables

from weft.codegen.elf import ElfFile
from weft.codegen.images import Image, object_sizes
from weft.codegen.linked import allocators, software_float, undefined
from weft.codegen.linker_script import linker_script
from weft.codegen.toolchain import Toolchain, zig_target_toolchain
from weft.errors import DoesNotFitError, ImageError, MachineError, ToolchainError
from weft.machines import MemoryRegion

RUNTIME_TEXT_LIMIT, RUNTIME_RAM_LIMIT = 6144, 1024

FAULT_BUS, FAULT_USAGE, FAULT_STACK, FAULT_ASSERTION = 5, 6, 256, 257
E_VERSION = 5


@pytest.mark.parametrize("optimise", ["-O2", "-Os"])
def test_frames_come_out_as_computed(build: Builder, optimise: str) -> None:
    pe = start(build(optimise=optimise))
    check_frames(pe, lambda frame: plus(frame, CONSTANTS))


def test_it_waits_for_a_frame_and_for_the_output_slot(build: Builder) -> None:
    pe = start(build())
    pe.run()
    assert not pe.has_frame(1)
    first, second = frames(2)
    pe.feed(0, first)
    pe.run()
    pe.feed(0, second)
    pe.run()
    assert not pe.has_room(0)  # the second frame has no slot to go to yet
    assert pe.collect(1) == plus(first, CONSTANTS)
    pe.run()
    assert pe.collect(1) == plus(second, CONSTANTS)


def test_it_starts_anew_by_reset_and_by_jump(build: Builder) -> None:
    pe = start(build())
    for restart in (pe.core.reset, pe.core.start_at_entry):
        pe.feed(0, frames(1)[0])
        restart()
        pe.run()
        assert pe.has_room(0)
        check_frames(pe, lambda frame: plus(frame, CONSTANTS), count=1)


def test_it_reports_the_hash_of_the_runtime(build: Builder) -> None:
    pe = start(build())
    assert pe.core.string(pe.core.call("weft_runtime_hash")) == HASH
    assert pe.core.string(pe.core.word(pe.symbol("weft_image_runtime_hash"))) == HASH


def test_changed_weights_reach_the_next_image(build: Builder) -> None:
    build()
    zeros = bytes(FRAME_BYTES)
    check_frames(start(build(constants=zeros)), lambda frame: frame, count=1)


@pytest.mark.parametrize("optimise", ["-O2", "-Os"])
def test_the_string_functions_of_the_port(build: Builder, optimise: str) -> None:
    keep = """\
static void *(*const keep_copy)(void *, const void *, size_t) = memcpy;
static void *(*const keep_move)(void *, const void *, size_t) = memmove;
static void *(*const keep_fill)(void *, int, size_t) = memset;
"""
    body = UNUSED + '    __asm volatile("" ::"r"(keep_copy), "r"(keep_move), "r"(keep_fill));\n'
    pe = start(build(declarations=keep, body=body, optimise=optimise))
    source = random.Random(1)
    base, size = 0x10000, 96
    for _ in range(100):
        before = source.randbytes(size)
        count, to, at = (source.randrange(40) for _ in range(3))
        for name in ("memmove", "memcpy", "memset"):
            if name == "memcpy":
                to, at = to % 8, 48 + at % 8  # must not overlap
            value = source.randrange(256)
            pe.core.write(base, before)
            expected = bytearray(before)
            is_fill = name == "memset"
            expected[to : to + count] = (
                bytes([value]) * count if is_fill else before[at : at + count]
            )
            last = 0xFFFFFF00 | value if is_fill else base + at
            result = pe.core.call(name, base + to, last, count)
            assert pe.core.read(base, size) == expected, (name, to, at, count)
            assert result == base + to


def test_floats_run_on_the_fpu(build: Builder) -> None:
    body = """\
    (void)constants; (void)rows; (void)in_stride;
    for (int32_t i = 0; i < row_bytes; ++i) out[i] = (int8_t)((float)in[i] * 0.5f);
"""
    image = build(body=body)
    pe = start(image)
    frame = frames(1)[0]
    pe.feed(0, frame)
    pe.run()
    signed = [byte - 256 if byte > 127 else byte for byte in frame[:8]]
    assert pe.collect(1)[:8] == bytes(int(value * 0.5) & 0xFF for value in signed)
    assert helpers(image) == []


def test_division_of_64_bits_brings_its_helper(build: Builder) -> None:
    body = """\
    (void)constants; (void)rows; (void)in_stride;
    for (int32_t i = 0; i < row_bytes; ++i) {
        out[i] = (int8_t)(((int64_t)in[i] * 10000000000) / ((int64_t)in[0] * 10000000001 + 1));
    }
"""
    image = build(body=body)
    assert helpers(image)
    assert image.sections["text"] < RUNTIME_TEXT_LIMIT + 2048
    frame = bytes([3, 5, 251, 100, 0, 7, 8, 9]) + bytes(FRAME_BYTES - 8)
    pe = start(image)
    pe.feed(0, frame)
    pe.run()
    assert pe.collect(1)[:8] == bytes([0, 1, 255, 33, 0, 2, 2, 2])


@pytest.mark.parametrize("slice_", [1, 7, 1_000_000])
def test_instructions_are_counted(build: Builder, slice_: int) -> None:
    counts = []
    for nops in (0, 25):
        body = UNUSED + f'    __asm volatile(".rept {nops}\\n nop\\n nop.w\\n .endr");\n'
        pe = start(build(body=body))
        before = pe.core.instructions
        pe.feed(0, frames(1)[0])
        while pe.core.run(slice_) is None:
            pass
        counts.append(pe.core.instructions - before)
    assert counts[1] - counts[0] == 2 * 25


# --- faults --------------------------------------------------------------------------------------


def fault_of(image: Image) -> tuple[Pe, FaultError]:
    pe = start(image)
    pe.feed(0, frames(1)[0])
    with pytest.raises(FaultError) as caught:
        pe.run()
    return pe, caught.value


def test_a_bad_access_is_recorded(build: Builder) -> None:
    image = build(body=UNUSED + "    *(volatile uint32_t *)0x40000010u = 7u;\n    out[0] = 1;\n")
    pe, error = fault_of(image)
    record = error.record
    assert record.kind == FAULT_BUS
    assert record.address == 0x40000010
    assert record.cfsr == 1 << 15 | 1 << 9  # BFARVALID, PRECISERR
    assert image.symbol("tiny") & ~1 <= record.pc < (image.symbol("tiny") & ~1) + 64
    assert "a bus fault (kind 5) at pc" in str(error)
    assert f"in tiny, lr {record.lr:#010x}, address 0x40000010" in str(error)
    assert not pe.has_frame(1)
    with pytest.raises(FaultError):  # it stays stopped
        pe.run()


def test_a_fault_within_a_block_is_recorded_where_it_is(build: Builder) -> None:
    body = (
        UNUSED
        + """\
    __asm volatile("movs r0, #0\\n movt r0, #0x4000\\n nop\\n nop\\n"
                   ".global weft_bad_load\\n weft_bad_load: ldr r1, [r0, #8]\\n nop\\n"
                   ::: "r0", "r1");
"""
    )
    image = build(body=body)
    _, error = fault_of(image)
    assert error.record.pc == image.symbol("weft_bad_load") & ~1
    assert error.record.address == 0x40000008


def test_an_undefined_instruction_is_recorded(build: Builder) -> None:
    _, error = fault_of(build(body=UNUSED + '    __asm volatile("udf #0");\n'))
    assert error.record.kind == FAULT_USAGE
    assert error.record.cfsr == 1 << 16
    assert error.record.address == 0


def patched_fault(image: Image, code: str) -> FaultError:
    """The fault of machine code, in hexadecimal digits, in place of the kernel: what no compiler
    makes, or what would not be linked."""
    pe = start(image)
    pe.core.write(image.symbol("tiny") & ~1, bytes.fromhex(code))
    pe.feed(0, frames(1)[0])
    with pytest.raises(FaultError) as caught:
        pe.run()
    return caught.value


def test_a_jump_out_of_memory_is_recorded(build: Builder) -> None:
    """movw r0, #1; movt r0, #0x6000; bx r0"""
    error = patched_fault(build(), "40f20100 c6f20000 0047")
    assert error.record.kind == FAULT_BUS
    assert error.record.pc == 0x60000000


def test_a_fault_without_a_stack_is_recorded(build: Builder) -> None:
    """movs r0, #0; mov sp, r0; udf #0"""
    error = patched_fault(build(), "0020 8546 00de")
    assert error.record.kind == FAULT_BUS
    assert error.record.cfsr == 1 << 16 | 1 << 12  # UNDEFINSTR, and STKERR on top of it
    assert (error.record.pc, error.record.lr) == (0, 0)


# b . behind a push, a sub, an str and a vpush of 600 bytes and more, or of some words for ever.
OVERFLOWS = {
    "push": "f0b5 fde7",
    "push.w": "2de9f04f fce7",
    "sub": "adf5007d adf5007d adf5007d adf5007d fee7",
    "subw": "adf2e93d adf2e93d fee7",
    "strd": "6de9ff01 6de9ff01 fce7",
    "str": "4df8ff0d 4df8ff0d fce7",
    "vpush": "2ded108b fce7",
}


@pytest.mark.parametrize("code", OVERFLOWS.values(), ids=OVERFLOWS)
def test_an_overflow_of_the_stack_is_recorded_where_it_is(build: Builder, code: str) -> None:
    image = build()
    error = patched_fault(image, code)
    record = error.record
    assert record.kind == FAULT_STACK
    assert record.cfsr == 1 << 7 | 1 << 1  # MMARVALID, DACCVIOL
    assert record.address == image.symbol("weft_ld_stack_limit") - 4
    at = image.symbol("tiny") & ~1
    assert at <= record.pc <= at + len(bytes.fromhex(code))
    assert "an overflow of the stack (kind 256) at pc" in str(error)
    assert " in tiny, lr" in str(error)


def test_a_guard_that_was_overwritten_is_recorded(build: Builder) -> None:
    """For cores that do not refuse it when it happens: ldr r0, =guard + 8; str r0, [r0]; bx lr"""
    image = build()
    address = image.symbol("weft_ld_stack_guard") + 8
    first = 0xF240 | (address >> 11 & 1) << 10 | address >> 12  # movw r0, #address
    second = (address >> 8 & 7) << 12 | address & 0xFF
    code = b"".join(half.to_bytes(2, "little") for half in (first, second, 0x6000, 0x4770))
    error = patched_fault(image, code.hex())
    assert (error.record.kind, error.record.address) == (FAULT_STACK, address)


def test_a_failed_assertion_is_recorded_where_it_is(build: Builder) -> None:
    declarations = '#include "runtime/port/cortex_m/image.h"\n'
    body = UNUSED + "    WEFT_ASSERT(in[0] != 5);\n    out[0] = 1;\n"
    image = build(declarations=declarations, body=body)
    pe = start(image)
    frame = bytes(FRAME_BYTES)
    pe.feed(0, frame)
    pe.run()
    pe.collect(1)
    pe.feed(0, b"\x05" + frame[1:])
    with pytest.raises(
        FaultError, match=r"a failed assertion \(kind 257\) at pc .* in tiny"
    ) as caught:
        pe.run()
    pc = caught.value.record.pc
    assert pe.core.read(pc, 2) == bytes.fromhex("a5de")


@pytest.mark.parametrize(("offset", "count"), [(4, 1), (8 + 8 * 24, 9)])
def test_a_network_that_loses_count_fails_an_assertion(
    build: Builder, offset: int, count: int
) -> None:
    """It says that more was taken than posted, or that it posted more than there is room for."""
    pe = start(build(pes=2))
    pe.core.set_word(pe.symbol("weft_image_mail") + offset, count)
    pe.feed(0, frames(1)[0])
    with pytest.raises(FaultError) as caught:
        pe.run()
    assert caught.value.record.kind == FAULT_ASSERTION


def test_an_error_status_stops_the_image(build: Builder) -> None:
    with pytest.raises(StoppedError) as caught:
        start(build(tables_version=99))
    assert caught.value.status == E_VERSION


def test_a_kernel_without_end_is_noticed(build: Builder) -> None:
    body = UNUSED + '    for (;;) __asm volatile("nop");\n'
    pe = start(build(body=body))
    pe.feed(0, frames(1)[0])
    with pytest.raises(BudgetExceededError):
        pe.run(100_000)


# --- what is linked ------------------------------------------------------------------------------

_ALLOCATOR = re.compile(r"_*(malloc|free|calloc|realloc|sbrk|printf|exit|abort)(_r)?$")
_SOFT_FLOAT = re.compile(r"__aeabi_[dfhc]|__\w+[sdt]f[23]$|__(fix|float)\w+$")
_MEMORY_HELPER = re.compile(r"__aeabi_mem(cpy|move|set|clr)[48]?$")


def symbol_names(elf: Path, *, undefined: bool) -> list[str]:
    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert table is not None
        return [
            symbol.name
            for symbol in table.iter_symbols()
            if symbol.name and (symbol["st_shndx"] == "SHN_UNDEF") == undefined
        ]


def helpers(image: Image) -> list[str]:
    """Functions that the compiler brought from a library of its own."""
    return [
        name
        for name in symbol_names(image.elf, undefined=False)
        if name.startswith("__") and not _MEMORY_HELPER.fullmatch(name)
    ]


def test_nothing_is_missing_and_no_library_is_linked(build: Builder) -> None:
    image = build()
    assert symbol_names(image.elf, undefined=True) == []
    names = symbol_names(image.elf, undefined=False)
    assert [name for name in names if _ALLOCATOR.match(name) or _SOFT_FLOAT.match(name)] == []
    assert helpers(image) == []
    elf = ElfFile(image.elf)
    assert (undefined(elf), allocators(elf), software_float(elf)) == ([], [], [])


def test_floating_point_in_software_is_seen(build: Builder) -> None:
    """Of floats, the FPU computes all but the conversion of 64-bit integers."""
    body = UNUSED + "    out[0] = (int8_t)((float)((int64_t)rows << row_bytes) * (float)in[0]);\n"
    assert software_float(ElfFile(build(body=body).elf))


def test_doubles_are_refused(build: Builder) -> None:
    """The libraries of both compilers jump about in a way that nobody follows."""
    body = UNUSED + "    out[0] = (int8_t)((double)rows * ((double)in[0] + (double)row_bytes));\n"
    with pytest.raises(ImageError, match="cannot be followed"):
        build(body=body)


def test_a_heap_is_refused(build: Builder) -> None:
    declarations = """\
void *malloc(size_t size);
static uint8_t heap[64];
__attribute__((noinline)) void *malloc(size_t size) { return heap + (size & 63u); }
"""
    body = UNUSED + "    *(volatile uint8_t *)malloc((size_t)rows) = 1;\n    out[0] = 1;\n"
    with pytest.raises(ImageError, match="program p0 allocates memory with malloc"):
        build(declarations=declarations, body=body)


def test_section_sizes_add_up(build: Builder) -> None:
    sections = build(constants=bytes(50_000)).sections
    assert sections["constants"] == 50_000
    assert sections["arena"] == ARENA_BYTES
    assert sections["stack"] == STACK_BYTES
    assert sections["tables"] == len(tiny_tables().to_bytes())
    assert sections["channels"] == 4 * tiny_tables().assign_state()
    assert sections["data"] == 0
    assert 0 < sections["bss"] < 640
    assert 0 < sections["text"] < RUNTIME_TEXT_LIMIT
    assert sections["data"] + sections["bss"] + sections["channels"] <= RUNTIME_RAM_LIMIT
    parts = sum(size for name, size in sections.items() if name != "total")
    assert parts <= sections["total"] <= parts + 64 < SRAM_BYTES


def test_object_sizes_bound_the_image(build: Builder, toolchain: Toolchain, tmp_path: Path) -> None:
    image = build()
    sizes = object_sizes(tmp_path / "program", {"p0": ["tiny"]}, toolchain, sources_of={})["p0"]
    assert image.sections["channels"] == 4 * tiny_tables().assign_state()
    assert sizes["bss"] <= image.sections["bss"] <= sizes["bss"] + 16
    text = sizes["kernels"] + sizes["program"] + sizes["runtime"]
    assert image.sections["text"] <= text + 64


def test_code_and_data_may_have_regions_of_their_own(build: Builder) -> None:
    memory = (
        MemoryRegion("flash", 0x08000000, 0x8000, ("code", "constants")),
        MemoryRegion("sram", 0x20000000, 0x4000, ("data",)),
    )
    declarations = "int32_t counter = 41;\n"
    body = UNUSED + "    out[0] = (int8_t)++counter;\n"
    image = build(memory=memory, declarations=declarations, body=body)
    assert image.symbol("weft_image_pe") >= 0x20000000
    assert image.symbol("weft_pe_constants") < 0x20000000
    pe = start(image, memory)
    for _ in range(2):  # a reset restores what .data began with
        pe.feed(0, frames(1)[0])
        pe.run()
        assert pe.collect(1)[0] == 42
        pe.core.reset()
        pe.run()


# --- what does not work --------------------------------------------------------------------------


def test_too_small_a_region_is_an_error_with_byte_counts(build: Builder) -> None:
    fitting = build(constants=bytes(3000)).sections["total"]
    with pytest.raises(DoesNotFitError) as caught:
        build(constants=bytes(3000), memory=(sram(4096),))
    error = caught.value
    assert (error.program, error.needed, error.available) == ("program p0", fitting, 4096)
    for part in ("program p0", "sram", str(fitting), "4096", "constants 3000", "stack 2048"):
        assert part in str(error)


def test_an_image_that_just_fits_is_linked(build: Builder) -> None:
    total = build().sections["total"]
    build(memory=(sram(total),))
    with pytest.raises(DoesNotFitError):
        build(memory=(sram(total - 1),))


def test_what_the_compiler_rejects_is_named(build: Builder) -> None:
    with pytest.raises(ToolchainError, match=r"rejects kernels\.c.*no_such_variable"):
        build(body=UNUSED + "    out[0] = no_such_variable;\n")


def test_a_missing_function_is_named(build: Builder) -> None:
    body = UNUSED + "    out[0] = (int8_t)no_such_function();\n"
    with pytest.raises(ToolchainError, match=r"does not link program p0.*no_such_function"):
        build(declarations="int no_such_function(void);\n", body=body)


def test_a_machine_without_a_place_for_data_is_an_error() -> None:
    with pytest.raises(MachineError, match="no memory region holds data"):
        linker_script([MemoryRegion("rom", 0, 4096, ("code", "constants"))], STACK_BYTES)


def test_an_unknown_core_is_an_error() -> None:
    with pytest.raises(ToolchainError, match="cortex-m4"):
        zig_target_toolchain("z80")

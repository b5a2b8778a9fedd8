# SPDX-License-Identifier: Apache-2.0
"""What single instructions of an ARMv7-M core do to the stack and to the flow of control.

Capstone decodes. What an instruction does that is not known here is refused, never guessed.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import capstone as untyped_capstone
from capstone import arm

# Its bindings have no types.
capstone: Any = untyped_capstone
_of_thread = threading.local()

_PUSHES = {arm.ARM_INS_PUSH: 4, arm.ARM_INS_VPUSH: 0}
_POPS = {arm.ARM_INS_POP: 4, arm.ARM_INS_VPOP: 0}
_ALWAYS = (arm.ARM_CC_INVALID, arm.ARM_CC_AL)
_SHORT_BRANCHES = (arm.ARM_INS_CBZ, arm.ARM_INS_CBNZ)
_TABLE_BRANCHES = (arm.ARM_INS_TBB, arm.ARM_INS_TBH)
# Far from 0, so that jumps back end above it.
_DECODED_AT = 1 << 28
# Instructions that are decoded together, most of which are used, and bytes that hold as many.
_TOGETHER, _BYTES = 12, 48


class UnknownInstructionError(Exception):
    """What the instruction does to the stack or the flow of control is not known."""


@dataclass(frozen=True)
class Step:
    """One instruction, wherever it lies: places in code are bytes from its own address.

    ``grows`` are bytes that it takes from the stack, negative if it gives some back. It calls
    ``calls`` or jumps to ``jumps``; through a pointer if ``is_indirect``, which is a call if
    ``goes_on``. ``is_return`` leaves the function; ``goes_on`` says whether the next
    instruction may follow, and ``sets_stack`` that the stack pointer is taken from a register.
    ``is_computed`` is a jump to an address out of the stack, where the function has put it;
    ``points_to`` is the place in code whose address the instruction takes.
    """

    size: int
    text: str
    grows: int = 0
    calls: int | None = None
    jumps: int | None = None
    is_indirect: bool = False
    is_return: bool = False
    is_computed: bool = False
    points_to: int | None = None
    sets_stack: bool = False
    goes_on: bool = True


def steps(code: bytes, address: int) -> Iterator[tuple[int, Step]]:
    """The instructions of ``code``, which lies at ``address``, up to where decoding ends, each with
    its address.

    Raises ``UnknownInstructionError``, with the instruction's text, where it comes to one.
    """
    at = 0
    while True:
        found = _decoded(code[at : at + _BYTES], (address + at) % 4)
        if not found:
            return
        for step in found:
            if isinstance(step, str):
                raise UnknownInstructionError(step)
            yield address + at, step
            at += step.size


# Images of one process have most of their code in common: the runtime and many kernels.
@functools.lru_cache(maxsize=4096)
def _decoded(piece: bytes, place: int) -> tuple[Step | str, ...]:
    """The first instructions of ``piece``, which begins at this byte of a word; the text of one
    that is not known, which is the last then."""
    found = list(_capstone().disasm(piece, _DECODED_AT + place, _TOGETHER))
    steps: list[Step | str] = []
    for it in found[: _whole(found)]:
        try:
            steps.append(_step(it))
        except UnknownInstructionError as error:
            return (*steps, str(error))
    return tuple(steps)


def _capstone() -> Any:
    """This thread's."""
    if not hasattr(_of_thread, "capstone"):
        mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        _of_thread.capstone = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        _of_thread.capstone.detail = True
    return _of_thread.capstone


def _whole(found: list[Any]) -> int:
    """How many to take, so that no block of conditional instructions is decoded in two pieces."""
    if len(found) < _TOGETHER:
        return len(found)
    inside = [i for i in range(len(found) - 4, len(found)) if found[i].id == arm.ARM_INS_IT]
    return inside[0] if inside else len(found)


def _step(it: Any) -> Step:
    text = f"{it.mnemonic} {it.op_str}".strip()
    is_always = it.cc in _ALWAYS
    flow = _flow(it, is_always)
    grows = _growth(it)
    if grows is None:
        if it.id == arm.ARM_INS_MOV:
            return Step(it.size, text, sets_stack=True)
        raise UnknownInstructionError(text)
    if grows and not is_always and not flow.get("is_return"):
        raise UnknownInstructionError(text)  # after it, nobody could tell where the stack is
    return Step(it.size, text, grows, **flow)


def _flow(it: Any, is_always: bool) -> dict[str, Any]:
    operands = it.operands
    if it.id == arm.ARM_INS_BL:
        return {"calls": operands[0].imm - it.address}
    if it.id == arm.ARM_INS_B:
        return {"jumps": operands[0].imm - it.address, "goes_on": not is_always}
    if it.id in _SHORT_BRANCHES:
        return {"jumps": operands[1].imm - it.address}
    if it.id == arm.ARM_INS_BLX:
        return {"is_indirect": True}
    if it.id == arm.ARM_INS_BX:
        is_return = operands[0].reg == arm.ARM_REG_LR
        return {"is_return": is_return, "is_indirect": not is_return, "goes_on": not is_always}
    if it.id == arm.ARM_INS_UDF:
        return {"goes_on": False}
    if not _writes(it, arm.ARM_REG_PC):
        if it.id in _TABLE_BRANCHES:
            raise UnknownInstructionError(f"{it.mnemonic} {it.op_str}")
        return {"points_to": _place_in_code(it)}
    if is_always and it.id == arm.ARM_INS_LDR and _is_in_stack(it) and not it.writeback:
        return {"is_computed": True, "goes_on": False}
    is_pop = it.id == arm.ARM_INS_POP or (it.id == arm.ARM_INS_LDR and _moves_stack(it))
    is_move = it.id == arm.ARM_INS_MOV and operands[1].reg == arm.ARM_REG_LR
    if not is_pop and not is_move:
        raise UnknownInstructionError(f"{it.mnemonic} {it.op_str}")
    return {"is_return": True, "goes_on": not is_always}


def _growth(it: Any) -> int | None:
    """Bytes that it takes from the stack; None if that is not known."""
    if it.id in _PUSHES:
        return _bytes_of(it)
    if it.id in _POPS:
        return -_bytes_of(it)
    if it.id == arm.ARM_INS_MSR and "sp" in it.op_str.split(",")[0]:
        return None
    if not _writes(it, arm.ARM_REG_SP):
        return 0
    last = it.operands[-1]
    if it.id in {arm.ARM_INS_SUB, arm.ARM_INS_ADD} and last.type == arm.ARM_OP_IMM:
        first = it.operands[-2]
        if first.type == arm.ARM_OP_REG and first.reg == arm.ARM_REG_SP:
            return int(last.imm) if it.id == arm.ARM_INS_SUB else -int(last.imm)
    if _moves_stack(it):  # before it loads or stores, or after
        by = last.mem.disp if last.type == arm.ARM_OP_MEM else last.imm
        return -int(by)
    return None


def _bytes_of(it: Any) -> int:
    names = [it.reg_name(operand.reg) for operand in it.operands]
    return sum(8 if name.startswith("d") else 4 for name in names)


def _place_in_code(it: Any) -> int | None:
    """The place whose address ADR takes. Its wide forms are an addition to the program counter and
    a subtraction from it (ARMv7-M Architecture Reference Manual A7.7.7)."""
    here = ((it.address + 4) & ~3) - it.address
    last = it.operands[-1] if it.operands else None
    if last is None or last.type != arm.ARM_OP_IMM:
        return None
    if it.id == arm.ARM_INS_ADR:
        return int(here + last.imm)
    is_from_here = len(it.operands) == 3 and it.operands[1].type == arm.ARM_OP_REG
    if not is_from_here or it.operands[1].reg != arm.ARM_REG_PC:
        return None
    if it.id in {arm.ARM_INS_ADD, arm.ARM_INS_ADDW}:
        return int(here + last.imm)
    return int(here - last.imm) if it.id in {arm.ARM_INS_SUB, arm.ARM_INS_SUBW} else None


def _moves_stack(it: Any) -> bool:
    """Whether it loads or stores one or two words and moves the stack pointer along."""
    if it.id not in {arm.ARM_INS_LDR, arm.ARM_INS_LDRD, arm.ARM_INS_STR, arm.ARM_INS_STRD}:
        return False
    return bool(it.writeback) and _is_in_stack(it)


def _is_in_stack(it: Any) -> bool:
    """Whether it loads or stores in the stack."""
    memory = [o.mem for o in it.operands if o.type == arm.ARM_OP_MEM]
    return bool(memory) and memory[0].base == arm.ARM_REG_SP and memory[0].index == 0


def _writes(it: Any, register: int) -> bool:
    return register in it.regs_access()[1]

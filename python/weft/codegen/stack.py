# SPDX-License-Identifier: Apache-2.0
"""The stack that a linked image takes at worst: the deepest chain of calls from the reset on, an
exception there, and the guard. Calls through a pointer are known in two places: where the executive
calls what a program's tables name, and where the device API calls drivers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weft.codegen.bodies import Bodies, Call, refuse_recursion
from weft.codegen.elf import ElfFile
from weft.errors import ImageError

#: Below the stack, never used: an overflow is seen there. The smallest region that an MPU protects.
GUARD_BYTES = 32
# What an exception pushes when the FPU is in use: 26 words, and one to align them.
_EXCEPTION_FRAME_BYTES = 27 * 4
_ALIGNMENT = 8

_RESET, _EXCEPTION = "weft_image_reset", "weft_image_exception"
# Functions of runtime/src/pe.c that call kernels, and what serves devices; compilers put some of
# them into others.
_EXECUTIVE = ("weft_pe_step", "step_lanes", "step_lane", "run_task", "await_jobs")
_CHECKS_DEVICES = ("weft_pe_init", "weft_tables_check", "rows_are_valid")
# What calls drivers: functions with this prefix, and local ones of that file.
_DEVICE_API, _DEVICE_FILE = "weft_device_", "device.c"
# In weft_program_t; bytes of a weft_kernel_t, whose first word is the function.
_PROGRAM_KERNELS, _PROGRAM_COUNT, _PROGRAM_DEVICES, _KERNEL_BYTES = 4, 8, 16, 16
# In weft_program_devices_t; bytes of a weft_device_setup_t, whose first word is the driver.
_DEVICE_COUNT, _DEVICE_SETUPS, _DEVICE_FUNCTIONS, _SETUP_BYTES = 0, 4, (12, 16, 20), 28

_Chain = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class StackUse:
    """Bytes at worst, a multiple of 8, and what they are made of: functions in the order of their
    calls, an exception's frame and its handler, and the guard."""

    bytes: int
    chain: _Chain

    def __str__(self) -> str:
        return " > ".join(f"{name} {size}" for name, size in self.chain if size)


def worst_stacks(elf: ElfFile, programs: Sequence[str]) -> dict[str, StackUse]:
    """The worst case of the image ``elf`` with the kernels of each program that is linked into it.

    Raises ``ImageError`` for recursion, and where the stack cannot be followed.
    """
    bodies = Bodies(elf)
    return {program: _worst_stack(bodies, program) for program in programs}


def _worst_stack(bodies: Bodies, program: str) -> StackUse:
    calls = _Calls(bodies, program)
    chain = (
        *calls.worst(_entry(bodies.elf, _RESET)),
        ("an exception", _EXCEPTION_FRAME_BYTES),
        *calls.worst(_entry(bodies.elf, _EXCEPTION)),
        ("the guard", GUARD_BYTES),
    )
    return StackUse(-(-_bytes(chain) // _ALIGNMENT) * _ALIGNMENT, chain)


def _bytes(chain: _Chain) -> int:
    return sum(size for _, size in chain)


def _entry(elf: ElfFile, name: str) -> int:
    if name not in elf.addresses:
        raise ImageError(f"{elf.path} is no image: it has no {name}")
    return elf.addresses[name] & ~1


def _devices(elf: ElfFile, program: str) -> int:
    """Where a program's ``weft_program_devices_t`` is; 0 if it has none."""
    return elf.word(_entry(elf, f"{program}_program") + _PROGRAM_DEVICES)


def _kernels(elf: ElfFile, program: str) -> list[int]:
    """What the tables name: kernels and launches; awaits have no function."""
    at = _entry(elf, f"{program}_program")
    table, count = elf.word(at + _PROGRAM_KERNELS), elf.word(at + _PROGRAM_COUNT)
    found = [elf.word(table + _KERNEL_BYTES * i) & ~1 for i in range(count)]
    return [function for function in found if function]


def _serving_devices(elf: ElfFile, program: str) -> list[int]:
    """What the executive asks of devices."""
    devices = _devices(elf, program)
    return [elf.word(devices + offset) & ~1 for offset in _DEVICE_FUNCTIONS if devices]


def _drivers(elf: ElfFile, program: str) -> list[int]:
    """The functions of the drivers of a program's devices: whatever in a driver points to one."""
    devices = _devices(elf, program)
    if not devices:
        return []
    sizes = {s.address: s.size for s in elf.symbols if not s.is_function}
    setups, found = elf.word(devices + _DEVICE_SETUPS), set()
    for i in range(elf.word(devices + _DEVICE_COUNT)):
        driver = elf.word(setups + _SETUP_BYTES * i)
        for at in range(driver, driver + sizes.get(driver, 0), 4):
            if elf.word(at) & ~1 in elf.functions:
                found.add(elf.word(at) & ~1)
    return sorted(found)


class _Calls:
    """Chains of calls with the kernels and drivers of a program."""

    def __init__(self, bodies: Bodies, program: str) -> None:
        self._bodies = bodies
        self._drivers = _drivers(bodies.elf, program)
        local = (s for s in bodies.elf.symbols if s.is_function and s.file == _DEVICE_FILE)
        self._calling_drivers = {s.name.partition(".")[0] for s in local}
        self._serving_devices = _serving_devices(bodies.elf, program)
        self._executed = [*_kernels(bodies.elf, program), *self._serving_devices]
        self._known: dict[int, _Chain] = {}
        self._active: list[int] = []

    def worst(self, entry: int) -> _Chain:
        """The chain from the function at ``entry`` that takes most. Raises ``ImageError``."""
        if entry not in self._known:
            if entry in self._active:
                names = [self._bodies.name(e) for e in self._active]
                refuse_recursion(names, self._bodies.name(entry))
            self._active.append(entry)
            body = self._bodies.body(entry)
            chains: list[_Chain] = [((body.name, body.taken),)]
            for call in body.calls:
                for callee in self._targets(body.name, call):
                    chains.append(((body.name, call.taken), *self.worst(callee)))
            self._known[entry] = max(chains, key=_bytes)
            self._active.pop()
        return self._known[entry]

    def _targets(self, name: str, call: Call) -> Sequence[int]:
        if call.callee is not None:
            return (call.callee,)
        plain = name.partition(".")[0]  # compilers name copies NAME.suffix
        if plain in _EXECUTIVE:
            return self._executed
        if plain in _CHECKS_DEVICES:
            return self._serving_devices
        if plain.startswith(_DEVICE_API) or plain in self._calling_drivers:
            return self._drivers
        raise ImageError(
            f"{name} calls through a pointer at {call.at:#x}, and nothing says what: "
            "call functions by their names"
        )

# SPDX-License-Identifier: Apache-2.0
"""A device in this process: its wrapper's functions and jobs through its driver, on arrays."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cffi import FFI, CDefError

from weft.codegen.toolchain import find_host_compiler
from weft.devices import DeviceDescription, load_device
from weft.devices.description import SPACES
from weft.errors import DeviceError
from weft.paths import runtime_folder
from weft.testing.conformance import compile_for, includes
from weft.testing.device_header import declarations

#: The fields of a descriptor: arrays for pointers (None: null), numbers or lists of them.
Job = Mapping[str, Any]

_FLAGS = ("-std=gnu11", "-ffp-contract=off", "-O2", "-fPIC", "-shared", '-DWEFT_RUNTIME_HASH=""')
_DRIVER = """\
#include "weft/device.h"
extern const weft_device_driver_t {0};
const weft_device_driver_t *weft_host_device_driver(void);
const weft_device_driver_t *weft_host_device_driver(void)
{{
    return &{0};
}}
"""
_DEADLINE_US = 10_000_000
_GUARD_BYTES, _GUARD = 64, 0xA7
_DTYPES = {
    f"{sign}int{bits}_t": np.dtype(f"{sign}int{bits}")
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
} | {"float": np.dtype(np.float32), "double": np.dtype(np.float64), "char": np.dtype(np.int8)}


class DeviceLibrary:
    """A device compiled for the host.

    ``call(name, ...)`` calls a function of its wrapper header, ``run(job, ...)`` sends jobs through
    driver and queue. ``options`` override facts, as a machine file may.
    """

    def __init__(
        self, device: DeviceDescription | str | Path, options: Mapping[str, Any] | None = None
    ) -> None:
        """Compiles and loads it. Raises ``DeviceError``, ``ToolchainError``."""
        if not isinstance(device, DeviceDescription):
            device = load_device(device)
        self.device = device
        self._options = device.option_words(options or {})
        self._ffi = FFI()
        try:
            self._ffi.cdef(declarations(device))
        except CDefError as error:
            what = str(error).splitlines()[0]
            raise DeviceError(f"device {device.name}: {device.header.name}: {what}") from None
        with tempfile.TemporaryDirectory(prefix="weft-device-") as folder:
            self._library = self._ffi.dlopen(str(self._build(Path(folder))))
        self._struct = self._descriptor_type()
        self._check_facts()

    def _build(self, folder: Path) -> Path:
        runtime = runtime_folder()
        # Loaders know libraries by their names.
        out = folder / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.so"
        # cffi finds functions by their names, and no constants.
        driver = folder / "driver.c"
        driver.write_text(_DRIVER.format(self.device.driver), encoding="ascii")
        host = [runtime / "port/host/port.c", runtime / "cts/device/host_run.c"]
        command: list[str | Path] = [*_FLAGS, *includes(self.device, "host")]
        command += [*self.device.sources, *sorted((runtime / "src").glob("*.c")), *host, driver]
        compile_for(find_host_compiler(), self.device, [*command, "-o", out])
        return out

    def _descriptor_type(self) -> Any:
        """Of the struct, whose fields are those of the description."""
        descriptor = self.device.descriptor
        where = f"device {self.device.name}: {descriptor.type}"
        try:
            found = self._ffi.typeof(descriptor.type)
            fields = dict(found.fields or ())
        except (self._ffi.error, AttributeError):
            raise DeviceError(f"{where} is no struct of {self.device.header.name}") from None
        said = (*descriptor.pointers, *descriptor.numbers)
        if list(fields) != list(said):
            raise DeviceError(
                f"{where} has the fields {', '.join(fields)}; device.toml says {', '.join(said)}"
            )
        return found

    def _check_facts(self) -> None:
        """The compiler goes by device.toml, the runtime by the driver: they must agree."""
        facts = self.device.facts
        said = {
            "alignment": facts.alignment,
            "jobs_in_flight": facts.jobs_in_flight,
            "spaces": sum(1 << SPACES.index(space) for space in set(facts.spaces)),
            "accumulator_bits": facts.accumulator_bits,
            "is_blocking": int(facts.is_blocking),
            "clock_hz": facts.clock_hz,
            "descriptor_bytes": self._ffi.sizeof(self._struct),
        }
        found = self._ffi.new("uint32_t[]", len(said))
        self._library.weft_host_device_facts(self._library.weft_host_device_driver(), found)
        for (name, value), own in zip(said.items(), found, strict=True):
            if value != own:
                where = "header" if name == "descriptor_bytes" else "device.toml"
                raise DeviceError(
                    f"device {self.device.name}: {name} is {value} by the {where}, and {own} by "
                    f"the driver {self.device.driver}"
                )

    # --- the wrapper ---

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls a function of the wrapper header; arrays are pointers to their first element.

        Raises ``AttributeError`` if the header has no such function, ``TypeError`` for an array of
        a dtype that it does not take.
        """
        function = getattr(self._library, name)
        wanted = self._ffi.typeof(function).args
        return function(*(self._argument(a, t) for a, t in zip(arguments, wanted, strict=True)))

    def descriptor(self, **fields: Any) -> Any:
        """A descriptor for ``call``; its arrays must live for as long as it does."""
        made = self._ffi.new(self._ffi.getctype(self._struct, "*"))
        self._fill(made, fields)
        return made

    def _argument(self, value: Any, wanted: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return self._ffi.NULL if value is None else value
        item = wanted.item.cname if wanted.kind == "pointer" else wanted.cname
        if item != "void" and _DTYPES.get(item) != value.dtype:
            raise TypeError(f"an array of {value.dtype} is given, {item} is wanted")
        if not value.flags.c_contiguous:
            raise TypeError("an array must be contiguous")
        return self._ffi.cast(wanted, value.ctypes.data)

    def _fill(self, descriptor: Any, job: Job) -> None:
        types = {name: field.type for name, field in self._struct.fields}
        unknown = sorted(set(job) - set(types))
        missing = sorted(set(types) - set(job))
        if unknown or missing:
            raise TypeError(f"a job has not the fields {unknown}, and wants {missing}")
        for name, value in job.items():
            setattr(descriptor, name, self._argument(value, types[name]))

    # --- jobs ---

    def run(self, *jobs: Job) -> list[str]:
        """Does the jobs in order; how each ended, "ok" or the name of an error.

        Arrays are given to the device as copies between guards, aligned as it wants them. What it
        has written is in the arrays afterwards. Raises ``DeviceError`` if it writes anywhere else,
        or does not take a job at all.
        """
        places = [_Places(job, self.device) for job in jobs]
        made = self._ffi.new(self._ffi.getctype(self._struct, f"[{max(len(jobs), 1)}]"))
        for at, place in enumerate(places):
            self._fill(self._ffi.addressof(made, at), place.job)
        states = np.zeros(len(jobs), np.uint32)
        status = self._library.weft_host_device_run(
            self._library.weft_host_device_driver(),
            self._ffi.new("uint32_t[]", list(self._options)),
            len(self._options),
            made,
            len(jobs),
            _DEADLINE_US,
            self._ffi.cast("uint32_t *", states.ctypes.data),
        )
        if status != 0:
            raise DeviceError(f"device {self.device.name} takes no jobs: {self._name_of(status)}")
        for place in places:
            place.give_back()
        return [self._name_of(int(state)) for state in states]

    def _name_of(self, status: int) -> str:
        text: bytes = self._ffi.string(self._library.weft_status_string(status))
        return text.decode()


@dataclass(frozen=True)
class _Copy:
    name: str
    array: npt.NDArray[Any]
    copy: npt.NDArray[Any]
    whole: npt.NDArray[np.uint8]
    is_written: bool


class _Places:
    """The arrays of a job, copied to where an overrun is seen."""

    def __init__(self, job: Job, device: DeviceDescription) -> None:
        self._device = device
        self._copies: list[_Copy] = []
        self.job = {name: self._place(name, value) for name, value in job.items()}

    def _place(self, name: str, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        alignment = max(self._device.facts.alignment, 16)
        whole = np.full(value.nbytes + 2 * _GUARD_BYTES + alignment, _GUARD, np.uint8)
        start = _GUARD_BYTES + -(whole.ctypes.data + _GUARD_BYTES) % alignment
        copy = whole[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
        copy[...] = value
        is_written = name in self._device.descriptor.written
        self._copies.append(_Copy(name, value, copy, whole, is_written))
        return copy

    def give_back(self) -> None:
        for at in self._copies:
            start = at.copy.ctypes.data - at.whole.ctypes.data
            guards = np.delete(at.whole, slice(start, start + at.array.nbytes))
            if (guards != _GUARD).any():
                raise DeviceError(f"device {self._device.name} writes outside of '{at.name}'")
            if at.is_written:
                at.array[...] = at.copy
            elif at.copy.tobytes() != at.array.tobytes():
                raise DeviceError(
                    f"device {self._device.name} writes to '{at.name}', which is not `written`"
                )

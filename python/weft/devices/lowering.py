# SPDX-License-Identifier: Apache-2.0
"""A device's ``lowering.py``, which is somebody else's code: loaded, called, and what it gives
checked. Every mistake in it is one line that names the file."""

from __future__ import annotations

import hashlib
import importlib.util
import operator
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from weft.devices.description import DeviceDescription
from weft.devices.layer import KINDS, Layer, Part
from weft.errors import DeviceError

_MOST = (1 << 31) - 1
# To which a PE's memory is aligned at least: WEFT_ALIGNMENT.
_MEMORY_ALIGNMENT = 16


class Timing:
    """What ``lowering.py`` says of time, which is all that it says of a device that copies. Every
    call raises ``DeviceError`` if the file's own function fails, or gives what makes no sense."""

    functions: tuple[str, ...] = ("cycles",)
    constants: tuple[str, ...] = ()

    def __init__(self, description: DeviceDescription, path: Path) -> None:
        self.description = description
        self.path = path
        self._module = _load(description, path)
        needed = (*self.constants, *self.functions)
        missing = [name for name in needed if not hasattr(self._module, name)]
        if missing:
            self._fail(f"lacks {', '.join(missing)}: see docs/own-accelerator.md")
        for name in self.functions:
            if not callable(getattr(self._module, name)):
                self._fail(f"{name} is no function")

    def cycles(self, numbers: Mapping[str, int], options: Mapping[str, Any]) -> int:
        """How long a job takes, in cycles of the device's clock."""
        given = self._call("cycles", numbers, self.description.timing, options)
        return self._whole(given, "cycles", 0, _MOST)

    def _whole(self, value: Any, what: str, low: int, high: int) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            self._fail(f"{what} is {value!r}, no whole number")
        if not low <= number <= high:
            self._fail(f"{what} is {number}; it must be from {low} to {high}")
        return number

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            return getattr(self._module, name)(*arguments)
        except Exception as error:
            raise DeviceError(f"{_where(error, self.path)}: {name} {_what(error)}") from error

    def _fail(self, what: str) -> NoReturn:
        raise DeviceError(f"{self.path}: {what}")


class Lowering(Timing):
    """What ``weft.devices.accelerator`` says of ``lowering.py``."""

    functions = ("refuse", "pack", "numbers", "cycles")
    constants = ("KINDS", "CHANNELS", "PIXELS")

    def __init__(self, description: DeviceDescription, path: Path) -> None:
        super().__init__(description, path)
        self.kinds = self._kinds()
        self.channels = self._constant("CHANNELS")
        self.pixels = self._constant("PIXELS")
        self.x_alignment = self._constant("X_ALIGNMENT", description.facts.alignment)
        self.input_channels = self._constant("INPUT_CHANNELS", 1)
        self.most_products = self._constant("MOST_PRODUCTS", _MOST)
        self._sizes: dict[tuple[int, ...], int] = {}
        self._check_description()

    # --- what it says ---

    def _kinds(self) -> tuple[str, ...]:
        given = self._module.KINDS
        is_list = isinstance(given, list | tuple)
        if not is_list or not all(kind in KINDS for kind in given):
            self._fail(f"KINDS is {given!r}; it is a list of some of {', '.join(KINDS)}")
        return tuple(given)

    def _constant(self, name: str, default: int = 1) -> int:
        value = getattr(self._module, name, default)
        if type(value) is not int or not 1 <= value <= _MOST:
            self._fail(f"{name} is {value!r}; it is a whole number from 1")
        return value

    def _check_description(self) -> None:
        """What the compiler can fill and align."""
        facts, descriptor = self.description.facts, self.description.descriptor
        file = f"device file {self.description.folder / 'device.toml'}"
        pointers = descriptor.pointers
        if len(pointers) != 3 or descriptor.written != pointers[2:]:
            raise DeviceError(
                f"{file}: descriptor: a device with a lowering has three pointers: operand, "
                "weights, sums; and writes the third"
            )
        if facts.accumulator_bits == 0:
            raise DeviceError(
                f"{file}: facts.accumulator_bits: a device with a lowering adds up; say how wide"
            )
        for name, value in ("facts.alignment", facts.alignment), ("X_ALIGNMENT", self.x_alignment):
            if value & (value - 1) or value > _MEMORY_ALIGNMENT:
                raise DeviceError(
                    f"device {self.description.name}: {name} is {value}; memory of PEs has an "
                    f"alignment of 1, 2, 4, 8 or {_MEMORY_ALIGNMENT}"
                )

    # --- its functions ---

    def refuse(self, layer: Layer, options: Mapping[str, Any]) -> str | None:
        """Why the device does not take ``layer``; None if it does."""
        if layer.kind not in self.kinds:
            return f"computes no {layer.kind}"
        reason = self._call("refuse", layer, options)
        if reason is None or (isinstance(reason, str) and reason.strip()):
            return reason and " ".join(reason.split())
        self._fail(f"refuse gives {reason!r}; it gives None, or says why not in a text")

    def pack(self, weights: np.ndarray[Any, Any]) -> bytes:
        """Weights [out_channels, kernel_h, kernel_w, channels] in the device's order: blocks of
        ``channels`` output channels, one behind the other."""
        size = self.channels
        blocks = [weights[at : at + size] for at in range(0, len(weights), size)]
        return b"".join(self._block(block) for block in blocks)

    def packed_bytes(self, out_channels: int, *taps: int) -> int:
        """What weights [out_channels, *taps] take."""
        whole, rest = divmod(out_channels, self.channels)
        size = whole * self._block_bytes(self.channels, *taps) if whole else 0
        return size + (self._block_bytes(rest, *taps) if rest else 0)

    def _block(self, weights: np.ndarray[Any, Any]) -> bytes:
        packed, expected = self._packed(weights), self._block_bytes(*weights.shape)
        if len(packed) != expected:
            self._fail(
                f"pack gives {len(packed)} bytes for some weights {list(weights.shape)} and "
                f"{expected} for others; how many must follow from the shape"
            )
        return packed

    def _block_bytes(self, *shape: int) -> int:
        if shape not in self._sizes:
            self._sizes[shape] = len(self._packed(np.zeros(shape, np.int8)))
        return self._sizes[shape]

    def _packed(self, weights: np.ndarray[Any, Any]) -> bytes:
        packed = self._call("pack", weights)
        if not isinstance(packed, bytes | bytearray):
            self._fail(f"pack gives a {type(packed).__name__}; it gives bytes")
        where = f"pack gives {len(packed)} bytes for weights {list(weights.shape)}"
        if len(packed) < weights.size:
            self._fail(f"{where}; they are {weights.size}")
        alignment = self.description.facts.alignment
        if len(packed) % alignment:
            self._fail(f"{where}: no multiple of the device's alignment of {alignment}; fill up")
        return bytes(packed)

    def numbers(self, layer: Layer, part: Part, options: Mapping[str, Any]) -> dict[str, int]:
        """The numbers of the descriptor of a job, in its order."""
        given = self._call("numbers", layer, part, options)
        if not isinstance(given, Mapping):
            self._fail(f"numbers gives a {type(given).__name__}; it gives a dict")
        wanted = self.description.descriptor.numbers
        for name in wanted:
            if name not in given:
                self._fail(f"numbers gives no '{name}', which the descriptor has")
        for name in given:
            if name not in wanted:
                self._fail(f"numbers gives '{name}'; the descriptor has {', '.join(wanted)}")
        return {
            name: self._whole(given[name], f"numbers: {name}", -(1 << 31), (1 << 32) - 1)
            for name in wanted
        }


def _load(description: DeviceDescription, path: Path) -> ModuleType:
    """The file as a module. It may import others of its folder (``from .timing import cycles``)."""
    digest = hashlib.sha256(str(description.folder).encode()).hexdigest()[:8]
    package = f"weft_device_{description.name}_{digest}"
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[name]  # the files may have changed
    parent = ModuleType(package)
    parent.__path__ = [str(path.parent)]
    sys.modules[package] = parent
    full = f"{package}.{path.stem}"
    spec = importlib.util.spec_from_file_location(full, path)
    if spec is None or spec.loader is None:
        raise DeviceError(f"{path} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder is the user's
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DeviceError(f"{_where(error, path)}: {_what(error)}") from error
    finally:
        sys.dont_write_bytecode = writes
    return module


def _what(error: Exception) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"fails: {type(error).__name__}: {text}"


def _where(error: Exception, path: Path) -> str:
    """File and line of the folder where an error comes from."""
    found = str(path)
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}:{error.lineno}"
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(path.parent):
            found = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found

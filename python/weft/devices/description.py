# SPDX-License-Identifier: Apache-2.0
"""What a device's folder says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weft.errors import DeviceError

#: The memories that a device may reach, in the order of ``weft_space_t``.
SPACES = ("local", "pe", "dram")
#: The descriptor of devices that copy.
COPY = "weft_copy_t"
#: What an accumulator does with a sum that it has no room for.
OVERFLOWS = ("wrap", "saturate")


@dataclass(frozen=True)
class Descriptor:
    """The C struct of a job: its type, and its fields in their order, pointers first.

    ``written`` are the pointers through which a job writes.
    """

    type: str
    pointers: tuple[str, ...]
    written: tuple[str, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What a device can do; see ``weft_device_facts_t``.

    ``alignment`` is in bytes, ``accumulator_bits`` 0 if nothing is added up, ``clock_hz`` 0 if it
    is the PE's. ``more`` are facts that only the device's own lowering understands.
    """

    alignment: int
    jobs_in_flight: int
    spaces: tuple[str, ...]
    accumulator_bits: int = 0
    overflow: str = "wrap"
    subtracts_zero_points: bool = False
    clock_hz: int = 0
    is_blocking: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DeviceDescription:
    """One kind of device. Paths are absolute.

    ``driver`` is the C symbol of its ``weft_device_driver_t``, ``context`` the C type that it keeps
    an instance in, None if it needs none. ``conformance`` are the sources that
    define ``weft_device_cts_adapter``, ``options`` the facts that a machine file may override, each
    with the values that it may have, ``timing`` the data of its timing formula.
    """

    name: str
    folder: Path
    description: str
    header: Path
    sources: tuple[Path, ...]
    driver: str
    descriptor: Descriptor
    facts: Facts
    context: str | None = None
    conformance: tuple[Path, ...] = ()
    lowering: Path | None = None
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_copies(self) -> bool:
        """Whether its jobs are copies, of the standard descriptor of ``weft/copy.h``."""
        return self.descriptor.type == COPY

    @property
    def reads_dram(self) -> bool:
        """Whether it copies from DRAM to the PE's memory."""
        return self.takes_copies and {"local", "dram"} <= set(self.facts.spaces)

    def option_words(self, chosen: Mapping[str, Any]) -> tuple[int, ...]:
        """``weft_device_config_t.options``: a word for each option, in the order of ``options``.

        A number or truth value stands for itself, a text for its place in the option's list. What
        is not ``chosen`` has the fact's own value. Raises ``DeviceError`` for an option or value
        that is not there.
        """
        for name, wanted in chosen.items():
            if name not in self.options:
                known = ", ".join(self.options) or "none"
                raise DeviceError(f"device {self.name} has no option '{name}'; there are {known}")
            # In Python, 1 and true are equal.
            if not any(wanted == v and type(wanted) is type(v) for v in self.options[name]):
                may = ", ".join(map(str, self.options[name]))
                raise DeviceError(f"device {self.name}: {name} is {wanted!r}; it may be {may}")
        own = {**self.facts.more, **vars(self.facts)}
        words = []
        for name, values in self.options.items():
            value: Any = chosen.get(name, own[name])
            words.append(values.index(value) if isinstance(value, str) else int(value))
        return tuple(words)

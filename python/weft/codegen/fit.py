# SPDX-License-Identifier: Apache-2.0
"""Whether a program fits its PE: bytes by section against the regions of the machine file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weft.errors import DoesNotFitError
from weft.machines.model import MemoryRegion, PeClass

_HELP = "use more PEs, a machine with more memory a PE, or a smaller model"
_HELP_OF_MANY = (
    "give that PE fewer or smaller shards or shallower slots, or use a machine with more memory a "
    "PE"
)

# What each section is made of, for the linker: the first region that holds it gets it.
_PURPOSE = {
    "code": "code",
    "tables": "constants",
    "constants": "constants",
    "arena": "data",
    "state": "data",
    "stack": "data",
}


@dataclass(frozen=True)
class Footprint:
    """Bytes of one program's sections on its PE. ``code`` is None where it is not measured, and
    ``stack`` where it is as large as needed and that is not known yet."""

    code: int | None
    tables: int
    constants: int
    arena: int
    state: int
    stack: int | None

    def sections(self) -> dict[str, int]:
        """By name, what is not known left out."""
        named = {name: getattr(self, name) for name in _PURPOSE}
        return {name: size for name, size in named.items() if size is not None}


def _region(pe_class: PeClass, purpose: str) -> MemoryRegion:
    return next(r for r in pe_class.memory if purpose in r.holds)


def check_fit(
    whose: str, footprint: Footprint, pe_class: PeClass, *, is_alone: bool = True
) -> dict[str, int]:
    """Bytes used in each memory region. Raises ``DoesNotFitError`` for the fullest one if any
    holds less than it must; if the PE ``is_alone`` on its machine, no other can help."""
    sections = footprint.sections()
    used: dict[str, int] = {region.name: 0 for region in pe_class.memory}
    inside: dict[str, dict[str, int]] = {region.name: {} for region in pe_class.memory}
    for name, size in sections.items():
        region = _region(pe_class, _PURPOSE[name])
        used[region.name] += size
        inside[region.name][name] = size
    for region in sorted(pe_class.memory, key=lambda r: r.length - used[r.name]):
        if used[region.name] > region.length:
            raise DoesNotFitError(
                whose,
                f"memory region {region.name}",
                used[region.name],
                region.length,
                _listing(inside[region.name]),
                _HELP if is_alone else _HELP_OF_MANY,
            )
    return used


def _listing(sections: Mapping[str, int]) -> str:
    largest_first = sorted((i for i in sections.items() if i[1]), key=lambda item: -item[1])
    return ", ".join(f"{name} {size}" for name, size in largest_first)

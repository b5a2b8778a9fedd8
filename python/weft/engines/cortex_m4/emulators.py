# SPDX-License-Identifier: Apache-2.0
"""Which emulator runs the cores: Unicorn in this process, or a process of QEMU for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from weft.engines.cortex_m4 import qemu
from weft.errors import EngineError

if TYPE_CHECKING:
    from weft.engines.cortex_m4.core import Core
    from weft.engines.cortex_m4.qemu import QemuCore

_VARIABLE = "WEFT_EMULATOR"


class MakeCore(Protocol):
    """Makes a core with an image in its memory, (origin, bytes) pairs, beside memory that it shares
    with others, (origin, view) pairs."""

    def __call__(
        self,
        elf: Path,
        memory: Sequence[tuple[int, int]],
        shared: Sequence[tuple[int, memoryview]] = (),
    ) -> Core | QemuCore: ...


@dataclass(frozen=True)
class Emulator:
    """An emulator that is installed."""

    name: str
    core: MakeCore


def find_emulator() -> Emulator:
    """Unicorn where it is installed, else QEMU; the one that the environment variable names, if it
    names one. Raises ``EngineError`` if it is not there."""
    chosen = os.environ.get(_VARIABLE, "")
    if chosen not in {"", "unicorn", "qemu"}:
        raise EngineError(
            f"the environment variable {_VARIABLE} is {chosen}: give unicorn or qemu, or unset it"
        )
    missing = []
    if chosen != "qemu":
        try:
            from weft.engines.cortex_m4.core import Core
        except ImportError as error:
            missing.append(f"the emulator Unicorn ({error}): pip install weft[emulate]")
        else:
            return Emulator("unicorn", Core)
    if chosen != "unicorn":
        if qemu.installed() is not None:
            return Emulator("qemu", qemu.QemuCore)
        missing.append(f"{qemu.COMMAND}, which is not installed")
    raise EngineError("the engine cortex-m4 needs " + ", or ".join(missing))

# SPDX-License-Identifier: Apache-2.0
"""Jobs that bring weights from DRAM to a PE's memory."""

from __future__ import annotations

from collections.abc import Sequence

from weft.devices.accelerator import Accelerator
from weft.kernels.base import KernelCall
from weft.kernels.device import Await, DramLoad, Launch
from weft.kernels.view import Pointer

#: Number of a space in ``weft_space_t``.
_LOCAL, _DRAM = 0, 2


def copier(devices: Sequence[Accelerator]) -> Accelerator | None:
    """Which of a PE's devices copies from DRAM; None if there is none."""
    return next((d for d in devices if d.description.reads_dram), None)


class DramLoader:
    """Makes the jobs of one device of a PE, which copies from DRAM."""

    def __init__(self, device: Accelerator) -> None:
        self._device = device
        self._kernel = DramLoad(
            kind=device.description.name,
            descriptor=device.description.descriptor.type,
            header=device.description.header.name,
        )

    @property
    def alignment(self) -> int:
        """In bytes, of what it copies: from where, to where and how much."""
        return self._device.description.facts.alignment

    def rounded(self, size: int) -> int:
        """The next whole number of what it copies."""
        return -(-size // self.alignment) * self.alignment

    def load(
        self, source: Pointer, target: Pointer, size: int, stage: str, what: str = ""
    ) -> tuple[Launch, Await]:
        """Copies ``size`` bytes and waits for them. ``stage`` is the label, in its template, of the
        stage whose weights they are; ``what`` says which of these."""
        call = KernelCall(
            self._kernel,
            pointers={"to": target, "from": source},
            numbers={"bytes": size},
            spans={"to": size, "from": size},
        )
        label = f"{stage}:weights {what}".rstrip()
        launch = Launch(call, self._device.index, self.cycles(size), label)
        return launch, Await(launch)

    def cycles(self, size: int) -> int:
        """How long a copy of ``size`` bytes takes, with DRAM to itself, in cycles of its clock."""
        numbers = {"from_space": _DRAM, "to_space": _LOCAL, "rows": 1, "row_bytes": size}
        return self._device.cycles(numbers)

# SPDX-License-Identifier: Apache-2.0
"""Every error that a user can meet.

A message says what is wrong, where (file, operator, tensor, PE, byte counts) and what to do about
it, in one line. The command line prints it and exits with status 2; anything that is not a
``WeftError`` is a defect of Weft and exits with status 1.
"""

from __future__ import annotations

from collections.abc import Sequence


class WeftError(Exception):
    """Base of all errors that are the user's to mend."""


class ModelError(WeftError):
    """The model file is not readable, or contradicts itself."""


class UnsupportedError(WeftError):
    """The model uses something that Weft does not have. Names all of it at once.

    ``items`` holds one line each: operator, place, reason.
    """

    def __init__(self, source: str, items: Sequence[str]) -> None:
        self.items = tuple(items)
        listed = "; ".join(self.items)
        plural = "s" if len(self.items) > 1 else ""
        super().__init__(f"{source}: {len(self.items)} unsupported operator{plural}: {listed}")


class MachineError(WeftError):
    """A machine file is wrong, or there is no machine of that name."""


class DeviceError(WeftError):
    """A device's folder is wrong, there is no device of that name, or it cannot be tested."""


class MappingError(WeftError):
    """A mapping names what is not there, leaves something out or asks for the impossible."""


class DoesNotFitError(WeftError):
    """A PE's share needs more memory than it has. ``program`` says whose: program, and PE if there
    are several."""

    def __init__(
        self, program: str, section: str, needed: int, available: int, detail: str, help_: str
    ) -> None:
        self.program = program
        self.section = section
        self.needed = needed
        self.available = available
        super().__init__(
            f"{program} does not fit: {section} needs {needed} bytes, "
            f"{available} are there ({detail}); {help_}"
        )


class TuningError(WeftError):
    """A file of tuned schedules is wrong or is not of this program, or there is nothing to tune."""


class InputError(WeftError):
    """An input array has the wrong number, shape or dtype."""


class ProgramError(WeftError):
    """A compiled program's folder is missing something or was made by another version."""


class ToolchainError(WeftError):
    """A compiler is missing or rejected its input."""


class ImageError(WeftError):
    """An image has what none may have, such as recursion, or calls that nobody can follow."""


class EngineError(WeftError):
    """The runtime returned an error while running a frame, or a session or mesh cannot do what it
    is asked for."""

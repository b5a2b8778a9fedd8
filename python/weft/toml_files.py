# SPDX-License-Identifier: Apache-2.0
"""Reading TOML files of the users': every mistake names file and key, in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from weft.errors import WeftError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class TomlReader:
    """Reads ``path``, which is a ``kind`` of file; what is wrong is raised as an ``error``."""

    def __init__(self, path: Path, kind: str, error: type[WeftError]) -> None:
        self.path = path
        self._subject = f"{kind} {path}"
        self._error = error

    def fail(self, where: str, what: str) -> NoReturn:
        raise self._error(f"{self._subject}: {where}: {what}")

    def load(self) -> dict[str, Any]:
        """The whole file."""
        try:
            return tomllib.loads(self.path.read_text(encoding="utf-8"))
        except OSError as error:
            raise self._error(f"{self._subject} cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self._error(f"{self._subject} is not TOML: {error}") from None

    def check_format(self, value: Any, known: int) -> None:
        """Refuses a file of another format."""
        if value != known or isinstance(value, bool):
            self.fail("format", f"is {value!r}; this Weft reads format {known}")

    def table(self, data: Any, where: str, keys: Mapping[str, bool]) -> dict[str, Any]:
        """Checks that ``data`` is a table with known keys; ``keys`` says which are needed."""
        if not isinstance(data, dict):
            self.fail(where, "must be a table")
        for key in data:
            if key not in keys:
                self.fail(where, f"unknown key '{key}'; known are {', '.join(keys)}")
        for key, needed in keys.items():
            if needed and key not in data:
                self.fail(where, f"'{key}' is missing")
        return data

    def integer(self, value: Any, where: str, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(where, f"must be an integer from {low} to {high}, not {value!r}")
        return int(value)

    def boolean(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            self.fail(where, f"must be true or false, not {value!r}")
        return value

    def text(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value or not value.isprintable():
            self.fail(where, f"must be a text, not {value!r}")
        return value

    def identifier(self, value: Any, where: str) -> str:
        """A name that C and Python take."""
        text = self.text(value, where)
        if not (text.isidentifier() and text.isascii()):
            self.fail(where, f"'{text}' must consist of ASCII letters, digits and _")
        return text

    def list_of(self, value: Any, where: str, read: Callable[[Any, str], Any]) -> list[Any]:
        if not isinstance(value, list):
            self.fail(where, f"must be a list, not {value!r}")
        return [read(item, f"{where}[{i}]") for i, item in enumerate(value)]

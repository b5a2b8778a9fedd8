# SPDX-License-Identifier: Apache-2.0
"""What a user gives as a mapping, read as JSON and not looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from weft.errors import MappingError


class _Twice(ValueError):
    """A key is given twice; ``json`` would keep the last."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(f"'{key}' is given twice in one object; keep one of them")
        found[key] = value
    return found


def read_mapping(source: Any) -> tuple[Any, str]:
    """The data of a mapping file, or data given as such, and what messages call them.

    Raises ``MappingError`` if a file cannot be read, or for what is no JSON.
    """
    if not isinstance(source, str | Path):
        try:
            # As a file would have it: tuples are lists, and keys are texts.
            return json.loads(json.dumps(source)), "mapping"
        except (TypeError, ValueError, RecursionError) as error:
            raise MappingError(f"mapping: is not what JSON can say: {error}") from None
    where = f"mapping {source}"
    try:
        text = Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise MappingError(f"{where} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MappingError(f"{where} is not JSON: it is no text") from None
    try:
        return json.loads(text, object_pairs_hook=_object), where
    except _Twice as error:
        raise MappingError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise MappingError(f"{where} is not JSON: {error}") from None


def shown(data: Any) -> str:
    """For a message: as JSON, shortened."""
    text = json.dumps(data)
    return text if len(text) <= 60 else text[:57] + "..."

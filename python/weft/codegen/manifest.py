# SPDX-License-Identifier: Apache-2.0
"""The manifest of a compiled program (docs/formats/manifest.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.errors import ProgramError

MANIFEST = "manifest.json"
MAPPING = "mapping.json"
# Raised whenever a reader of the old form could not read the new one.
FORMAT = 2


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Adds the list of files with their checksums and writes the manifest, last of all."""
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    text = json.dumps({**manifest, "files": files}, indent=2, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8", newline="\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a compiled program. Raises ``ProgramError`` if there is none to be read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProgramError(
            f"{folder} holds no compiled program: {MANIFEST} is missing; make one with weft compile"
        ) from None
    except (OSError, ValueError) as error:
        raise ProgramError(f"{folder / MANIFEST} cannot be read: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ProgramError(
            f"{folder} has a manifest of another format than {FORMAT}; compile it again"
        )
    lists = [manifest.get(key) for key in ("programs", "pes", "channels")]
    if not isinstance(manifest.get("files"), dict) or not all(isinstance(r, list) for r in lists):
        raise ProgramError(f"{folder / MANIFEST} lists no programs or files; compile it again")
    return manifest

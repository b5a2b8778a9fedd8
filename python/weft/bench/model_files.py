# SPDX-License-Identifier: Apache-2.0
"""Which model files a benchmark runs: paths, or names that are looked up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from weft.errors import InputError
from weft.paths import models_folder

#: The folder in which names are looked up, where no option says it.
VARIABLE = "WEFT_MODELS"
_BUNDLED = "digits"
_SUFFIX = ".tflite"
_ENDINGS = ("_int8", "")


def find_models(names: Sequence[str], folder: str | None) -> dict[str, Path]:
    """Model files by short name; the bundled model if none is named.

    A name with a ``/``, or that ends in ``.tflite``, is a path. Any other is that of a file in
    ``folder``, in the folder that the environment's ``WEFT_MODELS`` says, or among the bundled
    ones: ``kws`` is ``kws_int8.tflite`` or ``kws.tflite`` there. Raises ``InputError``.
    """
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"{folder} is no folder: --models takes one with model files")
    found: dict[str, Path] = {}
    for name in names or [_BUNDLED]:
        path = _find(name, folder)
        key = path.stem.removesuffix(_ENDINGS[0])
        if key in found and found[key] != path:
            raise InputError(f"two models are called {key}: {found[key]} and {path}")
        found[key] = path
    return found


def _find(name: str, folder: str | None) -> Path:
    if "/" in name or name.endswith(_SUFFIX):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"there is no model file {path}")
        return path
    folders = [Path(f) for f in (folder, os.environ.get(VARIABLE)) if f] + [models_folder()]
    for place in folders:
        for ending in _ENDINGS:
            path = place / f"{name}{ending}{_SUFFIX}"
            if path.is_file():
                return path
    looked = ", ".join(str(place) for place in folders)
    raise InputError(
        f"there is no model '{name}' in {looked}: give the path of a file, or its folder with "
        f"--models or {VARIABLE}"
    )

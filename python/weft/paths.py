# SPDX-License-Identifier: Apache-2.0
"""Where things lie: the runtime's sources, bundled models and the user's cache."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def runtime_folder() -> Path:
    """The C runtime: inside of the installed package, or the checkout's own in development."""
    installed = _PACKAGE / "runtime"
    return installed if installed.is_dir() else _PACKAGE.parent.parent / "runtime"


def models_folder() -> Path:
    """The models that the package bundles."""
    return _PACKAGE / "models"


def machines_folder() -> Path:
    """The machine files that the package bundles."""
    return _PACKAGE / "machines"


def devices_folder() -> Path:
    """The folders of the devices that the package bundles."""
    return runtime_folder() / "devices"


def cmake_folder() -> Path:
    """The CMake package: what ``find_package(weft)`` finds."""
    return _PACKAGE / "cmake"


def cache_folder() -> Path:
    """$WEFT_CACHE_DIR, or a folder among the user's caches, or one that can be written."""
    chosen = os.environ.get("WEFT_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    folder = (Path(base) if base else Path.home() / ".cache") / "weft"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir()) / "weft-cache"
    return folder

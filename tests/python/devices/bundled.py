"""Python files and data of the bundled devices, which lie beside their C."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from weft.paths import runtime_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def folder(device: str) -> Path:
    return runtime_folder() / "devices" / device


def description(device: str) -> dict[str, Any]:
    """``device.toml``."""
    return tomllib.loads((folder(device) / "device.toml").read_text(encoding="utf-8"))


def module(device: str, name: str) -> ModuleType:
    """``name.py`` of a device."""
    spec = importlib.util.spec_from_file_location(f"{device}_{name}", folder(device) / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded

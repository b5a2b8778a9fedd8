"""Python files of the bundled devices, which lie beside their C."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from weft.devices import load_device


def module(device: str, name: str) -> ModuleType:
    """``name.py`` of a device."""
    path = load_device(device).folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{device}_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded

# SPDX-License-Identifier: Apache-2.0
"""pytest fixtures for those who test devices: ``pytest_plugins = ["weft.testing.fixtures"]``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.testing.device_comparison import compare_device
from weft.testing.device_library import DeviceLibrary


@pytest.fixture(scope="session")
def device_library() -> Callable[..., DeviceLibrary]:
    """``device_library(NAME_OR_FOLDER, **options)``: compiled for the host, once a session."""
    made: dict[Any, DeviceLibrary] = {}

    def load(device: str | Path, **options: Any) -> DeviceLibrary:
        key = (str(device), tuple(sorted(options.items())))
        if key not in made:
            made[key] = DeviceLibrary(device, options)
        return made[key]

    return load


@pytest.fixture(scope="session")
def compare_with_reference(
    device_library: Callable[..., DeviceLibrary],
) -> Callable[..., None]:
    """``compare_with_reference(NAME_OR_FOLDER, jobs, reference, examples=100, **options)``: fails
    with the smallest job that differs. See ``weft.testing.compare_device``."""

    def compare(
        device: str | Path, jobs: Any, reference: Any, examples: int = 100, **options: Any
    ) -> None:
        compare_device(device_library(device, **options), jobs, reference, examples=examples)

    return compare

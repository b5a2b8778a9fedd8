# SPDX-License-Identifier: Apache-2.0
"""Commands on devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from weft.cli.common import JSON, emit


@click.group()
def device() -> None:
    """Devices: accelerators and DMA engines behind C wrappers."""


@device.command("list")
@JSON
def device_list(as_json: bool) -> None:
    """List the bundled devices."""
    from weft.devices import bundled_devices, load_device

    found = [load_device(name) for name in bundled_devices()]
    report: dict[str, Any] = {"devices": [{"name": d.name, "about": d.description} for d in found]}
    emit(report, as_json, "\n".join(f"{d.name:14} {d.description}" for d in found))


@device.command("test")
@click.argument("name", metavar="FOLDER")
@click.option("--target", default="host", show_default=True, help="host or cortex-m4.")
@JSON
def device_test(name: str, target: str, as_json: bool) -> None:
    """Run the conformance suite on the device of FOLDER, or on a bundled one by its name.

    Exit status 2 if a check fails.
    """
    from weft.devices import load_device
    from weft.errors import DeviceError
    from weft.testing import conformance

    found = load_device(Path(name) if Path(name).is_dir() else name)
    checks = conformance.test_device(found, target)
    emit(dict(conformance.report(found, target, checks)), as_json, conformance.text(checks))
    failed = sum(check.has_failed for check in checks)
    if failed:
        raise DeviceError(f"device {found.name} fails {failed} of {len(checks)} checks on {target}")

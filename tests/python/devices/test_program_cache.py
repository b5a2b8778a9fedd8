"""A program of the cache is not used when a device has changed since, wherever that comes from; nor
is its Python code."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import weft
from weft.devices import load_device
from weft.devices.accelerator import accelerators
from weft.machines import DeviceUse
from weft.program import Program


@pytest.fixture(params=["a folder", "a plug-in"])
def device(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[DeviceUse, Path]:
    """A device of somebody else, as one names it, and its folder."""
    folder = tmp_path / "mine"
    shutil.copytree(load_device("mac_array").folder, folder)
    toml = folder / "device.toml"
    toml.write_text(toml.read_text("utf-8").replace('"mac_array"', '"mine"'), "utf-8")
    if request.param == "a folder":
        return DeviceUse("mine", str(folder)), folder
    point = SimpleNamespace(name="mine", value="mine:folder", load=lambda: str(folder))
    monkeypatch.setattr("weft.devices.files.entry_points", lambda group: [point])
    return DeviceUse("mine", "mine"), folder


def compiled(model: Path, use: DeviceUse) -> Program:
    return weft.compile(model, "single-m4", devices=[use])


def test_a_changed_device_is_compiled_anew(
    device: tuple[DeviceUse, Path], digits_model: Path
) -> None:
    use, folder = device
    first = compiled(digits_model, use)
    made = (first.folder / "manifest.json").stat().st_mtime_ns
    again = compiled(digits_model, use)
    assert again.folder == first.folder
    assert (again.folder / "manifest.json").stat().st_mtime_ns == made
    lowering = folder / "lowering.py"
    text = lowering.read_text("utf-8").replace('"conv2d", "depthwise"', '"conv2d"')
    lowering.write_text(text, "utf-8")
    changed = compiled(digits_model, use)
    assert changed.folder != first.folder
    on = {row["kind"]: list(row["on"]) for row in changed.manifest["offload"] if row["macs"]}
    assert on["conv2d"] == ["mine"]
    assert on.get("depthwise", ["core"]) == ["core"]


def test_files_beside_the_lowering_are_read_anew(device: tuple[DeviceUse, Path]) -> None:
    use, folder = device
    (first,) = accelerators([(use.name, use.kind, {})])
    with (folder / "timing.py").open("a", encoding="utf-8") as file:
        file.write("\n\ndef cycles(*_):\n    return 7\n")
    (second,) = accelerators([(use.name, use.kind, {})])
    assert second.cycles({}) == 7
    assert first.lowering is not second.lowering

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from weft.devices import bundled_devices, files, load_device
from weft.errors import DeviceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "npu"
    shutil.copytree(load_device("blocking_npu").folder, copy)
    return copy


def change(folder: Path, before: str, after: str) -> None:
    file = folder / "device.toml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")


@pytest.mark.parametrize("name", bundled_devices())
def test_bundled_devices_are_what_their_folders_say(name: str) -> None:
    device = load_device(name)
    assert device.name == device.folder.name == name
    assert device.description and device.conformance


def test_a_folder_is_loaded_from_anywhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_device("./npu").folder == folder
    assert load_device(folder).facts == load_device("blocking_npu").facts


def test_an_entry_point_brings_devices(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "brings_npu.py").write_text(
        f"def folder():\n    return {str(folder)!r}\n\n\nnothing = 3\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(folder.parent)
    points = [
        EntryPoint("theirs", "brings_npu:folder", files.ENTRY_POINTS),
        EntryPoint("broken", "brings_npu:nothing", files.ENTRY_POINTS),
    ]
    monkeypatch.setattr(files, "entry_points", lambda group: points)
    assert load_device("theirs").folder == folder
    with pytest.raises(DeviceError, match=r"the entry point 'broken' of weft.devices"):
        load_device("broken")
    with pytest.raises(DeviceError, match=r"known are .*, broken, theirs; "):
        load_device("npu")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("format = 1", "format = 2", "format: is 2; this Weft reads format 1"),
        ("format = 1", "format =", "is not TOML"),
        ('name = "blocking_npu"', "", "the file: 'name' is missing"),
        ('name = "blocking_npu"', 'name = "a b"', "name: 'a b' must consist of"),
        ("format = 1", "format = 1\nmore = 2", "the file: unknown key 'more'"),
        ('header = "b', 'header = "x', "header: there is no file 'xlocking_npu.h'"),
        ('header = "b', 'header = "../b', "lies outside of the device's folder"),
        ('["blocking_npu.c", "blocking_npu_model.c"]', "[]", "sources: needs at least one"),
        ('written = ["out"]', 'written = ["in"]', "'in' is none of the pointers"),
        ('"columns", "depth"', '"columns", "x"', "descriptor: 'x' is there twice"),
        ("alignment = 4", "alignment = 3", "must be a power of two, not 3"),
        ("alignment = 4", "", "facts: 'alignment' is missing"),
        ("jobs_in_flight = 1", "jobs_in_flight = 0", "must be an integer from 1"),
        ('spaces = ["local"]', 'spaces = ["moon"]', "'moon' is none of local, pe, dram"),
        ('overflow = "wrap"', 'overflow = "trap"', "'trap' is none of wrap, saturate"),
        ("is_blocking = true", "is_blocking = 1", "must be true or false, not 1"),
        ("[facts]", "[options]\nx = [1]\n[facts]", "options.x: is no fact"),
        ("[facts]", "[options]\nalignment = 4\n[facts]", "options.alignment: must be a list"),
        ("[facts]", "[options]\nalignment = [8]\n[facts]", "does not have the fact's own value"),
    ],
)
def test_mistakes_are_told_in_one_line(folder: Path, before: str, after: str, message: str) -> None:
    change(folder, before, after)
    with pytest.raises(DeviceError) as caught:
        load_device(folder)
    text = str(caught.value)
    assert message in text and "\n" not in text
    assert text.startswith(f"device file {folder / 'device.toml'}")


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"there is no device called 'nope'; known are .*null"):
        load_device("nope")
    with pytest.raises(DeviceError, match="there is no folder"):
        load_device(tmp_path / "nope")
    with pytest.raises(DeviceError, match=r"device.toml cannot be read: No such file"):
        load_device(tmp_path)


def test_options_become_words(folder: Path) -> None:
    change(
        folder,
        "[facts]",
        '[options]\naccumulator_bits = [24, 32]\noverflow = ["wrap", "saturate"]\n'
        "subtracts_zero_points = [false, true]\n[facts]",
    )
    device = load_device(folder)
    assert device.option_words({}) == (32, 0, 0)
    chosen = {"overflow": "saturate", "subtracts_zero_points": True, "accumulator_bits": 24}
    assert device.option_words(chosen) == (24, 1, 1)
    with pytest.raises(DeviceError, match="accumulator_bits is 29; it may be 24, 32"):
        device.option_words({"accumulator_bits": 29})
    with pytest.raises(DeviceError, match="has no option 'depth'; there are accumulator_bits"):
        device.option_words({"depth": 1})

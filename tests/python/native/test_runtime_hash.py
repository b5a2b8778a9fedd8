# SPDX-License-Identifier: Apache-2.0
"""The hash of the runtime's sources is the same everywhere, and says when they differ."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from native.models import Compiled
from native.test_native_engine import open_native
from native.tiny import tiny_program
from weft.codegen.runtime_sources import runtime_files, runtime_hash
from weft.engines.library import host_library
from weft.errors import EngineError, WeftError
from weft.paths import runtime_folder
from weft.program import load_program


def slow_runtime_hash(folder: Path) -> str:
    """SHA-256 over name, length and contents of each shared file, in the order of the names."""
    names = [
        f"{part}/{path.relative_to(folder / part).as_posix()}"
        for part in ("include", "kernels", "src")
        for path in (folder / part).rglob("*.*")
    ]
    text = b""
    for name in sorted(names):
        data = (folder / name).read_bytes()
        text += f"{name} {len(data)}\n".encode() + data
    return hashlib.sha256(text).hexdigest()


def test_one_hash_everywhere(compiled: Compiled) -> None:
    expected = slow_runtime_hash(runtime_folder())
    with open_native(compiled.program) as session:
        assert session.runtime_hash == expected
    assert compiled.program.manifest["runtime_sha256"] == expected
    assert slow_runtime_hash(compiled.program.folder / "runtime") == expected
    assert runtime_hash(runtime_folder()) == expected


def test_every_change_of_the_runtime_changes_the_hash(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    shutil.copytree(runtime_folder(), folder)
    seen = {runtime_hash(folder)}
    assert {"include/weft/arith.h", "src/pe.c", "src/hash.c"} <= set(runtime_files(folder))
    for name in runtime_files(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data + b"\n")
        seen.add(runtime_hash(folder))
        (folder / name).write_bytes(data)
    assert len(seen) == 1 + len(runtime_files(folder))
    (folder / "src" / "pe.c").rename(folder / "src" / "qe.c")
    assert runtime_hash(folder) not in seen


def test_the_port_is_not_part_of_the_hash(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    shutil.copytree(runtime_folder(), folder)
    before = runtime_hash(folder)
    shutil.rmtree(folder / "port")
    assert runtime_hash(folder) == before


def test_a_changed_runtime_is_noticed(digits: Compiled, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(digits.program.folder, folder)
    with (folder / "runtime" / "src" / "status.c").open("a", encoding="ascii") as stream:
        stream.write("/* changed */\n")
    try:
        session = open_native(load_program(folder))
    except WeftError:
        return
    with session:
        assert session.runtime_hash == runtime_hash(folder / "runtime")


def test_a_library_of_another_runtime_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = host_library(tiny_program(tmp_path / "tiny"))
    program = tiny_program(tmp_path / "other")
    program.manifest["runtime_sha256"] = "f" * 64
    monkeypatch.setattr("weft.engines.native.host_library", lambda _: library)
    with pytest.raises(EngineError, match="runtime"):
        program.open()

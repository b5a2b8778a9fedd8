# SPDX-License-Identifier: Apache-2.0
"""The load map says of every PE what its tables say, and every key of it is documented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import weft
from weft.codegen.load_map import start_order
from weft.paths import models_folder
from weft.program import Program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats" / "load-map.md"
MODEL = models_folder() / "digits_int8.tflite"


# The first stage in two parts, each of which reads the whole input: the host gives it to both.
CUT = {
    "format": 1,
    "stages": {
        "digits_1_conv1_relu_1_Relu": {"pes": [[0, 0, 0], [1, 0, 0]], "axis": "channels"},
    },
}


@pytest.fixture(scope="module", params=["whole", "cut"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """On four PEs; with `cut`, the host takes part."""
    folder = tmp_path_factory.mktemp("program") / "program"
    mapping = CUT if request.param == "cut" else None
    program = weft.compile(MODEL, "grid-4x4", pes=4, mapping=mapping, output=folder)
    has_host = any(pe["name"] == "host" for pe in read_map(program)["pes"])
    assert has_host == (request.param == "cut")
    return program


def read_map(program: Program) -> dict[str, Any]:
    return json.loads((program.folder / "loadmap.json").read_text(encoding="utf-8"))


class Words:
    """Tables as docs/formats/tables.md describes them."""

    def __init__(self, data: bytes) -> None:
        self.words = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]

    def rows(self, section: int, words: int) -> list[list[int]]:
        count, at = self.words[6 + 2 * section : 8 + 2 * section]
        return [self.words[at + i * words :][:words] for i in range(count)]


def test_it_says_what_tables_and_manifest_say(program: Program) -> None:
    load_map = read_map(program)
    assert load_map["runtime_sha256"] == program.manifest["runtime_sha256"]
    assert [p["name"] for p in load_map["programs"]] == [
        p["name"] for p in program.manifest["programs"]
    ]
    used = [n for n, pe in enumerate(program.manifest["pes"]) if pe["shards"]]
    assert [pe["number"] for pe in load_map["pes"]] == used
    for pe in load_map["pes"]:
        row = program.manifest["pes"][pe["number"]]
        assert (pe["name"], pe["program"]) == (row["name"], row["program"])
        tables, constants = pe["load"]
        for block, what in ((tables, "tables"), (constants, "constants")):
            assert (block["at"], block["bytes"]) == (row[f"{what}_at"], row[f"{what}_bytes"])
        data = (program.folder / tables["file"]).read_bytes()
        words = Words(data[tables["at"] : tables["at"] + tables["bytes"]])
        assert {room["what"]: room["bytes"] for room in pe["room"]} == {
            "arena": words.words[3],
            "state": 4 * words.words[5],
        }
        assert constants["bytes"] == words.words[4]
        returns = words.rows(3, 2)
        for slot, expected in zip(pe["slots"], words.rows(0, 7), strict=True):
            offset, frame_bytes, depth, _, first, count, _ = expected
            assert (slot["offset"], slot["frame_bytes"], slot["depth"]) == (
                *(offset, frame_bytes, depth),
            )
            producers = [[p["pe"], p["send"]] for p in slot["producers"]]
            assert producers == returns[first : first + count]
        sends = [[s["pe"], s["slot"], s["producer"], s["credits"]] for s in pe["sends"]]
        assert sends == [row[:4] for row in words.rows(2, 15)]
        keys = ("slot", "offset", "rows", "row_bytes", "row_stride")
        channels = [
            [int(c["direction"] == "out"), *(c[key] for key in keys)] for c in pe["channels"]
        ]
        assert channels == words.rows(4, 6)


def test_ends_for_the_outside_and_sources(program: Program) -> None:
    load_map = read_map(program)
    ends = [(e["name"], e["pe"], e["channel"]) for e in load_map["inputs"] + load_map["outputs"]]
    rows = program.manifest["channels"]
    assert ends == [(c["name"], c["pe"], c["number"]) for c in rows]
    for row in load_map["programs"]:
        assert all((program.folder / source).is_file() for source in row["sources"])
        header = (program.folder / f"{row['name']}.h").read_text(encoding="utf-8")
        assert f"weft_program_t {row['symbol']};" in header


def test_consumers_start_first(program: Program) -> None:
    load_map = read_map(program)
    assert sorted(load_map["start"]) == [pe["number"] for pe in load_map["pes"]]
    if any(pe["program"] is None for pe in load_map["pes"]):
        return  # from the host, to the host: a circle
    place = {pe: i for i, pe in enumerate(load_map["start"])}
    for pe in load_map["pes"]:
        for send in pe["sends"]:
            assert send["pe"] == pe["number"] or place[send["pe"]] < place[pe["number"]]


@pytest.mark.parametrize(
    ("consumers", "order"),
    [
        ({0: {1}, 1: {2}, 2: {2}}, [2, 1, 0]),
        ({0: {1}, 1: {0}, 2: {0}}, [0, 1, 2]),
        ({0: set(), 1: set()}, [0, 1]),
        ({5: {7, 99}, 7: {9}, 9: {7}, 11: {5}}, [7, 9, 5, 11]),
        ({0: {1, 4}, 1: {2}, 2: {3}, 3: {1}, 4: {3}}, [1, 2, 3, 4, 0]),
        ({n: {n + 1} for n in range(5000)}, list(range(4999, -1, -1))),
    ],
)
def test_start_order(consumers: dict[int, set[int]], order: list[int]) -> None:
    assert start_order(consumers) == order


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_every_key_is_documented(program: Program) -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert set(keys_of(read_map(program))) <= named

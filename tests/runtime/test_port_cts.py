# SPDX-License-Identifier: Apache-2.0
"""The conformance test for ports passes sound ports and finds every broken one, on the host.

On the target: tests/firmware/test_port_cts_target.py.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from native.c_compilers import SANITIZE, STRICT, require_flags, run, succeed

HERE = Path(__file__).resolve().parent
RUNTIME = HERE.parents[1] / "runtime"
CTS = RUNTIME / "cts" / "port"
PORTS = {name: RUNTIME / "port" / name / "port.c" for name in ("host", "skeleton")}
ODD = HERE / "port_cts" / "odd_port.c"
HEADER = (CTS / "port_cts.h").read_text(encoding="utf-8")
CASES = {name: int(n) for name, n in re.findall(r"WEFT_PORT_CTS_(\w+) = (\d+), +/\*", HEADER)}

_FLAGS = {
    "gcc": ("gcc", ("-O2",)),
    "clang": ("clang", ("-O2",)),
    "sanitized": ("gcc", SANITIZE),
    "races": ("gcc", ("-g", "-O1", "-fsanitize=thread")),
}

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds the test with a port, in a way of `_FLAGS`. ``odd`` is how the port is broken."""

    def command(way: str, *options: str) -> list[str]:
        compiler, flags = _FLAGS[way]
        flags = (*flags, "-pthread")
        includes = [f"-I{RUNTIME / 'include'}", f"-I{RUNTIME / 'port/host'}", f"-I{CTS}"]
        always = [*STRICT, "-Wshadow", *flags, *includes, '-DWEFT_RUNTIME_HASH=""']
        return [require_flags(compiler, *flags), *always, *options]

    @functools.cache
    def without_port(way: str, *options: str) -> list[Path]:
        folder = tmp_path_factory.mktemp("cts")
        sources = [HERE / "port_cts" / "host_main.c", *CTS.glob("*.c"), *RUNTIME.glob("src/*.c")]
        succeed([*command(way, *options), "-c", *sources], folder)
        return sorted(folder.glob("*.o"))

    @functools.cache
    def make(port: Path, way: str = "gcc", *options: str, odd: str = "") -> Path:
        out = tmp_path_factory.mktemp("cts") / "cts"
        how = [f"-DODD={odd}"] if odd else []
        objects = without_port(way, *options)
        succeed([*command(way, *options), *how, port, *objects, "-o", out])
        return out

    return make


@pytest.mark.parametrize("way", list(_FLAGS))
@pytest.mark.parametrize(
    ("port", "pes", "how", "verdict"),
    [
        ("host", 2, "", "11 run, 0 failed, 2 skipped"),
        ("host", 2, "threads", "13 run, 0 failed, 0 skipped"),
        ("host", 1, "threads", "8 run, 0 failed, 5 skipped"),
        ("skeleton", 1, "", "6 run, 0 failed, 7 skipped"),
        ("skeleton", 1, "threads", "8 run, 0 failed, 5 skipped"),
    ],
)
def test_sound_ports_pass(
    build: Build, way: str, port: str, pes: int, how: str, verdict: str
) -> None:
    patience = "-DWEFT_PORT_CTS_PATIENCE=20000000u" if how else "-DWEFT_PORT_CTS_PATIENCE=20000u"
    done = succeed([build(PORTS[port], way, patience), str(pes), *how.split()])
    assert done.stdout.startswith(f"{verdict}, first 0 at line 0"), done.stdout


# Which case finds it; "" for what is allowed.
ODD_PORTS = {
    "REPEATS": "",
    "HALF_PUBLISH": "PUBLISH",
    "LATE_PUBLISH": "PUBLISH",
    "STALE_OBSERVE": "PUBLISH",
    "SHORT_ADD": "ADD",
    "FORGETFUL_ADD": "ADD",
    "TORN_ADD": "ADD_ONE_STEP",
    "LATE_WRITE": "BYTES",
    "SHORT_WRITE": "BYTES",
    "WIDE_WRITE": "BYTES",
    "MISPLACED_WRITE": "BYTES",
    "REPEATED_WRITE": "BYTES",
    "LOST_ARRIVAL": "ARRIVALS",
    "LOST_CREDIT": "CREDITS",
    "SWAPPED": "ARRIVALS",
    "NO_EPOCH": "ARRIVALS",
    "ANY_PE_WRITE": "NO_PE_WRITE",
    "ANY_PE_ARRIVAL": "NO_PE_ARRIVAL",
    "ANY_PE_CREDIT": "NO_PE_CREDIT",
    "BEYOND_ARENA": "BEYOND_ARENA",
    "WRONG_REFUSAL": "NO_PE_WRITE",
    "STUCK_CLOCK": "CLOCK",
    "SHAKY_CLOCK": "CLOCK",
}


def test_all_odd_ports_are_tried() -> None:
    listed = re.search(r"^enum \{\n(.*?)\};", ODD.read_text(encoding="utf-8"), re.M | re.S)
    assert listed is not None
    assert set(re.findall(r"^    ([A-Z_]+)", listed[1], re.M)) == set(ODD_PORTS)
    assert {name for name in ODD_PORTS.values() if name} <= set(CASES)


@pytest.mark.parametrize(("odd", "found_by"), ODD_PORTS.items())
def test_broken_ports_fail(build: Build, odd: str, found_by: str) -> None:
    made = build(ODD, "gcc", "-DWEFT_PORT_CTS_PATIENCE=20000u", odd=odd)
    how = ["threads"] if odd == "TORN_ADD" else []
    done = run([made, "2", *how])
    assert done.returncode == (1 if found_by else 0), done.stdout
    first = re.search(r"first (\d+) at line (\d+)", done.stdout)
    assert first is not None
    assert int(first[1]) == CASES.get(found_by, 0)
    assert (int(first[2]) > 0) == bool(found_by)


@pytest.mark.parametrize("pes", ["0", "3"])
def test_wrong_numbers_of_pes_are_refused(build: Build, pes: str) -> None:
    done = run([build(PORTS["host"]), pes])
    assert (done.returncode, done.stdout) == (2, "init: bad argument\n")

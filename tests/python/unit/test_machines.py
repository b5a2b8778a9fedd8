"""Machine files: the bundled ones, and every mistake one can make in one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.errors import MachineError, WeftError
from weft.machines import bundled_machines, load_machine
from weft.machines.describe import describe, summary
from weft.machines.model import CostData, Network, Pe

GOOD = """\
format = 1
description = "Two kinds of PE"

[pe_class.big]
core = "cortex-m4f"
clock_mhz = 200
stack_bytes = 4096
memory = [
    { name = "code", origin = 0x0, bytes = 32768, holds = ["code"] },
    { name = "data", origin = 0x8000, bytes = 65536, holds = ["constants", "data"] },
]

[pe_class.small]
core = "cortex-m4f"
clock_mhz = 100
stack_bytes = 2048
memory = [
    { name = "sram", origin = 0x100, bytes = 131072, holds = ["code", "constants", "data"] },
]

[grid]
x0 = 2
y0 = 1
width = 3
height = 2
pes_per_node = 2
pe_class = "big"
missing = [[4, 2]]
reserved = [[2, 1, 0]]
exceptions = [{ pe = [3, 1, 1], pe_class = "small" }]
"""


def _load(folder: Path, text: str):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_machine(path)


def test_good_file(tmp_path: Path) -> None:
    machine = _load(tmp_path, GOOD)
    assert (machine.name, machine.description) == ("mine", "Two kinds of PE")
    pes = list(machine.pes())
    assert len(pes) == len(set(pes)) == 10
    assert Pe(4, 2, 0) not in pes and Pe(4, 1, 1) in pes
    assert pes[0] == Pe(2, 1, 0)
    assert set(pes) - set(machine.usable()) == {Pe(2, 1, 0)}
    assert [pe for pe in pes if machine.class_of(pe).name == "small"] == [Pe(3, 1, 1)]
    big = machine.classes["big"]
    assert (big.core, big.clock_hz, big.stack_bytes) == ("cortex-m4f", 200_000_000, 4096)
    assert big.memory_bytes == 98304
    assert [(r.name, r.origin, r.length, r.holds) for r in big.memory] == [
        ("code", 0, 32768, ("code",)),
        ("data", 0x8000, 65536, ("constants", "data")),
    ]


def test_optional_keys(tmp_path: Path) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(("description", "x0", "y0"))]
    optional = ("pes_per_node", "missing", "reserved", "exceptions")
    machine = _load(tmp_path, "\n".join(ln for ln in lines if not ln.startswith(optional)))
    assert machine.description == ""
    assert [str(pe) for pe in machine.usable()][:2] == ["(0,0).0", "(1,0).0"]
    assert len(machine.usable()) == 6


# What is replaced, by what, and what the message must name.
MISTAKES = {
    "another format": ("format = 1", "format = 2", ["format", "2"]),
    "format of another type": ("format = 1", 'format = "1"', ["format"]),
    "format that is a truth value": ("format = 1", "format = true", ["format"]),
    "no format": ("format = 1\n", "", ["'format' is missing"]),
    "unknown key": ("format = 1", "format = 1\nspeed = 3", ["speed"]),
    "description of another type": ('"Two kinds of PE"', "7", ["description"]),
    "no grid": (GOOD[GOOD.index("[grid]") :], "", ["'grid' is missing"]),
    "grid of another type": (GOOD[GOOD.index("[grid]") :], "[[grid]]\nwidth = 1", ["grid"]),
    "no core": ('core = "cortex-m4f"\n', "", ["pe_class.big", "'core' is missing"]),
    "unknown core": ('"cortex-m4f"', '"z80"', ["pe_class.big.core", "z80"]),
    "core of another type": ('"cortex-m4f"', "4", ["pe_class.big.core"]),
    "no clock": ("clock_mhz = 200\n", "", ["pe_class.big", "'clock_mhz' is missing"]),
    "clock of 0": ("clock_mhz = 200", "clock_mhz = 0", ["pe_class.big.clock_mhz", "0"]),
    "clock with a fraction": ("clock_mhz = 200", "clock_mhz = 99.5", ["big.clock_mhz", "99.5"]),
    "stack by another word": ("stack_bytes = 4096", 'stack_bytes = "any"', ["big.stack_bytes"]),
    "odd stack": ("stack_bytes = 4096", "stack_bytes = 4097", ["big.stack_bytes", "4097"]),
    "tiny stack": ("stack_bytes = 4096", "stack_bytes = 8", ["big.stack_bytes", "8"]),
    "unknown key of a class": ("stack_bytes = 4096", "stack = 1\nstack_bytes = 4096", ["stack"]),
    "class of another type": ("[pe_class.big]", "pe_class.none = 3\n[pe_class.big]", ["none"]),
    "no memory": ("memory", "memories", ["pe_class.big", "memories"]),
    "no origin": ("origin = 0x100, ", "", ["small.memory[0]", "'origin' is missing"]),
    "no bytes": ("bytes = 131072, ", "", ["small.memory[0]", "'bytes' is missing"]),
    "no holds": (', holds = ["code"]', "", ["big.memory[0]", "'holds' is missing"]),
    "no name": ('name = "sram", ', "", ["small.memory[0]", "'name' is missing"]),
    "origin off the grain": ("0x100", "0x101", ["small.memory[0].origin", "0x101"]),
    "negative origin": ("0x100", "-128", ["small.memory[0].origin"]),
    "origin beyond 32 bits": ("0x100", "0x100000000", ["small.memory[0].origin"]),
    "too few bytes": ("bytes = 131072", "bytes = 1000", ["small.memory[0].bytes", "1000"]),
    "end beyond 32 bits": ("0x100", "0xFFFFFF00", ["small.memory[0].bytes"]),
    "unknown purpose": ('holds = ["code"]', 'holds = ["core"]', ["big.memory[0].holds", "core"]),
    "purposes of another type": ('holds = ["code"]', 'holds = "code"', ["big.memory[0].holds"]),
    "no region for code": ('holds = ["code"]', 'holds = ["data"]', ["big.memory", "code"]),
    "no region for data": (
        '"constants", "data"] },\n]\n\n[pe_class.small',
        '"constants"] },\n]\n\n[pe_class.small',
        ["no region holds data"],
    ),
    "two regions of one name": ('name = "code"', 'name = "data"', ["big.memory", "same name"]),
    "name with a space": ('name = "code"', 'name = "my code"', ["big.memory[0].name", "my code"]),
    "name in another script": ('name = "code"', 'name = "müll"', ["big.memory[0].name", "müll"]),
    "empty name": ('name = "code"', 'name = ""', ["big.memory[0].name"]),
    "regions that overlap": ("0x8000", "0x7F80", ["big.memory", "'code' and 'data' overlap"]),
    "no width": ("width = 3\n", "", ["grid", "'width' is missing"]),
    "width of 0": ("width = 3", "width = 0", ["grid.width"]),
    "height of another type": ("height = 2", 'height = "2"', ["grid.height"]),
    "height that is a truth value": ("height = 2", "height = true", ["grid.height"]),
    "no PE on a node": ("pes_per_node = 2", "pes_per_node = 0", ["grid.pes_per_node"]),
    "negative corner": ("x0 = 2", "x0 = -1", ["grid.x0"]),
    "unknown class of the grid": (
        'pe_class = "big"',
        'pe_class = "huge"',
        ["grid.pe_class", "huge"],
    ),
    "no class of the grid": ('pe_class = "big"\n', "", ["grid", "'pe_class' is missing"]),
    "unknown key of the grid": ("width = 3", "width = 3\ndepth = 1", ["grid", "depth"]),
    "missing node of another form": ("[[4, 2]]", "[[4]]", ["grid.missing[0]"]),
    "missing node that is not there": ("[[4, 2]]", "[[9, 9]]", ["grid.missing"]),
    "missing of another type": ("[[4, 2]]", "4", ["grid.missing"]),
    "reserved PE of another form": ("[[2, 1, 0]]", "[[2, 1]]", ["grid.reserved[0]"]),
    "reserved PE that is not there": ("[[2, 1, 0]]", "[[2, 1, 7]]", ["grid.reserved", "(2,1).7"]),
    "reserved PE that is missing": ("[[2, 1, 0]]", "[[4, 2, 0]]", ["grid.reserved", "(4,2).0"]),
    "exception that is not there": (
        "pe = [3, 1, 1]",
        "pe = [0, 0, 0]",
        ["grid.exceptions", "(0,0).0"],
    ),
    "exception of another class": (
        'pe_class = "small" }',
        'pe_class = "x" }',
        ["exceptions[0].pe_class"],
    ),
    "exception of another form": ("pe = [3, 1, 1]", "pe = 3", ["grid.exceptions[0].pe"]),
    "exception without a PE": ("pe = [3, 1, 1], ", "", ["grid.exceptions[0]", "'pe' is missing"]),
    "exceptions for one PE": (
        "exceptions = [{",
        'exceptions = [{ pe = [3, 1, 1], pe_class = "big" }, {',
        ["grid.exceptions", "twice"],
    ),
    "exceptions that are a number": ("exceptions = [{", "exceptions = 3 #", ["grid.exceptions"]),
    "exceptions that are a truth value": (
        "exceptions = [{",
        "exceptions = true #",
        ["grid.exceptions"],
    ),
    "exceptions that are a table": (
        "exceptions = [{",
        "exceptions = { a = 1 } #",
        ["grid.exceptions"],
    ),
}


# What is put after the good file, or into its second class, and what the message must name.
LINK_MISTAKES = {
    "links as a number": ("links = 3\n", "", ["links: must be a table"]),
    "an unknown link": ("", "[links]\nusb = 3\n", ["links: unknown key 'usb'", "host, dram"]),
    "a rate of 0": ("", "[links]\nhost = 0\n", ["links.host: must be an integer from 1", "not 0"]),
    "a rate with a point": ("", "[links]\nhost = 1e9\n", ["links.host", "not 1000000000.0"]),
    "a rate as text": ("", "[links]\ndram = '1 GB'\n", ["links.dram", "'1 GB'"]),
    "a rate that is true": ("", "[links]\ndram = true\n", ["links.dram", "not True"]),
}
NETWORK_MISTAKES = {
    "a network as a number": ("network = 3\n", "", ["network: must be a table"]),
    "an unknown key": ("", "[network]\nhops = 3\n", ["network: unknown key 'hops'", "hop_cycles"]),
    "links of no bytes": ("", "[network]\nbytes_per_cycle = 0\n", ["bytes_per_cycle", "from 1"]),
    "signals of no bytes": ("", "[network]\nsignal_bytes = 0\n", ["network.signal_bytes", "not 0"]),
    "a hop back in time": ("", "[network]\nhop_cycles = -1\n", ["network.hop_cycles", "not -1"]),
    "a clock that stands": ("", "[network]\nclock_mhz = 0\n", ["network.clock_mhz", "not 0"]),
    "a host beside the grid": ("", "[network]\nhost = [1, 1]\n", ["host: there is no node [1, 1]"]),
    "a host on a PE": ("", "[network]\nhost = [2, 1, 0]\n", ["network.host", "list of 2 integers"]),
}
COST_MISTAKES = {
    "cost as a number": ("cost = 3", ["pe_class.small.cost: must be a table"]),
    "an unknown cost": ("cost = { macs = 1 }", ["small.cost: unknown key 'macs'", "mac, element"]),
    "a negative cost": ("cost = { mac = -1 }", ["small.cost.mac: must be a number of cycles"]),
    "a cost that is no number": ("cost = { byte = nan }", ["small.cost.byte", "not nan"]),
    "an endless cost": ("cost = { firing = inf }", ["small.cost.firing", "not inf"]),
    "a cost as text": ("cost = { element = '1' }", ["small.cost.element", "'1'"]),
    "a cost that is true": ("cost = { mac = true }", ["small.cost.mac", "not True"]),
    "kinds as a number": ("cost = { kinds = 2 }", ["small.cost.kinds: must be a table"]),
    "windows as a list": ("cost = { windows = [] }", ["small.cost.windows: must be a table"]),
    "a kind that costs nothing known": (
        "cost = { kinds = { conv2d = [] } }",
        ["small.cost.kinds.conv2d: must be a number of cycles from 0 to 1e9, not []"],
    ),
}
_SECOND_CLASS = "stack_bytes = 2048\n"


def _refused(folder: Path, text: str, wanted: list[str]) -> None:
    with pytest.raises(MachineError) as caught:
        _load(folder, text)
    message = str(caught.value)
    assert message.startswith(f"machine file {folder / 'mine.toml'}: ") and "\n" not in message
    for part in wanted:
        assert part in message, message


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str, tmp_path: Path) -> None:
    before, after, wanted = MISTAKES[name]
    assert before in GOOD
    _refused(tmp_path, GOOD.replace(before, after, 1), wanted)


@pytest.mark.parametrize("line", ["", 'stack_bytes = "auto"\n'])
def test_a_stack_may_be_as_large_as_images_need(line: str, tmp_path: Path) -> None:
    big = _load(tmp_path, GOOD.replace("stack_bytes = 4096\n", line)).classes["big"]
    assert big.stack_bytes is None
    assert big.planned_stack_bytes > 0


@pytest.mark.parametrize("name", LINK_MISTAKES)
def test_mistakes_in_links_are_named(name: str, tmp_path: Path) -> None:
    before, after, wanted = LINK_MISTAKES[name]
    _refused(tmp_path, before + GOOD + after, wanted)


@pytest.mark.parametrize("name", NETWORK_MISTAKES)
def test_mistakes_in_the_network_are_named(name: str, tmp_path: Path) -> None:
    before, after, wanted = NETWORK_MISTAKES[name]
    _refused(tmp_path, before + GOOD + after, wanted)


def test_the_network(tmp_path: Path) -> None:
    """Without its own clock it has that of the fastest PE; without a node, the host is at the first
    one. There is a router where PEs are missing."""
    machine = _load(tmp_path, GOOD)
    assert machine.network == Network(16, 5, 16, None, None)
    assert (machine.network_clock_hz, machine.tick_hz) == (200_000_000, 200_000_000)
    assert machine.host_node == (2, 1)
    own = "[network]\nbytes_per_cycle = 8\nhop_cycles = 0\nsignal_bytes = 4\nclock_mhz = 150\n"
    machine = _load(tmp_path, GOOD + own + "host = [4, 2]\n")
    assert machine.network == Network(8, 0, 4, 150_000_000, (4, 2))
    assert (machine.network_clock_hz, machine.tick_hz) == (150_000_000, 600_000_000)
    assert summary(machine)["network"] == {
        "bytes_per_cycle": 8,
        "hop_cycles": 0,
        "signal_bytes": 4,
        "clock_hz": 150_000_000,
        "host": [4, 2],
    }
    line = "network: 8 bytes a cycle and link, 0 cycles a hop, at 150 MHz; host at (4, 2)"
    assert line in describe(machine)


@pytest.mark.parametrize("name", COST_MISTAKES)
def test_mistakes_in_costs_are_named(name: str, tmp_path: Path) -> None:
    line, wanted = COST_MISTAKES[name]
    _refused(tmp_path, GOOD.replace(_SECOND_CLASS, f"{_SECOND_CLASS}{line}\n"), wanted)


def test_links_and_costs(tmp_path: Path) -> None:
    costs = "cost = { mac = 2, byte = 0.25, message = 9, task = 4, "
    costs += "kinds = { conv2d = 1.5 }, elements = { pool = 7 }, windows = { conv2d = 3 } }\n"
    text = GOOD.replace(_SECOND_CLASS, _SECOND_CLASS + costs) + "[links]\nhost = 1_000\n"
    machine = _load(tmp_path, text)
    assert machine.links == {"host": 1000}
    cost = machine.classes["small"].cost
    assert (cost.mac, cost.element, cost.byte, cost.firing) == (2.0, 12.0, 0.25, 500.0)
    assert (cost.per_mac("conv2d"), cost.per_mac("dense")) == (1.5, 2.0)
    assert (cost.per_element("pool"), cost.per_element("conv2d")) == (7.0, 12.0)
    assert (cost.task, cost.message) == (4.0, 9.0)
    assert (cost.windows, cost.pixels) == ({"conv2d": 3.0}, {})
    assert machine.classes["big"].cost == CostData()
    assert _load(tmp_path, GOOD).links == {}
    assert summary(machine)["links"] == {"host": 1000}
    assert summary(machine)["classes"]["small"]["cost"]["kinds"] == {"conv2d": 1.5}
    assert "link host: 1000 bytes/s" in describe(machine)


def test_every_pe_reserved(tmp_path: Path) -> None:
    pes = [[x, y, i] for x in (2, 3, 4) for y in (1, 2) for i in (0, 1) if (x, y) != (4, 2)]
    with pytest.raises(MachineError, match="no PE is left"):
        _load(tmp_path, GOOD.replace("[[2, 1, 0]]", str(pes)))


def test_a_million_pes_are_the_most(tmp_path: Path) -> None:
    text = GOOD.replace("width = 3", "width = 4096").replace("height = 2", "height = 4096")
    with pytest.raises(MachineError, match="grid: has more than 1048576 PEs"):
        _load(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.toml", tmp_path):
        with pytest.raises(MachineError, match="cannot be read"):
            load_machine(path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MachineError, match="TOML"):
        load_machine(tmp_path / "bytes.toml")


def test_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(MachineError) as caught:
        load_machine("single-m5")
    assert all(name in str(caught.value) for name in ("single-m5", *bundled_machines()))
    assert issubclass(MachineError, WeftError)


def test_bundled_machines() -> None:
    assert {"single-m4", "single-m4-1m", "spinn2-chip"} <= set(bundled_machines())
    for name in bundled_machines():
        machine = load_machine(name)
        assert machine.name == name and machine.description
        report = summary(machine)
        assert report["pes"] >= report["pes_usable"] == len(machine.usable()) > 0
        assert name in describe(machine) and f"usable {report['pes_usable']}" in describe(machine)


@pytest.mark.parametrize(("name", "size"), [("single-m4", 1 << 17), ("single-m4-1m", 1 << 20)])
def test_single_pes(name: str, size: int) -> None:
    machine = load_machine(name)
    (pe,) = machine.usable()
    assert machine.class_of(pe).memory_bytes == size


def test_bundled_machines_have_the_fitted_costs_of_their_core() -> None:
    """One core, one fit: no class goes by the provisional defaults, and none is left behind."""
    found: dict[str, CostData] = {}
    for name in bundled_machines():
        for pe_class in load_machine(name).classes.values():
            cost = pe_class.cost
            assert found.setdefault(pe_class.core, cost) == cost, name
            fitted = ("mac", "element", "byte", "message", "task", "firing")
            assert all(getattr(cost, key) != getattr(CostData(), key) for key in fitted)
            assert {"conv2d", "dense", "depthwise"} <= set(cost.kinds)


def test_chip_has_152_pes_of_which_148_can_be_used() -> None:
    chip = load_machine("spinn2-chip")
    pes = list(chip.pes())
    assert (len(pes), len(set(pes)), len(chip.usable())) == (152, 152, 148)
    assert len({(pe.x, pe.y) for pe in pes}) == 38
    assert all(chip.class_of(pe).memory_bytes == 128 << 10 for pe in pes)
    assert {region.length for region in chip.class_of(pes[0]).memory} == {32 << 10, 96 << 10}


def test_the_default_machine_is_the_chip() -> None:
    """Named in a file beside the bundled ones, not in code."""
    assert load_machine() == load_machine("spinn2-chip")

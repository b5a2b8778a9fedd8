# SPDX-License-Identifier: Apache-2.0
"""Reading machine files (TOML, described in docs/machine-files.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from weft.errors import MachineError
from weft.machines.model import (
    COSTS_BY_KIND,
    GENERAL_COSTS,
    LINKS,
    PURPOSES,
    CostData,
    DeviceUse,
    Machine,
    MemoryRegion,
    Network,
    Pe,
    PeClass,
)
from weft.paths import machines_folder
from weft.toml_files import TomlReader

FORMAT = 1
# In place of the bytes of a stack: as many as an image takes at worst.
_AUTO = "auto"
_CORES = ("cortex-m4f",)
_MAX_PES = 1 << 20


def bundled_machines() -> list[str]:
    """Names of the machine files that come with Weft."""
    return sorted(path.stem for path in machines_folder().glob("*.toml"))


def load_machine(name_or_path: str | Path | None = None) -> Machine:
    """Reads a bundled machine by name, or a machine file; without either, the default machine,
    which ``default.txt`` beside the bundled ones names.

    Raises ``MachineError`` that says what is wrong with the file and where.
    """
    if name_or_path is None:
        name_or_path = (machines_folder() / "default.txt").read_text(encoding="ascii").strip()
    text = str(name_or_path)
    path = Path(text)
    if "/" not in text and "\\" not in text and not text.endswith(".toml"):
        path = machines_folder() / f"{text}.toml"
        if not path.is_file():
            raise MachineError(
                f"there is no machine called {text}; bundled are {', '.join(bundled_machines())}; "
                "a file is given by its path, ending in .toml"
            )
    return _Reader(path).machine()


class _Reader(TomlReader):
    """Turns TOML values into the model; every mistake names its key."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "machine file", MachineError)

    # --- the parts ---

    def machine(self) -> Machine:
        keys = {
            "format": True,
            "description": False,
            "pe_class": True,
            "grid": True,
            "links": False,
            "network": False,
        }
        data = self.table(self.load(), "the file", keys)
        self.check_format(data["format"], FORMAT)
        classes = {
            name: self.pe_class(name, value)
            for name, value in self.named_tables(data["pe_class"], "pe_class").items()
        }
        description = self.text(data["description"], "description") if "description" in data else ""
        links = self.links(data.get("links", {}))
        machine = replace(self.grid(data["grid"], classes, description), links=links)
        return replace(machine, network=self.network(data.get("network", {}), machine))

    def network(self, data: Any, machine: Machine) -> Network:
        limits = {
            "bytes_per_cycle": (1, 1 << 16),
            "hop_cycles": (0, 1_000_000),
            "signal_bytes": (1, 1 << 16),
            "clock_mhz": (1, 10_000),
        }
        data = self.table(data, "network", dict.fromkeys((*limits, "host"), False))
        found: dict[str, Any] = {
            key: self.integer(data[key], f"network.{key}", *limit)
            for key, limit in limits.items()
            if key in data
        }
        if "clock_mhz" in found:
            found["clock_hz"] = found.pop("clock_mhz") * 1_000_000
        if "host" in data:
            found["host"] = self.node(data["host"], "network.host")
            if not machine.has_node(found["host"]):
                self.fail("network.host", f"there is no node {list(found['host'])}")
        return Network(**found)

    def links(self, data: Any) -> Mapping[str, int]:
        data = self.table(data, "links", dict.fromkeys(LINKS, False))
        return {
            name: self.integer(value, f"links.{name}", 1, 1 << 50) for name, value in data.items()
        }

    def named_tables(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict) or not value:
            self.fail(where, "needs at least one table")
        return value

    def pe_class(self, name: str, data: Any) -> PeClass:
        where = f"pe_class.{name}"
        keys = dict.fromkeys(("core", "clock_mhz", "memory"), True)
        optional = dict.fromkeys(("stack_bytes", "cost", "devices"), False)
        data = self.table(data, where, {**keys, **optional})
        core = self.text(data["core"], f"{where}.core")
        if core not in _CORES:
            self.fail(f"{where}.core", f"'{core}' is not known; known are {', '.join(_CORES)}")
        stack = self.stack(data.get("stack_bytes", _AUTO), f"{where}.stack_bytes")
        memory = self.list_of(data["memory"], f"{where}.memory", self.region)
        self.check_memory(memory, f"{where}.memory")
        clock = self.integer(data["clock_mhz"], f"{where}.clock_mhz", 1, 10_000)
        cost = self.cost(data.get("cost", {}), f"{where}.cost")
        devices = self.devices(data.get("devices", []), f"{where}.devices")
        return PeClass(name, core, clock * 1_000_000, stack, tuple(memory), cost, devices)

    def stack(self, value: Any, where: str) -> int | None:
        if value == _AUTO:
            return None
        stack = self.integer(value, where, 256, 1 << 20)
        if stack % 8:
            self.fail(where, f"must be a multiple of 8, not {stack}")
        return stack

    def cost(self, data: Any, where: str) -> CostData:
        data = self.table(data, where, dict.fromkeys((*GENERAL_COSTS, *COSTS_BY_KIND), False))
        found: dict[str, Any] = {
            k: self.cycles(data[k], f"{where}.{k}") for k in GENERAL_COSTS if k in data
        }
        found |= {k: self.by_kind(data.get(k, {}), f"{where}.{k}") for k in COSTS_BY_KIND}
        return CostData(**found)

    def devices(self, data: Any, where: str) -> tuple[DeviceUse, ...]:
        """Devices of a class. What a kind is and has is for the compiler to find out; a folder is
        given relative to the machine file."""
        uses = tuple(self.list_of(data, where, self.device))
        names = [use.name for use in uses]
        for name in names:
            if names.count(name) > 1:
                self.fail(where, f"'{name}' is there twice; give each a name")
        return uses

    def device(self, data: Any, where: str) -> DeviceUse:
        if isinstance(data, str):
            data = {"kind": data}
        data = self.table(data, where, {"kind": True, "name": False, "options": False})
        kind = self.text(data["kind"], f"{where}.kind")
        if "/" in kind:
            kind = str((self.path.parent / kind).resolve())
        options = data.get("options", {})
        if not isinstance(options, dict):
            self.fail(f"{where}.options", f"must be a table, not {options!r}")
        for key, value in options.items():
            if not isinstance(value, str | int | bool):
                self.fail(f"{where}.options.{key}", f"must be a number or a text, not {value!r}")
        name = self.identifier(data.get("name", kind.rsplit("/", 1)[-1]), f"{where}.name")
        return DeviceUse(name, kind, tuple(sorted(options.items())))

    def by_kind(self, data: Any, where: str) -> dict[str, float]:
        if not isinstance(data, dict):
            self.fail(where, "must be a table of kinds of stages")
        return {kind: self.cycles(value, f"{where}.{kind}") for kind, value in data.items()}

    def cycles(self, value: Any, where: str) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= 1e9:  # also refuses nan
            self.fail(where, f"must be a number of cycles from 0 to 1e9, not {value!r}")
        return float(value)

    def region(self, data: Any, where: str) -> MemoryRegion:
        keys = dict.fromkeys(("name", "origin", "bytes", "holds"), True)
        data = self.table(data, where, keys)
        name = self.identifier(data["name"], f"{where}.name")
        holds = self.list_of(data["holds"], f"{where}.holds", self.text)
        for purpose in holds:
            if purpose not in PURPOSES:
                self.fail(f"{where}.holds", f"'{purpose}' is none of {', '.join(PURPOSES)}")
        origin = self.integer(data["origin"], f"{where}.origin", 0, (1 << 32) - 1)
        length = self.integer(data["bytes"], f"{where}.bytes", 1024, (1 << 32) - origin)
        if origin % 128:
            self.fail(f"{where}.origin", f"must be a multiple of 128, not {origin:#x}")
        return MemoryRegion(name, origin, length, tuple(holds))

    def check_memory(self, memory: list[MemoryRegion], where: str) -> None:
        for purpose in PURPOSES:
            if not any(purpose in region.holds for region in memory):
                self.fail(where, f"no region holds {purpose}")
        in_order = sorted(memory, key=lambda r: r.origin)
        for a, b in pairwise(in_order):
            if a.origin + a.length > b.origin:
                self.fail(where, f"regions '{a.name}' and '{b.name}' overlap at {b.origin:#x}")
        names = [region.name for region in memory]
        if len(set(names)) != len(names):
            self.fail(where, "two regions have the same name")

    def grid(self, data: Any, classes: Mapping[str, PeClass], description: str) -> Machine:
        optional = ("x0", "y0", "pes_per_node", "missing", "reserved", "exceptions")
        keys = {"width": True, "height": True, "pe_class": True, **dict.fromkeys(optional, False)}
        data = self.table(data, "grid", keys)
        default = self.known_class(data["pe_class"], "grid.pe_class", classes)
        sizes = {
            key: self.integer(data.get(key, 1), f"grid.{key}", 1, 4096)
            for key in ("width", "height", "pes_per_node")
        }
        corner = {
            key: self.integer(data.get(key, 0), f"grid.{key}", 0, 4096) for key in ("x0", "y0")
        }
        if sizes["width"] * sizes["height"] * sizes["pes_per_node"] > _MAX_PES:
            self.fail("grid", f"has more than {_MAX_PES} PEs")
        missing = frozenset(self.list_of(data.get("missing", []), "grid.missing", self.node))
        whole = Machine(
            self.path.stem,
            description,
            classes,
            default,
            width=sizes["width"],
            height=sizes["height"],
            pes_per_node=sizes["pes_per_node"],
            x0=corner["x0"],
            y0=corner["y0"],
            missing=missing,
        )
        for node in missing:
            if not whole.has_node(node):
                self.fail("grid.missing", f"there is no node {list(node)}")
        reserved = self.list_of(data.get("reserved", []), "grid.reserved", self.pe)
        pairs = self.list_of(
            data.get("exceptions", []),
            "grid.exceptions",
            lambda item, where: self.exception(item, where, classes),
        )
        exceptions = dict(pairs)
        if len(exceptions) != len(pairs):
            self.fail("grid.exceptions", "a PE is named twice")
        there = set(whole.pes())
        for key, pes in (("reserved", reserved), ("exceptions", exceptions)):
            for pe in pes:
                if pe not in there:
                    self.fail(f"grid.{key}", f"there is no PE {pe}")
        if not there - set(reserved):
            self.fail("grid", "no PE is left to use")
        return replace(whole, reserved=frozenset(reserved), exceptions=exceptions)

    def known_class(self, value: Any, where: str, classes: Mapping[str, PeClass]) -> str:
        name = self.text(value, where)
        if name not in classes:
            self.fail(where, f"there is no pe_class '{name}'; there are {', '.join(classes)}")
        return name

    def coordinates(self, value: Any, where: str, count: int) -> tuple[int, ...]:
        if not isinstance(value, list) or len(value) != count:
            self.fail(where, f"must be a list of {count} integers, not {value!r}")
        return tuple(self.integer(v, where, 0, 8192) for v in value)

    def node(self, value: Any, where: str) -> tuple[int, int]:
        x, y = self.coordinates(value, where, 2)
        return x, y

    def pe(self, value: Any, where: str) -> Pe:
        return Pe(*self.coordinates(value, where, 3))

    def exception(self, data: Any, where: str, classes: Mapping[str, PeClass]) -> tuple[Pe, str]:
        data = self.table(data, where, {"pe": True, "pe_class": True})
        pe = self.pe(data["pe"], f"{where}.pe")
        return pe, self.known_class(data["pe_class"], f"{where}.pe_class", classes)


def device_use(text: str) -> DeviceUse:
    """A device as the command line names it: ``KIND``, ``KIND:OPTION=VALUE,...`` or
    ``NAME=KIND:...``. A kind with a slash is a folder. Raises ``MachineError``."""
    where, _, settings = text.partition(":")
    name, equals, kind = where.rpartition("=")
    options: dict[str, Any] = {}
    for setting in settings.split(",") if settings else []:
        key, given, value = setting.partition("=")
        if not given:
            raise MachineError(f"device '{text}': '{setting}' is no OPTION=VALUE")
        options[key.strip()] = _value(value.strip())
    is_folder = "/" in kind or kind in (".", "..")
    folder = str(Path(kind).resolve()) if is_folder else kind
    own = name if equals else Path(folder).name
    if not own.isidentifier():
        raise MachineError(f"device '{text}': '{own}' is no name; write NAME=KIND")
    return DeviceUse(own, folder, tuple(sorted(options.items())))


def _value(text: str) -> str | int | bool:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.lstrip("-").isdigit() else text

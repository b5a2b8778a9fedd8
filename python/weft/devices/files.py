# SPDX-License-Identifier: Apache-2.0
"""Finding and reading the folders of devices (``device.toml``, described in docs/devices.md)."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from weft.devices.description import OVERFLOWS, SPACES, Descriptor, DeviceDescription, Facts
from weft.errors import DeviceError
from weft.paths import devices_folder
from weft.toml_files import TomlReader

FORMAT = 1
FILE = "device.toml"
#: Of a distribution that brings devices: name = "package.module:FOLDER", a path or a function.
ENTRY_POINTS = "weft.devices"
_MOST_ALIGNMENT = 4096
_MOST_IN_FLIGHT = 1 << 16
_MOST_HZ = 10_000_000_000


def bundled_devices() -> list[str]:
    """Names of the devices that come with Weft."""
    return sorted(path.parent.name for path in devices_folder().glob(f"*/{FILE}"))


def load_device(name_or_folder: str | Path) -> DeviceDescription:
    """Reads a device by its bundled name, by the name of an installed entry point of the group
    ``weft.devices``, or from a folder given by its path.

    Raises ``DeviceError`` that says what is wrong, and where.
    """
    return _Reader(_find(name_or_folder) / FILE).device()


def _find(name_or_folder: str | Path) -> Path:
    text = str(name_or_folder)
    if isinstance(name_or_folder, Path) or "/" in text or "\\" in text or text in {".", ".."}:
        folder = Path(text).absolute()
        if not folder.is_dir():
            raise DeviceError(f"there is no folder {text}; a device is a folder with a {FILE}")
        return folder
    bundled = devices_folder() / text
    if text and (bundled / FILE).is_file():
        return bundled
    installed = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if text in installed:
        return _folder_of(text, installed[text])
    known = ", ".join([*bundled_devices(), *sorted(installed)])
    raise DeviceError(
        f"there is no device called '{text}'; known are {known}; a folder is given by its path, "
        f"as ./{text}"
    )


def _folder_of(name: str, point: Any) -> Path:
    """What an entry point says, which is code of somebody else."""
    try:
        found = point.load()
        return Path(found() if callable(found) else found).absolute()
    except Exception as error:
        raise DeviceError(
            f"the entry point '{name}' of {ENTRY_POINTS} ({point.value}) gives no folder: "
            f"{type(error).__name__}: {error}"
        ) from error


class _Reader(TomlReader):
    """Turns TOML values into a description; every mistake names its key."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "device file", DeviceError)

    def device(self) -> DeviceDescription:
        needed = ("format", "name", "header", "sources", "driver", "descriptor", "facts")
        optional = ("description", "context", "conformance", "lowering", "options", "timing")
        keys = {**dict.fromkeys(needed, True), **dict.fromkeys(optional, False)}
        data = self.table(self.load(), "the file", keys)
        self.check_format(data["format"], FORMAT)
        sources = self.list_of(data["sources"], "sources", self.file)
        if not sources:
            self.fail("sources", "needs at least one file")
        about = self.text(data["description"], "description") if "description" in data else ""
        facts = self.facts(data["facts"])
        return DeviceDescription(
            name=self.identifier(data["name"], "name"),
            folder=self.path.parent,
            description=about,
            header=self.file(data["header"], "header"),
            sources=tuple(sources),
            driver=self.identifier(data["driver"], "driver"),
            descriptor=self.descriptor(data["descriptor"]),
            facts=facts,
            context=self.identifier(data["context"], "context") if "context" in data else None,
            conformance=tuple(self.list_of(data.get("conformance", []), "conformance", self.file)),
            lowering=self.file(data["lowering"], "lowering") if "lowering" in data else None,
            options=self.options(data.get("options", {}), data["facts"]),
            timing=self.any_table(data.get("timing", {}), "timing"),
        )

    def file(self, value: Any, where: str) -> Path:
        """A file of the folder."""
        text = self.text(value, where)
        path = (self.path.parent / text).resolve()
        if not path.is_relative_to(self.path.parent.resolve()):
            self.fail(where, f"'{text}' lies outside of the device's folder")
        if not path.is_file():
            self.fail(where, f"there is no file '{text}' in the device's folder")
        return path

    def any_table(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(where, f"must be a table, not {value!r}")
        return value

    def descriptor(self, data: Any) -> Descriptor:
        where = "descriptor"
        data = self.table(
            data, where, dict.fromkeys(("type", "pointers", "written", "numbers"), True)
        )
        names = {
            key: tuple(self.list_of(data[key], f"{where}.{key}", self.identifier))
            for key in ("pointers", "written", "numbers")
        }
        fields = names["pointers"] + names["numbers"]
        for name in fields:
            if fields.count(name) > 1:
                self.fail(where, f"'{name}' is there twice")
        for name in names["written"]:
            if name not in names["pointers"]:
                self.fail(f"{where}.written", f"'{name}' is none of the pointers")
        return Descriptor(type=self.identifier(data["type"], f"{where}.type"), **names)

    def facts(self, data: Any) -> Facts:
        where = "facts"
        if not isinstance(data, dict):
            self.fail(where, "must be a table")
        for key in ("alignment", "jobs_in_flight"):
            if key not in data:
                self.fail(where, f"'{key}' is missing")
        alignment = self.integer(data["alignment"], f"{where}.alignment", 1, _MOST_ALIGNMENT)
        if alignment & (alignment - 1):
            self.fail(f"{where}.alignment", f"must be a power of two, not {alignment}")
        spaces = self.list_of(data.get("spaces", ["local"]), f"{where}.spaces", self.text)
        for space in spaces:
            if space not in SPACES:
                self.fail(f"{where}.spaces", f"'{space}' is none of {', '.join(SPACES)}")
        overflow = data.get("overflow", "wrap")
        if overflow not in OVERFLOWS:
            self.fail(f"{where}.overflow", f"{overflow!r} is none of {', '.join(OVERFLOWS)}")
        own = {name for name in Facts.__dataclass_fields__ if name != "more"}
        return Facts(
            alignment=alignment,
            jobs_in_flight=self.integer(
                data["jobs_in_flight"], f"{where}.jobs_in_flight", 1, _MOST_IN_FLIGHT
            ),
            spaces=tuple(spaces),
            accumulator_bits=self.integer(
                data.get("accumulator_bits", 0), f"{where}.accumulator_bits", 0, 64
            ),
            overflow=overflow,
            subtracts_zero_points=self.boolean(
                data.get("subtracts_zero_points", False), f"{where}.subtracts_zero_points"
            ),
            clock_hz=self.integer(data.get("clock_hz", 0), f"{where}.clock_hz", 0, _MOST_HZ),
            is_blocking=self.boolean(data.get("is_blocking", False), f"{where}.is_blocking"),
            more={key: value for key, value in data.items() if key not in own},
        )

    def options(self, data: Any, facts: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
        """Each names a fact and lists its values; the fact's own is one of them."""
        options = self.any_table(data, "options")
        for name, values in options.items():
            where = f"options.{name}"
            if not isinstance(values, list) or not values:
                self.fail(where, f"must be a list of values, not {values!r}")
            if name not in facts:
                self.fail(where, "is no fact")
            if facts[name] not in values:
                self.fail(where, f"does not have the fact's own value, {facts[name]!r}")
        return {name: tuple(values) for name, values in options.items()}

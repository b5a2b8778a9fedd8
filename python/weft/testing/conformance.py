# SPDX-License-Identifier: Apache-2.0
"""The conformance suite for devices (``runtime/cts/device``), on the host or as machine code."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.codegen.linker_script import linker_script
from weft.codegen.toolchain import Toolchain, find_host_compiler, find_target_toolchain
from weft.devices import DeviceDescription
from weft.engines.cortex_m4.image_memory import EXITS, ImageMemory
from weft.errors import DeviceError
from weft.machines.model import MemoryRegion
from weft.paths import runtime_folder

HOST, CORTEX_M4 = "host", "cortex-m4"
TARGETS = (HOST, CORTEX_M4)

# A user's C may have warnings; that is between them and their compiler.
_FLAGS = ("-std=gnu11", "-ffp-contract=off", "-O2", '-DWEFT_RUNTIME_HASH=""')
_VERDICTS = {1: "ok", 2: "skipped", 3: "FAILED"}
_SECONDS = 120
_MOST_INSTRUCTIONS = 200_000_000
_STACK_BYTES = 16 << 10
# What is looked at, or where the emulator stops: kept by the linker.
_KEPT = ("weft_device_cts_result", "weft_fault_record", *EXITS)
_CODE = MemoryRegion("code", 0x0, 1 << 20, ("code", "constants"))
_DATA = MemoryRegion("data", 0x2000_0000, 1 << 20, ("data",))
REGIONS = (_CODE, _DATA)


@dataclass(frozen=True)
class Check:
    """One case: ``verdict`` is ok, skipped or FAILED; ``detail`` says where or how it failed."""

    name: str
    verdict: str
    detail: str = ""

    @property
    def has_failed(self) -> bool:
        return self.verdict == _VERDICTS[3]


def test_device(
    device: DeviceDescription, target: str = HOST, flags: Sequence[str] = ()
) -> list[Check]:
    """Builds driver, adapter and suite for ``target``, runs all cases under a deadline.

    ``flags`` are the compiler's, after its own. Raises ``DeviceError`` if the device brings no
    adapter, does not compile or lets the suite not start, ``ToolchainError`` without a compiler,
    ``EngineError`` without an emulator for a target that needs one.
    """
    if target not in TARGETS:
        raise DeviceError(f"there is no target {target}; known are {', '.join(TARGETS)}")
    if not device.conformance:
        raise DeviceError(
            f"device {device.name} brings no adapter for the conformance suite: name its sources "
            f"as conformance = [...] in {device.folder / 'device.toml'}"
        )
    with tempfile.TemporaryDirectory(prefix="weft-device-") as name:
        folder = Path(name)
        if target == HOST:
            return _on_host(device, folder, flags)
        return _on_cortex_m4(device, folder, flags)


test_device.__test__ = False  # type: ignore[attr-defined]  # no test of pytest's


def suite_sources(device: DeviceDescription) -> list[Path]:
    """Device, adapter and suite, without a ``main`` and a port."""
    runtime = runtime_folder()
    suite = [runtime / "cts/device" / name for name in ("device_bench.c", "device_cases.c")]
    return [
        *device.sources,
        *device.conformance,
        *suite,
        *sorted((runtime / "src").glob("*.c")),
    ]


def includes(device: DeviceDescription, *ports: str) -> list[str]:
    """Where the headers of all that are."""
    runtime = runtime_folder()
    folders = [device.folder, runtime / "include", runtime / "cts/device"]
    folders += [runtime / "port" / port for port in ports]
    return [f"-I{folder}" for folder in folders]


def compile_for(
    toolchain: Toolchain, device: DeviceDescription, arguments: Sequence[str | Path]
) -> None:
    """Runs the compiler; what it rejects is the device's fault."""
    done = toolchain.try_run([str(argument) for argument in arguments])
    if done.returncode == 0:
        return
    text = done.stderr + done.stdout
    found = re.search(r"^.*?(?:error|undefined)\b.*$", text, re.M)
    what = found[0].strip() if found else f"{toolchain.name} ends with status {done.returncode}"
    raise DeviceError(f"device {device.name} does not compile: {what}")


def _case_names() -> list[str]:
    """In the order of the cases' numbers."""
    text = (runtime_folder() / "cts/device/device_cases.c").read_text(encoding="utf-8")
    names = re.findall(r'\[WEFT_DEVICE_CTS_\w+\] = \{"([^"]+)"', text)
    return list(names)


def _check(name: str, verdict: int, line: int) -> Check:
    return Check(name, _VERDICTS[verdict], f"device_cases.c:{line}" if line else "")


# --- on the host ---


def _on_host(device: DeviceDescription, folder: Path, flags: Sequence[str]) -> list[Check]:
    runtime = runtime_folder()
    program = folder / "suite"
    main = [runtime / "cts/device/host_main.c", runtime / "port/host/port.c"]
    command: list[str | Path] = [*_FLAGS, *flags, *includes(device, "host")]
    command += [*suite_sources(device), *main, "-o", program]
    compile_for(find_host_compiler(), device, command)
    status, printed, errors = _run(program)
    checks = [
        _check(name, int(verdict), int(line))
        for verdict, line, name in re.findall(r"^([123]) (\d+) (.+)$", printed, re.M)
    ]
    if status == 2 and not checks:
        raise DeviceError(f"device {device.name}: {errors.strip() or 'the suite cannot start'}")
    missing = _case_names()[len(checks) :]
    if missing:
        checks.append(Check(missing[0], _VERDICTS[3], _end(status, errors)))
        checks += [Check(name, _VERDICTS[2], "not run") for name in missing[1:]]
    return checks


def _run(program: Path) -> tuple[int | None, str, str]:
    """Exit status, None if it did not end in time, and what it printed."""
    try:
        done = subprocess.run(
            [program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
        return None, printed.decode() if isinstance(printed, bytes) else printed, ""
    return done.returncode, done.stdout, done.stderr


def _end(status: int | None, errors: str) -> str:
    if status is None:
        return f"no answer within {_SECONDS} s"
    found = re.search(r"ERROR: (\w+: [\w-]+)|runtime error: (.*)", errors)
    if found:
        return found[1] or found[2]
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


# --- as machine code ---


def _on_cortex_m4(device: DeviceDescription, folder: Path, flags: Sequence[str]) -> list[Check]:
    from weft.engines.cortex_m4.emulators import find_emulator

    emulator = find_emulator()
    elf = folder / "suite.elf"
    link_image(device, elf, flags)
    core = emulator.core(elf, [(region.origin, region.length) for region in REGIONS])
    try:
        ended_at = core.run(_MOST_INSTRUCTIONS)
        return _read_result(device, core, ended_at is not None)
    finally:
        core.close()


def link_image(device: DeviceDescription, elf: Path, flags: Sequence[str]) -> None:
    """The suite on ``device``, an image for ``REGIONS``. Leaves objects beside ``elf``."""
    toolchain = find_target_toolchain("cortex-m4")
    if toolchain is None:
        raise DeviceError(
            "there is no compiler for cortex-m4; install arm-none-eabi-gcc, or pip install "
            "weft[embedded]"
        )
    toolchain = toolchain.with_scratch(elf.parent)
    runtime = runtime_folder()
    script = elf.parent / "suite.ld"
    script.write_text(linker_script(REGIONS, _STACK_BYTES), encoding="ascii")
    names = ("port.c", "clock.c", "mail.c", "dram.c", "startup.c", "string.c")
    port = [runtime / "port/cortex_m" / name for name in names]
    sources = [*suite_sources(device), runtime / "cts/device/target_main.c", *port]
    objects = []
    for number, source in enumerate(sources):
        made = elf.parent / f"{number}.o"
        sections = ["-ffunction-sections", "-fdata-sections", "-fno-unwind-tables"]
        command: list[str | Path] = [*_FLAGS, *sections, *flags, *includes(device, "cortex_m")]
        command += ["-isystem", runtime / "port/cortex_m/libc", "-c", source, "-o", made]
        compile_for(toolchain, device, command)
        objects.append(made)
    link: list[str | Path] = ["-T", script, "-Wl,-e,weft_image_reset", "-Wl,--gc-sections"]
    link += [f"-Wl,-u,{name}" for name in _KEPT]
    link += [*objects, *toolchain.link_helpers, "-o", elf]
    compile_for(toolchain, device, link)


def _read_result(device: DeviceDescription, core: ImageMemory, has_ended: bool) -> list[Check]:
    names = _case_names()
    at = core.symbol("weft_device_cts_result")
    status = core.word(core.symbol("weft_image_status"))
    if has_ended and status != 0:
        raise DeviceError(f"device {device.name}: the suite cannot start: status {status}")
    verdicts = [core.word(at + 4 * i) for i in range(len(names))]
    lines = [core.word(at + 4 * (len(names) + i)) for i in range(len(names))]
    checks = []
    for name, verdict, line in zip(names, verdicts, lines, strict=True):
        if verdict:
            checks.append(_check(name, verdict, line))
        elif any(check.detail.startswith(("fault", "no end")) for check in checks):
            checks.append(Check(name, _VERDICTS[2], "not run"))
        else:
            checks.append(Check(name, _VERDICTS[3], _fault(core, has_ended)))
    return checks


def _fault(core: ImageMemory, has_ended: bool) -> str:
    if not has_ended:
        return f"no end within {_MOST_INSTRUCTIONS} instructions"
    record = core.symbol("weft_fault_record")
    kind, pc = core.word(record), core.word(record + 4)
    return f"fault {kind} at {pc:#x} ({core.function_at(pc) or 'unknown'})"


def report(device: DeviceDescription, target: str, checks: Sequence[Check]) -> Mapping[str, object]:
    """For ``--json``."""
    return {
        "device": device.name,
        "target": target,
        "passed": not any(check.has_failed for check in checks),
        "checks": [
            {"name": check.name, "verdict": check.verdict.lower(), "detail": check.detail}
            for check in checks
        ],
    }


def text(checks: Sequence[Check]) -> str:
    """A line for each check."""
    return "\n".join(
        f"{check.verdict:8}{check.name}" + (f" ({check.detail})" if check.detail else "")
        for check in checks
    )

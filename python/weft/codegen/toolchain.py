# SPDX-License-Identifier: Apache-2.0
"""C compilers: for the PEs and for the host that runs their programs.

A target toolchain is ``arm-none-eabi-gcc`` where it is installed, else the clang of the
``ziglang`` wheel. Neither needs a C library.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from weft.errors import ToolchainError
from weft.paths import cache_folder

#: What all runtime and generated C is compiled with, on every target.
C_FLAGS = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

_COMPILE_SECONDS = 600
_QUERY_SECONDS = 60
_MESSAGES = 3


@dataclass(frozen=True)
class _Cpu:
    """How each compiler spells a core."""

    gcc: tuple[str, ...]
    zig: tuple[str, ...]


# Without its suffix, zig's name of the core means soft float.
_CORTEX_M4F = _Cpu(
    gcc=("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    zig=("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"),
)
_CPUS: Mapping[str, _Cpu] = {"cortex-m4": _CORTEX_M4F, "cortex-m4f": _CORTEX_M4F}


@dataclass(frozen=True)
class Toolchain:
    """A C compiler that also links.

    ``compile`` is the command with the flags that select the target; the caller adds the rest.
    ``link`` holds the flags that link without any library, ``link_helpers`` those that also offer
    the compiler's own arithmetic helpers (64-bit division and the like), which some kernels need;
    they come after the objects.
    """

    name: str
    compile: tuple[str, ...]
    version: str
    link: tuple[str, ...] = ()
    link_helpers: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)

    def with_scratch(self, folder: Path) -> Toolchain:
        """The same, leaving by-products in ``folder``, which the caller removes.

        zig keeps every object that it ever made. Worse, it takes an assembler file for unchanged
        when only what its ``.incbin`` reads has changed.
        """
        if "ZIG_LOCAL_CACHE_DIR" not in self.environment:
            return self
        return replace(self, environment={**self.environment, "ZIG_LOCAL_CACHE_DIR": str(folder)})

    def try_run(
        self, arguments: Sequence[str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs the compiler in ``folder``; the caller looks at the exit status.

        Raises ToolchainError if it does not start or does not end.
        """
        return _run([*self.compile, *arguments], self.environment, _COMPILE_SECONDS, folder)

    def run(self, arguments: Sequence[str], folder: Path | None = None, what: str = "") -> None:
        """Runs the compiler in ``folder``. ``what`` names its input in the error.

        Raises ToolchainError with the compiler's first messages if it fails.
        """
        done = self.try_run(arguments, folder)
        if done.returncode != 0:
            subject = what or shlex.join(arguments)
            raise ToolchainError(f"{self.name} rejects {subject}: {messages(done)}")

    def compile_object(
        self, source: str, out: Path, flags: Sequence[str], folder: Path, key: str = ""
    ) -> None:
        """Compiles ``folder / source`` to the object file ``out``.

        ``key`` says that the object depends on nothing but the compiler, these arguments and what
        the key stands for: such an object is kept among the user's caches. Raises ToolchainError.
        """
        arguments = [*flags, "-c", source]
        kept: Path | None = None
        if key:
            text = "\0".join([self.version, *self.compile, *arguments, key])
            digest = hashlib.sha256(text.encode()).hexdigest()
            kept = cache_folder() / "objects" / f"{digest}.o"
            if kept.is_file():
                shutil.copyfile(kept, out)
                return
        self.run([*arguments, "-o", str(out)], folder, what=source)
        if kept is not None:
            _keep(out, kept)


def messages(done: subprocess.CompletedProcess[str]) -> str:
    """What a compiler that failed complained about, in one line: its first errors."""
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line or "undefined" in line] or lines
    more = f"; and {len(errors) - _MESSAGES} more" if len(errors) > _MESSAGES else ""
    return ("; ".join(errors[:_MESSAGES]) or f"exit status {done.returncode}") + more


def find_target_toolchain(cpu: str) -> Toolchain | None:
    """The toolchain for PEs with this core, or None if none is installed.

    Raises ToolchainError if the core is not known.
    """
    return gcc_target_toolchain(cpu) or zig_target_toolchain(cpu)


def target_compiler_path() -> str | None:
    """Which compiler ``find_target_toolchain`` would take, found without starting it."""
    return shutil.which("arm-none-eabi-gcc") or _zig()


def gcc_target_toolchain(cpu: str) -> Toolchain | None:
    """``arm-none-eabi-gcc``, or None if it is not on the path."""
    flags = _cpu(cpu).gcc
    command = _which("arm-none-eabi-gcc")
    if command is None:
        return None
    return Toolchain(
        name="arm-none-eabi-gcc",
        # Freestanding, for its own <stdint.h> instead of that of a C library, but with the
        # built-in memcpy of four bytes, which is one load and one store.
        compile=(command, *flags, "-ffreestanding", "-fbuiltin"),
        version=_first_line([command, "--version"]),
        link=("-nostdlib",),
        link_helpers=("-nostdlib", "-lgcc"),
    )


def zig_target_toolchain(cpu: str) -> Toolchain | None:
    """The clang of the ``ziglang`` wheel, or None if that is not installed."""
    flags = _cpu(cpu).zig
    command = _zig()
    if command is None:
        return None
    environment = _zig_environment()
    return Toolchain(
        name="zig",
        # Its freestanding targets switch built-in functions off; -fhosted brings them back. Loops
        # whose count is known are unrolled, which saves a quarter of the instructions; the others
        # would cost 2 to 3 KiB of code and save none.
        compile=(command, "cc", *flags, "-fhosted", "-mllvm", "-unroll-runtime=false"),
        version=f"zig {_first_line([command, 'version'], environment)}",
        # Without -nostdlib it builds its helper library, once, which takes several seconds. The
        # optimisation level is that of the helpers; without any it builds a sanitiser's as well,
        # and without -g it drops the symbols.
        link=("-nostdlib",),
        link_helpers=("-Os", "-g"),
        environment=environment,
    )


def find_host_compiler() -> Toolchain:
    """The C compiler of this machine: $CC, then cc, gcc, clang, then that of ``ziglang``.

    Raises ToolchainError if there is none, or if $CC names none.
    """
    chosen = _chosen_compiler()
    if chosen:
        command = _which(chosen[0])
        if command is None:
            raise ToolchainError(
                f"the environment variable CC names {chosen[0]}, which is not there; "
                "correct it or unset it"
            )
        return _host_toolchain(chosen[0], (command, *chosen[1:]))
    for name in ("cc", "gcc", "clang"):
        command = _which(name)
        if command is not None:
            return _host_toolchain(name, (command,))
    command = _zig()
    if command is None:
        raise ToolchainError(
            "there is no C compiler: $CC is not set, and none of cc, gcc, clang and the Python "
            "package ziglang is installed; `pip install ziglang` is enough"
        )
    environment = _zig_environment()
    return Toolchain(
        name="zig",
        compile=(command, "cc"),
        version=f"zig {_first_line([command, 'version'], environment)}",
        environment=environment,
    )


def _chosen_compiler() -> list[str]:
    """The words of $CC."""
    text = os.environ.get("CC", "")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ToolchainError(
            f"the environment variable CC is no command ({error}): {text}; correct it or unset it"
        ) from None


def _which(name: str) -> str | None:
    """The path of a command, absolute, since compilers run in other folders than this one."""
    command = shutil.which(name)
    return None if command is None else os.path.abspath(command)


def _host_toolchain(name: str, command: tuple[str, ...]) -> Toolchain:
    return Toolchain(name=name, compile=command, version=_first_line([*command, "--version"]))


def _cpu(name: str) -> _Cpu:
    try:
        return _CPUS[name.lower()]
    except KeyError:
        raise ToolchainError(
            f"no compiler flags are known for the core {name}; known are {', '.join(_CPUS)}"
        ) from None


def _zig() -> str | None:
    """The binary inside the wheel: calling it saves the start of a Python interpreter."""
    found = importlib.util.find_spec("ziglang")
    for folder in (found.submodule_search_locations or ()) if found else ():
        command = shutil.which("zig", path=folder)
        if command is not None:
            return command
    return None


def _zig_environment() -> dict[str, str]:
    """Its cache belongs to us: by default it would leave ``.zig-cache`` in the user's folders."""
    cache = str(cache_folder() / "zig")
    return {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}


def _keep(made: Path, kept: Path) -> None:
    """A copy that other processes see whole or not at all. A full disk costs speed, no more."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as stream:
            stream.write(made.read_bytes())
        os.replace(stream.name, kept)
    except OSError:
        return


def _first_line(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    done = _run(command, environment or {}, _QUERY_SECONDS)
    if done.returncode != 0:
        raise ToolchainError(f"{command[0]} does not work: {messages(done)}")
    return next(iter(done.stdout.splitlines()), "unknown version")


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    seconds: int,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolchainError(f"{command[0]} did not end within {seconds} seconds") from None
    except OSError as error:
        raise ToolchainError(f"{command[0]} does not start: {error}") from error

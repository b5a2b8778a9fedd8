#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of both importers and of what follows up to the stage graph.

    make fuzz SECONDS=600

Each format is fuzzed for half of the time, from small models that have most operators once; what
gave new coverage is kept in ``--corpus`` and is where the next run starts. A traceback other than
Weft's own errors, a message of several lines, a crash, 20 s for one file or 3 GiB of memory end the
run with status 1, and the file is left in ``--findings``.
"""

from __future__ import annotations

import argparse
import inspect
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / "tests" / "python"), str(_ROOT / "tests" / "python" / "unit")]

_FORMATS = ("onnx", "tflite")
_LIMITS = ("-rss_limit_mb=3072", "-timeout=20", "-max_len=65536")


def _seeds(kind: str) -> list[bytes]:
    if kind == "onnx":
        from damaged_onnx import wide_float_model, wide_model

        return [wide_model(), wide_float_model()]
    from damaged_models import single_operators

    return single_operators()


def _import(data: bytes) -> None:
    from weft.errors import WeftError
    from weft.importers import import_model
    from weft.relax.to_integer import to_integer
    from weft.relax.to_stages import to_stages

    try:
        module, unsupported = import_model(data, "model", None)
        to_stages(to_integer(module, "model", unsupported))
    except WeftError as error:
        if "\n" in str(error):
            raise RuntimeError(f"a message of several lines: {error}") from error


def _mutator(kind: str) -> Callable[[bytes, int, int], bytes]:
    """Half of the mutations of ONNX files are of what the message says, not of its bytes."""
    from damaged_models import mutations
    from damaged_onnx import described_otherwise

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if kind == "onnx" and rng.random() < 0.5:
            try:
                _, other = next(described_otherwise(data, seed, 1))
                return other if len(other) <= most else data
            except Exception:  # the file is no message any more, or has nothing to change
                pass
        if len(data) > 8 and rng.random() < 0.9:
            return next(mutations(data, seed, 1))[1]
        at = rng.randrange(len(data) + 1)
        part = rng.randbytes(rng.choice([1, 4, 16]))
        return (data[:at] + rng.choice([part, b""]) + data[at + rng.choice([0, 1, 8]) :])[:most]

    return mutated


def _instrument() -> None:
    """What the importers and the passes do is followed; TVM is not. By function, since an editable
    installation has a loader of its own."""
    import atheris

    import weft.importers.onnx
    import weft.importers.tflite
    import weft.relax.to_integer
    import weft.relax.to_stages  # noqa: F401

    for name, module in list(sys.modules.items()):
        if not name.startswith(("weft.importers", "weft.relax")):
            continue
        owners = [module, *(v for v in vars(module).values() if inspect.isclass(v))]
        for owner in owners:
            for value in list(vars(owner).values()):
                if inspect.isfunction(value) and value.__module__ == name:
                    atheris.instrument_func(value)


def fuzz(kind: str, arguments: list[str]) -> None:
    """Fuzzes one format; does not come back."""
    import atheris

    _instrument()
    atheris.Setup(["fuzz_importers", *arguments], _import, custom_mutator=_mutator(kind))
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for both formats together")
    parser.add_argument("--corpus", type=Path, default=Path("out/fuzz/corpus"))
    parser.add_argument("--findings", type=Path, default=Path("out/fuzz/findings"))
    parser.add_argument("--format", choices=_FORMATS, help="only this one")
    options = parser.parse_args()
    kinds = [options.format] if options.format else list(_FORMATS)
    failed = False
    for kind in kinds:
        corpus, findings = options.corpus / kind, options.findings / kind
        corpus.mkdir(parents=True, exist_ok=True)
        findings.mkdir(parents=True, exist_ok=True)
        for index, data in enumerate(_seeds(kind)):
            (corpus / f"seed{index}").write_bytes(data)
        limits = [*_LIMITS, f"-max_total_time={options.seconds // len(kinds)}"]
        arguments = [*limits, f"-artifact_prefix={findings}/", str(corpus)]
        # A process of its own: the fuzzer ends it, and so may what it finds.
        command = [sys.executable, __file__, "--worker", kind, *arguments]
        done = subprocess.run(command, check=False, timeout=options.seconds + 300)
        failed |= done.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        fuzz(sys.argv[2], sys.argv[3:])
    sys.exit(main())

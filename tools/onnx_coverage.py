#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that the ``onnx`` package carries on Weft, and writes docs/onnx-operators.md.

    .venv/bin/python tools/onnx_coverage.py [--only REGEX] [--output FILE]

Every test runs in a process that may die: that is reported like a wrong result. The status is 1 if
a test gave a wrong result, or took its process down.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Those that need no download.
KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted")
_TIMEOUT_S = 120.0
_PAGE = Path(__file__).parents[1] / "docs" / "onnx-operators.md"
_PASSES, _REFUSED, _WRONG, _DIED = "passes", "refused", "wrong", "died"
#: One PE that every test fits in.
MACHINE = """
format = 1
description = "One Cortex-M4F PE with 64 MiB of SRAM, for tests"

[pe_class.m4]
core = "cortex-m4f"
clock_mhz = 150
memory = [{ name = "sram", origin = 0x0, bytes = 67108864, holds = ["code", "constants", "data"] }]

[grid]
width = 1
height = 1
pe_class = "m4"
"""


@dataclass(frozen=True)
class Outcome:
    """What a test of the suite came to; ``reason`` is one line, empty if it passes."""

    status: str
    reason: str = ""


def load_cases(kinds: Sequence[str] = KINDS) -> dict[str, Any]:
    """The tests of the suite by name."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for kind in kinds for case in load_model_tests(kind=kind)}


def operators_of(case: Any) -> list[str]:
    """The operators of a test, each once."""
    nodes = _model(case).graph.node
    return list(dict.fromkeys(f"{n.domain}.{n.op_type}".lstrip(".") for n in nodes))


def _model(case: Any) -> Any:
    import onnx

    if case.model is not None:
        return case.model
    return onnx.load(Path(case.model_dir) / "model.onnx")


def _data_sets(case: Any) -> Iterator[tuple[list[Any], list[Any]]]:
    if case.data_sets:
        yield from case.data_sets
        return
    model = _model(case)
    for folder in sorted(Path(case.model_dir).glob("test_data_set_*")):
        yield (
            _values(folder, "input", model.graph.input),
            _values(folder, "output", model.graph.output),
        )


def _values(folder: Path, kind: str, infos: Sequence[Any]) -> list[Any]:
    import onnx
    from onnx import numpy_helper

    values: list[Any] = []
    for index in range(len(list(folder.glob(f"{kind}_*.pb")))):
        data = (folder / f"{kind}_{index}.pb").read_bytes()
        if not infos[index].type.HasField("tensor_type"):
            values.append(None)
            continue
        tensor = onnx.TensorProto()
        tensor.ParseFromString(data)
        values.append(numpy_helper.to_array(tensor))
    return values


def run_case(case: Any, machine: str) -> Outcome:
    """Runs one test, by the suite's own tolerances."""
    from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

    from weft import onnx_backend

    try:
        rep = onnx_backend.prepare(_model(case), machine=machine)
        for inputs, expected in _data_sets(case):
            results = rep.run(inputs)
            for result, wanted in zip(results, expected, strict=True):
                fault = _fault(result, wanted, case.rtol, case.atol)
                if fault:
                    return Outcome(_WRONG, fault)
    except BackendIsNotSupposedToImplementIt as reason:
        return Outcome(_REFUSED, _short(str(reason)))
    except Exception as error:  # what a user would see as a traceback
        return Outcome(_WRONG, _short(repr(error)))
    return Outcome(_PASSES)


def _fault(result: Any, wanted: Any, rtol: float, atol: float) -> str:
    if not isinstance(wanted, np.ndarray | np.generic):
        return f"a result is {type(wanted).__name__}, no tensor"
    wanted = np.asarray(wanted)
    if (result.dtype, result.shape) != (wanted.dtype, wanted.shape):
        return f"{result.dtype}{result.shape}, not {wanted.dtype}{wanted.shape}"
    try:
        np.testing.assert_allclose(result, wanted, rtol=rtol, atol=atol)
    except AssertionError as error:
        return _short(str(error))
    return ""


def _short(text: str) -> str:
    """One line, without the name of the model and the count of operators before the reasons."""
    line = " ".join(text.split())
    line = re.sub(r"^model: (\d+ unsupported operators?: )?", "", line)
    return line if len(line) <= 160 else f"{line[:157]}..."


def _serve(requests: Any, answers: Any, machine: str) -> None:
    warnings.simplefilter("ignore")
    cases = load_cases()
    while (name := requests.get()) is not None:
        outcome = run_case(cases[name], machine)
        answers.put((name, outcome.status, outcome.reason))


class _Worker:
    """A process that runs tests, and may die of one."""

    def __init__(self, machine: str) -> None:
        self.machine = machine
        self.process: Any = None

    def run(self, name: str) -> Outcome:
        if self.process is None or not self.process.is_alive():
            context = multiprocessing.get_context("spawn")
            self.requests, self.answers = context.Queue(), context.Queue()
            arguments = (self.requests, self.answers, self.machine)
            self.process = context.Process(target=_serve, args=arguments, daemon=True)
            self.process.start()
        self.requests.put(name)
        waited = 0.0
        while waited < _TIMEOUT_S:
            try:
                _, status, reason = self.answers.get(timeout=1.0)
                return Outcome(status, reason)
            except Exception:  # the queue is empty yet
                waited += 1.0
            if not self.process.is_alive():
                return Outcome(_DIED, f"status {self.process.exitcode}")
        self.process.kill()
        self.process.join()
        return Outcome(_DIED, f"it took more than {_TIMEOUT_S:g} s")


def run_all(names: Sequence[str], machine: str) -> Iterator[tuple[str, Outcome]]:
    """The outcomes of the tests of these names, in order."""
    worker = _Worker(machine)
    for name in names:
        yield name, worker.run(name)


_HEAD = """# ONNX operators

The `onnx` package carries a public test suite: small models, mostly of one operator, with inputs
and results. `make onnx-coverage` runs it on Weft, through `weft.onnx_backend` with the engine
`native`, and writes this page: {total} tests of onnx {version}, of which {passes} pass and
{refused} are refused with a reason. Wrong results: {wrong}. Tests that took their process down:
{died}.

What is refused is mostly of types that PEs do not compute on (float16, float64, strings, sequences;
integers other than those of quantised models), and of operators that are not
[supported](supported-operators.md). Inputs that give sizes, axes, limits or quantisation become
constants of the program, which is compiled when they are known.

"""


def page(cases: dict[str, Any], outcomes: dict[str, Outcome]) -> str:
    """The page of the documentation."""
    import onnx

    count = collections.Counter(outcome.status for outcome in outcomes.values())
    text = _HEAD.format(
        total=len(outcomes),
        version=onnx.__version__,
        passes=count[_PASSES],
        refused=count[_REFUSED],
        wrong=count[_WRONG] or "none",
        died=count[_DIED] or "none",
    )
    table: dict[str, collections.Counter[str]] = {}
    for name, outcome in outcomes.items():
        for operator in operators_of(cases[name])[:1]:
            table.setdefault(operator, collections.Counter())[outcome.status] += 1
    text += "## By operator\n\nOf models with several operators, by the first.\n\n"
    text += "| operator | tests that pass | refused |\n| --- | --- | --- |\n"
    for operator, counted in sorted(table.items()):
        if counted[_PASSES]:
            text += f"| `{operator}` | {counted[_PASSES]} | {counted[_REFUSED]} |\n"
    none = sorted(operator for operator, counted in table.items() if not counted[_PASSES])
    text += "\nNone pass of: " + ", ".join(f"`{operator}`" for operator in none) + ".\n"
    for status, title in (
        (_WRONG, "Wrong"),
        (_DIED, "Died"),
        (_PASSES, "Tests that pass"),
        (_REFUSED, "Tests that are refused"),
    ):
        names = sorted(name for name, outcome in outcomes.items() if outcome.status == status)
        if not names:
            continue
        text += f"\n## {title}\n\n"
        if status == _PASSES:
            text += "".join(f"- `{name}`\n" for name in names)
            continue
        text += "| test | reason |\n| --- | --- |\n"
        for name in names:
            reason = outcomes[name].reason.replace("|", "\\|").replace("<", "&lt;")
            text += f"| `{name}` | {reason} |\n"
    return text


def stated_outcomes(path: Path = _PAGE) -> dict[str, str]:
    """What the page says of each test: ``passes`` or ``refused``."""
    stated: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"- `(test_\w+)`", line):
            stated[match[1]] = _PASSES
        elif match := re.match(r"\| `(test_\w+)` \|", line):
            stated[match[1]] = _REFUSED
    return stated


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="run only tests whose name has this in it")
    parser.add_argument("--output", type=Path, help=f"the page to write, by default {_PAGE.name}")
    options = parser.parse_args()
    cases = load_cases()
    names = [name for name in cases if re.search(options.only, name)]
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["WEFT_CACHE_DIR"] = scratch
        machine = Path(scratch) / "large.toml"
        machine.write_text(MACHINE, encoding="ascii")
        for name, outcome in run_all(names, str(machine)):
            outcomes[name] = outcome
            if outcome.status != _PASSES:
                print(f"{name}: {outcome.status}: {outcome.reason}", flush=True)
    output = options.output or (None if options.only else _PAGE)
    if output is not None:
        output.write_text(page(cases, outcomes), encoding="utf-8")
    count = collections.Counter(outcome.status for outcome in outcomes.values())
    print(", ".join(f"{n} {status}" for status, n in sorted(count.items())))
    return 1 if count[_WRONG] or count[_DIED] else 0


if __name__ == "__main__":
    sys.exit(main())

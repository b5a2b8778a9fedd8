# SPDX-License-Identifier: Apache-2.0
"""Hypothesis profiles, and the summary's count of oracle comparisons, over all processes of a run.

The count stands here and not further down: with pytest-xdist the process that writes the summary
collects no tests, and so loads only this file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from support import oracle_count

_OUTPUT = "weft_oracle_count"

# In the quick profile nothing is shrunk: each attempt costs a compilation, and the message of a
# difference names the operator and its attributes anyway.
settings.register_profile(
    "quick",
    max_examples=3,
    deadline=None,
    print_blob=True,
    # A change lands or not by what it does, not by chance: CI draws the same examples every time.
    derandomize=bool(os.environ.get("CI")),
    phases=[phase for phase in Phase if phase is not Phase.shrink],
)
settings.register_profile("thorough", max_examples=25, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("WEFT_TEST_PROFILE", "quick"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what ``known_defects.txt`` lists: these tests must fail, and say why."""
    text = (Path(__file__).parent / "known_defects.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    reasons = dict(line.rsplit(" | ", 1) for line in lines)
    for item in items:
        if item.nodeid in reasons:
            item.add_marker(pytest.mark.xfail(strict=True, reason=reasons[item.nodeid]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = oracle_count.totals()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    oracle_count.add(*getattr(node, "workeroutput", {}).get(_OUTPUT, (0, 0)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"compared with the oracle: {oracle_count.summary()}")

# SPDX-License-Identifier: Apache-2.0
"""The summary's count of oracle comparisons, over all processes of a run.

It stands here and not further down: with pytest-xdist the process that writes the summary collects
no tests, and so loads only this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support import oracle_count

_OUTPUT = "weft_oracle_count"


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

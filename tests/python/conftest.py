"""Hypothesis profiles, and the count of oracle comparisons at the end of a run."""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase, settings

from support import oracle_count

# In the quick profile nothing is shrunk: each attempt costs a compilation, and the message of a
# difference names the operator and its attributes anyway.
settings.register_profile(
    "quick",
    max_examples=3,
    deadline=None,
    print_blob=True,
    phases=[phase for phase in Phase if phase is not Phase.shrink],
)
settings.register_profile("thorough", max_examples=40, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("WEFT_TEST_PROFILE", "quick"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"compared with the oracle: {oracle_count.summary()}")

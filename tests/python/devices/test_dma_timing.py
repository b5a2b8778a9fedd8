"""The cycles of copies, worked out by hand: set-up 24, a cycle a row, words of 16 bytes."""

from __future__ import annotations

import pytest

from devices import bundled
from weft.devices import load_device

TIMING = load_device("dma").timing
timing = bundled.module("dma", "timing")
LOCAL, PE, DRAM = timing.LOCAL, timing.PE, timing.DRAM


def copy(from_space: int, to_space: int, rows: int, row_bytes: int) -> dict[str, int]:
    return {
        "from_space": from_space,
        "to_space": to_space,
        "rows": rows,
        "row_bytes": row_bytes,
    }


@pytest.mark.parametrize(
    ("numbers", "cycles"),
    [
        # One row of 64 words: there and back within the PE's memory, two cycles a word.
        (copy(LOCAL, LOCAL, 1, 1024), 24 + 1 + 128),
        # To another PE a cycle a word, to DRAM as well.
        (copy(LOCAL, PE, 1, 1024), 24 + 1 + 64),
        (copy(LOCAL, DRAM, 1, 1024), 24 + 1 + 64),
        # From DRAM 60 cycles pass before the first word.
        (copy(DRAM, LOCAL, 1, 1024), 24 + 60 + 1 + 64),
        # 25 rows of 20 words.
        (copy(LOCAL, PE, 25, 320), 24 + 25 * (1 + 20)),
        (copy(DRAM, LOCAL, 25, 320), 24 + 60 + 25 * (1 + 20)),
    ],
)
def test_cycles_worked_out_by_hand(numbers: dict[str, int], cycles: int) -> None:
    assert timing.cycles(numbers, TIMING, {}) == cycles

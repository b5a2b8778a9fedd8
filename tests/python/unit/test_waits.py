# SPDX-License-Identifier: Apache-2.0
"""Circles among PEs that wait for each other."""

from __future__ import annotations

import time

from weft.engines.waits import _circle


def test_circles_are_found() -> None:
    assert _circle({}) == []
    assert _circle({0: 1, 1: 2}) == []
    assert _circle({4: 4}) == [4]
    assert _circle({0: 1, 1: 2, 2: 3, 3: 1}) == [1, 2, 3]
    assert _circle({5: 6, 6: 7, 0: 6, 2: 3, 3: 2}) == [2, 3]


def test_long_chains_take_no_time() -> None:
    begin = time.perf_counter()
    assert _circle({pe: pe + 1 for pe in reversed(range(7104))}) == []
    assert _circle({pe: pe + 1 for pe in range(7104)}) == []
    assert time.perf_counter() - begin < 1

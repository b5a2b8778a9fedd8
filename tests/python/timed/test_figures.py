# SPDX-License-Identifier: Apache-2.0
"""How rates are measured, on times written down."""

from __future__ import annotations

from weft.engines.timed.figures import most_under_way, pattern, steady_fps


def test_a_pattern_is_found() -> None:
    assert pattern([0, 10, 20, 30, 40]) == 1
    assert pattern([0, 1, 10, 11, 20, 21, 30]) == 2
    assert pattern([5, 6, 8, 15, 16, 18, 25]) == 3
    assert pattern([0, 1, 10, 12, 20, 25, 30]) is None
    assert pattern([0, 1, 10]) is None, "it must have been there twice"
    assert pattern([0]) is None


def test_whole_patterns_count() -> None:
    """The window has results 2 to 7; by its ends it would be 25 ticks for 5 frames."""
    ended = [0, 7, 10, 15, 20, 25, 30, 35, 36, 37]
    assert steady_fps([0] * 10, ended, 1000) == 1000 / 5
    ended = [0, 7, 10, 11, 20, 21, 30, 31, 36, 37]
    assert steady_fps([0] * 10, ended, 1000) == 2 * 1000 / 10


def test_without_a_pattern_the_window_counts() -> None:
    ended = [0, 7, 10, 12, 20, 25, 29, 35, 36, 37]
    assert steady_fps([0] * 10, ended, 1000) == 5 * 1000 / 25


def test_few_results() -> None:
    assert steady_fps([], [], 1000) is None
    assert steady_fps([100], [300], 1000) == 5
    assert steady_fps([0, 0], [300, 350], 1000) == 1000 / 50
    assert steady_fps([0, 0], [300, 300], 1000) is None


def test_frames_under_way() -> None:
    assert most_under_way([0, 10, 20], [10, 20, 30]) == 1
    assert most_under_way([0, 10, 20], [15, 25, 35]) == 2
    assert most_under_way([0, 0, 0], [5]) == 3
    assert most_under_way([], []) == 0

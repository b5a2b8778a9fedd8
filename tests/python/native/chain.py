# SPDX-License-Identifier: Apache-2.0
"""What a chain of four tiny programs must do in every engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from native.tiny import DEPTH, expected
from weft.errors import EngineError

PES = 4
#: Rooms of all slots of the chain, that of the output included: more frames cannot be under way.
ROOMS = DEPTH * (PES + 1)

Arrays = list[np.ndarray]


def frames_of(count: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return list(rng.integers(-128, 128, (count, 4, 8)).astype(np.int8))


def check(results: Iterator[np.ndarray] | Arrays, frames: Arrays) -> None:
    for result, frame in zip(results, frames, strict=True):
        np.testing.assert_array_equal(result, expected(frame, PES))


def check_a_stopped_pe(session: Any, victim: int) -> None:
    """The error names frame, PE and stage, after all that was computed before."""
    frames = frames_of(50)
    stream = session.stream(frames)
    check([next(stream) for _ in range(7)], frames[:7])
    session.stop_pe(victim)
    results = []
    with pytest.raises(EngineError) as caught:
        for result in stream:
            results.append(result)
    # What was computed before still comes out, and is right.
    check(results, frames[7 : 7 + len(results)])
    assert len(results) <= ROOMS
    message = str(caught.value)
    assert message == (
        f"frame {7 + len(results)}: PE {'ABCD'[victim]} (link {victim}): "
        + session._library.status_string(9)
    )
    for _ in range(2):  # it stays so
        with pytest.raises(EngineError, match=rf"PE {'ABCD'[victim]} \(link {victim}\)"):
            session.run(frames[0])

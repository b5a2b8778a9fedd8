# SPDX-License-Identifier: Apache-2.0
"""Says who waits for whom when nothing moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weft import _native
from weft.program import PREPARATION

# weft_wait_kind_t
_KINDS = {1: "a frame of", 2: "a credit of", 3: "an input from outside, at"}
_SHOWN = 8


def describe_waits(rows: Sequence[Mapping[str, Any]], stream: _native.Stream) -> str:
    """One line: every shard that waits, what for, and for whom; a circle first if there is one.
    ``rows`` are the manifest's of all PEs."""
    waits = [
        (pe, shard, kind, frame, peer)
        for pe in range(len(rows))
        for shard, (kind, frame, _, peer) in enumerate(stream.waits(pe))
        if kind in _KINDS
    ]
    circle = _circle({pe: peer for pe, _, kind, _, peer in waits if kind != 3})
    order = {pe: i for i, pe in enumerate(circle)}
    waits.sort(key=lambda wait: (order.get(wait[0], len(order)), wait))
    texts = [
        f"PE {rows[pe]['name']} ({stages_text(rows[pe]['shards'][shard])}) waits at frame {frame} "
        f"for {_KINDS[kind]} PE {rows[peer]['name']}"
        for pe, shard, kind, frame, peer in waits[:_SHOWN]
    ]
    if len(waits) > _SHOWN:
        texts.append(f"and {len(waits) - _SHOWN} more")
    return "; ".join(texts) or "every PE can go on"


def stages_text(tasks: Sequence[Mapping[str, Any]]) -> str:
    """The stages of some tasks in a few words."""
    names = list(dict.fromkeys(t["name"] for t in tasks if t["stage"] not in PREPARATION))
    if len(names) > 2:
        return f"{names[0]} to {names[-1]}"
    return ", ".join(names) or "scatter"


def _circle(next_of: dict[int, int]) -> list[int]:
    """PEs that wait for each other in a circle; empty if there is none."""
    seen: set[int] = set()  # from an earlier start: no circle there
    for start in next_of:
        path: dict[int, None] = {}
        at = start
        while at in next_of and at not in path and at not in seen:
            path[at] = None
            at = next_of[at]
        if at in path:
            circle = list(path)
            return circle[circle.index(at) :]
        seen.update(path)
    return []

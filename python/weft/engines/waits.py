# SPDX-License-Identifier: Apache-2.0
"""Says who waits for whom when nothing moves."""

from __future__ import annotations

from weft import _native
from weft.program import Program

# weft_wait_kind_t
_KINDS = {1: "a frame of", 2: "a credit of", 3: "an input from outside, at"}
_SHOWN = 8


def describe_waits(program: Program, stream: _native.Stream) -> str:
    """One line: every shard that waits, what for, and for whom; a circle first if there is one."""
    rows = program.manifest["pes"]
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
        f"PE {rows[pe]['name']} ({_stages(rows[pe], shard)}) waits at frame {frame} for "
        f"{_KINDS[kind]} PE {rows[peer]['name']}"
        for pe, shard, kind, frame, peer in waits[:_SHOWN]
    ]
    if len(waits) > _SHOWN:
        texts.append(f"and {len(waits) - _SHOWN} more")
    return "; ".join(texts) or "every PE can go on"


def _stages(row: dict[str, object], shard: int) -> str:
    shards = row["shards"]
    assert isinstance(shards, list)
    return ", ".join(dict.fromkeys(task["name"] for task in shards[shard])) or "scatter"


def _circle(next_of: dict[int, int]) -> list[int]:
    """PEs that wait for each other in a circle; empty if there is none."""
    for start in next_of:
        path: list[int] = []
        at = start
        while at in next_of and at not in path:
            path.append(at)
            at = next_of[at]
        if at in path:
            return path[path.index(at) :]
    return []

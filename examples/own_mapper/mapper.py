# SPDX-License-Identifier: Apache-2.0
"""A mapper outside of Weft: which PE computes what, by dynamic programming.

It sees a network as a row of stages and a machine as a row of PEs. Each PE gets either some stages
that follow each other, or one piece of a stage that is cut along an axis. Of all such mappings, it
finds the one whose slowest PE is fastest, and gives it back as a mapping file.

What it knows of a network comes from `weft.graph`; what a cut costs, it asks of `weft.cost`.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import weft
from weft.errors import MappingError

# What stays free on every PE for code, tables and counters, in bytes.
RESERVE = 28 << 10


class Mapper:
    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.stages = graph.stages
        data = graph.to_json()  # what `weft graph` writes
        self.pes = [row["pe"] for row in data["pes"]]
        self.classes = [row["pe_class"] for row in data["pes"]]
        self.clock_hz = {name: c["clock_hz"] for name, c in data["pe_classes"].items()}
        self.room = {
            name: sum(region["bytes"] for region in c["memory"]) - c["stack_bytes"] - RESERVE
            for name, c in data["pe_classes"].items()
        }
        self.known: dict[tuple, tuple[float, int]] = {}

    def cost(self, stage: int, box: tuple | None, pe_class: str) -> tuple[float, int]:
        """Seconds a frame and bytes; endless for a box that the stage cannot compute alone."""
        key = stage, box, pe_class
        if key not in self.known:
            try:
                found = weft.cost(self.stages[stage], box, self.graph.machine.classes[pe_class])
            except MappingError:
                self.known[key] = math.inf, 0
            else:
                seconds = found.cycles / self.clock_hz[pe_class]
                self.known[key] = seconds, found.memory_bytes
        return self.known[key]

    def boxes(self, stage: int, axis: int, pieces: int) -> list[tuple]:
        """(begin, shape) of pieces of near equal size along an axis of the result."""
        shape = self.stages[stage].result.shape
        found = []
        for piece in range(pieces):
            first, last = (shape[axis] * i // pieces for i in (piece, piece + 1))
            begin = tuple(first if i == axis else 0 for i in range(len(shape)))
            extents = tuple(last - first if i == axis else n for i, n in enumerate(shape))
            found.append((begin, extents))
        return found

    def fits(self, seconds: float, size: int, pe: int) -> float:
        return seconds if size <= self.room[self.classes[pe]] else math.inf

    def groups(self, last: int, pe: int) -> list[tuple[float, int]]:
        """Stages ``first`` to ``last`` on one PE, for every ``first``: its seconds, and ``first``.
        Their bytes are added up, which is on the safe side."""
        found, seconds, size = [], 0.0, 0
        for first in range(last, -1, -1):
            more, needed = self.cost(first, None, self.classes[pe])
            seconds, size = seconds + more, size + needed
            if math.isinf(self.fits(seconds, size, pe)):
                break
            found.append((seconds, first))
        return found

    def cuts(self, stage: int, end: int) -> list[tuple[float, list[tuple]]]:
        """A stage cut over the PEs before ``end``: seconds of the slowest, and its boxes."""
        found = []
        for axis, extent in enumerate(self.stages[stage].result.shape):
            for pieces in range(2, min(extent, end) + 1):
                boxes = self.boxes(stage, axis, pieces)
                slowest = max(
                    self.fits(*self.cost(stage, box, self.classes[pe]), pe)
                    for pe, box in enumerate(boxes, end - pieces)
                )
                if slowest < math.inf:
                    found.append((slowest, boxes))
        return found

    def solve(self) -> tuple[float, dict[str, list[dict]]]:
        """Seconds a frame of the slowest PE, and the shards of every stage."""
        count = len(self.stages)
        # best[s][p]: the first s stages on the first p PEs; its seconds, and the last step to it.
        best: list[list[tuple[float, tuple | None]]] = [[(0.0, None)] * (len(self.pes) + 1)]
        for stage in range(count):
            row: list[tuple[float, tuple | None]] = [(math.inf, None)]
            for end in range(1, len(self.pes) + 1):
                # As with one PE less, or with one more step.
                choice = row[-1][0], ("skip", stage + 1, end - 1)
                for seconds, first in self.groups(stage, end - 1):
                    slowest = max(seconds, best[first][end - 1][0])
                    if slowest < choice[0]:
                        choice = slowest, ("group", first, end - 1)
                for seconds, boxes in self.cuts(stage, end):
                    start = end - len(boxes)
                    slowest = max(seconds, best[stage][start][0])
                    if slowest < choice[0]:
                        choice = slowest, ("cut", stage, start, boxes)
                row.append(choice)
            best.append(row)
        seconds = best[count][-1][0]
        if math.isinf(seconds):
            raise SystemExit("the network does not fit the machine")
        return seconds, self.trace(best)

    def trace(self, best: list[list[tuple[float, tuple | None]]]) -> dict[str, list[dict]]:
        """The shards, from the last step to the first."""
        found: dict[str, list[dict]] = {}
        done, end = len(self.stages), len(self.pes)
        while done:
            step = best[done][end][1]
            assert step is not None
            if step[0] == "group":
                for stage in range(step[1], done):
                    shape = self.stages[stage].result.shape
                    found[self.stages[stage].name] = [
                        {"pe": self.pes[end - 1], "begin": [0] * len(shape), "shape": list(shape)}
                    ]
            elif step[0] == "cut":
                found[self.stages[step[1]].name] = [
                    {"pe": self.pes[pe], "begin": list(begin), "shape": list(shape)}
                    for pe, (begin, shape) in enumerate(step[3], step[2])
                ]
            done, end = step[1], step[2]
        return dict(reversed(found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="TFLite file")
    parser.add_argument("--machine", default="grid-4x4", help="bundled name or machine file")
    parser.add_argument("-o", "--output", required=True, help="mapping file to write")
    options = parser.parse_args()
    graph = weft.graph(options.model, options.machine)
    seconds, stages = Mapper(graph).solve()
    mapping = {
        "format": 1,
        "model": graph.model,
        "machine": graph.machine.name,
        # Room for four frames: a skip over some stages then holds nobody up.
        "depth": 4,
        "stages": stages,
    }
    Path(options.output).write_text(json.dumps(mapping, indent=1) + "\n", encoding="utf-8")
    used = {tuple(shard["pe"]) for shards in stages.values() for shard in shards}
    print(f"{len(stages)} stages on {len(used)} PEs, {1 / seconds:.0f} frames/s by their cycles")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Executes a marked graph step by step: the oracle for what is said of it without executing it."""

from __future__ import annotations

from fractions import Fraction

from weft.mapping.marked_graph import MarkedGraph


class Execution:
    """Every firing starts as soon as it can; a resource that is free takes turns.

    ``now`` is in cycles, ``fired`` counts the firings of each transition that have ended.
    """

    def __init__(self, graph: MarkedGraph, frames: int | None = None) -> None:
        """With ``frames``, no transition fires more often than that."""
        n = len(graph.transitions)
        self.cycles = [t.cycles for t in graph.transitions]
        self.frames = frames
        self.now = 0
        self.fired = [0] * n
        self.tokens = [0] * len(graph.channels)
        self.credits = [channel.depth for channel in graph.channels]
        self.inputs: list[list[int]] = [[] for _ in range(n)]
        self.outputs: list[list[int]] = [[] for _ in range(n)]
        place = {t.name: i for i, t in enumerate(graph.transitions)}
        for c, channel in enumerate(graph.channels):
            self.outputs[place[channel.producer]].append(c)
            self.inputs[place[channel.consumer]].append(c)
        on: dict[str, list[int]] = {}
        for i, transition in enumerate(graph.transitions):
            on.setdefault(transition.resource, []).append(i)
        self.on = list(on.values())
        self.turn = [0] * len(self.on)
        self.running: list[int | None] = [None] * len(self.on)
        self.ends = [0] * len(self.on)

    def _ready(self, i: int) -> bool:
        return (
            (self.frames is None or self.fired[i] < self.frames)
            and all(self.tokens[c] for c in self.inputs[i])
            and all(self.credits[c] for c in self.outputs[i])
        )

    def _start(self) -> bool:
        started = False
        for r, members in enumerate(self.on):
            if self.running[r] is not None:
                continue
            for k in range(len(members)):
                i = members[(self.turn[r] + k) % len(members)]
                if self._ready(i):
                    for c in self.inputs[i]:
                        self.tokens[c] -= 1
                    for c in self.outputs[i]:
                        self.credits[c] -= 1
                    self.turn[r] = (self.turn[r] + k + 1) % len(members)
                    self.running[r] = i
                    self.ends[r] = self.now + self.cycles[i]
                    started = True
                    break
        return started

    def step(self) -> bool:
        """Starts what can start, then goes on to the next end of a firing; False if all wait."""
        self._start()
        busy = [r for r, i in enumerate(self.running) if i is not None]
        if not busy:
            return False
        self.now = min(self.ends[r] for r in busy)
        for r in busy:
            i = self.running[r]
            if i is not None and self.ends[r] == self.now:
                self.running[r] = None
                self.fired[i] += 1
                for c in self.outputs[i]:
                    self.tokens[c] += 1
                for c in self.inputs[i]:
                    self.credits[c] += 1
        return True

    def state(self) -> tuple[object, ...]:
        """All that decides what comes next."""
        left = [
            (i, end - self.now)
            for i, end in zip(self.running, self.ends, strict=True)
            if i is not None
        ]
        return (*self.tokens, *self.credits, *self.turn, *left)


def simulate(graph: MarkedGraph, frames: int) -> list[int]:
    """When each frame was done by every transition, in cycles; fewer if the graph stops before."""
    execution = Execution(graph, frames)
    done: list[int] = []
    while execution.step():
        while len(done) < min(execution.fired):
            done.append(execution.now)
    return done


def steady_period(graph: MarkedGraph, max_frames: int = 20_000) -> Fraction | None:
    """Cycles a frame once the execution repeats itself, which proves that it goes on for ever.

    None if it stops. The graph is connected and has a transition that takes time.
    """
    execution = Execution(graph)
    seen: dict[tuple[object, ...], tuple[int, int]] = {}
    frames = 0
    while execution.step():
        if execution.fired[0] == frames:
            continue
        frames = execution.fired[0]
        state = execution.state()
        if state in seen:
            before, then = seen[state]
            if execution.now > then:
                return Fraction(execution.now - then, frames - before)
        seen[state] = (frames, execution.now)
        assert frames < max_frames, "no state came back"
    return None

# SPDX-License-Identifier: Apache-2.0
"""Random marked graphs and rings, for the tests of bounds and of depths."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random

from weft.mapping.depths import Ring
from weft.mapping.marked_graph import Channel, MarkedGraph, Transition

Ends = list[tuple[int, int]]


def random_ends(random: Random, n: int, extra: int) -> Ends:
    """A connected graph without cycles; some transitions have two channels between them."""
    reach = random.choice((2, 4, n))
    pairs = [(random.randrange(max(0, i - reach), i), i) for i in range(1, n)]
    for _ in range(extra if n > 1 else 0):
        i, j = sorted(random.sample(range(n), 2))
        pairs.append((i, j))
    # Places in the list say nothing of who comes first.
    shuffled = random.sample(range(n), n)
    ends = [(shuffled[i], shuffled[j]) for i, j in pairs]
    random.shuffle(ends)
    return ends


def random_transitions(random: Random, n: int, resources: int | None) -> tuple[Transition, ...]:
    """Each on its own resource, or on some of a few; some take no time, but not all."""
    longest = random.choice((3, 12))
    cycles = [random.randint(0, longest) for _ in range(n)]
    cycles[random.randrange(n)] += 1
    on = [i if resources is None else random.randrange(resources) for i in range(n)]
    return tuple(Transition(f"t{i}", cycles[i], f"pe{on[i]}") for i in range(n))


def random_graph(random: Random, resources: int | None = None) -> MarkedGraph:
    """One in four or so is dead: a channel without slots, or a cycle of channels."""
    n = random.randint(1, 7)
    ends = random_ends(random, n, random.randint(0, 5))
    least = random.choice((0, 1, 1, 1))
    channels = [Channel(f"t{i}", f"t{j}", random.randint(least, 4)) for i, j in ends]
    if random.random() < 0.15:
        i, j = random.choices(range(n), k=2)
        channels.append(Channel(f"t{i}", f"t{j}", random.randint(0, 4)))
    return MarkedGraph(random_transitions(random, n, resources), tuple(channels))


def random_rings(random: Random, ends: Ends) -> list[Ring]:
    """A ring a channel, or one for all inputs of some transitions, or for all outputs."""
    kind = random.choice(("single", "inputs", "outputs"))
    by: dict[object, list[tuple[str, str]]] = {}
    for c, (i, j) in enumerate(ends):
        end = j if kind == "inputs" else i
        shared = kind != "single" and end % 2 == 1
        by.setdefault((kind, end) if shared else c, []).append((f"t{i}", f"t{j}"))
    most = random.choice((2, 1000))
    return [
        Ring(tuple(channels), random.randint(0, most), random.choice((1, 1, 1, 2)))
        for channels in by.values()
    ]


def pipeline(random: Random, shards: int, pes: int) -> tuple[Transition, ...]:
    """Shards t0, t1 and so on, each on some PE."""
    return tuple(
        Transition(f"t{i}", random.randint(1, 30), f"pe{random.randrange(pes)}")
        for i in range(shards)
    )


def network(
    random: Random, layers: int, width: int, fan_in: int, pes: int | None = None
) -> tuple[tuple[Transition, ...], list[Ring]]:
    """Layers of shards that read neighbours of the layer before; every third layer adds a skip.

    The inputs of a shard from one layer share a ring. Without ``pes``, each shard has its own.
    """
    transitions: list[Transition] = []
    rings: list[Ring] = []
    before: list[list[str]] = []
    for layer in range(layers):
        base = random.randint(300, 1000)
        names = [f"{layer}.{k}" for k in range(width if 0 < layer < layers - 1 else 1)]
        slot = random.randint(64, 4096)
        for k, name in enumerate(names):
            resource = name if pes is None else f"pe{len(transitions) % pes}"
            transitions.append(Transition(name, base + random.randint(0, base // 4), resource))
            sources = before[-1:] + (before[-3:-2] if layer % 3 == 0 else [])
            for source in sources:
                reads = [source[(k + d) % len(source)] for d in range(min(fan_in, len(source)))]
                if len(names) == 1:
                    reads = source
                rings.append(Ring(tuple((read, name) for read in reads), slot))
        before.append(names)
    return tuple(transitions), rings


def report(record_property, what: str, ratios: Sequence[Fraction | float]) -> None:
    """Into the test's record, and to be seen with ``pytest -rP``."""
    mean = float(sum(ratios) / len(ratios))
    exact = sum(ratio == 1 for ratio in ratios)
    text = f"mean {mean:.4f}, worst {float(max(ratios)):.4f}, 1 in {exact} of {len(ratios)}"
    record_property(what, text)
    print(f"{what}: {text}")

"""The passes on small stage graphs: golden text of what each makes of them.

``graphs/<name>.mlir`` goes through all passes, on one PE or cut as said here. What comes out in the
end is ``golden/<name>.connect.mlir``; for some networks the text after every pass is there too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest

from ir.text import GOLDEN, GRAPHS, check_golden, graph, parse, printed
from weft.dialects.fabric import NO_PLACE, MeshOp, PlaceOp, Route, frame_stride, values_of
from weft.dialects.pe import BufferOp, ConstantOp, ResultOp, ShardOp, SlotOp, TaskOp
from weft.dialects.stages import Constant
from weft.dialects.stages.base import dtype_of, shape_of
from weft.dialects.stages.box import Box
from weft.kernels.view import ITEM_BYTES
from weft.mapping.mapping import Mapping, Shard
from weft.transforms.compilation import Compilation, stages_of
from weft.transforms.pipeline import PASSES
from weft.transforms.plan_memory import PeMemory, channel_bytes, slot_bytes
from weft.transforms.to_mesh import to_mesh

#: Passes that change nothing where no PE has a device; a choice may be to leave all as it is.
FOR_DEVICES = ("choose-devices", "stream-weights", "overlap")
MAY_CHANGE_NOTHING = ("choose-kernels", *FOR_DEVICES)
STEPS = ("to-mesh", *(name for name, _ in PASSES if name not in FOR_DEVICES))
PES = 4


def _rows(*parts: tuple[int, int, int], shape: tuple[int, int, int]) -> tuple[Shard, ...]:
    """Shards of an image of that width and channels: (PE, first row, rows)."""
    _, width, channels = shape
    return tuple(
        Shard(Box((0, first, 0, 0), (1, count, width, channels)), pe) for pe, first, count in parts
    )


CUT = {
    "halos": Mapping(
        {
            "a": _rows((0, 0, 3), (1, 3, 3), shape=(6, 4, 2)),
            "l": _rows((0, 0, 3), (1, 3, 3), shape=(6, 4, 2)),
            "y": _rows((1, 0, 2), (2, 2, 1), shape=(3, 2, 4)),
        }
    ),
    "channels": Mapping(
        {
            "a": tuple(Shard(Box((0, 0, 0, 2 * i), (1, 4, 4, 2)), i) for i in (0, 1)),
            "y": (Shard(Box.whole((1, 2, 2, 4)), 2),),
        },
        source=3,
        depths={("y", 0): (4,)},
        default_depth=1,
    ),
}
NAMES = sorted(path.stem for path in GRAPHS.glob("*.mlir"))
#: Those of which every pass has its text.
IN_DETAIL = (*CUT, "by_hand", "conv_padding")


def _stages(name: str) -> Compilation:
    """A graph with constants that all differ, and scales that kernels written by hand can do."""
    module = graph(name)
    constants = {
        op.key.data: np.arange(np.prod(shape_of(op.result)), dtype=dtype_of(op.result.type))
        for op in module.walk()
        if isinstance(op, Constant)
    }
    for key, data in constants.items():
        if key.endswith("_shift"):
            data[...] = -8
        elif key.endswith("_multiplier"):
            data[...] += 2**30
    shapes = {op.key.data: shape_of(op.result) for op in module.walk() if isinstance(op, Constant)}
    return Compilation(module, {k: v.reshape(shapes[k]) for k, v in constants.items()})


def _mapping(name: str, stages: Compilation) -> Mapping:
    whole = {s.label.data: (Shard(Box.whole(shape_of(s.result)), 0),) for s in stages_of(stages)}
    return CUT.get(name, Mapping(whole))


def _all_passes(name: str) -> dict[str, Compilation]:
    """The compilation after every pass."""
    stages = _stages(name)
    made = {"to-mesh": to_mesh(stages, _mapping(name, stages), PES)}
    for step, run in PASSES:
        made[step] = run(list(made.values())[-1])
    return made


def _mesh(compilation: Compilation) -> MeshOp:
    (mesh,) = compilation.module.ops
    assert isinstance(mesh, MeshOp)
    return mesh


def _done(name: str) -> tuple[MeshOp, list[PeMemory]]:
    compilation = _all_passes(name)["connect"]
    return _mesh(compilation), list(compilation.facts["memory"])


def _shard(mesh: MeshOp, place: PlaceOp) -> ShardOp:
    shard = mesh.templates[place.template_name]
    assert isinstance(shard, ShardOp)
    return shard


# --- text ---


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_out(name: str) -> None:
    made = _all_passes(name)
    for step in STEPS if name in IN_DETAIL else STEPS[-1:]:
        check_golden(f"{name}.{step}.mlir", printed(made[step].module))


def test_golden_files_are_all_used() -> None:
    wanted = {f"{n}.{s}.mlir" for n in NAMES for s in STEPS if n in IN_DETAIL or s == STEPS[-1]}
    assert {path.name for path in GOLDEN.glob("*.mlir")} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_every_pass_can_be_read_back(name: str) -> None:
    for compilation in _all_passes(name).values():
        for generic in (False, True):
            text = printed(compilation.module, generic=generic)
            assert printed(parse(text), generic=generic) == text


@pytest.mark.parametrize("name", NAMES)
def test_passes_leave_their_operand_alone(name: str) -> None:
    before = _stages(name)
    text = printed(before.module)
    made = to_mesh(before, _mapping(name, before), PES)
    assert printed(before.module) == text
    assert before.facts == {}
    for step, run in PASSES:
        text, facts = printed(made.module), dict(made.facts)
        after = run(made)
        assert printed(made.module) == text and made.facts == facts
        assert step in MAY_CHANGE_NOTHING or printed(after.module) != text, step
        assert step not in FOR_DEVICES or printed(after.module) == text, step
        made = after
    assert set(made.facts) == {"readers", "memory", "dram", "packing", "lanes"}


@pytest.mark.parametrize("name", NAMES)
def test_passes_give_the_same_again(name: str) -> None:
    first, second = (_all_passes(name)["connect"].module for _ in range(2))
    assert printed(first) == printed(second)


@pytest.mark.parametrize("name", NAMES)
def test_kernels_are_those_that_are_called(name: str) -> None:
    made = _all_passes(name)
    called = {
        call.kernel_name
        for op in made["connect"].module.walk()
        if isinstance(op, TaskOp)
        for call in op.calls
    }
    kernels = made["connect"].kernels
    assert set(kernels) == called and list(kernels) == sorted(kernels)
    assert all(key == kernel.name for key, kernel in kernels.items())
    mesh, _ = _done(name)
    assert {k.data for p in mesh.programs for k in p.kernels} <= called
    for program in mesh.programs:
        listed = [k.data for k in program.kernels]
        assert listed == sorted(listed)


def test_what_one_pe_reads_whole_is_one_firing() -> None:
    for name in sorted(set(NAMES) - set(CUT)):
        mesh, _ = _done(name)
        assert mesh.host_index is None
        assert {place.pe_index for place in mesh.places} == {0}


def test_parts_of_one_form_share_a_template() -> None:
    mesh, _ = _done("channels")
    used = Counter(place.template_name for place in mesh.places if len(place.constants) > 0)
    assert list(used.values()) == [2]
    weights = [place.constants for place in mesh.places if len(place.constants) > 0]
    assert len({str(row) for row in weights}) == 2


# --- memory ---


def _meet(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _arena(mesh: MeshOp, pe: int) -> Iterator[tuple[str, int, int]]:
    """What is there for good on a PE: name, address, bytes."""
    for number, place in enumerate(mesh.places):
        if place.pe_index != pe or place.slots_at is None:
            continue
        slots = zip(
            _shard(mesh, place).of_type(SlotOp),
            values_of(place.slots_at),
            values_of(place.depths),
            strict=True,
        )
        for slot, at, depth in slots:
            yield f"place {number}", at, slot_bytes(slot) * depth
    for channel in mesh.channels:
        if channel.pe_index == pe and not channel.is_input:
            assert channel.at is not None
            size = channel_bytes(mesh, channel) * int(channel.depth.value.data)
            yield f"output {channel.label.data}", int(channel.at.value.data), size


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_nobody_elses(name: str) -> None:
    mesh, memory = _done(name)
    assert len(memory) == mesh.pe_count
    for pe in range(mesh.pe_count):
        held = list(_arena(mesh, pe))
        scratch = [_shard(mesh, p).scratch_bytes for p in mesh.places if p.pe_index == pe]
        assert memory[pe].scratch_bytes == frame_stride(max(scratch, default=0))
        held.append(("scratch", 0, memory[pe].scratch_bytes))
        for name_, at, size in held:
            assert at >= 0 and at % 16 == 0 and at + size <= memory[pe].arena_bytes, name_
        for a, b in combinations(held, 2):
            assert not _meet((a[1], a[1] + a[2]), (b[1], b[1] + b[2])), (a, b)


@pytest.mark.parametrize("name", NAMES)
def test_plan_keeps_what_lives_together_apart(name: str) -> None:
    compilation = _all_passes(name)["connect"]
    mesh = _mesh(compilation)
    shards = {n: s for n, s in mesh.templates.items() if isinstance(s, ShardOp)}
    assert set(compilation.facts["packing"]) == set(shards)
    for shard_name, shard in shards.items():
        buffers = shard.of_type(BufferOp)
        tasks = len(shard.of_type(TaskOp))
        facts = compilation.facts["packing"][shard_name]
        for buffer in buffers:
            assert buffer.offset >= 0 and buffer.offset % 16 == 0
            assert all(0 <= s <= e <= tasks for s, e in buffer.intervals)
        for a, b in combinations(buffers, 2):
            together = any(s <= f and t <= e for s, e in a.intervals for t, f in b.intervals)
            apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
            assert apart or not together, (a.label.data, b.label.data)
        ends = max((b.offset + b.size for b in buffers), default=0)
        assert facts["scratch_bytes"] == shard.scratch_bytes >= ends
        assert facts["scratch_lower_bound"] <= facts["scratch_bytes"]
        bound = facts["scratch_lower_bound"]
        ratio = facts["scratch_bytes"] / bound if bound else 1.0
        assert facts["scratch_ratio"] == pytest.approx(ratio, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_results_live_until_they_are_sent(name: str) -> None:
    mesh, _ = _done(name)
    for shard in mesh.templates.values():
        assert isinstance(shard, ShardOp)
        tasks = len(shard.of_type(TaskOp))
        for result in shard.of_type(ResultOp):
            owner = result.memory.owner
            assert isinstance(owner, BufferOp | SlotOp)
            if isinstance(owner, BufferOp):
                assert owner.intervals[-1][1] == tasks


@pytest.mark.parametrize("name", NAMES)
def test_constants_lie_one_after_the_other(name: str) -> None:
    compilation = _all_passes(name)["connect"]
    mesh, memory = _mesh(compilation), compilation.facts["memory"]
    for pe in range(mesh.pe_count):
        ends = 0
        for key, at in memory[pe].constants.items():
            assert at % 4 == 0 and at >= ends
            ends = at + compilation.constants[key].nbytes
        assert memory[pe].constants_bytes == ends
    for place in mesh.places:
        assert place.constants_at is not None
        sizes = {int(c.index.value.data): c.size for c in _shard(mesh, place).of_type(ConstantOp)}
        for index, size in sizes.items():
            key = place.constants.data[index].data
            assert compilation.constants[key].nbytes == size
            at = memory[place.pe_index].constants[key]
            assert values_of(place.constants_at)[index] == at


# --- routes ---


def _written(route: Route) -> np.ndarray:
    """The bytes of a slot that a route writes."""
    steps = np.add.outer(
        np.arange(route.outer) * route.target_outer, np.arange(route.inner) * route.target_inner
    )
    return (route.target + np.add.outer(steps, np.arange(route.bytes))).ravel()


def _element_offsets(op: SlotOp | ResultOp, corner: tuple[int, ...]) -> dict[int, bytes]:
    """For every byte of a box: which byte of which element of its tensor it is, by offset."""
    shape, strides = values_of(op.shape), values_of(op.strides)
    item = ITEM_BYTES[op.dtype.data]
    found = {}
    for index in np.ndindex(*shape):
        at = int(op.byte_offset.value.data) + sum(
            i * s for i, s in zip(index, strides, strict=True)
        )
        element = tuple(i + c for i, c in zip(index, corner, strict=True))
        for byte in range(item):
            found[at + byte] = repr((element, byte)).encode()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_routes_move_every_byte_to_where_it_is_read(name: str) -> None:
    """Follows each byte of each route: it must be the same byte of the same element at both ends,
    and every byte of every box must come once, but those from outside."""
    mesh, _ = _done(name)
    fed = {c.tensor_index for c in mesh.channels if c.is_input}
    outputs = [c for c in mesh.channels if not c.is_input]
    expected: dict[tuple[int, int], dict[int, bytes]] = {}
    for number, place in enumerate(mesh.places):
        shard = _shard(mesh, place)
        reads, _ = mesh.ports(place, shard)
        for i, (port, slot) in enumerate(zip(reads, shard.of_type(SlotOp), strict=True)):
            if port.tensor not in fed:
                expected[number, i] = _element_offsets(slot, port.box.begin)
    for i, channel in enumerate(outputs):
        tensor = mesh.tensors[channel.tensor_index]
        item, found = ITEM_BYTES[tensor.dtype], {}
        for n, element in enumerate(np.ndindex(*tensor.shape)):
            for byte in range(item):
                found[n * item + byte] = repr((tuple(map(int, element)), byte)).encode()
        expected[NO_PLACE, i] = found
    arrived: dict[tuple[int, int], Counter[int]] = {key: Counter() for key in expected}
    for route in mesh.routes:
        place = mesh.places[route.producer]
        shard = _shard(mesh, place)
        _, writes = mesh.ports(place, shard)
        result = shard.of_type(ResultOp)[route.result]
        sources = _element_offsets(result, writes[route.result].box.begin)
        taken = _written(
            route._replace(
                target=route.source,
                target_outer=route.source_outer,
                target_inner=route.source_inner,
            )
        )
        end = route.consumer, route.slot
        for source, target in zip(taken.tolist(), _written(route).tolist(), strict=True):
            assert sources[source] == expected[end][target]
            arrived[end][target] += 1
    for end, bytes_ in expected.items():
        assert arrived[end] == Counter(bytes_.keys()), end


@pytest.mark.parametrize("name", NAMES)
def test_routes_are_sorted_by_producer(name: str) -> None:
    producers = [route.producer for route in _done(name)[0].routes]
    assert producers == sorted(producers)

# SPDX-License-Identifier: Apache-2.0
"""The mesh: tensors that travel, shards in their places, the ends for the outside, routes.

A shard is a template, first as a stage graph (``fabric.template``), then as memory and tasks
(``pe.shard``). A place is one row of the placement table: a template on a PE, the constants that it
works with, the boxes that it reads and writes. What goes from where to where follows from the
boxes; ``fabric.routes`` holds it as one table, once memory is laid out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    DenseArrayBase,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TypeAttribute,
    i64,
)
from xdsl.ir import Dialect
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    lazy_traits_def,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.traits import HasParent, IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from weft.dialects.pe import ProgramOp, ResultOp, ShardOp, SlotOp
from weft.dialects.stages import StageGraph, StageOutput
from weft.dialects.stages.base import dtype_of, shape_of, shape_of_type
from weft.dialects.stages.box import Box

# DMA engines move 16 bytes at a time.
FRAME_ALIGNMENT = 16

#: No shard: the other end of a route is a channel to the outside.
NO_PLACE = -1


class Port(NamedTuple):
    """A box that a place reads or writes: of tensor number ``tensor``. ``depth`` is the number of
    frames that its slot has room for; 0 for what is written."""

    tensor: int
    box: Box
    depth: int = 0


class Route(NamedTuple):
    """One strided copy a frame, and the announcement of it: row of ``fabric.routes``.

    ``outer`` times ``inner`` runs of ``bytes`` bytes, from result ``result`` of place
    ``producer`` into slot ``slot`` of place ``consumer``, or of the ``slot``-th output channel if
    that is ``NO_PLACE``. Offsets count from the start of the result's memory and of the slot.
    """

    producer: int
    result: int
    consumer: int
    slot: int
    outer: int
    inner: int
    bytes: int
    source: int
    source_outer: int
    source_inner: int
    target: int
    target_outer: int
    target_inner: int


def integers(values: Sequence[int]) -> DenseArrayBase[I64]:
    """An array attribute."""
    return DenseArrayBase.from_list(i64, [int(v) for v in values])


def frame_stride(size: int) -> int:
    """Bytes from one frame's room of a slot to the next."""
    return -(-size // FRAME_ALIGNMENT) * FRAME_ALIGNMENT


def values_of(attribute: DenseArrayBase[I64]) -> tuple[int, ...]:
    """The integers of an array attribute."""
    return tuple(int(v) for v in attribute.get_values())


@irdl_op_definition
class TensorOp(IRDLOperation):
    """A tensor that goes from places to places. Its number is its position among its kind."""

    name = "fabric.tensor"
    label = prop_def(StringAttr)
    type = prop_def(TypeAttribute)
    traits = lazy_traits_def(lambda: (HasParent(MeshOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$label $type attr-dict"

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of_type(self.type)

    @property
    def dtype(self) -> str:
        return dtype_of(self.type)


@irdl_op_definition
class TemplateOp(IRDLOperation):
    """A shard as a stage graph: arguments are what it reads, outputs what it writes. The key of a
    constant is its number among those of the place."""

    name = "fabric.template"
    sym_name = prop_def(SymbolNameConstraint())
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), NoTerminator())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$sym_name attr-dict-with-keyword $body"

    @property
    def graph(self) -> StageGraph:
        (graph,) = self.body.block.ops
        assert isinstance(graph, StageGraph)
        return graph


@irdl_op_definition
class PlaceOp(IRDLOperation):
    """A template on a PE. ``reads`` and ``writes`` are tensor numbers, their ``_from`` the first
    corners of the boxes, one after the other; extents are the template's. ``labels`` name its
    stages. Memory gets its addresses later: ``slots_at`` in the arena, ``constants_at`` in the
    PE's constants. Places of one ``lane`` of a PE never fire at the same time, and share the
    scratch memory at ``scratch_at``; without lanes all do, at the start."""

    name = "fabric.place"
    template = prop_def(SymbolRefAttr)
    pe = prop_def(IntegerAttr[I64])
    labels = prop_def(ArrayAttr[StringAttr])
    constants = prop_def(ArrayAttr[StringAttr])
    reads = prop_def(DenseArrayBase[I64])
    reads_from = prop_def(DenseArrayBase[I64])
    depths = prop_def(DenseArrayBase[I64])
    writes = prop_def(DenseArrayBase[I64])
    writes_from = prop_def(DenseArrayBase[I64])
    slots_at = opt_prop_def(DenseArrayBase[I64])
    constants_at = opt_prop_def(DenseArrayBase[I64])
    lane = opt_prop_def(IntegerAttr[I64])
    scratch_at = opt_prop_def(IntegerAttr[I64])
    traits = lazy_traits_def(lambda: (HasParent(MeshOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$template `on` $pe $labels `reads` $reads `from` $reads_from `depth` $depths "
        "`writes` $writes `from` $writes_from `constants` $constants "
        "(`slots_at` $slots_at^)? (`constants_at` $constants_at^)? "
        "(`lane` $lane^)? (`scratch_at` $scratch_at^)? attr-dict"
    )

    @property
    def template_name(self) -> str:
        return str(self.template.root_reference.data)

    @property
    def pe_index(self) -> int:
        return int(self.pe.value.data)

    @property
    def scratch_offset(self) -> int:
        """Of its scratch memory in the arena, in bytes."""
        return 0 if self.scratch_at is None else int(self.scratch_at.value.data)

    def verify_(self) -> None:
        if len(self.depths) != len(self.reads):
            raise VerifyException("one depth a box that is read")
        for depth in values_of(self.depths):
            _verify_depth(depth)


@irdl_op_definition
class ChannelOp(IRDLOperation):
    """An end for the outside. ``in``: the outside writes all of the tensor into the one slot that
    reads it, which is on ``pe``. ``out``: a slot on ``pe`` with room for ``depth`` frames, at
    ``at`` in its arena, collects the tensor, and the outside reads it."""

    name = "fabric.channel"
    direction = prop_def(StringAttr)
    label = prop_def(StringAttr)
    tensor = prop_def(IntegerAttr[I64])
    pe = prop_def(IntegerAttr[I64])
    depth = prop_def(IntegerAttr[I64])
    at = opt_prop_def(IntegerAttr[I64])
    traits = lazy_traits_def(lambda: (HasParent(MeshOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$direction $label `tensor` $tensor `on` $pe `depth` $depth (`at` $at^)? attr-dict"
    )

    @property
    def tensor_index(self) -> int:
        return int(self.tensor.value.data)

    @property
    def pe_index(self) -> int:
        return int(self.pe.value.data)

    @property
    def is_input(self) -> bool:
        return self.direction.data == "in"

    def verify_(self) -> None:
        if self.direction.data not in ("in", "out"):
            raise VerifyException(f"a channel goes in or out, not {self.direction.data}")
        _verify_depth(int(self.depth.value.data))


def _verify_depth(depth: int) -> None:
    if depth < 1 or depth & (depth - 1):
        raise VerifyException(f"a depth is a power of two, not {depth}: frame numbers wrap")


@irdl_op_definition
class RoutesOp(IRDLOperation):
    """All routes, row after row: see ``Route``. Sorted by producer."""

    name = "fabric.routes"
    table = prop_def(DenseArrayBase[I64])
    traits = lazy_traits_def(lambda: (HasParent(MeshOp),))
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$table attr-dict"

    def rows(self) -> list[Route]:
        """In order."""
        columns = len(Route._fields)
        values = np.asarray(self.table.get_values(), np.int64).reshape(-1, columns)
        return [Route(*row) for row in values.tolist()]

    def verify_(self) -> None:
        if len(self.table) % len(Route._fields):
            raise VerifyException(f"a route has {len(Route._fields)} numbers")


@irdl_op_definition
class MeshOp(IRDLOperation):
    """A mapped network on ``pes`` PEs, and one more with that number if ``has_host``: the host,
    which scatters inputs and gathers outputs by the same means."""

    name = "fabric.mesh"
    pes = prop_def(IntegerAttr[I64])
    has_host = prop_def(IntegerAttr[I64])
    body = region_def("single_block")
    traits = traits_def(IsolatedFromAbove(), NoTerminator())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$pes `host` $has_host attr-dict-with-keyword $body"

    @property
    def pe_count(self) -> int:
        """The host included."""
        return int(self.pes.value.data) + int(self.has_host.value.data)

    @property
    def host_index(self) -> int | None:
        """The number of the host among the PEs, if there is one."""
        return int(self.pes.value.data) if int(self.has_host.value.data) else None

    @property
    def tensors(self) -> list[TensorOp]:
        return [op for op in self.body.block.ops if isinstance(op, TensorOp)]

    @property
    def places(self) -> list[PlaceOp]:
        return [op for op in self.body.block.ops if isinstance(op, PlaceOp)]

    @property
    def channels(self) -> list[ChannelOp]:
        return [op for op in self.body.block.ops if isinstance(op, ChannelOp)]

    @property
    def templates(self) -> dict[str, TemplateOp | ShardOp]:
        """By name."""
        return {
            op.sym_name.data: op
            for op in self.body.block.ops
            if isinstance(op, TemplateOp | ShardOp)
        }

    @property
    def programs(self) -> list[ProgramOp]:
        return [op for op in self.body.block.ops if isinstance(op, ProgramOp)]

    @property
    def routes(self) -> list[Route]:
        """Empty until memory is laid out."""
        return [r for op in self.body.block.ops if isinstance(op, RoutesOp) for r in op.rows()]

    @staticmethod
    def ports(place: PlaceOp, template: TemplateOp | ShardOp) -> tuple[list[Port], list[Port]]:
        """What a place reads, and what it writes."""
        return ports_of(place, extents(template))

    def verify_(self) -> None:
        from weft.dialects.mesh_verifier import MeshVerifier  # it imports this module

        MeshVerifier(self).run()


def ports_of(
    place: PlaceOp, shapes: tuple[list[tuple[int, ...]], list[tuple[int, ...]]]
) -> tuple[list[Port], list[Port]]:
    """What a place reads, and what it writes; ``shapes`` are its template's ``extents``."""
    reads, writes = shapes
    depths = values_of(place.depths)
    return (
        _ports(values_of(place.reads), values_of(place.reads_from), reads, depths),
        _ports(values_of(place.writes), values_of(place.writes_from), writes, None),
    )


def _ports(
    tensors: Sequence[int],
    corners: Sequence[int],
    shapes: Sequence[tuple[int, ...]],
    depths: Sequence[int] | None,
) -> list[Port]:
    if len(tensors) != len(shapes) or len(corners) != sum(len(s) for s in shapes):
        raise VerifyException("the boxes of a place do not go with its template")
    ports, at = [], 0
    for i, (tensor, shape) in enumerate(zip(tensors, shapes, strict=True)):
        begin = tuple(corners[at : at + len(shape)])
        ports.append(Port(tensor, Box(begin, shape), depths[i] if depths is not None else 0))
        at += len(shape)
    return ports


def extents(
    template: TemplateOp | ShardOp,
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The shapes of the boxes that a template reads, and of those that it writes."""
    if isinstance(template, ShardOp):
        reads = [values_of(s.shape) for s in template.of_type(SlotOp)]
        return reads, [values_of(r.shape) for r in template.of_type(ResultOp)]
    block = template.graph.body.block
    last = block.last_op
    assert isinstance(last, StageOutput)
    return [shape_of(a) for a in block.args], [shape_of(v) for v in last.values]


FABRIC = Dialect("fabric", [MeshOp, TensorOp, TemplateOp, PlaceOp, ChannelOp, RoutesOp], [])

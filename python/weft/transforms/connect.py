# SPDX-License-Identifier: Apache-2.0
"""Pass: which bytes go from which result to which slot, as one table of strided copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from weft.dialects.fabric import NO_PLACE, MeshOp, Route, RoutesOp, integers, values_of
from weft.dialects.pe import ResultOp, ShardOp, SlotOp
from weft.dialects.stages.box import Box
from weft.kernels.view import ITEM_BYTES, View, contiguous_strides, merge_axes
from weft.transforms.compilation import Compilation


@dataclass(frozen=True)
class _End:
    """A box of a tensor in the memory of a place; ``view`` counts bytes."""

    place: int
    port: int
    box: Box
    view: View


def connect(compilation: Compilation) -> Compilation:
    """Adds ``fabric.routes``: every part of a box goes from who computes it to all who read it."""
    module = compilation.module.clone()
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    writers, readers = _ends(mesh)
    rows = [
        row
        for tensor, writing in writers.items()
        for writer in writing
        for reader in readers.get(tensor, [])
        for row in _routes(writer, reader)
    ]
    rows.sort(key=lambda row: row.producer)
    table = integers([n for row in rows for n in row])
    mesh.body.block.add_op(RoutesOp(properties={"table": table}))
    module.verify()
    return replace(compilation, module=module)


def _ends(mesh: MeshOp) -> tuple[dict[int, list[_End]], dict[int, list[_End]]]:
    """Who writes and who reads each tensor, in the order of places; output channels last."""
    writers: dict[int, list[_End]] = {}
    readers: dict[int, list[_End]] = {}
    templates = mesh.templates
    for number, place in enumerate(mesh.places):
        shard = templates[place.template_name]
        assert isinstance(shard, ShardOp)
        reads, writes = mesh.ports(place, shard)
        for i, (port, slot) in enumerate(zip(reads, shard.of_type(SlotOp), strict=True)):
            readers.setdefault(port.tensor, []).append(_End(number, i, port.box, _bytes(slot)))
        for i, (port, result) in enumerate(zip(writes, shard.of_type(ResultOp), strict=True)):
            writers.setdefault(port.tensor, []).append(_End(number, i, port.box, _bytes(result)))
    tensors = mesh.tensors
    for i, channel in enumerate(c for c in mesh.channels if not c.is_input):
        tensor = tensors[channel.tensor_index]
        item = ITEM_BYTES[tensor.dtype]
        strides = tuple(s * item for s in contiguous_strides(tensor.shape))
        view = View(None, 0, tensor.shape, strides, tensor.dtype)
        end = _End(NO_PLACE, i, Box.whole(tensor.shape), view)
        readers.setdefault(channel.tensor_index, []).append(end)
    return writers, readers


def _bytes(op: SlotOp | ResultOp) -> View:
    offset = int(op.byte_offset.value.data)
    return View(None, offset, values_of(op.shape), values_of(op.strides), op.dtype.data)


def _routes(writer: _End, reader: _End) -> Iterator[Route]:
    common = writer.box.meet(reader.box)
    if common is None:
        return
    source = writer.view.box(common.relative_to(writer.box.begin).begin, common.shape)
    target = reader.view.box(common.relative_to(reader.box.begin).begin, common.shape)
    for a, b in _runs(source, target):
        outer, inner, count = a.shape
        yield Route(
            writer.place,
            writer.port,
            reader.place,
            reader.port,
            outer,
            inner,
            count,
            a.offset,
            a.strides[0],
            a.strides[1],
            b.offset,
            b.strides[0],
            b.strides[1],
        )


def _runs(source: View, target: View) -> Sequence[tuple[View, View]]:
    """The same copy as pairs of three axes, the last one bytes in a row."""
    item = source.item_bytes
    a, b = (replace(v, shape=(*v.shape, item), strides=(*v.strides, 1)) for v in (source, target))
    a, b = merge_axes([a, b])
    if a.strides[-1] != 1 or b.strides[-1] != 1:  # runs of one byte, if extents of 1 were dropped
        a, b = (replace(v, shape=(*v.shape, 1), strides=(*v.strides, 1)) for v in (a, b))
    pairs = [(a, b)]
    while len(pairs[0][0].shape) > 3:
        pairs = [(x.at(i), y.at(i)) for x, y in pairs for i in range(x.shape[0])]
    missing = 3 - len(pairs[0][0].shape)

    def padded(view: View) -> View:
        return replace(
            view, shape=(1,) * missing + view.shape, strides=(0,) * missing + view.strides
        )

    return [(padded(x), padded(y)) for x, y in pairs]

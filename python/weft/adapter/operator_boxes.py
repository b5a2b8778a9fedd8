# SPDX-License-Identifier: Apache-2.0
"""Loops that compute one box of their result, from what TensorIR knows of the regions of blocks.

Backwards through the blocks: which part of its result each must compute follows from what later
blocks read. Every element is computed as it would be in the whole; sums are never cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.ir import Range
from tvm.s_tir.analysis import get_sblock_read_write_region
from tvm.s_tir.stmt import SBlock, SBlockRealize
from tvm.sym import Analyzer
from tvm_ffi import structural_map, structural_walk

_SPATIAL, _REDUCES = 0, 2
_INFINITE = 1 << 31

#: Begin and extent along every axis.
Region = tuple[tuple[int, int], ...]


class UncutError(Exception):
    """Loops whose parts are not known."""


@dataclass(frozen=True)
class _Plan:
    """The blocks of a function in order, what the variables of each run over (None if nobody needs
    it), and the box of each buffer."""

    blocks: list[Any]
    domains: list[dict[Any, tuple[int, int]] | None]
    needed: dict[Any, Region]


def _plan(function: tirx.PrimFunc, box: Region) -> _Plan:
    blocks = [_plain_block(nest) for nest in _nests(function.body.block.body)]
    needed: dict[Any, Region] = {function.params[-1]: box}
    domains = []
    for block in reversed(blocks):
        domains.append(_domains(block, needed))
        for buffer, region in _reads(block, domains[-1]).items():
            needed[buffer] = _union(needed.get(buffer), region)
    return _Plan(blocks, domains[::-1], needed)


def operand_regions(function: tirx.PrimFunc, box: Region) -> tuple[Region | None, ...]:
    """What a box of the last parameter needs of each of the others; None where that is nothing.

    Raises ``UncutError`` if it is not known.
    """
    needed = _plan(function, box).needed
    return tuple(needed.get(p) for p in function.params[:-1])


def boxed(function: tirx.PrimFunc, box: Region) -> tirx.PrimFunc:
    """The function, not yet scheduled, for a box of its last parameter, on operands that are as
    large as ``operand_regions`` says. Raises ``UncutError``."""
    plan, root = _plan(function, box), function.body.block
    old = [b for b in (*function.params, *root.alloc_buffers) if b in plan.needed]
    buffers = {b: _resized(b, plan.needed[b]) for b in old}
    nests = [
        _nest(block, domain, plan.needed, buffers)
        for block, domain in zip(plan.blocks, plan.domains, strict=True)
        if domain is not None
    ]
    body = nests[0] if len(nests) == 1 else tirx.SeqStmt(nests)
    alloc = [buffers[b] for b in root.alloc_buffers if b in buffers]
    whole = SBlockRealize([], True, SBlock([], [], [], "root", body, None, alloc))
    parameters = [buffers.get(p, p) for p in function.params]
    return tirx.PrimFunc(parameters, whole, function.ret_type, function.attrs)


def _nests(body: Any) -> list[Any]:
    return list(body.seq) if isinstance(body, tirx.SeqStmt) else [body]


def _plain_block(nest: Any) -> Any:
    """The block in loops that are its own variables, one by one."""
    loops = []
    while isinstance(nest, tirx.For):
        loops.append(nest.loop_var)
        nest = nest.body
    if not isinstance(nest, SBlockRealize) or len(nest.block.writes) != 1:
        raise UncutError
    values = list(nest.iter_values)
    if len(values) != len(loops) or any(
        not v.same_as(i) for v, i in zip(values, loops, strict=True)
    ):
        raise UncutError
    return nest.block


def _domains(block: Any, needed: Mapping[Any, Region]) -> dict[Any, tuple[int, int]] | None:
    """What the block's variables run over; None if nobody needs its result."""
    (written,) = block.writes
    if written.source not in needed:
        return None
    spatial = [v for v in block.iter_vars if int(v.iter_type) == _SPATIAL]
    sums = [v for v in block.iter_vars if int(v.iter_type) == _REDUCES]
    places = [r.min for r in written.region]
    if len(spatial) + len(sums) != len(block.iter_vars) or len(places) != len(spatial):
        raise UncutError
    domains = {v.var: (int(v.dom.min), int(v.dom.extent)) for v in sums}
    for variable, place, region in zip(spatial, places, needed[written.source], strict=True):
        if not place.same_as(variable.var):
            raise UncutError
        domains[variable.var] = region
    return domains


def _reads(block: Any, domains: Mapping[Any, tuple[int, int]] | None) -> dict[Any, Region]:
    """The box of each buffer that is read, but for the result itself."""
    if domains is None:
        return {}
    analyzer = Analyzer()
    for variable, (begin, extent) in domains.items():
        analyzer.bind(variable, Range.from_min_extent(_i64(begin), _i64(extent)))
    (written,) = block.writes
    found: dict[Any, Region] = {}

    def visit(node: Any) -> None:
        if type(node).__name__ != "TensorLoad" or node.source.same_as(written.source):
            return
        region = []
        for index, whole in zip(node.indices, node.source.ty.shape, strict=True):
            bound = analyzer.const_int_bound(index)
            low = max(int(bound.min_value), 0) if int(bound.min_value) > -_INFINITE else 0
            high = int(bound.max_value) if int(bound.max_value) < _INFINITE else int(whole) - 1
            low, high = min(low, int(whole) - 1), min(max(high, 0), int(whole) - 1)
            region.append((low, max(high, low) - low + 1))
        found[node.source] = _union(found.get(node.source), tuple(region))

    structural_walk(block.body, visit)
    if block.init is not None:
        structural_walk(block.init, visit)
    return found


def _union(a: Region | None, b: Region) -> Region:
    if a is None:
        return b
    joined = []
    for (begin, extent), (other, size) in zip(a, b, strict=True):
        first = min(begin, other)
        joined.append((first, max(begin + extent, other + size) - first))
    return tuple(joined)


def _i64(value: int) -> Any:
    return tirx.const(value, "int64")


def _resized(buffer: Any, region: Region) -> Any:
    shape = [_i64(extent) for _, extent in region]
    return tirx.decl_buffer(shape, str(buffer.ty.dtype), buffer.name, layout=None)


def _nest(
    block: Any,
    domains: Mapping[Any, tuple[int, int]],
    needed: Mapping[Any, Region],
    buffers: Mapping[Any, Any],
) -> Any:
    """The loops around a block with its variables counted from the box's begin."""
    variables, loops, moved = [], [], {}
    for old in block.iter_vars:
        begin, extent = domains[old.var]
        new = tirx.Var(old.var.name, "int64")
        loop = tirx.Var(f"i_{old.var.name}", "int64")
        dom = Range.from_min_extent(_i64(0), _i64(extent))
        variables.append(tirx.IterVar(dom, new, int(old.iter_type)))
        loops.append((loop, extent))
        moved[old.var] = new + _i64(begin) if begin else new

    analyzer = Analyzer()
    for variable in variables:
        analyzer.bind(variable.var, variable.dom)

    def replaced(node: Any) -> Any:
        kind = type(node).__name__
        if kind == "TensorLoad":
            return tirx.BufferLoad(buffers[node.source], places(node.source, node.indices))
        if kind == "BufferStore":
            return tirx.BufferStore(
                buffers[node.buffer], node.value, places(node.buffer, node.indices)
            )
        if kind == "Var" and node in moved:
            return moved[node]
        return node

    def places(buffer: Any, indices: Sequence[Any]) -> list[Any]:
        begins = [begin for begin, _ in needed[buffer]]
        return [
            analyzer.simplify(index - _i64(begin)) if begin else index
            for index, begin in zip(indices, begins, strict=True)
        ]

    body = structural_map(block.body, replaced)
    init = None if block.init is None else structural_map(block.init, replaced)
    bare = SBlock(variables, [], [], block.name_hint, body, init)
    reads, writes = get_sblock_read_write_region(bare, {b: b for b in buffers.values()})
    made = SBlock(variables, reads, writes, block.name_hint, body, init)
    nest: Any = SBlockRealize([loop for loop, _ in loops], True, made)
    for loop, extent in reversed(loops):
        nest = tirx.For(loop, _i64(0), _i64(extent), tirx.ForKind.SERIAL, nest)
    return nest

# SPDX-License-Identifier: Apache-2.0
"""The load map: what a loader that is not Weft's must know, as plain data.

The manifest is for people and for Weft; this is for coordinators: which PE gets which bytes, what
memory it needs beside them, who talks to whom with how many credits, in which order to start. The
keys are described in docs/formats/load-map.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from weft.codegen.mesh_tables import ChannelEnd, PeCode
from weft.codegen.program_c import PeData
from weft.codegen.runtime_sources import runtime_hash, runtime_units
from weft.codegen.tables import PeTables, SlotRow
from weft.dialects.fabric import MeshOp
from weft.machines.model import PeClass

LOAD_MAP = "loadmap.json"
# Raised whenever a reader of the old form could not read the new one.
FORMAT = 1
_WORD, _BLOCK = 4, 16


def write_load_map(
    folder: Path,
    mesh: MeshOp,
    codes: Sequence[PeCode],
    ends: Sequence[ChannelEnd],
    data: Mapping[int, PeData],
    classes: Mapping[int, PeClass],
    dram: Mapping[str, Any] | None = None,
) -> None:
    """Writes ``loadmap.json``. ``data`` says where the bytes of each PE lie, the host's too;
    ``classes`` has the PEs that run a program; ``dram`` is what ``write_dram`` said."""
    runtime = folder / "runtime"
    units = [f"runtime/{unit}" for unit in runtime_units(runtime)]
    used = [code for code in codes if code.tables.shards]
    load_map = {
        "format": FORMAT,
        "runtime_sha256": runtime_hash(runtime),
        "programs": [
            {
                "name": name,
                "symbol": f"{name}_program",
                "sources": ["kernels.c", f"{name}.c", *units],
            }
            for name in (program.sym_name.data for program in mesh.programs)
        ],
        "pes": [_pe(code, data[code.number], classes.get(code.number)) for code in used],
        "dram": None if dram is None else {**dram, "at": 0},
        "inputs": [_end(mesh, end) for end in ends if end.op.is_input],
        "outputs": [_end(mesh, end) for end in ends if not end.op.is_input],
        "start": start_order({code.number: _consumers(code.tables) for code in used}),
    }
    text = json.dumps(load_map, indent=1, sort_keys=True)
    (folder / LOAD_MAP).write_text(text + "\n", encoding="utf-8", newline="\n")


def start_order(consumers: Mapping[int, set[int]]) -> list[int]:
    """PEs so that whoever is sent to comes before the sender, except among PEs that send to each
    other in a circle. Those come together, lower numbers first.

    Tarjan's algorithm (Depth-first search and linear graph algorithms, 1972), without recursion: it
    finds circles in this order.
    """
    order: list[int] = []
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    open_: dict[int, None] = {}  # reached, and not ordered yet
    for root in sorted(consumers):
        path = [(root, iter(_others(consumers, root)))] if root not in index else []
        while path:
            pe, rest = path[-1]
            if pe not in index:
                index[pe] = low[pe] = len(index)
                open_[pe] = None
            step = next((other for other in rest if other not in index or other in open_), None)
            if step is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[pe])
                if low[pe] == index[pe]:
                    circle = [open_.popitem()[0]]
                    while circle[-1] != pe:
                        circle.append(open_.popitem()[0])
                    order += sorted(circle)
            elif step in index:
                low[pe] = min(low[pe], index[step])
            else:
                path.append((step, iter(_others(consumers, step))))
    return order


def _others(consumers: Mapping[int, set[int]], pe: int) -> list[int]:
    return sorted(other for other in consumers[pe] if other in consumers and other != pe)


def _consumers(tables: PeTables) -> set[int]:
    return {send.pe for send in tables.sends}


def _pe(code: PeCode, data: PeData, pe_class: PeClass | None) -> dict[str, Any]:
    tables = code.tables
    row: dict[str, Any] = {
        "number": code.number,
        "name": data.name,
        "program": code.program,
        "load": [
            _block("tables", data.tables_at, data.tables_bytes, _WORD),
            _block("constants", data.constants_at, data.constants_bytes, _BLOCK),
        ],
        "room": [
            {"what": "arena", "bytes": data.arena_bytes, "alignment": _BLOCK},
            {"what": "state", "bytes": data.state_words * _WORD, "alignment": _WORD},
        ],
        "slots": [_slot(tables, slot) for slot in tables.slots],
        "sends": [
            {"pe": s.pe, "slot": s.slot, "producer": s.producer, "credits": s.depth}
            for s in tables.sends
        ],
        "channels": [
            {
                "direction": "out" if channel.direction else "in",
                "slot": channel.slot,
                "offset": channel.offset,
                "rows": channel.rows,
                "row_bytes": channel.row_bytes,
                "row_stride": channel.row_stride,
            }
            for channel in tables.channels
        ],
    }
    if pe_class is not None:
        row["core"] = pe_class.core
        row["stack_bytes"] = pe_class.stack_bytes
        row["memory"] = [asdict(region) for region in pe_class.memory]
    return row


def _block(what: str, at: int, size: int, alignment: int) -> dict[str, Any]:
    return {"what": what, "file": f"{what}.bin", "at": at, "bytes": size, "alignment": alignment}


def _slot(tables: PeTables, slot: SlotRow) -> dict[str, Any]:
    producers = tables.returns[slot.first_return : slot.first_return + slot.return_count]
    return {
        "offset": slot.offset,
        "frame_bytes": slot.frame_bytes,
        "depth": slot.depth,
        "producers": [{"pe": row.pe, "send": row.send} for row in producers],
    }


def _end(mesh: MeshOp, end: ChannelEnd) -> dict[str, Any]:
    tensor = mesh.tensors[end.op.tensor_index]
    return {
        "name": end.op.label.data,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "pe": end.pe,
        "channel": end.number,
    }

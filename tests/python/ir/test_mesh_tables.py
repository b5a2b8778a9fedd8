"""Tables of a mesh that cannot be written are refused."""

from __future__ import annotations

import numpy as np
import pytest

from ir.text import parse
from weft.codegen.mesh_tables import mesh_tables
from weft.codegen.tables import MAX_SLOTS
from weft.dialects.fabric import MeshOp
from weft.dialects.stages.box import Box
from weft.errors import MappingError
from weft.mapping.mapping import Mapping, Shard
from weft.transforms.compilation import Compilation
from weft.transforms.pipeline import run_passes

# One stage after another, element by element.
_GRAPH = """\
"stages.graph"() <{{input_names = ["x"], output_names = ["y"]}}> ({{
^bb0(%x: tensor<{n}xi8>):
  %t = stages.constant "t" : tensor<256xi8>
  %r = "stages.lookup"(%x, %t) <{{label = "r"}}>
    : (tensor<{n}xi8>, tensor<256xi8>) -> tensor<{n}xi8>
  %y = "stages.lookup"(%r, %t) <{{label = "y"}}>
    : (tensor<{n}xi8>, tensor<256xi8>) -> tensor<{n}xi8>
  stages.output %y : tensor<{n}xi8>
}}) : () -> ()
"""


def _tables(elements: int, depth: int = 2) -> list[int]:
    """Slots on every PE if the first one reads so many elements in slots of their own."""
    stages = Compilation(parse(_GRAPH.format(n=elements)), {"t": np.zeros(256, np.int8)})
    parts = {
        "r": (Shard(Box.whole((elements,)), 1),),
        "y": tuple(Shard(Box((i,), (1,)), 0) for i in range(elements)),
    }
    made = run_passes(stages, Mapping(parts, default_depth=depth), 2)
    (mesh,) = made.module.ops
    assert isinstance(mesh, MeshOp)
    codes, _ = mesh_tables(mesh, made.facts["memory"], made.constants, ["PE A", "PE B"])
    return [len(code.tables.slots) for code in codes]


def test_slots_of_outputs_count_like_others() -> None:
    assert _tables(MAX_SLOTS - 1) == [MAX_SLOTS, 1]
    for elements in (MAX_SLOTS, MAX_SLOTS + 1):
        with pytest.raises(MappingError, match=f"PE A has {elements + 1} slots"):
            _tables(elements)


def test_more_memory_than_pointers_reach() -> None:
    # Frames take 16 bytes at least.
    with pytest.raises(MappingError, match=r"PE A has \d+ bytes of slots.*: use shallower slots"):
        _tables(3, 1 << 25)

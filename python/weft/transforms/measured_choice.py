# SPDX-License-Identifier: Apache-2.0
"""Where generated kernels are faster than hand-written ones that would give the same bytes.

``measured_kernels.json`` says it, which ``weft bench kernels -o FILE`` writes: by family, whether a
call computes one pixel or several, and its output channels, up to how many taps.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

from xdsl.ir import Operation

from weft.dialects.stages.base import int_of, shape_of
from weft.dialects.stages.conv import Conv2dStage, DenseStage

#: The table of this version.
TABLE = Path(__file__).with_name("measured_kernels.json")
PIXELS = ("one", "several")


def pixels_of(count: int) -> str:
    """The class of a result of so many pixels."""
    return PIXELS[count > 1]


@functools.cache
def _most_taps() -> Mapping[tuple[str, str, int], int]:
    rows = json.loads(TABLE.read_text(encoding="utf-8"))["generated"]
    return {(r["family"], r["pixels"], r["channels"]): r["most_taps"] for r in rows}


def is_generated_faster(op: Operation, family: str) -> bool:
    """Of a stage as it is cut, whose generated kernel is of that family."""
    if not isinstance(op, Conv2dStage | DenseStage):
        return False
    groups = int_of(op.groups) if isinstance(op, Conv2dStage) else 1
    made, *window = shape_of(op.weights)
    pixels = pixels_of(prod(shape_of(op.result)[:-1]))
    return prod(window) <= _most_taps().get((family, pixels, made // groups), 0)

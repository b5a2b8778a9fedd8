"""Small MLIR functions with what memory holds after a call, and some that must be refused.

These are about what C must not get wrong: when a load happens, how integers wrap, what a
conversion gives. How it is written is the printer's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Meaning:
    """A function, the arguments of a call and what its arrays hold afterwards."""

    text: str
    arguments: Callable[[], list[Any]]
    expected: Sequence[list[Any]]


def _i32(*values: int) -> np.ndarray:
    return np.array(values, np.int64).astype(np.int32)


MEANING: dict[str, Meaning] = {}

MEANING["a loaded bound is read once"] = Meaning(
    """
func.func @bound_once(%m: memref<?xi32>) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %five = arith.constant 5 : i32
  %loaded = memref.load %m[%0] : memref<?xi32>
  %end = arith.index_cast %loaded : i32 to index
  scf.for %i = %0 to %end step %1 {
    memref.store %five, %m[%i] : memref<?xi32>
  }
  func.return
}
""",
    lambda: [_i32(2, 0, 0, 0, 0, 0)],
    [[5, 5, 0, 0, 0, 0]],
)

MEANING["a loaded step is read once"] = Meaning(
    """
func.func @step_once(%m: memref<?xi32>) {
  %0 = arith.constant 0 : index
  %6 = arith.constant 6 : index
  %one = arith.constant 1 : i32
  %loaded = memref.load %m[%0] : memref<?xi32>
  %step = arith.index_cast %loaded : i32 to index
  scf.for %i = %0 to %6 step %step {
    memref.store %one, %m[%i] : memref<?xi32>
  }
  func.return
}
""",
    lambda: [_i32(3, 0, 0, 0, 0, 0)],
    [[1, 0, 0, 1, 0, 0]],
)

MEANING["a load under a cast is not folded across a store"] = Meaning(
    """
func.func @cast_across_store(%m: memref<?xi32>) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %four = arith.constant 4 : i32
  %loaded = memref.load %m[%0] : memref<?xi32>
  %at = arith.index_cast %loaded : i32 to index
  %next = arith.addi %at, %1 : index
  memref.store %four, %m[%0] : memref<?xi32>
  memref.store %four, %m[%at] : memref<?xi32>
  memref.store %four, %m[%next] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(1, 0, 0, 0, 0, 0)],
    [[4, 4, 4, 0, 0, 0]],
)

MEANING["a load under a cast is not folded into a loop"] = Meaning(
    """
func.func @cast_into_loop(%m: memref<?xi32>, %n: index) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %loaded = memref.load %m[%0] : memref<?xi32>
  %at = arith.index_cast %loaded : i32 to index
  scf.for %i = %0 to %n step %1 {
    %number = arith.index_cast %i : index to i32
    memref.store %number, %m[%0] : memref<?xi32>
    %more = memref.load %m[%at] : memref<?xi32>
    %sum = arith.addi %more, %number overflow<nsw> : i32
    memref.store %sum, %m[%at] : memref<?xi32>
  }
  func.return
}
""",
    lambda: [_i32(3, 0, 0, 10, 0), 5],
    [[4, 0, 0, 20, 0]],
)

MEANING["a branch is decided before it runs"] = Meaning(
    """
func.func @decided_once(%m: memref<?xi32>) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %zero = arith.constant 0 : i32
  %loaded = memref.load %m[%0] : memref<?xi32>
  %set = arith.cmpi ne, %loaded, %zero : i32
  scf.if %set {
    memref.store %zero, %m[%0] : memref<?xi32>
  }
  %word = arith.extui %set : i1 to i32
  memref.store %word, %m[%1] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(9, 9)],
    [[0, 1]],
)

MEANING["a chosen load happens in its place"] = Meaning(
    """
func.func @choice_in_place(%m: memref<?xi32>, %c: i32) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %zero = arith.constant 0 : i32
  %seven = arith.constant 7 : i32
  %set = arith.cmpi ne, %c, %zero : i32
  %chosen = scf.if %set -> (i32) {
    %a = memref.load %m[%0] : memref<?xi32>
    scf.yield %a : i32
  } else {
    scf.yield %zero : i32
  }
  memref.store %seven, %m[%0] : memref<?xi32>
  memref.store %chosen, %m[%1] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(5, 0), 1],
    [[7, 5]],
)

MEANING["integers wrap"] = Meaning(
    """
func.func @wraps(%m: memref<?xi32>, %a: i32, %b: i32) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %2 = arith.constant 2 : index
  %sum = arith.addi %a, %b : i32
  %difference = arith.subi %b, %sum : i32
  %product = arith.muli %a, %a : i32
  memref.store %sum, %m[%0] : memref<?xi32>
  memref.store %difference, %m[%1] : memref<?xi32>
  memref.store %product, %m[%2] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(0, 0, 0), 0x7FFFFFFF, 2],
    [[-0x7FFFFFFF, -0x7FFFFFFF, 1]],
)

MEANING["unsigned operations read bit patterns"] = Meaning(
    """
func.func @bit_patterns(%m: memref<?xi32>, %a: i32, %b: i32) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %2 = arith.constant 2 : index
  %3 = arith.constant 3 : index
  %4 = arith.constant 4 : index
  %5 = arith.constant 5 : index
  %quotient = arith.divui %a, %b : i32
  %rest = arith.remui %a, %b : i32
  %logical = arith.shrui %a, %b : i32
  %arithmetic = arith.shrsi %a, %b : i32
  %left = arith.shli %a, %b : i32
  %less = arith.cmpi ult, %a, %b : i32
  %word = arith.extui %less : i1 to i32
  memref.store %quotient, %m[%0] : memref<?xi32>
  memref.store %rest, %m[%1] : memref<?xi32>
  memref.store %logical, %m[%2] : memref<?xi32>
  memref.store %arithmetic, %m[%3] : memref<?xi32>
  memref.store %left, %m[%4] : memref<?xi32>
  memref.store %word, %m[%5] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(*[0] * 6), -7, 3],
    [[(2**32 - 7) // 3, (2**32 - 7) % 3, (2**32 - 7) >> 3, -1, -56, 0]],
)

MEANING["conversions of integers"] = Meaning(
    """
func.func @conversions(%m: memref<?xi32>, %x: i32) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %2 = arith.constant 2 : index
  %byte = arith.trunci %x : i32 to i8
  %signed = arith.extsi %byte : i8 to i32
  %unsigned = arith.extui %byte : i8 to i32
  %half = arith.trunci %x : i32 to i16
  %wide = arith.extsi %half : i16 to i32
  memref.store %signed, %m[%0] : memref<?xi32>
  memref.store %unsigned, %m[%1] : memref<?xi32>
  memref.store %wide, %m[%2] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(0, 0, 0), 0x1F0FE],
    [[-2, 254, -3842]],
)

MEANING["a truth value is the lowest bit"] = Meaning(
    """
func.func @lowest_bit(%m: memref<?xi32>, %x: i32) {
  %0 = arith.constant 0 : index
  %bit = arith.trunci %x : i32 to i1
  %word = arith.extui %bit : i1 to i32
  memref.store %word, %m[%0] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(9), 6],
    [[0]],
)

MEANING["a signed truth value is -1"] = Meaning(
    """
func.func @signed_truth(%m: memref<?xi32>, %x: i32) {
  %0 = arith.constant 0 : index
  %zero = arith.constant 0 : i32
  %set = arith.cmpi ne, %x, %zero : i32
  %word = arith.extsi %set : i1 to i32
  memref.store %word, %m[%0] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(9), 6],
    [[-1]],
)

MEANING["a cast from index cuts"] = Meaning(
    """
func.func @index_cut(%m: memref<?xi32>, %i: index) {
  %0 = arith.constant 0 : index
  %byte = arith.index_cast %i : index to i8
  %word = arith.extsi %byte : i8 to i32
  memref.store %word, %m[%0] : memref<?xi32>
  func.return
}
""",
    lambda: [_i32(9), 255],
    [[-1]],
)

MEANING["the lowest 64-bit integer"] = Meaning(
    """
func.func @lowest(%m: memref<?xi64>) {
  %0 = arith.constant 0 : index
  %low = arith.constant -9223372036854775808 : i64
  memref.store %low, %m[%0] : memref<?xi64>
  func.return
}
""",
    lambda: [np.zeros(1, np.int64)],
    [[-(2**63)]],
)


MEANING["a cast to index cuts"] = Meaning(
    """
func.func @to_index(%m: memref<?xi64>, %o: memref<?xi32>) {
  %0 = arith.constant 0 : index
  %wide = memref.load %m[%0] : memref<?xi64>
  %i = arith.index_cast %wide : i64 to index
  %word = arith.index_cast %i : index to i32
  memref.store %word, %o[%0] : memref<?xi32>
  func.return
}
""",
    lambda: [np.array([(1 << 32) + 5], np.int64), _i32(0)],
    [[(1 << 32) + 5], [5]],
)


def _one(operation: str, result: str, types: str = "%o: memref<?xi32>, %x: i32") -> str:
    return f"""
func.func @refused({types}) {{
  %0 = arith.constant 0 : index
  %y = {operation}
  memref.store %y, %o[%0] : memref<?x{result}>
  func.return
}}
"""


_FLOATS = "%o: memref<?xf32>, %x: f32"
_TRUTHS = "%o: memref<?xi1>, %x: i1"
_BYTES = "%o: memref<?xi8>, %x: i8"

REFUSED: dict[str, str] = {
    "an operation without a rule": _one("arith.maximumf %x, %x : f32", "f32", _FLOATS),
    "wrapping of another width": _one("arith.addi %x, %x : i8", "i8", _BYTES),
    "a comparison that C lacks": """
func.func @refused(%o: memref<?xf32>, %x: f32) {
  %0 = arith.constant 0 : index
  %c = arith.cmpf ueq, %x, %x : f32
  %y = arith.select %c, %x, %x : f32
  memref.store %y, %o[%0] : memref<?xf32>
  func.return
}
""",
    "another float": _one("arith.addf %x, %x : f64", "f64", "%o: memref<?xf64>, %x: f64"),
    "a store where a value is chosen": """
func.func @refused(%o: memref<?xi32>, %x: i32, %c: i1) {
  %0 = arith.constant 0 : index
  %y = scf.if %c -> (i32) {
    memref.store %x, %o[%0] : memref<?xi32>
    scf.yield %x : i32
  } else {
    scf.yield %x : i32
  }
  memref.store %y, %o[%0] : memref<?xi32>
  func.return
}
""",
    "a sum of truth values": _one("arith.addi %x, %x : i1", "i1", _TRUTHS),
    "the larger truth value": _one("arith.maxsi %x, %x : i1", "i1", _TRUTHS),
    "a truth value as a float": _one(
        "arith.sitofp %x : i1 to f32", "f32", "%o: memref<?xf32>, %x: i1"
    ),
    "a truth value as an index": """
func.func @refused(%o: memref<?xi32>, %x: i1) {
  %0 = arith.constant 0 : index
  %i = arith.index_cast %x : i1 to index
  %y = arith.index_cast %i : index to i32
  memref.store %y, %o[%0] : memref<?xi32>
  func.return
}
""",
    "truth values by size": _one("arith.cmpi slt, %x, %x : i1", "i1", _TRUTHS),
    "the larger of 64 bits": _one("arith.maxsi %x, %x : i64", "i64", "%o: memref<?xi64>, %x: i64"),
    "a loop with results": """
func.func @refused(%o: memref<?xi32>, %x: i32, %n: index) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %y = scf.for %i = %0 to %n step %1 iter_args(%a = %x) -> (i32) {
    %b = arith.addi %a, %a overflow<nsw> : i32
    scf.yield %b : i32
  }
  memref.store %y, %o[%0] : memref<?xi32>
  func.return
}
""",
    "a loop whose result nobody reads": """
func.func @refused(%o: memref<?xi32>, %x: i32, %n: index) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %y = scf.for %i = %0 to %n step %1 iter_args(%a = %x) -> (i32) {
    scf.yield %a : i32
  }
  memref.store %x, %o[%0] : memref<?xi32>
  func.return
}
""",
}

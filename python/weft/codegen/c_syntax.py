# SPDX-License-Identifier: Apache-2.0
"""What C has for the operations of ``arith``: words, operators and how tightly they bind, types,
literals."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from xdsl.dialects.builtin import Float32Type, IndexType, IntegerType
from xdsl.ir import Attribute

_LARGEST_FLOAT32 = 3.4028234663852886e38
C_WORDS = frozenset(
    [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "bool",
        "true",
        "false",
        "min",
        "max",
    ]
)

# Operator precedence of C, as far as it is used; larger binds tighter.
ATOM, UNARY, MUL, ADD, SHIFT, COMPARE, EQUAL = 15, 14, 13, 12, 11, 10, 9
BITAND, BITXOR, BITOR, AND, OR, TERNARY = 8, 7, 6, 5, 4, 3

PLAIN = {
    "arith.divsi": ("/", MUL),
    "arith.remsi": ("%", MUL),
    "arith.shrsi": (">>", SHIFT),
    "arith.addf": ("+", ADD),
    "arith.subf": ("-", ADD),
    "arith.mulf": ("*", MUL),
    "arith.divf": ("/", MUL),
}
WRAPPING = {
    "arith.addi": ("+", ADD, "add"),
    "arith.subi": ("-", ADD, "sub"),
    "arith.muli": ("*", MUL, "mul"),
}
BITWISE = {
    "arith.andi": ("&", BITAND, "&&", AND),
    "arith.ori": ("|", BITOR, "||", OR),
    "arith.xori": ("^", BITXOR, "!=", EQUAL),
}
UNSIGNED = {
    "arith.divui": ("/", MUL),
    "arith.remui": ("%", MUL),
    "arith.shrui": (">>", SHIFT),
    "arith.shli": ("<<", SHIFT),
}
CALLS = {
    "arith.minsi": "weft_min",
    "arith.maxsi": "weft_max",
    "arith.floordivsi": "weft_floor_div",
}
BOOL = IntegerType(1)
# A truth value is 0 or -1 to MLIR, 0 or 1 to C.
NUMBERS_ONLY = {*PLAIN, *WRAPPING, *UNSIGNED, *CALLS, "arith.sitofp", "arith.fptosi"}
COMPARE_SIGN = {
    0: "==",
    1: "!=",
    2: "<",
    3: "<=",
    4: ">",
    5: ">=",
    6: "<",
    7: "<=",
    8: ">",
    9: ">=",
}
FIRST_UNSIGNED_PREDICATE = 6
# Keys are MLIR's numbers of oeq, ogt, oge, olt, ole and une: what C's operators mean.
COMPARE_FLOAT = {1: "==", 2: ">", 3: ">=", 4: "<", 5: "<=", 13: "!="}


class UnprintableError(Exception):
    """IR that has no rule here: a defect of the pass before, never of a model."""


@dataclass(frozen=True)
class Text:
    """An expression and how tightly it binds."""

    text: str
    level: int = ATOM

    def at(self, level: int) -> str:
        """The text, in parentheses where ``level`` binds tighter."""
        return self.text if self.level >= level else f"({self.text})"


def c_type(type_: Attribute) -> str:
    """The C type of a scalar: ``index`` and integers are signed."""
    if isinstance(type_, IndexType):
        return "int32_t"
    if isinstance(type_, Float32Type):
        return "float"
    if isinstance(type_, IntegerType):
        return "bool" if type_.width.data == 1 else f"int{type_.width.data}_t"
    raise UnprintableError(f"type {type_}")


def bits_of(type_: Attribute) -> int:
    """Bits of an integer or index."""
    return type_.width.data if isinstance(type_, IntegerType) else 32


def float_literal(value: float) -> str:
    """The shortest decimal that reads back as the same float32."""
    if not math.isfinite(value):
        raise UnprintableError(f"the constant {value} has no literal in C")
    try:
        single = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        raise UnprintableError(f"the constant {value} is beyond float32") from None
    for digits in range(1, 18):
        text = f"{single:.{digits}g}"
        # Rounded to few digits, the largest float32 is beyond float32.
        is_float32 = abs(float(text)) <= _LARGEST_FLOAT32
        if is_float32 and struct.pack("<f", float(text)) == struct.pack("<f", single):
            break
    return text + ("f" if any(c in text for c in ".en") else ".0f")

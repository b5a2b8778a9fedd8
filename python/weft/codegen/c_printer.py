# SPDX-License-Identifier: Apache-2.0
"""C99 from ``func``/``scf``/``memref``/``arith``, for people to read.

A pure value with one use in its own block is folded into that use; a load is folded as long as no
store or nested statement lies between. What remains gets a ``const`` name. ``index`` is
``int32_t``: a PE has less than 2 GiB.
"""

from __future__ import annotations

import keyword
import math
import struct
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import (
    Float32Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
)
from xdsl.ir import Attribute, Block, Operation, OpResult, SSAValue

_INDENT = "    "
_WIDTH = 100
_LARGEST_FLOAT32 = 3.4028234663852886e38
# Stands for a space at which a line must not be broken.
_GLUE = "\N{NO-BREAK SPACE}"
_C_WORDS = frozenset(
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
_ATOM, _UNARY, _MUL, _ADD, _SHIFT, _COMPARE, _EQUAL = 15, 14, 13, 12, 11, 10, 9
_BITAND, _BITXOR, _BITOR, _AND, _OR, _TERNARY = 8, 7, 6, 5, 4, 3

_PLAIN = {
    "arith.divsi": ("/", _MUL),
    "arith.remsi": ("%", _MUL),
    "arith.shrsi": (">>", _SHIFT),
    "arith.addf": ("+", _ADD),
    "arith.subf": ("-", _ADD),
    "arith.mulf": ("*", _MUL),
    "arith.divf": ("/", _MUL),
}
_WRAPPING = {
    "arith.addi": ("+", _ADD, "add"),
    "arith.subi": ("-", _ADD, "sub"),
    "arith.muli": ("*", _MUL, "mul"),
}
_BITWISE = {
    "arith.andi": ("&", _BITAND, "&&", _AND),
    "arith.ori": ("|", _BITOR, "||", _OR),
    "arith.xori": ("^", _BITXOR, "!=", _EQUAL),
}
_UNSIGNED = {
    "arith.divui": ("/", _MUL),
    "arith.remui": ("%", _MUL),
    "arith.shrui": (">>", _SHIFT),
    "arith.shli": ("<<", _SHIFT),
}
_CALLS = {"arith.minsi": "weft_min", "arith.maxsi": "weft_max"}
_BOOL = IntegerType(1)
# A truth value is 0 or -1 to MLIR, 0 or 1 to C.
_NUMBERS_ONLY = {*_PLAIN, *_WRAPPING, *_UNSIGNED, *_CALLS, "arith.sitofp", "arith.fptosi"}
_COMPARE_SIGN = {
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
_FIRST_UNSIGNED_PREDICATE = 6
# Keys are MLIR's numbers of oeq, ogt, oge, olt, ole and une: what C's operators mean.
_COMPARE_FLOAT = {1: "==", 2: ">", 3: ">=", 4: "<", 5: "<=", 13: "!="}


class UnprintableError(Exception):
    """IR that has no rule here: a defect of the pass before, never of a model."""


@dataclass(frozen=True)
class _Text:
    """An expression and how tightly it binds."""

    text: str
    level: int = _ATOM

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


def _width(type_: Attribute) -> int:
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


def is_pure(op: Operation) -> bool:
    """Whether ``op`` only computes its results."""
    # The functions that kernels call are scalar arithmetic (weft/arith.h).
    return op.dialect_name() == "arith" or isinstance(op, func.CallOp)


def _has_effect(op: Operation) -> bool:
    return not (is_pure(op) or isinstance(op, memref.LoadOp | memref.AllocaOp))


def _stores(op: Operation, local: SSAValue) -> bool:
    """Whether ``op`` or something inside of it stores to a local."""
    return any(isinstance(o, memref.StoreOp) and o.memref is local for o in op.walk())


def _surely_stores(op: Operation, local: SSAValue) -> bool:
    if isinstance(op, scf.IfOp):
        return all(
            any(_surely_stores(inner, local) for block in region.blocks for inner in block.ops)
            for region in (op.true_region, op.false_region)
        )
    return isinstance(op, memref.StoreOp) and op.memref is local


@dataclass
class FunctionPrinter:
    """Prints one ``func.func``; ``lines`` collects the text."""

    lines: list[str] = field(default_factory=list)
    depth: int = 0
    _texts: dict[SSAValue, _Text] = field(default_factory=dict)
    _scalars: set[SSAValue] = field(default_factory=set)
    _taken: set[str] = field(default_factory=set)

    # --- names and lines ---

    def line(self, text: str) -> None:
        wrapped = textwrap.wrap(
            text,
            width=_WIDTH,
            initial_indent=_INDENT * self.depth,
            subsequent_indent=_INDENT * (self.depth + 1),
            break_long_words=False,
            break_on_hyphens=False,
        )
        self.lines.extend(line.replace(_GLUE, " ") for line in wrapped)

    def name(self, value: SSAValue, fallback: str) -> str:
        base = value.name_hint or fallback
        if base in _C_WORDS or keyword.iskeyword(base):
            base += "_"
        candidate, n = base, 2
        while candidate in self._taken:
            candidate, n = f"{base}_{n}", n + 1
        self._taken.add(candidate)
        return candidate

    def text(self, value: SSAValue, level: int = 0) -> str:
        return self._texts[value].at(level)

    # --- functions ---

    def signature(self, function: func.FuncOp) -> str:
        params = []
        for i, argument in enumerate(function.body.block.args):
            name = self.name(argument, f"a{i}")
            self._texts[argument] = _Text(name)
            if isinstance(argument.type, MemRefType):
                attrs = function.arg_attrs.data[i].data if function.arg_attrs else {}
                const = "const " if "llvm.readonly" in attrs else ""
                params.append(f"{const}{c_type(argument.type.element_type)} *restrict {name}")
            else:
                params.append(f"{c_type(argument.type)} {name}")
        glued = ", ".join(p.replace(" ", _GLUE) for p in params)
        return f"void {function.sym_name.data}({glued})"

    def function(self, function: func.FuncOp) -> str:
        """The whole definition."""
        self.line(self.signature(function))
        self.line("{")
        for argument in function.body.block.args:
            if not list(argument.uses):
                self.line(f"{_INDENT}(void){self.text(argument)};")
        self.block(function.body.block)
        self.line("}")
        return "\n".join(self.lines) + "\n"

    def block(self, block: Block) -> None:
        self.depth += 1
        for op in block.ops:
            self.operation(op)
        self.depth -= 1

    # --- statements ---

    def operation(self, op: Operation) -> None:
        if isinstance(op, scf.YieldOp | func.ReturnOp):
            return
        if is_pure(op) or isinstance(op, memref.LoadOp):
            self.bind(op.results[0], self.expression(op))
        elif isinstance(op, memref.StoreOp):
            self.store(op)
        elif isinstance(op, memref.AllocaOp):
            self.local(op)
        elif isinstance(op, scf.ForOp):
            self.loop(op)
        elif isinstance(op, scf.IfOp):
            self.branch(op)
        else:
            raise UnprintableError(op.name)

    def local(self, op: memref.AllocaOp) -> None:
        (count,) = op.memref.type.get_shape()
        name = self.name(op.memref, "local")
        self._texts[op.memref] = _Text(name)
        type_ = c_type(op.memref.type.element_type)
        if count > 1:
            self.line(f"{type_} {name}[{count}];")
            return
        self._scalars.add(op.memref)
        if self._first_store(op) is None:
            initial = "" if self._is_surely_stored(op) else " = 0"
            self.line(f"{type_} {name}{initial};")

    @staticmethod
    def _is_surely_stored(local: memref.AllocaOp) -> bool:
        """Whether the first statement that stores to it does so in any case.

        Compilers warn where one condition or a loop decides, even if the load depends on the same.
        """
        op = local.next_op
        while op is not None and not _stores(op, local.memref):
            op = op.next_op
        return op is not None and _surely_stores(op, local.memref)

    @staticmethod
    def _first_store(local: memref.AllocaOp) -> memref.StoreOp | None:
        """The store that can serve as the initialiser of a scalar local."""
        op = local.next_op
        while op is not None and not _has_effect(op):
            op = op.next_op
        if isinstance(op, memref.StoreOp) and op.memref is local.memref:
            return op
        return None

    def _initialises(self, store: memref.StoreOp, local: memref.AllocaOp) -> bool:
        return local.memref in self._scalars and self._first_store(local) is store

    def store(self, op: memref.StoreOp) -> None:
        declared = ""
        target = op.memref.owner
        if isinstance(target, memref.AllocaOp) and self._initialises(op, target):
            declared = f"{c_type(target.memref.type.element_type)} "
        self.line(f"{declared}{self.element(op.memref, op.indices)} = {self.text(op.value)};")

    def loop(self, op: scf.ForOp) -> None:
        if op.results:
            raise UnprintableError(f"{op.name} with results")
        variable = op.body.block.args[0]
        taken = set(self._taken)
        name = self.name(variable, "i")
        self._texts[variable] = _Text(name)
        step = self.text(op.step)
        advance = f"++{name}" if step == "1" else f"{name} += {step}"
        lower, upper = self.text(op.lb), self.text(op.ub, _COMPARE)
        self.line(f"for (int32_t {name} = {lower}; {name} < {upper}; {advance}) {{")
        self.block(op.body.block)
        self.line("}")
        self._taken = taken

    def branch(self, op: scf.IfOp) -> None:
        if op.results:
            self.bind(op.results[0], self.conditional(op))
            return
        self.line(f"if ({self.text(op.cond)}) {{")
        self.block(op.true_region.block)
        if op.false_region.blocks and len(list(op.false_region.block.ops)) > 1:
            self.line("} else {")
            self.block(op.false_region.block)
        self.line("}")

    def conditional(self, op: scf.IfOp) -> _Text:
        """A value chosen lazily: both sides must be expressions."""
        sides = []
        for region in (op.true_region, op.false_region):
            for inner in region.block.ops:
                if isinstance(inner, scf.YieldOp):
                    sides.append(self.text(inner.arguments[0], _TERNARY + 1))
                elif isinstance(inner, scf.IfOp) and inner.results:
                    self._texts[inner.results[0]] = self.conditional(inner)
                elif is_pure(inner) or isinstance(inner, memref.LoadOp):
                    # No name can be given inside of an expression, so repeated use repeats it.
                    self._texts[inner.results[0]] = self.expression(inner)
                else:
                    raise UnprintableError(f"{inner.name} inside of a conditional value")
        return _Text(f"{self.text(op.cond, _OR)} ? {sides[0]} : {sides[1]}", _TERNARY)

    # --- values ---

    def bind(self, value: OpResult, text: _Text) -> None:
        if self.folds(value):
            self._texts[value] = text
            return
        name = self.name(value, "t")
        self.line(f"const {c_type(value.type)} {name} = {text.text};")
        self._texts[value] = _Text(name)

    def folds(self, value: OpResult) -> bool:
        op = value.op
        if isinstance(op, arith.ConstantOp):
            return True
        if isinstance(op, arith.IndexCastOp) and not self._reads_memory(op):
            return True  # it costs nothing, however often it is written
        uses = list(value.uses)
        if not uses:
            return True
        if len(uses) > 1:
            return False
        user = uses[0].operation
        if isinstance(self._statement_of(user), scf.ForOp) and self._reads_memory(op):
            return False  # C evaluates a loop's limit and step every time round
        if user.parent is not op.parent:
            return self._is_cheap(op) and isinstance(user.parent_op(), scf.IfOp)
        if is_pure(op) and not self._reads_memory(op):
            return True
        return self._nothing_between(op, self._statement_of(user))

    @staticmethod
    def _is_cheap(op: Operation) -> bool:
        return all(isinstance(v.owner, Block) for v in op.operands) and is_pure(op)

    def _reads_memory(self, op: Operation) -> bool:
        """Whether the expression that ends in ``op`` holds a folded load."""
        if isinstance(op, memref.LoadOp | scf.IfOp):
            return True
        return any(
            isinstance(v, OpResult)
            and v.op.parent is op.parent
            and self._is_folded(v)
            and self._reads_memory(v.op)
            for v in op.operands
        )

    def _is_folded(self, value: OpResult) -> bool:
        return len(list(value.uses)) == 1

    def _statement_of(self, user: Operation) -> Operation:
        """Where an expression folded into ``user`` is finally evaluated."""
        while is_pure(user) or isinstance(user, memref.LoadOp):
            uses = list(user.results[0].uses)
            if len(uses) != 1 or uses[0].operation.parent is not user.parent:
                return user
            user = uses[0].operation
        return user

    @staticmethod
    def _nothing_between(first: Operation, last: Operation) -> bool:
        op = first.next_op
        while op is not None and op is not last:
            if _has_effect(op):
                return False
            op = op.next_op
        return True

    def element(self, base: SSAValue, indices: Iterable[SSAValue]) -> str:
        if base in self._scalars:
            return self.text(base)
        (index,) = indices
        subscript = self.text(index)
        if len(subscript) < _WIDTH // 2:
            subscript = subscript.replace(" ", _GLUE)
        return f"{self.text(base, _ATOM)}[{subscript}]"

    def expression(self, op: Operation) -> _Text:
        if isinstance(op, memref.LoadOp):
            return _Text(self.element(op.memref, op.indices))
        if isinstance(op, arith.ConstantOp):
            return self.constant(op)
        if isinstance(op, arith.IndexCastOp):
            return self.index_cast(op)
        if isinstance(op, arith.CmpiOp):
            return self.compare(op)
        if isinstance(op, arith.CmpfOp):
            return self.compare_floats(op)
        if isinstance(op, arith.SelectOp):
            sides = [self.text(v, _TERNARY + 1) for v in (op.lhs, op.rhs)]
            return _Text(f"{self.text(op.cond, _OR)} ? {sides[0]} : {sides[1]}", _TERNARY)
        if isinstance(op, func.CallOp):
            arguments = ", ".join(self.text(v) for v in op.arguments)
            return _Text(f"{op.callee.root_reference.data}({arguments})")
        return self.by_name(op)

    def by_name(self, op: Operation) -> _Text:
        name = op.name
        self._refuse_widths(op)
        if name in _PLAIN:
            sign, level = _PLAIN[name]
            return self.infix(op, sign, level)
        if name in _WRAPPING:
            return self.wrapping(op)
        if name in _BITWISE:
            sign, level, bool_sign, bool_level = _BITWISE[name]
            if op.results[0].type == _BOOL:
                return self.infix(op, bool_sign, bool_level)
            return self.infix(op, sign, level)
        if name in _CALLS:
            arguments = ", ".join(self.text(v) for v in op.operands)
            return _Text(f"{_CALLS[name]}({arguments})")
        if name in _UNSIGNED:
            sign, level = _UNSIGNED[name]
            type_ = c_type(op.results[0].type)
            sides = [f"(u{type_}){self.text(v, _UNARY)}" for v in op.operands]
            return _Text(f"({type_})({sides[0]} {sign} {sides[1]})", _UNARY)
        if name == "arith.trunci" and op.results[0].type == _BOOL:
            return _Text(f"({self.text(op.operands[0], _UNARY)} & 1) != 0", _EQUAL)
        if name == "arith.extsi" and op.operands[0].type == _BOOL:
            return _Text(f"-{self.cast(op, c_type(op.results[0].type)).at(_UNARY)}", _UNARY)
        if name in ("arith.extsi", "arith.trunci", "arith.sitofp", "arith.fptosi"):
            return self.cast(op, c_type(op.results[0].type))
        if name == "arith.extui":
            source = c_type(op.operands[0].type)
            if source == "bool":
                return self.cast(op, c_type(op.results[0].type))
            inner = f"(u{source}){self.text(op.operands[0], _UNARY)}"
            return _Text(f"({c_type(op.results[0].type)}){inner}", _UNARY)
        raise UnprintableError(name)

    @staticmethod
    def _refuse_widths(op: Operation) -> None:
        """Refuses operators that C, or the functions of weft/arith.h, would compute otherwise."""
        values = (*op.operands, *op.results)
        if op.name in _NUMBERS_ONLY and any(v.type == _BOOL for v in values):
            raise UnprintableError(f"{op.name} of a truth value")
        if op.name in _CALLS and op.results[0].type == IntegerType(64):
            raise UnprintableError(f"{op.name} of 64 bits")

    def index_cast(self, op: arith.IndexCastOp) -> _Text:
        """``index`` is signed and of 32 bits; a cast is written only where it cuts."""
        source, target = (_width(v.type) for v in (op.input, op.result))
        if 1 in (source, target):
            raise UnprintableError(f"{op.name} of a truth value")
        if target >= source:
            return self._texts[op.input]
        return self.cast(op, c_type(op.result.type))

    def cast(self, op: Operation, target: str) -> _Text:
        return _Text(f"({target}){self.text(op.operands[0], _UNARY)}", _UNARY)

    def infix(self, op: Operation, sign: str, level: int) -> _Text:
        lhs, rhs = op.operands
        # The right side of - / % >> must bind tighter, and compilers ask for parentheses where
        # shifts, comparisons and bit operations are mixed.
        if level in (_AND, _OR):
            left, right = self.text(lhs, _EQUAL), self.text(rhs, _EQUAL)
        elif level in (_COMPARE, _EQUAL):
            left, right = self.text(lhs, _ADD), self.text(rhs, _ADD)
        elif level <= _SHIFT:
            left, right = self.text(lhs, _UNARY), self.text(rhs, _UNARY)
        else:
            left, right = self.text(lhs, level), self.text(rhs, level + 1)
        return _Text(f"{left} {sign} {right}", level)

    def wrapping(self, op: Operation) -> _Text:
        sign, level, word = _WRAPPING[op.name]
        type_ = op.results[0].type
        flags = getattr(op, "overflow_flags", None)
        is_nsw = flags is not None and arith.IntegerOverflowFlag.NSW in flags.data
        if isinstance(type_, IndexType) or is_nsw:
            return self.infix(op, sign, level)
        if type_ != IntegerType(32):
            raise UnprintableError(f"wrapping {op.name} on {type_}")
        return _Text(f"weft_{word}_wrap({self.text(op.operands[0])}, {self.text(op.operands[1])})")

    def compare_floats(self, op: arith.CmpfOp) -> _Text:
        predicate = op.predicate.value.data
        if predicate not in _COMPARE_FLOAT:
            raise UnprintableError(f"{op.name} with the predicate {predicate}")
        return self.infix(op, _COMPARE_FLOAT[predicate], _COMPARE)

    def compare(self, op: arith.CmpiOp) -> _Text:
        predicate = op.predicate.value.data
        if predicate > 1 and op.lhs.type == _BOOL:
            raise UnprintableError(f"{op.name} of truth values by size")
        sign = _COMPARE_SIGN[predicate]
        level = _EQUAL if predicate < 2 else _COMPARE
        if predicate < _FIRST_UNSIGNED_PREDICATE:
            return self.infix(op, sign, level)
        type_ = c_type(op.lhs.type)
        sides = [f"(u{type_}){self.text(v, _UNARY)}" for v in op.operands]
        return _Text(f"{sides[0]} {sign} {sides[1]}", level)

    def constant(self, op: arith.ConstantOp) -> _Text:
        value = op.value
        if isinstance(value, FloatAttr):
            text = float_literal(value.value.data)
            return _Text(text, _UNARY if text.startswith("-") else _ATOM)
        assert isinstance(value, IntegerAttr)
        number, type_ = value.value.data, op.result.type
        if type_ == _BOOL:
            return _Text("true" if number else "false")
        width = _width(type_)
        if number == -(1 << (width - 1)) and width >= 32:
            return _Text(f"INT{width}_MIN")
        suffix = "LL" if width == 64 else ""
        return _Text(f"{number}{suffix}", _UNARY if number < 0 else _ATOM)


def print_function(function: func.FuncOp) -> str:
    """C99 of one kernel."""
    return FunctionPrinter().function(function)


def print_declaration(function: func.FuncOp) -> str:
    """Its prototype, with semicolon."""
    printer = FunctionPrinter()
    printer.line(printer.signature(function) + ";")
    return "\n".join(printer.lines) + "\n"

# SPDX-License-Identifier: Apache-2.0
"""C99 from ``func``/``scf``/``memref``/``arith``, for people to read.

A pure value with one use in its own block is folded into that use; a load is folded as long as no
store or nested statement lies between. What remains gets a ``const`` name. ``index`` is
``int32_t``: a PE has less than 2 GiB.
"""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import (
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
)
from xdsl.ir import Block, Operation, OpResult, SSAValue

from weft.codegen.c_syntax import (
    ADD,
    AND,
    ATOM,
    BITWISE,
    BOOL,
    C_WORDS,
    CALLS,
    COMPARE,
    COMPARE_FLOAT,
    COMPARE_SIGN,
    EQUAL,
    FIRST_UNSIGNED_PREDICATE,
    NUMBERS_ONLY,
    OR,
    PLAIN,
    SHIFT,
    TERNARY,
    UNARY,
    UNSIGNED,
    WRAPPING,
    Text,
    UnprintableError,
    bits_of,
    c_type,
    float_literal,
)

_INDENT = "    "
_WIDTH = 100
# Stands for a space at which a line must not be broken.
_GLUE = "\N{NO-BREAK SPACE}"


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
    _texts: dict[SSAValue, Text] = field(default_factory=dict)
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
        if base in C_WORDS or keyword.iskeyword(base):
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
            self._texts[argument] = Text(name)
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
        self._texts[op.memref] = Text(name)
        type_ = c_type(op.memref.type.element_type)
        if count > 1:
            initial = " = {0}" if self._is_guarded(op) else ""
            self.line(f"{type_} {name}[{count}]{initial};")
            return
        self._scalars.add(op.memref)
        if self._first_store(op) is None:
            initial = "" if self._is_surely_stored(op) else " = 0"
            self.line(f"{type_} {name}{initial};")

    @staticmethod
    def _first_storing(local: memref.AllocaOp) -> Operation | None:
        """The first statement in which something is stored to it."""
        op = local.next_op
        while op is not None and not _stores(op, local.memref):
            op = op.next_op
        return op

    def _is_surely_stored(self, local: memref.AllocaOp) -> bool:
        """Whether the first statement that stores to it does so in any case.

        Compilers warn where one condition or a loop decides, even if the load depends on the same.
        """
        op = self._first_storing(local)
        return op is not None and _surely_stores(op, local.memref)

    def _is_guarded(self, local: memref.AllocaOp) -> bool:
        """The same of an array: whether a condition decides. Of loops they do not warn."""
        return isinstance(self._first_storing(local), scf.IfOp)

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
        self._texts[variable] = Text(name)
        step = self.text(op.step)
        advance = f"++{name}" if step == "1" else f"{name} += {step}"
        lower, upper = self.text(op.lb), self.text(op.ub, COMPARE)
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

    def conditional(self, op: scf.IfOp) -> Text:
        """A value chosen lazily: both sides must be expressions."""
        sides = []
        for region in (op.true_region, op.false_region):
            for inner in region.block.ops:
                if isinstance(inner, scf.YieldOp):
                    sides.append(self.text(inner.arguments[0], TERNARY + 1))
                elif isinstance(inner, scf.IfOp) and inner.results:
                    self._texts[inner.results[0]] = self.conditional(inner)
                elif is_pure(inner) or isinstance(inner, memref.LoadOp):
                    # No name can be given inside of an expression, so repeated use repeats it.
                    self._texts[inner.results[0]] = self.expression(inner)
                else:
                    raise UnprintableError(f"{inner.name} inside of a conditional value")
        return Text(f"{self.text(op.cond, OR)} ? {sides[0]} : {sides[1]}", TERNARY)

    # --- values ---

    def bind(self, value: OpResult, text: Text) -> None:
        if self.folds(value):
            self._texts[value] = text
            return
        name = self.name(value, "t")
        self.line(f"const {c_type(value.type)} {name} = {text.text};")
        self._texts[value] = Text(name)

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
        return f"{self.text(base, ATOM)}[{subscript}]"

    def expression(self, op: Operation) -> Text:
        if isinstance(op, memref.LoadOp):
            return Text(self.element(op.memref, op.indices))
        if isinstance(op, arith.ConstantOp):
            return self.constant(op)
        if isinstance(op, arith.IndexCastOp):
            return self.index_cast(op)
        if isinstance(op, arith.CmpiOp):
            return self.compare(op)
        if isinstance(op, arith.CmpfOp):
            return self.compare_floats(op)
        if isinstance(op, arith.SelectOp):
            sides = [self.text(v, TERNARY + 1) for v in (op.lhs, op.rhs)]
            return Text(f"{self.text(op.cond, OR)} ? {sides[0]} : {sides[1]}", TERNARY)
        if isinstance(op, func.CallOp):
            arguments = ", ".join(self.text(v) for v in op.arguments)
            return Text(f"{op.callee.root_reference.data}({arguments})")
        return self.by_name(op)

    def by_name(self, op: Operation) -> Text:
        name = op.name
        self._refuse_widths(op)
        if name in PLAIN:
            sign, level = PLAIN[name]
            return self.infix(op, sign, level)
        if name in WRAPPING:
            return self.wrapping(op)
        if name in BITWISE:
            sign, level, bool_sign, bool_level = BITWISE[name]
            if op.results[0].type == BOOL:
                return self.infix(op, bool_sign, bool_level)
            return self.infix(op, sign, level)
        if name in CALLS:
            arguments = ", ".join(self.text(v) for v in op.operands)
            return Text(f"{CALLS[name]}({arguments})")
        if name in UNSIGNED:
            sign, level = UNSIGNED[name]
            type_ = c_type(op.results[0].type)
            sides = [f"(u{type_}){self.text(v, UNARY)}" for v in op.operands]
            return Text(f"({type_})({sides[0]} {sign} {sides[1]})", UNARY)
        if name == "arith.trunci" and op.results[0].type == BOOL:
            return Text(f"({self.text(op.operands[0], UNARY)} & 1) != 0", EQUAL)
        if name == "arith.extsi" and op.operands[0].type == BOOL:
            return Text(f"-{self.cast(op, c_type(op.results[0].type)).at(UNARY)}", UNARY)
        if name in ("arith.extsi", "arith.trunci", "arith.sitofp", "arith.fptosi"):
            return self.cast(op, c_type(op.results[0].type))
        if name == "arith.extui":
            source = c_type(op.operands[0].type)
            if source == "bool":
                return self.cast(op, c_type(op.results[0].type))
            inner = f"(u{source}){self.text(op.operands[0], UNARY)}"
            return Text(f"({c_type(op.results[0].type)}){inner}", UNARY)
        raise UnprintableError(name)

    @staticmethod
    def _refuse_widths(op: Operation) -> None:
        """Refuses operators that C, or the functions of weft/arith.h, would compute otherwise."""
        values = (*op.operands, *op.results)
        if op.name in NUMBERS_ONLY and any(v.type == BOOL for v in values):
            raise UnprintableError(f"{op.name} of a truth value")
        if op.name in CALLS and op.results[0].type == IntegerType(64):
            raise UnprintableError(f"{op.name} of 64 bits")

    def index_cast(self, op: arith.IndexCastOp) -> Text:
        """``index`` is signed and of 32 bits; a cast is written only where it cuts."""
        source, target = (bits_of(v.type) for v in (op.input, op.result))
        if 1 in (source, target):
            raise UnprintableError(f"{op.name} of a truth value")
        if target >= source:
            return self._texts[op.input]
        return self.cast(op, c_type(op.result.type))

    def cast(self, op: Operation, target: str) -> Text:
        return Text(f"({target}){self.text(op.operands[0], UNARY)}", UNARY)

    def infix(self, op: Operation, sign: str, level: int) -> Text:
        lhs, rhs = op.operands
        # The right side of - / % >> must bind tighter, and compilers ask for parentheses where
        # shifts, comparisons and bit operations are mixed.
        if level in (AND, OR):
            left, right = self.text(lhs, EQUAL), self.text(rhs, EQUAL)
        elif level in (COMPARE, EQUAL):
            left, right = self.text(lhs, ADD), self.text(rhs, ADD)
        elif level <= SHIFT:
            left, right = self.text(lhs, UNARY), self.text(rhs, UNARY)
        else:
            left, right = self.text(lhs, level), self.text(rhs, level + 1)
        return Text(f"{left} {sign} {right}", level)

    def wrapping(self, op: Operation) -> Text:
        sign, level, word = WRAPPING[op.name]
        type_ = op.results[0].type
        flags = getattr(op, "overflow_flags", None)
        is_nsw = flags is not None and arith.IntegerOverflowFlag.NSW in flags.data
        if isinstance(type_, IndexType) or is_nsw:
            return self.infix(op, sign, level)
        if type_ != IntegerType(32):
            raise UnprintableError(f"wrapping {op.name} on {type_}")
        return Text(f"weft_{word}_wrap({self.text(op.operands[0])}, {self.text(op.operands[1])})")

    def compare_floats(self, op: arith.CmpfOp) -> Text:
        predicate = op.predicate.value.data
        if predicate not in COMPARE_FLOAT:
            raise UnprintableError(f"{op.name} with the predicate {predicate}")
        return self.infix(op, COMPARE_FLOAT[predicate], COMPARE)

    def compare(self, op: arith.CmpiOp) -> Text:
        predicate = op.predicate.value.data
        if predicate > 1 and op.lhs.type == BOOL:
            raise UnprintableError(f"{op.name} of truth values by size")
        sign = COMPARE_SIGN[predicate]
        level = EQUAL if predicate < 2 else COMPARE
        if predicate < FIRST_UNSIGNED_PREDICATE:
            return self.infix(op, sign, level)
        type_ = c_type(op.lhs.type)
        sides = [f"(u{type_}){self.text(v, UNARY)}" for v in op.operands]
        return Text(f"{sides[0]} {sign} {sides[1]}", level)

    def constant(self, op: arith.ConstantOp) -> Text:
        value = op.value
        if isinstance(value, FloatAttr):
            text = float_literal(value.value.data)
            return Text(text, UNARY if text.startswith("-") else ATOM)
        assert isinstance(value, IntegerAttr)
        number, type_ = value.value.data, op.result.type
        if type_ == BOOL:
            return Text("true" if number else "false")
        width = bits_of(type_)
        if number == -(1 << (width - 1)) and width >= 32:
            return Text(f"INT{width}_MIN")
        suffix = "LL" if width == 64 else ""
        return Text(f"{number}{suffix}", UNARY if number < 0 else ATOM)


def print_function(function: func.FuncOp) -> str:
    """C99 of one kernel."""
    return FunctionPrinter().function(function)


def print_declaration(function: func.FuncOp) -> str:
    """Its prototype, with semicolon."""
    printer = FunctionPrinter()
    printer.line(printer.signature(function) + ";")
    return "\n".join(printer.lines) + "\n"

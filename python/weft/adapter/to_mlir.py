# SPDX-License-Identifier: Apache-2.0
"""Lowered TensorIR to ``func``/``scf``/``memref``/``arith`` in xDSL.

Loop variables, extents and subscripts become ``index`` values, everything else signless integers
or floats. Signed TensorIR integers carry ``nsw`` (their overflow is undefined), unsigned ones do
not (theirs wraps), and that is all that remains of signedness besides the choice of operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tvm import tirx
from tvm_ffi import structural_walk
from xdsl.builder import Builder, InsertPoint
from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    DictionaryAttr,
    Float32Type,
    FloatAttr,
    FunctionType,
    IndexType,
    IntegerType,
    MemRefType,
    UnitAttr,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

# Larger locals would land on a PE's stack of a few KiB: such a kernel takes a scratch buffer.
MAX_LOCAL_BYTES = 256

_NSW = arith.IntegerOverflowAttr((arith.IntegerOverflowFlag.NSW,))
_INDEX = IndexType()

_SIGNED_COMPARE = {"EQ": "eq", "NE": "ne", "LT": "slt", "LE": "sle", "GT": "sgt", "GE": "sge"}
_UNSIGNED_COMPARE = {"EQ": "eq", "NE": "ne", "LT": "ult", "LE": "ule", "GT": "ugt", "GE": "uge"}
_FLOAT_COMPARE = {"EQ": "oeq", "NE": "une", "LT": "olt", "LE": "ole", "GT": "ogt", "GE": "oge"}
_FLOAT_BINARY = {"Add": arith.AddfOp, "Sub": arith.SubfOp, "Mul": arith.MulfOp, "Div": arith.DivfOp}
_OVERFLOWING = {"Add": arith.AddiOp, "Sub": arith.SubiOp, "Mul": arith.MuliOp}
_SIGNED_BINARY = {
    "Div": arith.DivSIOp,
    "Mod": arith.RemSIOp,
    "Min": arith.MinSIOp,
    "Max": arith.MaxSIOp,
}
_UNSIGNED_BINARY = {
    "Div": arith.DivUIOp,
    "Mod": arith.RemUIOp,
    "Min": arith.MinUIOp,
    "Max": arith.MaxUIOp,
}
_BITWISE = {"BitwiseAnd": arith.AndIOp, "BitwiseOr": arith.OrIOp, "BitwiseXor": arith.XOrIOp}
# Functions of float32: weft/float_math.h.
_FLOAT_FUNCTIONS = {
    "Max": "weft_max_f32",
    "Min": "weft_min_f32",
    "Mod": "weft_fmod_f32",
    "ceil": "weft_ceil_f32",
    "cos": "weft_cos_f32",
    "erf": "weft_erf_f32",
    "exp": "weft_exp_f32",
    "fabs": "weft_abs_f32",
    "floor": "weft_floor_f32",
    "log": "weft_log_f32",
    "nearbyint": "weft_round_even_f32",
    "pow": "weft_pow_f32",
    "round": "weft_round_away_f32",
    "rsqrt": "weft_rsqrt_f32",
    "sigmoid": "weft_sigmoid_f32",
    "sin": "weft_sin_f32",
    "sqrt": "weft_sqrt_f32",
    "tanh": "weft_tanh_f32",
    "trunc": "weft_trunc_f32",
    "truncmod": "weft_fmod_f32",
}


class UntranslatableError(Exception):
    """TensorIR that has no translation: a defect of a kernel, or an operator of a model that TVM
    writes with more than is known here."""


def _dtype(expression: Any) -> str:
    return str(expression.ty.dtype)


def _element_type(dtype: str) -> IntegerType | Float32Type:
    if dtype == "bool":
        return IntegerType(1)
    if dtype == "float32":
        return Float32Type()
    for width in (8, 16, 32, 64):
        if dtype in (f"int{width}", f"uint{width}"):
            return IntegerType(width)
    raise UntranslatableError(f"dtype {dtype}")


def _width(type_: Attribute) -> int:
    assert isinstance(type_, IntegerType)
    return int(type_.width.data)


def _is_unsigned(dtype: str) -> bool:
    return dtype.startswith("uint")


def _counting_params(function: tirx.PrimFunc) -> set[Any]:
    """Scalar parameters that count, stride or bound something."""
    scalars = {p for p in function.params if not _is_buffer(p)}
    counting: set[Any] = set()

    def visit_index(node: Any) -> None:
        if isinstance(node, tirx.Var) and node in scalars:
            counting.add(node)

    def visit_statement(node: Any) -> None:
        name = type(node).__name__
        if name == "For":
            structural_walk(node.extent, visit_index)
            structural_walk(node.min, visit_index)
        elif name in ("TensorLoad", "BufferStore"):
            for subscript in node.indices:
                structural_walk(subscript, visit_index)
        elif name == "Bind" and _dtype(node.value) == "int32" and _is_affine(node.value):
            structural_walk(node.value, visit_index)

    structural_walk(function.body, visit_statement)
    return counting


def _is_affine(e: Any) -> bool:
    """Sums and products of variables and constants: what subscripts are made of."""
    kind = type(e).__name__
    if kind in _OVERFLOWING:
        return _is_affine(e.a) and _is_affine(e.b)
    return kind in ("Var", "IntImm")


def _is_buffer(param: Any) -> bool:
    return type(param.ty).__name__ == "BufferType"


class _Translator:
    """One function body. ``at`` is where the next operation goes."""

    def __init__(self, entry: Block) -> None:
        self.at = Builder(InsertPoint.at_end(entry))
        self.values: dict[Any, SSAValue] = {}
        self.memrefs: dict[Any, SSAValue] = {}

    # --- building blocks ---

    def emit(self, operation: Operation) -> SSAValue:
        self.at.insert(operation)
        return operation.results[0]

    def nested(self, block: Block, build: Callable[[], None]) -> None:
        outer, self.at = self.at, Builder(InsertPoint.at_end(block))
        build()
        self.at = outer

    def constant(self, value: int, type_: Attribute) -> SSAValue:
        if isinstance(type_, IndexType):
            return self.emit(arith.ConstantOp.from_int_and_width(value, type_))
        assert isinstance(type_, IntegerType)
        if value >= 1 << (_width(type_) - 1):  # an unsigned value, kept as its bit pattern
            value -= 1 << _width(type_)
        return self.emit(arith.ConstantOp.from_int_and_width(value, type_))

    def to_index(self, value: SSAValue) -> SSAValue:
        if isinstance(value.type, IndexType):
            return value
        return self.emit(arith.IndexCastOp(value, _INDEX))

    def to_integer(self, value: SSAValue, type_: Attribute) -> SSAValue:
        if isinstance(value.type, IndexType) and not isinstance(type_, IndexType):
            return self.emit(arith.IndexCastOp(value, type_))
        return value

    # --- subscripts and bounds ---

    def index(self, e: Any) -> SSAValue:
        kind = type(e).__name__
        if kind == "IntImm":
            return self.constant(int(e.value), _INDEX)
        if kind == "Var":
            return self.to_index(self.values[e])
        if kind in _OVERFLOWING:
            return self.emit(_OVERFLOWING[kind](self.index(e.a), self.index(e.b)))
        if kind in ("FloorDiv", "FloorMod") and self._is_power_of_two(e.b):
            # Subscripts are never negative, so that flooring and truncating agree.
            op = arith.DivSIOp if kind == "FloorDiv" else arith.RemSIOp
            return self.emit(op(self.index(e.a), self.index(e.b)))
        if kind in ("Min", "Max", "Div", "Mod"):
            return self.emit(_SIGNED_BINARY[kind](self.index(e.a), self.index(e.b)))
        return self.to_index(self.value(e))

    @staticmethod
    def _is_power_of_two(e: Any) -> bool:
        if type(e).__name__ != "IntImm":
            return False
        value = int(e.value)
        return value > 0 and value & (value - 1) == 0

    # --- values ---

    def value(self, e: Any) -> SSAValue:
        kind = type(e).__name__
        handler = getattr(self, f"_value_{kind.lower()}", None)
        if handler is not None:
            result: SSAValue = handler(e)
            return result
        if kind in _SIGNED_COMPARE:
            return self._compare(kind, e)
        if kind in _OVERFLOWING or kind in _SIGNED_BINARY:
            return self._binary(kind, e)
        raise UntranslatableError(f"expression {kind}: {e}")

    def _value_intimm(self, e: Any) -> SSAValue:
        return self.constant(int(e.value), _element_type(_dtype(e)))

    def _value_floatimm(self, e: Any) -> SSAValue:
        return self.emit(arith.ConstantOp(FloatAttr(float(e.value), 32)))

    def _value_var(self, e: Any) -> SSAValue:
        return self.to_integer(self.values[e], _element_type(_dtype(e)))

    def _value_tensorload(self, e: Any) -> SSAValue:
        subscripts = [self.index(i) for i in e.indices]
        return self.emit(memref.LoadOp.get(self.memrefs[e.source], subscripts))

    def _value_and(self, e: Any) -> SSAValue:
        return self.emit(arith.AndIOp(self.value(e.a), self.value(e.b)))

    def _value_or(self, e: Any) -> SSAValue:
        return self.emit(arith.OrIOp(self.value(e.a), self.value(e.b)))

    def _value_not(self, e: Any) -> SSAValue:
        return self.emit(arith.XOrIOp(self.value(e.a), self.constant(1, IntegerType(1))))

    def _value_select(self, e: Any) -> SSAValue:
        condition = self.value(e.condition)
        then, otherwise = self.value(e.true_value), self.value(e.false_value)
        return self.emit(arith.SelectOp(condition, then, otherwise))

    def _value_floordiv(self, e: Any) -> SSAValue:
        a, b, _ = self._floored(e)
        return self.emit(arith.FloorDivSIOp(a, b))

    def _value_floormod(self, e: Any) -> SSAValue:
        if _dtype(e) != "int32":
            raise UntranslatableError(f"floored remainder of {_dtype(e)}")
        a, b, is_negated = self._floored(e)
        remainder = self.emit(func.CallOp("weft_floor_mod", [a, b], [IntegerType(32)]))
        return self._negated(remainder) if is_negated else remainder

    def _floored(self, e: Any) -> tuple[SSAValue, SSAValue, bool]:
        """Operands of a floored division, both negated if the divisor is a negative constant: that
        leaves the quotient as it is and negates the remainder, and the runtime's functions take no
        such divisor. TVM rounds up with them."""
        a, b = self.value(e.a), self.value(e.b)
        if type(e.b).__name__ != "IntImm" or int(e.b.value) > 0:
            return a, b, False
        return self._negated(a), self.constant(-int(e.b.value), _element_type(_dtype(e.b))), True

    def _negated(self, value: SSAValue) -> SSAValue:
        return self.emit(arith.SubiOp(self.constant(0, value.type), value))

    def _value_cast(self, e: Any) -> SSAValue:
        source, target = _dtype(e.value), _dtype(e)
        value = self.value(e.value)
        from_type, to_type = _element_type(source), _element_type(target)
        if from_type == to_type:
            return value
        if isinstance(to_type, Float32Type):
            return self.emit(arith.SIToFPOp(value, to_type))
        if isinstance(from_type, Float32Type):
            return self.emit(arith.FPToSIOp(value, to_type))
        if _width(from_type) > _width(to_type):
            return self.emit(arith.TruncIOp(value, to_type))
        extend = arith.ExtUIOp if _is_unsigned(source) or source == "bool" else arith.ExtSIOp
        return self.emit(extend(value, to_type))

    def _compare(self, kind: str, e: Any) -> SSAValue:
        dtype = _dtype(e.a)
        lhs, rhs = self.value(e.a), self.value(e.b)
        if dtype == "float32":
            return self.emit(arith.CmpfOp(lhs, rhs, _FLOAT_COMPARE[kind]))
        table = _UNSIGNED_COMPARE if _is_unsigned(dtype) else _SIGNED_COMPARE
        return self.emit(arith.CmpiOp(lhs, rhs, table[kind]))

    def _binary(self, kind: str, e: Any) -> SSAValue:
        dtype = _dtype(e)
        lhs, rhs = self.value(e.a), self.value(e.b)
        if dtype == "float32":
            if kind in _FLOAT_BINARY:
                return self.emit(_FLOAT_BINARY[kind](lhs, rhs))
            return self._float_function(kind, [lhs, rhs])
        if kind in _OVERFLOWING:
            if _is_unsigned(dtype):
                return self.emit(_OVERFLOWING[kind](lhs, rhs))
            return self.emit(_OVERFLOWING[kind](lhs, rhs, overflow=_NSW))
        table = _UNSIGNED_BINARY if _is_unsigned(dtype) else _SIGNED_BINARY
        return self.emit(table[kind](lhs, rhs))

    def _value_rshift(self, e: Any) -> SSAValue:
        op = arith.ShRUIOp if _is_unsigned(_dtype(e)) else arith.ShRSIOp
        return self.emit(op(self.value(e.a), self.value(e.b)))

    def _value_lshift(self, e: Any) -> SSAValue:
        return self.emit(arith.ShLIOp(self.value(e.a), self.value(e.b)))

    def _bitwise(self, e: Any) -> SSAValue:
        return self.emit(_BITWISE[type(e).__name__](self.value(e.a), self.value(e.b)))

    _value_bitwiseand = _value_bitwiseor = _value_bitwisexor = _bitwise

    def _value_call(self, e: Any) -> SSAValue:
        name = str(e.op.name).rpartition(".")[2]
        if name == "if_then_else":
            return self._lazy_select(*e.args)
        if name == "likely":
            return self.value(e.args[0])
        if name == "call_pure_extern":
            arguments = [self.value(a) for a in e.args[1:]]
            return self.emit(
                func.CallOp(str(e.args[0].value), arguments, [_element_type(_dtype(e))])
            )
        if _dtype(e) == "float32" and all(_dtype(a) == "float32" for a in e.args):
            return self._float_function(name, [self.value(a) for a in e.args])
        raise UntranslatableError(f"call of {e.op.name} of {_dtype(e)}")

    def _float_function(self, name: str, arguments: list[SSAValue]) -> SSAValue:
        if name not in _FLOAT_FUNCTIONS:
            raise UntranslatableError(f"there is no {name} of float32")
        return self.emit(func.CallOp(_FLOAT_FUNCTIONS[name], arguments, [Float32Type()]))

    def _lazy_select(self, condition: Any, then: Any, otherwise: Any) -> SSAValue:
        """Only one side is evaluated: the other may read outside of a buffer."""
        test = self.value(condition)
        blocks = []
        for side in (then, otherwise):
            block = Block()

            def build(side: Any = side) -> None:
                self.at.insert(scf.YieldOp(self.value(side)))

            self.nested(block, build)
            blocks.append(block)
        type_ = _element_type(_dtype(then))
        return self.emit(scf.IfOp(test, [type_], Region(blocks[0]), Region(blocks[1])))

    # --- statements ---

    def statement(self, s: Any) -> None:
        kind = type(s).__name__
        handler = getattr(self, f"_do_{kind.lower()}", None)
        if handler is None:
            raise UntranslatableError(f"statement {kind}: {s}")
        handler(s)

    def _do_seqstmt(self, s: Any) -> None:
        for child in s.seq:
            self.statement(child)

    def _do_declbuffer(self, s: Any) -> None:
        # A view of a parameter or local: the same memory, already flat.
        self.memrefs[s.buffer] = self.memrefs[s.data.args[0]]

    def _do_allocbuffer(self, s: Any) -> None:
        count = 1
        for extent in s.buffer.ty.shape:
            count *= int(extent)
        element = _element_type(_dtype(s.buffer))
        size = element.size if isinstance(element, IntegerType) else 4
        if count * size > MAX_LOCAL_BYTES:
            raise UntranslatableError(f"local {s.buffer.name} of {count * size} bytes")
        local = self.emit(memref.AllocaOp.get(element, shape=[count]))
        local.name_hint = s.buffer.name
        self.memrefs[s.buffer] = local

    def _do_bind(self, s: Any) -> None:
        is_index = _dtype(s.value) == "int32" and _is_affine(s.value)
        value = self.index(s.value) if is_index else self.value(s.value)
        if value.name_hint is None:
            value.name_hint = s.var.name
        self.values[s.var] = value

    def _do_bufferstore(self, s: Any) -> None:
        value = self.value(s.value)
        subscripts = [self.index(i) for i in s.indices]
        self.at.insert(memref.StoreOp.get(value, self.memrefs[s.buffer], subscripts))

    def _do_for(self, s: Any) -> None:
        lower = self.index(s.min)
        upper = self.index(s.extent if self._is_zero(s.min) else s.min + s.extent)
        step = self.constant(1 if s.step is None else int(s.step), _INDEX)
        block = Block(arg_types=[_INDEX])
        block.args[0].name_hint = s.loop_var.name
        self.values[s.loop_var] = block.args[0]

        def build() -> None:
            self.statement(s.body)
            self.at.insert(scf.YieldOp())

        self.nested(block, build)
        self.at.insert(scf.ForOp(lower, upper, step, [], Region(block)))

    @staticmethod
    def _is_zero(e: Any) -> bool:
        return type(e).__name__ == "IntImm" and int(e.value) == 0

    def _do_ifthenelse(self, s: Any) -> None:
        condition = self.value(s.condition)
        regions = []
        for branch in (s.then_case, s.else_case):
            if branch is None:
                continue
            block = Block()

            def build(branch: Any = branch) -> None:
                self.statement(branch)
                self.at.insert(scf.YieldOp())

            self.nested(block, build)
            regions.append(Region(block))
        self.at.insert(scf.IfOp(condition, [], regions[0], regions[1] if regions[1:] else None))

    def _do_evaluate(self, s: Any) -> None:
        if type(s.value).__name__ != "IntImm":
            raise UntranslatableError(f"statement {s}")


def to_mlir(name: str, lowered: tirx.PrimFunc, written: Sequence[str]) -> func.FuncOp:
    """Translates a lowered kernel into a ``func.func`` called ``name``.

    Buffers become one-dimensional memrefs of unknown length, since layouts are already folded
    into the subscripts. ``written`` names the parameters that the kernel may write; the others
    are marked ``llvm.readonly`` and printed as ``const``.
    """
    counting = _counting_params(lowered)
    types: list[Attribute] = []
    for param in lowered.params:
        if _is_buffer(param):
            types.append(MemRefType(_element_type(_dtype(param)), [DYNAMIC_INDEX]))
        elif param in counting:
            types.append(_INDEX)
        else:
            types.append(_element_type(_dtype(param)))
    function = func.FuncOp(name, FunctionType.from_lists(types, []))
    entry = function.body.block
    translator = _Translator(entry)
    attributes: list[dict[str, Attribute]] = []
    for argument, param in zip(entry.args, lowered.params, strict=True):
        argument.name_hint = param.name
        if _is_buffer(param):
            translator.memrefs[param] = argument
        else:
            translator.values[param] = argument
        read_only = _is_buffer(param) and param.name not in written
        attributes.append({"llvm.readonly": UnitAttr()} if read_only else {})
    function.arg_attrs = ArrayAttr([DictionaryAttr(a) for a in attributes])
    translator.statement(lowered.body)
    translator.at.insert(func.ReturnOp())
    return function

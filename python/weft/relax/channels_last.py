# SPDX-License-Identifier: Apache-2.0
"""Pass: images NHWC, in quantised modules that have them NCHW, as torch does.

Every value says in which order its axes lie, and is transposed only where an operator needs
another: what works element by element takes what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
from tvm import relax

from weft.relax.expressions import Bindings, is_constant, is_tensor, op_name, shape_of
from weft.relax.operators.floating import is_elementwise

_NHWC = (0, 2, 3, 1)
_LAYOUTS = {"nn.conv2d": "data_layout", "nn.max_pool2d": "layout", "nn.avg_pool2d": "layout"}
_REDUCTIONS = {"mean": relax.op.mean, "sum": relax.op.sum, "max": relax.op.max}


@dataclass(frozen=True)
class _Ordered:
    """Axis ``i`` of ``value`` is axis ``order[i]`` of the module's."""

    value: Any
    order: tuple[int, ...]


def channels_last(module: tvm.IRModule) -> tvm.IRModule:
    """The module with its convolutions and pools NHWC, if it is quantised and they are NCHW."""
    function = module["main"]
    calls = [b.value for block in function.body.blocks for b in block.bindings]
    names = {op_name(call) for call in calls}
    if "dequantize" not in names or not any(map(_is_nchw, calls)):
        return module
    return tvm.IRModule({"main": _Rewriter(function).run()})


def _is_nchw(call: Any) -> bool:
    attribute = _LAYOUTS.get(op_name(call) or "")
    return attribute is not None and str(getattr(call.attrs, attribute)) == "NCHW"


def _identity(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))


class _Rewriter:
    def __init__(self, function: relax.Function) -> None:
        self.function = function
        self.bindings = Bindings(function)
        self.builder = relax.BlockBuilder()
        self.made: dict[Any, Any] = {}  # _Ordered for tensors, expressions for what is none

    def run(self) -> relax.Function:
        function = self.function
        for parameter in function.params:
            self.made[parameter] = _Ordered(parameter, _identity(len(shape_of(parameter))))
        with self.builder.function("main", list(function.params)):
            with self.builder.dataflow():
                for block in function.body.blocks:
                    for binding in block.bindings:
                        name = binding.var.name
                        self.made[binding.var] = self.rewritten(binding.value, name)
                result = self.builder.emit_output(self.plain(function.body.body))
            self.builder.emit_func_output(result)
        made = self.builder.get()["main"]
        return made.with_attrs(dict(function.attrs)) if function.attrs else made

    # --- operands ---

    def ordered(self, expression: Any) -> _Ordered:
        if expression in self.made:
            found = self.made[expression]
            if isinstance(found, _Ordered):
                return found
            return _Ordered(found, _identity(len(shape_of(found))))
        return _Ordered(expression, _identity(len(shape_of(expression))))

    def in_order(self, expression: Any, order: Sequence[int]) -> Any:
        held = self.ordered(expression)
        if held.order == tuple(order):
            return held.value
        axes = [held.order.index(axis) for axis in order]
        if is_constant(held.value):
            return relax.const(np.ascontiguousarray(held.value.value.numpy().transpose(axes)))
        return self.builder.emit(relax.op.permute_dims(held.value, axes))

    def plain(self, expression: Any) -> Any:
        """As the module has it."""
        if isinstance(expression, relax.Tuple):
            return relax.Tuple([self.plain(field) for field in expression.fields])
        if isinstance(expression, relax.Var) and not is_tensor(expression):
            return self.made.get(expression, expression)
        if not isinstance(expression, relax.Expr) or not is_tensor(expression):
            return expression
        return self.in_order(expression, _identity(len(shape_of(expression))))

    # --- operators ---

    def rewritten(self, call: Any, label: str) -> Any:
        rule = self.rule(call)
        if rule is not None:
            value, order = rule(call)
            return _Ordered(self.builder.emit(value, label), order)
        if isinstance(call, relax.Call):
            value = relax.Call(
                call.op, [self.plain(a) for a in call.args], call.attrs, call.ty_args
            )
        elif isinstance(call, relax.TupleGetItem):
            value = relax.TupleGetItem(self.plain(call.tuple_value), call.index)
        else:
            value = self.plain(call)
        emitted = self.builder.emit(value, label)
        if not is_tensor(emitted):
            return emitted
        return _Ordered(emitted, _identity(len(shape_of(emitted))))

    def rule(self, call: Any) -> Callable[[Any], tuple[Any, tuple[int, ...]]] | None:
        name = op_name(call)
        if _is_nchw(call):
            return self.conv if name == "nn.conv2d" else self.pool
        if name in ("quantize", "dequantize"):
            return self.quantized
        if name == "permute_dims":
            return self.permuted
        if name in _REDUCTIONS and bool(call.attrs.keepdims) and call.attrs.axis is not None:
            return self.reduced
        if name == "astype" or (name is not None and is_elementwise(call)):
            tensors = [a for a in call.args if isinstance(a, relax.Expr) and is_tensor(a)]
            return self.unary if len(tensors) == 1 else self.binary
        return None

    def conv(self, call: Any) -> tuple[Any, tuple[int, ...]]:
        attrs = call.attrs
        value = relax.op.nn.conv2d(
            self.in_order(call.args[0], _NHWC),
            self.plain(call.args[1]),
            strides=list(attrs.strides),
            padding=list(attrs.padding),
            dilation=list(attrs.dilation),
            groups=int(attrs.groups),
            data_layout="NHWC",
            kernel_layout=str(attrs.kernel_layout),
        )
        return value, _NHWC

    def pool(self, call: Any) -> tuple[Any, tuple[int, ...]]:
        attrs = call.attrs
        make = relax.op.nn.max_pool2d if "max" in call.op.name else relax.op.nn.avg_pool2d
        value = make(
            self.in_order(call.args[0], _NHWC),
            list(attrs.pool_size),
            strides=list(attrs.strides),
            padding=list(attrs.padding),
            dilation=list(attrs.dilation),
            ceil_mode=bool(attrs.ceil_mode),
            count_include_pad=bool(attrs.count_include_pad),
            layout="NHWC",
        )
        return value, _NHWC

    def quantized(self, call: Any) -> tuple[Any, tuple[int, ...]]:
        held = self.ordered(call.args[0])
        axis = int(call.attrs.axis) % len(held.order) if held.order else 0
        place = held.order.index(axis) if held.order else 0
        parameters = [self.plain(a) for a in call.args[1:]]
        make = getattr(relax.op, str(op_name(call)))
        out = str(call.attrs.out_dtype)
        return make(held.value, *parameters, axis=place, out_dtype=out), held.order

    def permuted(self, call: Any) -> tuple[Any, tuple[int, ...]]:
        held = self.ordered(call.args[0])
        axes = call.attrs.axes
        order = _identity(len(held.order))[::-1] if axes is None else tuple(int(a) for a in axes)
        inverse = tuple(order.index(a % len(order)) for a in held.order)
        return held.value, inverse

    def reduced(self, call: Any) -> tuple[Any, tuple[int, ...]]:
        held = self.ordered(call.args[0])
        rank = len(held.order)
        axes = sorted(held.order.index(int(a) % rank) for a in call.attrs.axis)
        return _REDUCTIONS[str(op_name(call))](held.value, axes, True), held.order

    def unary(self, call: Any) -> tuple[Any, tuple[int, ...]]:
        held = self.ordered(call.args[0])
        return relax.Call(call.op, [held.value, *call.args[1:]], call.attrs), held.order

    def binary(self, call: Any) -> tuple[Any, tuple[int, ...]]:
        rank = len(shape_of(call))
        largest = max(call.args[:2], key=lambda a: int(np.prod(shape_of(a))))
        order = self.ordered(largest).order
        if len(order) != rank:
            order = _identity(rank)
        operands = [self.spread(a, rank, order) for a in call.args[:2]]
        return relax.Call(call.op, operands, call.attrs), order

    def spread(self, expression: Any, rank: int, order: Sequence[int]) -> Any:
        """An operand with as many axes as the result, in that order; a number as it is."""
        shape = shape_of(expression)
        array = self.bindings.array(expression)
        if not shape:
            return self.plain(expression)
        missing = rank - len(shape)
        if array is not None:
            return relax.const(array.reshape((*[1] * missing, *shape)).transpose(order))
        if not missing:
            return self.in_order(expression, order)
        whole = relax.op.reshape(self.plain(expression), [1] * missing + list(shape))
        return self.builder.emit(relax.op.permute_dims(self.builder.emit(whole), list(order)))

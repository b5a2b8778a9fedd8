# SPDX-License-Identifier: Apache-2.0
"""Sums of products of integers as the generic stage: two activations, weights that do not fit in
int8. The sums are int32, scaled in float32 and rounded once, as ONNX Runtime does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from weft.relax.context import Context, Result, Unmatched
from weft.relax.expressions import (
    QuantizedConstant,
    dtype_of,
    offset_of,
    op_name,
    shape_of,
)
from weft.relax.operators import weighted
from weft.relax.operators.floating import source_text
from weft.relax.operators.weighted import NoKernel, int32_bias, split_bias
from weft.relax.tflite_contract import Array

_PRODUCERS = ("nn.conv2d", "matmul")


@dataclass(frozen=True)
class _Operand:
    """``value - zero_point`` are the integers; ``scales`` one, or one an index of ``axis``."""

    value: Any
    zero_point: Array
    scales: Array
    axis: int

    def integers(self, variable: Any) -> Any:
        """As int32, without its zero point."""
        zero_point = self.zero_point
        if zero_point.size > 1:
            shape = [1] * len(shape_of(variable))
            shape[self.axis] = zero_point.size
            zero_point = zero_point.reshape(shape)
        else:
            zero_point = zero_point.reshape(())
        wide = relax.op.astype(variable, "int32")
        return relax.op.subtract(wide, relax.const(zero_point.astype(np.int32)))


def _operand(context: Context, expression: Any) -> _Operand:
    constant = context.bindings.quantized_constant(expression)
    if constant is None:
        x, quantization = context.dequantized(expression)
        scale, zero_point = quantization.single
        return _Operand(context.lower(x), np.array([zero_point]), np.array([scale]), 0)
    offset = offset_of(str(constant.values.dtype))
    if offset is None:
        raise Unmatched(f"its weights are {constant.values.dtype}")
    value = context.constant(constant.values.astype(np.int16) - offset, "int8")
    quantization = constant.quantization
    zero_points = np.atleast_1d(quantization.zero_point).astype(np.int64) - offset
    return _Operand(value, zero_points, np.atleast_1d(quantization.scale), quantization.axis)


def lower_product(
    context: Context, call: Any, result: Result, bias: QuantizedConstant | None = None
) -> Any:
    """A convolution or matrix product of any two dequantised operands."""
    a, b = (_operand(context, e) for e in call.args[:2])
    channel_axis = _channel_axis(call, len(shape_of(call.args[1])))
    if a.scales.size > 1 or (b.scales.size > 1 and b.axis != channel_axis):
        raise Unmatched("its operands have scales along an axis that is summed over")
    if b.zero_point.size > 1 and (b.zero_point == b.zero_point[0]).all():
        b = _Operand(b.value, b.zero_point[:1], b.scales, b.axis)
    if b.zero_point.size > 1:
        raise Unmatched("its weights have several zero points")
    channels = result.shape[-1]
    in_scale = np.float32(a.scales[0])
    rows = context.contract.channel_multipliers(in_scale, b.scales, result.scale)
    factors = np.array([np.ldexp(m, s - 31) for m, s in rows.tolist()], np.float32)
    parameters = [relax.Var(f"x{i}", _type(o.value)) for i, o in enumerate((a, b))]
    operands = [a.value, b.value]

    def extra(values: Array, dtype: str) -> Any:
        parameters.append(relax.Var(f"x{len(parameters)}", relax.TensorType([values.size], dtype)))
        operands.append(context.constant(values, dtype))
        return parameters[-1]

    factor: Any = relax.const(factors[0], "float32")
    if factors.size > 1:
        factor = extra(np.broadcast_to(factors, (channels,)), "float32")
    addend = None
    if bias is not None:
        scales = np.broadcast_to(in_scale * b.scales, (channels,))
        addend = extra(int32_bias(bias, scales), "int32")

    def build(builder: relax.BlockBuilder) -> Any:
        sums = builder.emit(_product(call, *(o.integers(p) for o, p in _pairs(a, b, parameters))))
        if addend is not None:
            sums = builder.emit(relax.op.add(sums, addend))
        scaled = relax.op.multiply(relax.op.astype(sums, "float32"), factor)
        return builder.emit(_rounded(scaled, result))

    source = source_text(parameters, build)
    return context.emit("tir", operands, {"source": source}, result.shape, result.label)


def _pairs(a: _Operand, b: _Operand, parameters: list[Any]) -> Any:
    return zip((a, b), parameters, strict=False)


def _type(value: Any) -> Any:
    return relax.TensorType(list(shape_of(value)), dtype_of(value))


def _channel_axis(call: Any, rank: int) -> int:
    if op_name(call) == "nn.conv2d":
        return str(call.attrs.kernel_layout).index("O")
    return rank - 1


def _product(call: Any, a: Any, b: Any) -> Any:
    """The operator on int32."""
    if op_name(call) == "matmul":
        return relax.op.matmul(a, b)
    attrs = call.attrs
    return relax.op.nn.conv2d(
        a,
        b,
        strides=list(attrs.strides),
        padding=list(attrs.padding),
        dilation=list(attrs.dilation),
        groups=int(attrs.groups),
        data_layout=str(attrs.data_layout),
        kernel_layout=str(attrs.kernel_layout),
    )


def _rounded(real: Any, result: Result) -> Any:
    """int8: to nearest, ties to even, within limits."""
    zero_point = result.zero_point
    steps = relax.op.clip(real, float(result.low - zero_point), float(result.high - zero_point))
    whole = relax.op.astype(relax.op.round(steps), "int32")
    return relax.op.astype(relax.op.add(whole, relax.const(np.int32(zero_point))), "int8")


def _or_product(lower: Callable[[Context, Any, Result], Any]) -> Any:
    def lower_any(context: Context, call: Any, result: Result) -> Any:
        try:
            return lower(context, call, result)
        except NoKernel:
            return lower_product(context, call, result)

    return lower_any


def lower_biased(context: Context, call: Any, result: Result) -> Any | None:
    """A product and its bias; None if ``call`` (an add) is another sum."""
    try:
        return weighted.lower_biased(context, call, result)
    except NoKernel:
        split = split_bias(context, call, *_PRODUCERS)
        assert split is not None
        return lower_product(context, split[0], result, split[1])


BETWEEN = {
    "matmul": _or_product(weighted.lower_matmul),
    "nn.conv2d": _or_product(weighted.lower_conv2d),
}

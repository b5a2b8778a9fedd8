# SPDX-License-Identifier: Apache-2.0
"""What the operators of ``weft.relax.operators`` work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from tvm import relax

from weft.adapter.stand_in import stand_in
from weft.relax.contracts import Contract
from weft.relax.expressions import (
    Bindings,
    Quantization,
    dtype_of,
    is_constant,
    is_empty,
    is_tensor,
    offset_of,
    op_name,
    shape_of,
)
from weft.relax.tflite_contract import INT8_MAX, INT8_MIN, ContractError

# uint8 bytes as int8 of 128 less, and the other way: of bytes read as int8 -128..127.
FLIPPED = np.arange(256, dtype=np.uint8).view(np.int8)


class Unmatched(Exception):
    """Why one operator cannot become a stage."""


class NotDequantized(Unmatched):
    """An operand is no dequantise: the operator computes on floats."""


def clamped(value: float) -> int:
    """The nearest int8."""
    return round(min(max(value, INT8_MIN), INT8_MAX))


@dataclass(frozen=True)
class Result:
    """What a stage must produce: quantisation, limits of its activation, shape and label."""

    quantization: Quantization
    low: int
    high: int
    shape: tuple[int, ...]
    label: str
    contract: Contract

    @property
    def scale(self) -> np.float32:
        return self.quantization.single[0]

    @property
    def zero_point(self) -> int:
        return self.quantization.single[1]

    def limited(self, low: float | None, high: float | None) -> Result:
        """With an activation's real limits applied."""
        new_low, new_high = self.low, self.high
        if low is not None and np.isfinite(low):
            new_low = max(new_low, self._bound(low))
        if high is not None and np.isfinite(high):
            new_high = min(new_high, self._bound(high))
        if new_low > new_high:
            raise Unmatched(f"no number is within its limits of {low} and {high}")
        return replace(self, low=new_low, high=new_high)

    def _bound(self, limit: float) -> int:
        return clamped(self.contract.quantized_bound(limit, self.scale, self.zero_point))

    @property
    def output_attributes(self) -> dict[str, int]:
        return {"zero_point": self.zero_point, "low": self.low, "high": self.high}


@dataclass
class Context:
    """What operators need to emit stages: the old function's bindings and the new one's builder."""

    bindings: Bindings
    builder: relax.BlockBuilder
    labels: Mapping[Any, str]
    lower_call: Callable[[Context, Any], Any]
    contract: Contract
    # New variables of what is lowered already; parameters stand for themselves.
    done: dict[Any, Any]
    unsupported: list[str] = field(default_factory=list)

    def emit(
        self,
        kind: str,
        operands: Sequence[Any],
        attributes: Mapping[str, Any],
        shape: Sequence[int],
        label: str,
        dtype: str = "int8",
    ) -> Any:
        """Emits one integer stage and returns its variable."""
        call = relax.Call(
            relax.ExternFunc(f"weft.{kind}"),
            list(operands),
            {**attributes, "label": label},
            [relax.TensorType(list(shape), dtype)],
        )
        return self.builder.emit(call)

    def constant(self, values: Any, dtype: str) -> Any:
        return relax.const(np.ascontiguousarray(np.asarray(values).astype(dtype)), dtype)

    def constant_less_offset(self, constant: Any) -> Any:
        """A constant tensor; of uint8, int8 of 128 less."""
        if dtype_of(constant) != "uint8":
            return constant
        return self.constant(constant.value.numpy().astype(np.int16) - 128, "int8")

    def label(self, expression: Any) -> str:
        """The name of the variable that holds ``expression``."""
        return self.labels.get(expression, op_name(expression) or "value")

    def lower(self, expression: Any) -> Any:
        """The new variable that holds the value of an int8 or float32 tensor, or that of a uint8
        tensor, less 128, as int8."""
        defined = self.bindings.define(expression)
        if isinstance(defined, relax.Var):
            return self._parameter(defined)
        if defined not in self.done:
            self.done[defined] = self._lower_or_report(defined)
        return self.done[defined]

    def _parameter(self, parameter: Any) -> Any:
        if dtype_of(self.done[parameter]) == "uint8":
            table = self.constant(FLIPPED, "int8")
            operands, shape = [parameter, table], shape_of(parameter)
            self.done[parameter] = self.emit("lookup", operands, {}, shape, parameter.name)
        return self.done[parameter]

    def _lower_or_report(self, defined: Any) -> Any:
        try:
            return self.lower_call(self, defined)
        except (Unmatched, ContractError, TypeError) as reason:
            name = op_name(defined) or type(defined).__name__
            self.unsupported.append(f"{name} at '{self.label(defined)}': {reason}")
        # Go on with what comes before, so that everything is reported at once.
        for operand in getattr(defined, "args", ()):
            self._report_before(operand)
        return self.builder.emit(self._stand_in(defined))

    def _stand_in(self, defined: Any) -> Any:
        try:
            is_float = dtype_of(defined) == "float32"
            return stand_in(shape_of(defined), "float32" if is_float else "int8")
        except TypeError:  # it has no shape, and that is reported
            return stand_in((), "int8")

    def _report_before(self, expression: Any) -> None:
        defined = self.bindings.define(expression)
        if isinstance(defined, relax.Tuple):
            for item in defined.fields:
                self._report_before(item)
        elif isinstance(defined, relax.Call) and not is_constant(defined):
            is_int8 = is_tensor(defined) and offset_of(dtype_of(defined)) is not None
            if op_name(defined) in (None, "quantize") or is_int8:
                self.lower(defined)
            else:
                for operand in defined.args:
                    self._report_before(operand)

    # --- what operators ask for ---

    def dequantized(self, expression: Any) -> tuple[Any, Quantization]:
        """The int8 tensor under a dequantise, not yet lowered, and its parameters."""
        call = self.bindings.call(expression, "dequantize")
        if call is None:
            source = op_name(self.bindings.define(expression)) or "a float input"
            raise NotDequantized(f"its operand comes from {source}, not from a dequantise")
        if is_empty(call):
            raise Unmatched("its operand is empty")
        return call.args[0], self._quantization(call, dtype_of(call.args[0]), "its operand is")

    def result_of(self, call: Any) -> Result:
        """What a quantise asks for."""
        quantization = self._quantization(call, dtype_of(call), "quantises to")
        label = self.label(call)
        return Result(quantization, INT8_MIN, INT8_MAX, shape_of(call), label, self.contract)

    def limits_of(self, call: Any) -> tuple[float, float]:
        """The limits of a clip; infinite where there is none."""
        low, high = (self.bindings.number(limit) for limit in call.args[1:3])
        if low is None or high is None or np.isnan([low, high]).any():
            raise Unmatched("a limit is not a constant number")
        return low, high

    def _quantization(self, call: Any, dtype: str, what: str) -> Quantization:
        """Of an activation."""
        offset = offset_of(dtype)
        if offset is None or (offset and not self.contract.has_uint8):
            allowed = "int8 or uint8" if self.contract.has_uint8 else "int8"
            raise Unmatched(f"{what} {dtype}, not {allowed}")
        quantization = self.bindings.quantization(call)
        if quantization is None or not quantization.is_per_tensor:
            raise Unmatched("an activation needs one constant scale and zero point")
        zero_point = quantization.single[1] - offset
        if not INT8_MIN <= zero_point <= INT8_MAX:
            raise Unmatched(f"the zero point {zero_point + offset} is not in {dtype}")
        return replace(quantization, zero_point=np.array([zero_point]), offset=offset)

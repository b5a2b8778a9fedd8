# SPDX-License-Identifier: Apache-2.0
"""Element-wise operators of two int8 operands with broadcasting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel

if TYPE_CHECKING:
    from tvm import tirx

_STRIDES = tuple(f"{operand}_stride{axis}" for operand in ("a", "b", "out") for axis in range(3))


@dataclass(frozen=True)
class _Binary(TensorKernel):
    """Four loops. A stride of 0 broadcasts; the innermost one is 1, or 0 for a scalar operand."""

    a_inner: int
    b_inner: int

    pointers = ("a", "b", "out")
    outputs = ("out",)

    @property
    def name(self) -> str:
        layout = "".join("v" if inner else "s" for inner in (self.a_inner, self.b_inner))
        return f"{self.family}_s8_{layout}"

    @property
    def summary(self) -> str:
        kinds = ["varies" if inner else "is fixed" for inner in (self.a_inner, self.b_inner)]
        return f"Element-wise {self.family}; along the last axis a {kinds[0]} and b {kinds[1]}."


@dataclass(frozen=True)
class Add(_Binary):
    """``a + b`` or ``a - b``: both operands on a common, 20 bits finer grid, then requantised.

    Subtraction is addition with a negated multiplier, which a Q31 multiplier cannot express, so
    that it is a constant of the kernel. Formulas: tensorflow/lite/kernels/internal/reference/add.h.
    """

    subtract: bool = False

    numbers = (
        *("extent0", "extent1", "extent2", "extent3"),
        *_STRIDES,
        *("a_zero_point", "a_multiplier", "a_shift"),
        *("b_zero_point", "b_multiplier", "b_shift"),
        *("out_zero_point", "out_multiplier", "out_shift", "low", "high"),
    )

    @property
    def family(self) -> str:
        return "sub" if self.subtract else "add"

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script
        from weft.kernels.requantize import requantize, requantize_s8

        a_inner, b_inner, subtract = self.a_inner, self.b_inner, self.subtract

        def combine(left: Any, right: Any) -> Any:
            return left - right if subtract else left + right

        @script.prim_func(s_tir=True)
        def add(
            a_: T.handle,
            b_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            extent3: T.int32,
            a_stride0: T.int32,
            a_stride1: T.int32,
            a_stride2: T.int32,
            b_stride0: T.int32,
            b_stride1: T.int32,
            b_stride2: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
            out_stride2: T.int32,
            a_zero_point: T.int32,
            a_multiplier: T.int32,
            a_shift: T.int32,
            b_zero_point: T.int32,
            b_multiplier: T.int32,
            b_shift: T.int32,
            out_zero_point: T.int32,
            out_multiplier: T.int32,
            out_shift: T.int32,
            low: T.int32,
            high: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            a = T.match_buffer(
                a_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(a_stride0, a_stride1, a_stride2, a_inner),
            )
            b = T.match_buffer(
                b_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(b_stride0, b_stride1, b_stride2, b_inner),
            )
            out = T.match_buffer(
                out_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(out_stride0, out_stride1, out_stride2, 1),
            )
            for i0, i1, i2, i3 in T.grid(extent0, extent1, extent2, extent3):
                with T.sblock("add"):
                    p, q, r, s = T.axis.remap("SSSS", [i0, i1, i2, i3])
                    left: T.let[T.int32] = requantize(
                        (T.cast(a[p, q, r, s], "int32") - a_zero_point) * 1048576,
                        a_multiplier,
                        a_shift,
                    )
                    right: T.let[T.int32] = requantize(
                        (T.cast(b[p, q, r, s], "int32") - b_zero_point) * 1048576,
                        b_multiplier,
                        b_shift,
                    )
                    out[p, q, r, s] = requantize_s8(
                        combine(left, right), out_multiplier, out_shift, out_zero_point, low, high
                    )

        return add


@dataclass(frozen=True)
class Mul(_Binary):
    """``a * b``, requantised. Formula: tensorflow/lite/kernels/internal/reference/mul.h."""

    numbers = (
        *("extent0", "extent1", "extent2", "extent3"),
        *_STRIDES,
        *("a_zero_point", "b_zero_point", "out_zero_point"),
        *("out_multiplier", "out_shift", "low", "high"),
    )
    family = "mul"

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script
        from weft.kernels.requantize import requantize_s8

        a_inner, b_inner = self.a_inner, self.b_inner

        @script.prim_func(s_tir=True)
        def mul(
            a_: T.handle,
            b_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            extent3: T.int32,
            a_stride0: T.int32,
            a_stride1: T.int32,
            a_stride2: T.int32,
            b_stride0: T.int32,
            b_stride1: T.int32,
            b_stride2: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
            out_stride2: T.int32,
            a_zero_point: T.int32,
            b_zero_point: T.int32,
            out_zero_point: T.int32,
            out_multiplier: T.int32,
            out_shift: T.int32,
            low: T.int32,
            high: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            a = T.match_buffer(
                a_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(a_stride0, a_stride1, a_stride2, a_inner),
            )
            b = T.match_buffer(
                b_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(b_stride0, b_stride1, b_stride2, b_inner),
            )
            out = T.match_buffer(
                out_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(out_stride0, out_stride1, out_stride2, 1),
            )
            for i0, i1, i2, i3 in T.grid(extent0, extent1, extent2, extent3):
                with T.sblock("mul"):
                    p, q, r, s = T.axis.remap("SSSS", [i0, i1, i2, i3])
                    out[p, q, r, s] = requantize_s8(
                        (T.cast(a[p, q, r, s], "int32") - a_zero_point)
                        * (T.cast(b[p, q, r, s], "int32") - b_zero_point),
                        out_multiplier,
                        out_shift,
                        out_zero_point,
                        low,
                        high,
                    )

        return mul


@dataclass(frozen=True)
class Extremum(_Binary):
    """The larger or the smaller of ``a`` and ``b``, which have one quantisation.

    Formula: tensorflow/lite/kernels/internal/reference/maximum_minimum.h.
    """

    largest: bool = True

    numbers = ("extent0", "extent1", "extent2", "extent3", *_STRIDES)

    @property
    def family(self) -> str:
        return "maximum" if self.largest else "minimum"

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        a_inner, b_inner = self.a_inner, self.b_inner
        choose = T.max if self.largest else T.min

        @script.prim_func(s_tir=True)
        def extremum(
            a_: T.handle,
            b_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            extent3: T.int32,
            a_stride0: T.int32,
            a_stride1: T.int32,
            a_stride2: T.int32,
            b_stride0: T.int32,
            b_stride1: T.int32,
            b_stride2: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
            out_stride2: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            a = T.match_buffer(
                a_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(a_stride0, a_stride1, a_stride2, a_inner),
            )
            b = T.match_buffer(
                b_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(b_stride0, b_stride1, b_stride2, b_inner),
            )
            out = T.match_buffer(
                out_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(out_stride0, out_stride1, out_stride2, 1),
            )
            for i0, i1, i2, i3 in T.grid(extent0, extent1, extent2, extent3):
                with T.sblock("extremum"):
                    p, q, r, s = T.axis.remap("SSSS", [i0, i1, i2, i3])
                    out[p, q, r, s] = T.cast(
                        choose(T.cast(a[p, q, r, s], "int32"), T.cast(b[p, q, r, s], "int32")),
                        "int8",
                    )

        return extremum

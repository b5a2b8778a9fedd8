# SPDX-License-Identifier: Apache-2.0
"""Kernels that move data, change its type, or look it up: no arithmetic between elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel
from weft.kernels.rounding import suffix

if TYPE_CHECKING:
    from tvm import tirx

_EXTENTS = ("extent0", "extent1", "extent2", "extent3")
_SHORT = {"int8": "s8", "int32": "s32", "float32": "f32"}


@dataclass(frozen=True)
class Copy(TensorKernel):
    """``out[i] = x[i]`` over four axes with any strides: concatenation, padding, transposition."""

    dtype: str = "int8"

    pointers = ("x", "out")
    numbers = (
        *_EXTENTS,
        *(f"{operand}_stride{axis}" for operand in ("x", "out") for axis in range(4)),
    )
    outputs = ("out",)
    family = "copy"
    summary = "Strided copy."

    @property
    def name(self) -> str:
        return f"copy_{_SHORT[self.dtype]}"

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        dtype = self.dtype

        @script.prim_func(s_tir=True)
        def copy(
            x_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            extent3: T.int32,
            x_stride0: T.int32,
            x_stride1: T.int32,
            x_stride2: T.int32,
            x_stride3: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
            out_stride2: T.int32,
            out_stride3: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(
                x_,
                (extent0, extent1, extent2, extent3),
                dtype,
                strides=(x_stride0, x_stride1, x_stride2, x_stride3),
            )
            out = T.match_buffer(
                out_,
                (extent0, extent1, extent2, extent3),
                dtype,
                strides=(out_stride0, out_stride1, out_stride2, out_stride3),
            )
            for i0, i1, i2, i3 in T.grid(extent0, extent1, extent2, extent3):
                with T.sblock("copy"):
                    p, q, r, s = T.axis.remap("SSSS", [i0, i1, i2, i3])
                    out[p, q, r, s] = x[p, q, r, s]

        return copy


@dataclass(frozen=True)
class Fill(TensorKernel):
    """Sets a rectangle of int8 to one value: borders, and the padding of a pad."""

    pointers = ("out",)
    numbers = ("rows", "columns", "out_row", "value")
    outputs = ("out",)
    family = "fill"
    name = "fill_s8"
    summary = "Sets a rectangle to one value."

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        @script.prim_func(s_tir=True)
        def fill(
            out_: T.handle, rows: T.int32, columns: T.int32, out_row: T.int32, value: T.int32
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            out = T.match_buffer(out_, (rows, columns), "int8", strides=(out_row, 1))
            for row, column in T.grid(rows, columns):
                with T.sblock("fill"):
                    i, j = T.axis.remap("SS", [row, column])
                    out[i, j] = T.cast(value, "int8")

        return fill


@dataclass(frozen=True)
class Lookup(TensorKernel):
    """``out[i] = table[x[i] + 128]``: any function of one int8, activations and dequantise too."""

    dtype: str = "int8"

    pointers = ("x", "table", "out")
    numbers = (
        *_EXTENTS,
        *(f"{operand}_stride{axis}" for operand in ("x", "out") for axis in range(3)),
    )
    outputs = ("out",)
    family = "lookup"
    summary = "Looks every element up in a table of 256."

    @property
    def name(self) -> str:
        return f"lookup_s8_{_SHORT[self.dtype]}"

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        dtype = self.dtype

        @script.prim_func(s_tir=True)
        def lookup(
            x_: T.handle,
            table_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            extent3: T.int32,
            x_stride0: T.int32,
            x_stride1: T.int32,
            x_stride2: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
            out_stride2: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(
                x_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(x_stride0, x_stride1, x_stride2, 1),
            )
            table = T.match_buffer(table_, (256,), dtype)
            out = T.match_buffer(
                out_,
                (extent0, extent1, extent2, extent3),
                dtype,
                strides=(out_stride0, out_stride1, out_stride2, 1),
            )
            for i0, i1, i2, i3 in T.grid(extent0, extent1, extent2, extent3):
                with T.sblock("lookup"):
                    p, q, r, s = T.axis.remap("SSSS", [i0, i1, i2, i3])
                    out[p, q, r, s] = table[T.cast(x[p, q, r, s], "int32") + 128]

        return lookup


@dataclass(frozen=True)
class Quantize(TensorKernel):
    """float32 to int8: ``x / scale`` to nearest, ties away from zero, plus the zero point.

    The scale comes as a table of one, since arguments are integers
    (tensorflow/lite/kernels/internal/reference/quantize.h). With ``rounding``
    float, ties go to even.
    """

    rounding: str = "twice"

    pointers = ("x", "scale", "out")
    numbers = (
        *_EXTENTS,
        *(f"{operand}_stride{axis}" for operand in ("x", "out") for axis in range(3)),
        "zero_point",
    )
    outputs = ("out",)
    family = "quantize"
    summary = "Quantises float32 to int8."

    @property
    def name(self) -> str:
        return f"quantize_f32_s8{suffix(self.rounding)}"

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script
        from weft.kernels.requantize import clamp, float_quantize, quantize

        def quantized(value: Any, scale: Any, zero_point: Any) -> Any:
            if self.rounding == "float":
                return float_quantize(value, scale, zero_point)
            whole = quantize(value, scale) + zero_point
            return T.cast(clamp(whole, T.int32(-128), T.int32(127)), "int8")

        @script.prim_func(s_tir=True)
        def quantize_f32_s8(
            x_: T.handle,
            scale_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            extent3: T.int32,
            x_stride0: T.int32,
            x_stride1: T.int32,
            x_stride2: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
            out_stride2: T.int32,
            zero_point: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(
                x_,
                (extent0, extent1, extent2, extent3),
                "float32",
                strides=(x_stride0, x_stride1, x_stride2, 1),
            )
            scale = T.match_buffer(scale_, (1,), "float32")
            out = T.match_buffer(
                out_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(out_stride0, out_stride1, out_stride2, 1),
            )
            for i0, i1, i2, i3 in T.grid(extent0, extent1, extent2, extent3):
                with T.sblock("quantize"):
                    p, q, r, s = T.axis.remap("SSSS", [i0, i1, i2, i3])
                    out[p, q, r, s] = quantized(x[p, q, r, s], scale[0], zero_point)

        return quantize_f32_s8

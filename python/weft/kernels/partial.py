# SPDX-License-Identifier: Apache-2.0
"""Sums over some of the input channels, and what makes a result of several of them.

The int32 sums of all parts, added up modulo 2^32 in any order, are the accumulator of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel
from weft.kernels.conv2d import WindowKernel
from weft.kernels.rounding import requantizer, suffix

if TYPE_CHECKING:
    from tvm import tirx
    from tvm.s_tir import Schedule


@dataclass(frozen=True)
class PartialConv2d(WindowKernel):
    """``out[i, j, c] = sum x[i*s + p*d, j*s + q*d, k] * w[c, p, q, k]``, int32, no bias.

    Otherwise like ``Conv2d``.
    """

    pointers = ("x", "w", "out")
    numbers = ("out_h", "out_w", "out_channels", "x_row", "x_pixel", "out_row", "out_pixel")
    outputs = ("out",)
    family = "partial_conv2d"

    @property
    def name(self) -> str:
        return f"partial_conv2d_s32_{self.window}"

    @property
    def summary(self) -> str:
        return (
            f"Accumulators of a convolution {self.kernel_h}x{self.kernel_w} over "
            f"{self.in_channels} of its input channels."
        )

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        kh, kw, ci = self.kernel_h, self.kernel_w, self.in_channels
        sh, sw, dh, dw = self.stride_h, self.stride_w, self.dilation_h, self.dilation_w

        @script.prim_func(s_tir=True)
        def partial_conv2d(
            x_: T.handle,
            w_: T.handle,
            out_: T.handle,
            out_h: T.int32,
            out_w: T.int32,
            out_channels: T.int32,
            x_row: T.int32,
            x_pixel: T.int32,
            out_row: T.int32,
            out_pixel: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(
                x_,
                ((out_h - 1) * sh + (kh - 1) * dh + 1, (out_w - 1) * sw + (kw - 1) * dw + 1, ci),
                "int8",
                strides=(x_row, x_pixel, 1),
            )
            w = T.match_buffer(w_, (out_channels, kh, kw, ci), "int8")
            out = T.match_buffer(
                out_, (out_h, out_w, out_channels), "int32", strides=(out_row, out_pixel, 1)
            )
            acc = T.sblock_alloc_buffer((out_h, out_w, out_channels), "uint32")
            for oy, ox, oc, ky, kx, k in T.grid(out_h, out_w, out_channels, kh, kw, ci):
                with T.sblock("accumulate"):
                    i, j, c, p, q, r = T.axis.remap("SSSRRR", [oy, ox, oc, ky, kx, k])
                    with T.init():
                        acc[i, j, c] = T.uint32(0)
                    acc[i, j, c] = acc[i, j, c] + T.cast(
                        T.cast(x[i * sh + p * dh, j * sw + q * dw, r], "int32")
                        * T.cast(w[c, p, q, r], "int32"),
                        "uint32",
                    )
            for oy, ox, oc in T.grid(out_h, out_w, out_channels):
                with T.sblock("store"):
                    i, j, c = T.axis.remap("SSS", [oy, ox, oc])
                    out[i, j, c] = T.cast(acc[i, j, c], "int32")

        return partial_conv2d

    def schedule(self, sch: Schedule) -> None:
        """One output element at a time, its accumulator in a register."""
        accumulate: Any = sch.get_sblock("accumulate")
        _, _, channel, filter_row, _, _ = sch.get_loops(accumulate)
        sch.reverse_compute_at(sch.get_sblock("store"), channel)
        sch.decompose_reduction(accumulate, filter_row)


_EXTENTS = ("extent0", "extent1", "extent2")


@dataclass(frozen=True)
class AddPartial(TensorKernel):
    """``out = a + b`` modulo 2^32, rows of rows of int32."""

    pointers = ("a", "b", "out")
    numbers = (
        *_EXTENTS,
        *(f"{operand}_stride{axis}" for operand in ("a", "b", "out") for axis in range(2)),
    )
    outputs = ("out",)
    family = "add_partial"
    name = "add_partial_s32"
    summary = "Adds two sums over different input channels."

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        @script.prim_func(s_tir=True)
        def add_partial(
            a_: T.handle,
            b_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            a_stride0: T.int32,
            a_stride1: T.int32,
            b_stride0: T.int32,
            b_stride1: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            a = T.match_buffer(
                a_, (extent0, extent1, extent2), "int32", strides=(a_stride0, a_stride1, 1)
            )
            b = T.match_buffer(
                b_, (extent0, extent1, extent2), "int32", strides=(b_stride0, b_stride1, 1)
            )
            out = T.match_buffer(
                out_, (extent0, extent1, extent2), "int32", strides=(out_stride0, out_stride1, 1)
            )
            for i0, i1, i2 in T.grid(extent0, extent1, extent2):
                with T.sblock("add"):
                    p, q, r = T.axis.remap("SSS", [i0, i1, i2])
                    out[p, q, r] = T.cast(
                        T.cast(a[p, q, r], "uint32") + T.cast(b[p, q, r], "uint32"), "int32"
                    )

        return add_partial


@dataclass(frozen=True)
class Requantize(TensorKernel):
    """``out[p, q, c] = requantise(x[p, q, c] + bias[c])``: bias, scale and limits, applied once."""

    rounding: str = "twice"

    pointers = ("x", "bias", "multiplier", "shift", "out")
    numbers = (
        *_EXTENTS,
        *(f"{operand}_stride{axis}" for operand in ("x", "out") for axis in range(2)),
        *("zero_point", "low", "high"),
    )
    outputs = ("out",)
    family = "requantize"
    summary = "Makes int8 results of whole sums: bias, scale, zero point and limits."

    @property
    def name(self) -> str:
        return f"requantize_s32_s8{suffix(self.rounding)}"

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        requantize_s8 = requantizer(self.rounding)

        @script.prim_func(s_tir=True)
        def requantize(
            x_: T.handle,
            bias_: T.handle,
            multiplier_: T.handle,
            shift_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            x_stride0: T.int32,
            x_stride1: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
            zero_point: T.int32,
            low: T.int32,
            high: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(
                x_, (extent0, extent1, extent2), "int32", strides=(x_stride0, x_stride1, 1)
            )
            bias = T.match_buffer(bias_, (extent2,), "int32")
            multiplier = T.match_buffer(multiplier_, (extent2,), "int32")
            shift = T.match_buffer(shift_, (extent2,), "int8")
            out = T.match_buffer(
                out_, (extent0, extent1, extent2), "int8", strides=(out_stride0, out_stride1, 1)
            )
            for i0, i1, i2 in T.grid(extent0, extent1, extent2):
                with T.sblock("requantize"):
                    p, q, c = T.axis.remap("SSS", [i0, i1, i2])
                    out[p, q, c] = requantize_s8(
                        T.cast(T.cast(x[p, q, c], "uint32") + T.cast(bias[c], "uint32"), "int32"),
                        multiplier[c],
                        T.cast(shift[c], "int32"),
                        zero_point,
                        low,
                        high,
                    )

        return requantize

# SPDX-License-Identifier: Apache-2.0
"""Average pooling of int8 in float32, as ONNX Runtime computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel

if TYPE_CHECKING:
    from tvm import tirx
    from tvm.s_tir import Schedule


@dataclass(frozen=True)
class FloatAveragePool(TensorKernel):
    """The mean of real numbers, row by row: ``factors`` are the operand's scale, the result's, and
    the result's zero point in the model, which is added before rounding.

    Taps outside of ``in_h`` x ``in_w`` add nothing; with ``counts_padding`` they count. Without
    padding (``padded`` false) no tap is tested.
    """

    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    padded: bool
    counts_padding: bool

    pointers = ("x", "factors", "out")
    numbers = (
        *("out_h", "out_w", "channels", "x_row", "x_pixel", "out_row", "out_pixel"),
        *("in_h", "in_w", "pad_top", "pad_left"),
        *("in_zero_point", "out_zero_point", "low", "high"),
    )
    outputs = ("out",)
    family = "float_average_pool"

    @property
    def name(self) -> str:
        text = f"{self.family}_s8_{self.kernel_h}x{self.kernel_w}_s{self.stride_h}x{self.stride_w}"
        if not self.padded:
            return text
        return text + ("_padded_counted" if self.counts_padding else "_padded")

    @property
    def summary(self) -> str:
        padding = ", padded" if self.padded else ""
        padding += ", padding counts" if self.padded and self.counts_padding else ""
        return (
            f"Average pooling {self.kernel_h}x{self.kernel_w}, stride "
            f"{self.stride_h}x{self.stride_w}{padding}, in float32."
        )

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script
        from weft.kernels.requantize import float_average

        kh, kw, sh, sw = self.kernel_h, self.kernel_w, self.stride_h, self.stride_w
        padded, counts_all = self.padded, self.counts_padding or not self.padded

        def tap(x: Any, y: Any, z: Any, c: Any, in_h: Any, in_w: Any, zero_point: Any) -> Any:
            if not padded:
                return T.cast(x[y, z, c], "int32") - zero_point
            inside = T.And(T.And(y >= 0, y < in_h), T.And(z >= 0, z < in_w))
            return T.if_then_else(inside, T.cast(x[y, z, c], "int32") - zero_point, T.int32(0))

        def covered(first: Any, size: int, limit: Any) -> Any:
            """How many of ``size`` taps from ``first`` on lie within 0..limit."""
            return T.min(first + size, limit) - T.max(first, 0)

        def count(y: Any, z: Any, in_h: Any, in_w: Any) -> Any:
            if counts_all:
                return T.int32(kh * kw)
            return covered(y, kh, in_h) * covered(z, kw, in_w)

        @script.prim_func(s_tir=True)
        def pool(
            x_: T.handle,
            factors_: T.handle,
            out_: T.handle,
            out_h: T.int32,
            out_w: T.int32,
            channels: T.int32,
            x_row: T.int32,
            x_pixel: T.int32,
            out_row: T.int32,
            out_pixel: T.int32,
            in_h: T.int32,
            in_w: T.int32,
            pad_top: T.int32,
            pad_left: T.int32,
            in_zero_point: T.int32,
            out_zero_point: T.int32,
            low: T.int32,
            high: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(x_, (in_h, in_w, channels), "int8", strides=(x_row, x_pixel, 1))
            factors = T.match_buffer(factors_, (3,), "float32")
            out = T.match_buffer(
                out_, (out_h, out_w, channels), "int8", strides=(out_row, out_pixel, 1)
            )
            acc = T.sblock_alloc_buffer((out_h, out_w, channels), "float32")
            for oy, ox, ch, ky, kx in T.grid(out_h, out_w, channels, kh, kw):
                with T.sblock("accumulate"):
                    i, j, c, p, q = T.axis.remap("SSSRR", [oy, ox, ch, ky, kx])
                    with T.init():
                        acc[i, j, c] = T.float32(0)
                    acc[i, j, c] = acc[i, j, c] + factors[0] * T.cast(
                        tap(
                            x,
                            i * sh + p - pad_top,
                            j * sw + q - pad_left,
                            c,
                            in_h,
                            in_w,
                            in_zero_point,
                        ),
                        "float32",
                    )
            for oy, ox, ch in T.grid(out_h, out_w, channels):
                with T.sblock("store"):
                    i, j, c = T.axis.remap("SSS", [oy, ox, ch])
                    out[i, j, c] = float_average(
                        acc[i, j, c],
                        count(i * sh - pad_top, j * sw - pad_left, in_h, in_w),
                        factors,
                        out_zero_point,
                        low,
                        high,
                    )

        return pool

    def schedule(self, sch: Schedule) -> None:
        """One output element at a time, its accumulator in a register."""
        accumulate: Any = sch.get_sblock("accumulate")
        _, _, channel, filter_row, _ = sch.get_loops(accumulate)
        sch.reverse_compute_at(sch.get_sblock("store"), channel)
        sch.decompose_reduction(accumulate, filter_row)

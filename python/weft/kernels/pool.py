# SPDX-License-Identifier: Apache-2.0
"""Average and maximum pooling over a window, int8, padding left out of the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel

if TYPE_CHECKING:
    from tvm import tirx
    from tvm.s_tir import Schedule


@dataclass(frozen=True)
class Pool2d(TensorKernel):
    """One window an output element; taps outside of ``in_h`` x ``in_w`` do not take part.

    ``operator`` is ``max`` or ``average``. The average rounds to nearest, ties away from zero
    (tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h). Without padding
    (``padded`` false) no tap is tested, and the divisor is the size of the window.
    """

    operator: str
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    padded: bool

    pointers = ("x", "out")
    numbers = (
        *("out_h", "out_w", "channels", "x_row", "x_pixel", "out_row", "out_pixel"),
        *("in_h", "in_w", "pad_top", "pad_left", "low", "high"),
    )
    outputs = ("out",)

    @property
    def family(self) -> str:
        return f"{self.operator}_pool"

    @property
    def name(self) -> str:
        text = f"{self.family}_s8_{self.kernel_h}x{self.kernel_w}_s{self.stride_h}x{self.stride_w}"
        return text + ("_padded" if self.padded else "")

    @property
    def summary(self) -> str:
        return (
            f"{self.operator.capitalize()} pooling {self.kernel_h}x{self.kernel_w}, stride "
            f"{self.stride_h}x{self.stride_w}{', padded' if self.padded else ''}."
        )

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script
        from weft.kernels.requantize import average, clamp

        kh, kw, sh, sw = self.kernel_h, self.kernel_w, self.stride_h, self.stride_w
        padded, is_max = self.padded, self.operator == "max"
        start = -128 if is_max else 0

        def tap(x: Any, y: Any, z: Any, c: Any, in_h: Any, in_w: Any) -> Any:
            if not padded:
                return T.cast(x[y, z, c], "int32")
            inside = T.And(T.And(y >= 0, y < in_h), T.And(z >= 0, z < in_w))
            return T.if_then_else(inside, T.cast(x[y, z, c], "int32"), T.int32(start))

        def combine(acc: Any, value: Any) -> Any:
            return T.max(acc, value) if is_max else acc + value

        def covered(first: Any, size: int, limit: Any) -> Any:
            """How many of ``size`` taps from ``first`` on lie within 0..limit."""
            return T.min(first + size, limit) - T.max(first, 0)

        def result(acc: Any, y: Any, z: Any, in_h: Any, in_w: Any) -> Any:
            if is_max:
                return acc
            if not padded:
                return average(acc, T.int32(kh * kw))
            return average(acc, covered(y, kh, in_h) * covered(z, kw, in_w))

        @script.prim_func(s_tir=True)
        def pool(
            x_: T.handle,
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
            low: T.int32,
            high: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(x_, (in_h, in_w, channels), "int8", strides=(x_row, x_pixel, 1))
            out = T.match_buffer(
                out_, (out_h, out_w, channels), "int8", strides=(out_row, out_pixel, 1)
            )
            acc = T.sblock_alloc_buffer((out_h, out_w, channels), "int32")
            for oy, ox, ch, ky, kx in T.grid(out_h, out_w, channels, kh, kw):
                with T.sblock("accumulate"):
                    i, j, c, p, q = T.axis.remap("SSSRR", [oy, ox, ch, ky, kx])
                    with T.init():
                        acc[i, j, c] = T.int32(start)
                    acc[i, j, c] = combine(
                        acc[i, j, c],
                        tap(x, i * sh + p - pad_top, j * sw + q - pad_left, c, in_h, in_w),
                    )
            for oy, ox, ch in T.grid(out_h, out_w, channels):
                with T.sblock("store"):
                    i, j, c = T.axis.remap("SSS", [oy, ox, ch])
                    out[i, j, c] = T.cast(
                        clamp(
                            result(acc[i, j, c], i * sh - pad_top, j * sw - pad_left, in_h, in_w),
                            low,
                            high,
                        ),
                        "int8",
                    )

        return pool

    def schedule(self, sch: Schedule) -> None:
        """One output element at a time, its accumulator in a register."""
        accumulate: Any = sch.get_sblock("accumulate")
        _, _, channel, filter_row, _ = sch.get_loops(accumulate)
        sch.reverse_compute_at(sch.get_sblock("store"), channel)
        sch.decompose_reduction(accumulate, filter_row)

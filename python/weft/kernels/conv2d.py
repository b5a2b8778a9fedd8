# SPDX-License-Identifier: Apache-2.0
"""Convolution of an already padded box, int8 to int8, also used for dense layers (1x1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel
from weft.kernels.rounding import requantizer, suffix

if TYPE_CHECKING:
    from tvm import tirx
    from tvm.s_tir import Schedule


@dataclass(frozen=True)
class WindowKernel(TensorKernel):
    """What convolutions have as constants: filter, stride, dilation, channels to reduce over."""

    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    in_channels: int

    @property
    def window(self) -> str:
        """All constants in a few characters, for the name."""
        text = f"{self.kernel_h}x{self.kernel_w}"
        if (self.stride_h, self.stride_w) != (1, 1):
            text += f"_s{self.stride_h}x{self.stride_w}"
        if (self.dilation_h, self.dilation_w) != (1, 1):
            text += f"_d{self.dilation_h}x{self.dilation_w}"
        return f"{text}_c{self.in_channels}"


@dataclass(frozen=True)
class Conv2d(WindowKernel):
    """``out[i, j, c] = requantise(bias[c] + sum x[i*s + p*d, j*s + q*d, k] * w[c, p, q, k])``.

    ``x`` points at the first element under the filter; padding is part of the buffer. The input's
    zero point is folded into ``bias``. Accumulation is modulo 2^32.
    """

    rounding: str = "twice"

    pointers = ("x", "w", "bias", "multiplier", "shift", "out")
    numbers = (
        "out_h",
        "out_w",
        "out_channels",
        "x_row",
        "x_pixel",
        "out_row",
        "out_pixel",
        "zero_point",
        "low",
        "high",
    )
    outputs = ("out",)
    family = "conv2d"

    @property
    def name(self) -> str:
        return f"conv2d_s8_{self.window}{suffix(self.rounding)}"

    @property
    def summary(self) -> str:
        return (
            f"Convolution {self.kernel_h}x{self.kernel_w}, stride {self.stride_h}x{self.stride_w}, "
            f"dilation {self.dilation_h}x{self.dilation_w}, {self.in_channels} input channel(s)."
        )

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        requantize_s8 = requantizer(self.rounding)
        kh, kw, ci = self.kernel_h, self.kernel_w, self.in_channels
        sh, sw, dh, dw = self.stride_h, self.stride_w, self.dilation_h, self.dilation_w

        @script.prim_func(s_tir=True)
        def conv2d(
            x_: T.handle,
            w_: T.handle,
            bias_: T.handle,
            multiplier_: T.handle,
            shift_: T.handle,
            out_: T.handle,
            out_h: T.int32,
            out_w: T.int32,
            out_channels: T.int32,
            x_row: T.int32,
            x_pixel: T.int32,
            out_row: T.int32,
            out_pixel: T.int32,
            zero_point: T.int32,
            low: T.int32,
            high: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(
                x_,
                ((out_h - 1) * sh + (kh - 1) * dh + 1, (out_w - 1) * sw + (kw - 1) * dw + 1, ci),
                "int8",
                strides=(x_row, x_pixel, 1),
            )
            w = T.match_buffer(w_, (out_channels, kh, kw, ci), "int8")
            bias = T.match_buffer(bias_, (out_channels,), "int32")
            multiplier = T.match_buffer(multiplier_, (out_channels,), "int32")
            shift = T.match_buffer(shift_, (out_channels,), "int8")
            out = T.match_buffer(
                out_, (out_h, out_w, out_channels), "int8", strides=(out_row, out_pixel, 1)
            )
            acc = T.sblock_alloc_buffer((out_h, out_w, out_channels), "uint32")
            for oy, ox, oc, ky, kx, k in T.grid(out_h, out_w, out_channels, kh, kw, ci):
                with T.sblock("accumulate"):
                    i, j, c, p, q, r = T.axis.remap("SSSRRR", [oy, ox, oc, ky, kx, k])
                    with T.init():
                        acc[i, j, c] = T.cast(bias[c], "uint32")
                    acc[i, j, c] = acc[i, j, c] + T.cast(
                        T.cast(x[i * sh + p * dh, j * sw + q * dw, r], "int32")
                        * T.cast(w[c, p, q, r], "int32"),
                        "uint32",
                    )
            for oy, ox, oc in T.grid(out_h, out_w, out_channels):
                with T.sblock("requantize"):
                    i, j, c = T.axis.remap("SSS", [oy, ox, oc])
                    out[i, j, c] = requantize_s8(
                        T.cast(acc[i, j, c], "int32"),
                        multiplier[c],
                        T.cast(shift[c], "int32"),
                        zero_point,
                        low,
                        high,
                    )

        return conv2d

    def schedule(self, sch: Schedule) -> None:
        """One output element at a time, its accumulator in a register."""
        accumulate: Any = sch.get_sblock("accumulate")
        _, _, channel, filter_row, _, _ = sch.get_loops(accumulate)
        sch.reverse_compute_at(sch.get_sblock("requantize"), channel)
        sch.decompose_reduction(accumulate, filter_row)

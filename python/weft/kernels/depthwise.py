# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolution of an already padded box, int8 to int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel
from weft.kernels.rounding import requantizer, suffix

if TYPE_CHECKING:
    from tvm import tirx
    from tvm.s_tir import Schedule


@dataclass(frozen=True)
class DepthwiseConv2d(TensorKernel):
    """``out[y, x, c*m + i] = requantise(bias[..] + sum x[y*s + ky*d, x*s + kx*d, c] * w[..])``.

    Weights are ``[kernel_h, kernel_w, channels * multiplier]``; ``w_tap`` is the distance between
    taps, so that a box of channels can be cut out of larger weights. Padding and the input's zero
    point are treated as in ``Conv2d``.
    """

    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    channel_multiplier: int
    rounding: str = "twice"

    pointers = ("x", "w", "bias", "multiplier", "shift", "out")
    numbers = (
        "out_h",
        "out_w",
        "channels",
        "x_row",
        "x_pixel",
        "w_tap",
        "out_row",
        "out_pixel",
        "zero_point",
        "low",
        "high",
    )
    outputs = ("out",)
    family = "depthwise"

    @property
    def name(self) -> str:
        text = f"depthwise_s8_{self.kernel_h}x{self.kernel_w}"
        if (self.stride_h, self.stride_w) != (1, 1):
            text += f"_s{self.stride_h}x{self.stride_w}"
        if (self.dilation_h, self.dilation_w) != (1, 1):
            text += f"_d{self.dilation_h}x{self.dilation_w}"
        if self.channel_multiplier != 1:
            text += f"_m{self.channel_multiplier}"
        return text + suffix(self.rounding)

    @property
    def summary(self) -> str:
        return (
            f"Depthwise convolution {self.kernel_h}x{self.kernel_w}, stride "
            f"{self.stride_h}x{self.stride_w}, dilation {self.dilation_h}x{self.dilation_w}, "
            f"{self.channel_multiplier} output(s) a channel."
        )

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        requantize_s8 = requantizer(self.rounding)
        kh, kw, m = self.kernel_h, self.kernel_w, self.channel_multiplier
        sh, sw, dh, dw = self.stride_h, self.stride_w, self.dilation_h, self.dilation_w

        @script.prim_func(s_tir=True)
        def depthwise(
            x_: T.handle,
            w_: T.handle,
            bias_: T.handle,
            multiplier_: T.handle,
            shift_: T.handle,
            out_: T.handle,
            out_h: T.int32,
            out_w: T.int32,
            channels: T.int32,
            x_row: T.int32,
            x_pixel: T.int32,
            w_tap: T.int32,
            out_row: T.int32,
            out_pixel: T.int32,
            zero_point: T.int32,
            low: T.int32,
            high: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(
                x_,
                (
                    (out_h - 1) * sh + (kh - 1) * dh + 1,
                    (out_w - 1) * sw + (kw - 1) * dw + 1,
                    channels,
                ),
                "int8",
                strides=(x_row, x_pixel, 1),
            )
            w = T.match_buffer(w_, (kh, kw, channels, m), "int8", strides=(kw * w_tap, w_tap, m, 1))
            bias = T.match_buffer(bias_, (channels, m), "int32")
            multiplier = T.match_buffer(multiplier_, (channels, m), "int32")
            shift = T.match_buffer(shift_, (channels, m), "int8")
            out = T.match_buffer(
                out_, (out_h, out_w, channels, m), "int8", strides=(out_row, out_pixel, m, 1)
            )
            acc = T.sblock_alloc_buffer((out_h, out_w, channels, m), "uint32")
            for oy, ox, ch, om, ky, kx in T.grid(out_h, out_w, channels, m, kh, kw):
                with T.sblock("accumulate"):
                    i, j, c, n, p, q = T.axis.remap("SSSSRR", [oy, ox, ch, om, ky, kx])
                    with T.init():
                        acc[i, j, c, n] = T.cast(bias[c, n], "uint32")
                    acc[i, j, c, n] = acc[i, j, c, n] + T.cast(
                        T.cast(x[i * sh + p * dh, j * sw + q * dw, c], "int32")
                        * T.cast(w[p, q, c, n], "int32"),
                        "uint32",
                    )
            for oy, ox, ch, om in T.grid(out_h, out_w, channels, m):
                with T.sblock("requantize"):
                    i, j, c, n = T.axis.remap("SSSS", [oy, ox, ch, om])
                    out[i, j, c, n] = requantize_s8(
                        T.cast(acc[i, j, c, n], "int32"),
                        multiplier[c, n],
                        T.cast(shift[c, n], "int32"),
                        zero_point,
                        low,
                        high,
                    )

        return depthwise

    def schedule(self, sch: Schedule) -> None:
        """One output element at a time, its accumulator in a register."""
        accumulate: Any = sch.get_sblock("accumulate")
        _, _, _, output, filter_row, _ = sch.get_loops(accumulate)
        sch.reverse_compute_at(sch.get_sblock("requantize"), output)
        sch.decompose_reduction(accumulate, filter_row)

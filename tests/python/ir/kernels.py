"""Kernels of every family, one or more of each: what the golden C and the MLIR checks look at."""

from __future__ import annotations

from weft.kernels.base import Kernel
from weft.kernels.binary import Add, Extremum, Mul
from weft.kernels.conv2d import Conv2d
from weft.kernels.depthwise import DepthwiseConv2d
from weft.kernels.float_binary import FloatBinary
from weft.kernels.float_pool import FloatAveragePool
from weft.kernels.float_softmax import FloatSoftmax
from weft.kernels.mean import Mean
from weft.kernels.movement import Copy, Fill, Lookup, Quantize
from weft.kernels.partial import AddPartial, PartialConv2d, Requantize
from weft.kernels.pool import Pool2d
from weft.kernels.softmax import Softmax
from weft.kernels.tir import TirKernel

# A convolution with bias and activation, as the generic stage has it.
_CONVOLUTION = """@R.function
def main(x0: R.Tensor((1, 4, 5, 2), dtype="float32"), x1: R.Tensor((3, 3, 3, 2), dtype="float32"), \
x2: R.Tensor((3,), dtype="float32")) -> R.Tensor((1, 4, 5, 3), dtype="float32"):
    gv: R.Tensor((1, 4, 5, 3), dtype="float32") = R.nn.conv2d(x0, x1, padding=[1, 1, 1, 1], \
data_layout="NHWC", kernel_layout="OHWI")
    gv1: R.Tensor((1, 4, 5, 3), dtype="float32") = R.add(gv, x2)
    gv2: R.Tensor((1, 4, 5, 3), dtype="float32") = R.nn.relu(gv1)
    return gv2"""
KERNELS: tuple[Kernel, ...] = (
    Add(1, 1),
    Add(1, 0),
    Add(0, 1, subtract=True),
    Mul(1, 0),
    Extremum(1, 0),
    Extremum(1, 1, largest=False),
    Conv2d(1, 1, 1, 1, 1, 1, 16),
    Conv2d(3, 2, 2, 1, 1, 3, 5),
    DepthwiseConv2d(3, 3, 1, 1, 1, 1, 1),
    DepthwiseConv2d(2, 3, 2, 1, 1, 2, 3),
    PartialConv2d(1, 1, 1, 1, 1, 1, 7),
    PartialConv2d(3, 2, 2, 1, 1, 3, 5),
    AddPartial(),
    Requantize(),
    Mean(),
    Pool2d("average", 2, 3, 2, 1, padded=False),
    Pool2d("average", 3, 3, 1, 1, padded=True),
    Pool2d("max", 2, 2, 2, 2, padded=False),
    Pool2d("max", 3, 2, 1, 2, padded=True),
    Softmax(),
    Copy("int8"),
    Copy("int32"),
    Copy("float32"),
    Fill(),
    Lookup("int8"),
    Lookup("float32"),
    Quantize(),
    Conv2d(1, 1, 1, 1, 1, 1, 16, "float"),
    DepthwiseConv2d(3, 3, 1, 1, 1, 1, 1, "float"),
    FloatAveragePool(2, 3, 2, 1, padded=False, counts_padding=False),
    FloatAveragePool(3, 3, 1, 1, padded=True, counts_padding=False),
    FloatAveragePool(3, 3, 1, 1, padded=True, counts_padding=True),
    FloatBinary("add", 1, 1),
    FloatBinary("mul", 1, 0),
    FloatBinary("sub", 0, 1),
    FloatSoftmax(),
    Mean("float"),
    Quantize("float"),
    Requantize("float"),
    TirKernel(_CONVOLUTION),
    TirKernel(_CONVOLUTION, ((0, 1), (2, 2), (0, 5), (1, 2))),
)

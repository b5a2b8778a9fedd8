# SPDX-License-Identifier: Apache-2.0
"""The stage graph: one op per kind of stage, on tensors.

Adding a kind of stage means a file here and one in ``weft.kernels``, and their line in ``ALL``.
"""

from __future__ import annotations

from xdsl.ir import Dialect

from weft.dialects.stages.base import Constant, Stage, StageGraph, StageOutput
from weft.dialects.stages.conv import Conv2dStage, DenseStage, DepthwiseStage
from weft.dialects.stages.device import DeviceConv2dStage, DeviceDenseStage
from weft.dialects.stages.elementwise import (
    BinaryStage,
    ExtremumStage,
    LookupStage,
    QuantizeStage,
)
from weft.dialects.stages.floating import (
    FloatBinaryStage,
    FloatPoolStage,
    FloatSoftmaxStage,
)
from weft.dialects.stages.movement import (
    ConcatStage,
    PadStage,
    ReshapeStage,
    SliceStage,
    TransposeStage,
)
from weft.dialects.stages.packed import PackedConv2dStage, PackedDenseStage, PackedDepthwiseStage
from weft.dialects.stages.partial import (
    AddPartialStage,
    PartialConv2dStage,
    PartialDenseStage,
    RequantizeStage,
)
from weft.dialects.stages.reduction import MeanStage, PoolStage, SoftmaxStage
from weft.dialects.stages.resize import ResizeStage
from weft.dialects.stages.tir import TirStage

ALL: tuple[type[Stage], ...] = (
    AddPartialStage,
    BinaryStage,
    ConcatStage,
    Conv2dStage,
    DenseStage,
    DepthwiseStage,
    DeviceConv2dStage,
    DeviceDenseStage,
    ExtremumStage,
    FloatBinaryStage,
    FloatPoolStage,
    FloatSoftmaxStage,
    LookupStage,
    MeanStage,
    PackedConv2dStage,
    PackedDenseStage,
    PackedDepthwiseStage,
    PadStage,
    PartialConv2dStage,
    PartialDenseStage,
    PoolStage,
    QuantizeStage,
    RequantizeStage,
    ReshapeStage,
    ResizeStage,
    SliceStage,
    SoftmaxStage,
    TirStage,
    TransposeStage,
)

STAGES = Dialect("stages", [StageGraph, StageOutput, Constant, *ALL], [])

__all__ = ["ALL", "STAGES", "Constant", "Stage", "StageGraph", "StageOutput"]

# SPDX-License-Identifier: Apache-2.0
"""Layers with random weights as compiled programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.ir import Block, Region, SSAValue

from weft.codegen.build import finish
from weft.dialects.stages import Constant, StageGraph, StageOutput
from weft.dialects.stages.base import tensor_type
from weft.dialects.stages.conv import Conv2dStage, DenseStage, DepthwiseStage
from weft.dialects.stages.elementwise import BinaryStage
from weft.kernels.module import kernel_module
from weft.machines import Machine
from weft.mapping.mapping import Mapping
from weft.placing import Placing
from weft.program import Program, load_program
from weft.testing.random_layers import RandomLayer
from weft.transforms.compilation import Compilation, constant_key

_STAGES = {
    "conv2d": Conv2dStage,
    "depthwise": DepthwiseStage,
    "dense": DenseStage,
    "binary": BinaryStage,
}


def compile_layers(
    layers: Sequence[RandomLayer],
    machine: Machine,
    folder: Path,
    generated: Collection[str] = (),
    by_measurement: bool = True,
) -> Program:
    """Compiles ``layers`` beside each other for one PE, into ``folder``: as many outputs, and
    stages that are called by their numbers. Kernels are chosen as by ``choose_kernels``.

    Raises what ``weft.compile`` does.
    """
    placing = Placing(
        network(layers), machine, pes=1, generated=generated, by_measurement=by_measurement
    )

    def write(mapping: Mapping) -> None:
        placed = placing.place(mapping)
        folder.mkdir(exist_ok=True)
        kernels = kernel_module(placed.compilation.kernels.values(), None)
        finish(placed, kernels, folder, "layers", None)

    placing.search(write)
    return load_program(folder)


def network(layers: Sequence[RandomLayer]) -> Compilation:
    """A stage graph with an input for every operand and an output for every layer, which is called
    by its number."""
    given = [layer for layer in layers for _ in range(layer.operands)]
    block = Block(arg_types=[tensor_type(layer.x_shape, "int8") for layer in given])
    arguments = iter(block.args)
    found: dict[str, NDArray[Any]] = {}
    results = []
    for number, layer in enumerate(layers):
        operands: list[SSAValue] = list(islice(arguments, layer.operands))
        for data in layer.constants:
            found[constant_key(data)] = data
            constant = Constant(
                properties={"key": StringAttr(constant_key(data))},
                result_types=[tensor_type(data.shape, str(data.dtype))],
            )
            block.add_op(constant)
            operands.append(constant.result)
        attributes = {**layer.attributes, "label": str(number)}
        result = tensor_type(layer.out_shape, "int8")
        stage = _STAGES[layer.kind].make(operands, attributes, result)
        block.add_op(stage)
        results.append(stage.result)
    block.add_op(StageOutput(operands=[results]))
    names = ArrayAttr(StringAttr(f"x{number}") for number in range(len(given)))
    outputs = ArrayAttr(StringAttr(f"y{number}") for number in range(len(layers)))
    graph = StageGraph(
        properties={"input_names": names, "output_names": outputs}, regions=[Region(block)]
    )
    module = ModuleOp([graph])
    module.verify()
    return Compilation(module, found)

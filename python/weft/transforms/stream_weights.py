# SPDX-License-Identifier: Apache-2.0
"""Pass: which constants lie in DRAM, where the user allows it.

Those are the weights of stages, in whatever order their kernel or device reads them. What is small
stays with the PE: a job would cost more than its memory is worth.
"""

from __future__ import annotations

from dataclasses import replace

from xdsl.dialects.builtin import UnitAttr

from weft.devices.accelerator import Accelerator
from weft.dialects.fabric import MeshOp, TemplateOp
from weft.dialects.stages import Constant, Stage
from weft.dialects.stages.base import dtype_of, elements, int_of
from weft.dialects.stages.device import DeviceStage
from weft.kernels.view import ITEM_BYTES
from weft.machines.model import STREAMED_BYTES
from weft.transforms.compilation import Compilation
from weft.transforms.dram_loads import copier
from weft.transforms.weight_chunks import has_chunks


def stream_weights(compilation: Compilation) -> Compilation:
    """Marks constants of templates. Nothing is changed unless the fact ``weights`` is ``dram``."""
    if compilation.facts.get("weights") != "dram":
        return compilation
    module = compilation.module.clone()
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    pes = {place.template_name: place.pe_index for place in mesh.places}
    for name, template in mesh.templates.items():
        devices = compilation.devices.get(pes.get(name, -1), ())
        copies = copier(devices)
        if copies is None or not isinstance(template, TemplateOp):
            continue
        alignment = copies.description.facts.alignment
        for op in template.graph.body.block.ops:
            if isinstance(op, Constant) and _is_streamed(op, devices, alignment):
                op.stored = UnitAttr()
    module.verify()
    return replace(compilation, module=module)


def _is_streamed(constant: Constant, devices: tuple[Accelerator, ...], alignment: int) -> bool:
    """Whether a constant is large, and only weighted stages read it, which can do so by parts."""
    size = elements(constant.result) * ITEM_BYTES[dtype_of(constant.result.type)]
    if size < STREAMED_BYTES:
        return False
    for use in constant.result.uses:
        stage = use.operation
        if not isinstance(stage, Stage) or stage.macs() == 0 or use.index == 0:
            return False
        if isinstance(stage, DeviceStage):
            device = devices[int_of(stage.device)]
            if use.index != 1 or not has_chunks(stage, device, alignment):
                return False
    return True

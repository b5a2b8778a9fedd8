# SPDX-License-Identifier: Apache-2.0
"""Programs of ``torch.export`` to Relax: float models, and int8 models quantised by pt2e.

Needs the extra ``weft[torch]``. Whose numbers quantised operators follow is said by the attribute
``weft.contract``: those of ONNX Runtime, since torch computes on the floats in between.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax

from weft.errors import ModelError


def torch_to_relax(exported: Any, name: str) -> tvm.IRModule:
    """``exported`` is a ``torch.export.ExportedProgram``. Raises ``ModelError`` with TVM's reason
    if it has something that cannot be imported."""
    from tvm.relax.frontend.torch import from_exported_program

    try:
        module = from_exported_program(
            exported, custom_convert_map=_CONVERTERS, keep_params_as_input=False
        )
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as e:
        detail = str(e).strip().splitlines() or [type(e).__name__]
        raise ModelError(f"{name}: torch's program cannot be imported: {detail[-1][:200]}") from e
    module = relax.transform.DecomposeOpsForInference()(module)
    module = relax.transform.CanonicalizeBindings()(module)
    module = relax.transform.DeadCodeElimination(["main"])(module)
    main = module["main"]
    result = main.ret_ty
    if isinstance(result, relax.TupleType) and len(result.fields) == 1:
        main = _with_single_result(main)
    return tvm.IRModule({"main": main.with_attr("weft.contract", "onnxruntime")})


def _with_single_result(function: relax.Function) -> relax.Function:
    """A tuple of one result is that result."""
    blocks = list(function.body.blocks)
    result = relax.Var("result", function.ret_ty.fields[0])
    item = relax.VarBinding(result, relax.TupleGetItem(function.body.body, 0))
    body = relax.SeqExpr([*blocks, relax.BindingBlock([item])], result)
    made = relax.Function(function.params, body, function.ret_ty.fields[0], function.is_pure)
    module = tvm.IRModule({"main": made.with_attrs(dict(function.attrs))})
    module = relax.transform.ConvertToDataflow()(module)
    return relax.transform.CanonicalizeBindings()(module)["main"]


# --- operators of pt2e ---


def _emit(importer: Any, call: Any) -> Any:
    return importer.block_builder.emit(call)


def _numbers(scale: Any, zero_point: Any) -> tuple[Any, Any]:
    return relax.const(np.float32(scale)), relax.const(np.int32(zero_point))


def _quantize(node: Any, importer: Any) -> Any:
    x, (scale, zero_point, _, _, dtype) = importer.env[node.args[0]], node.args[1:6]
    out = str(dtype).removeprefix("torch.")
    call = relax.op.quantize(x, *_numbers(scale, zero_point), axis=0, out_dtype=out)
    return _emit(importer, call)


def _dequantize(node: Any, importer: Any) -> Any:
    x, (scale, zero_point) = importer.env[node.args[0]], node.args[1:3]
    return _emit(importer, relax.op.dequantize(x, *_numbers(scale, zero_point), axis=0))


def _dequantize_channels(node: Any, importer: Any) -> Any:
    x, scales, zero_points = (importer.env[a] for a in node.args[:3])
    whole = _emit(importer, relax.op.astype(zero_points, "int32"))
    scales = _emit(importer, relax.op.astype(scales, "float32"))
    return _emit(importer, relax.op.dequantize(x, scales, whole, axis=int(node.args[3])))


_CONVERTERS = {
    "quantize_per_tensor.default": _quantize,
    "dequantize_per_tensor.default": _dequantize,
    "dequantize_per_channel.default": _dequantize_channels,
}

# SPDX-License-Identifier: Apache-2.0
"""One file a format: model files to Relax with quantise and dequantise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.errors import ModelError


def import_model(model: Any, name: str, params: Mapping[str, Any] | None) -> tuple[Any, list[str]]:
    """A ``tvm.IRModule`` from the bytes of a model file, or from one that is Relax already.

    Also what is not supported, a line each; its results are stand-ins (``weft.adapter.stand_in``),
    so that the passes after this one can add what they find. Raises ``ModelError``.
    """
    if isinstance(model, bytes):
        if params:
            raise ModelError(f"{name}: parameters go with a Relax module, not with a model file")
        from weft.importers.tflite import is_tflite, tflite_to_relax

        if is_tflite(model):
            return tflite_to_relax(model, name)
        from weft.importers.onnx import onnx_to_relax

        return onnx_to_relax(model, name)
    from weft.importers.relax import import_relax

    return import_relax(model, name, params or {})

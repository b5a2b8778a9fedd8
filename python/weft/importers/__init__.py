# SPDX-License-Identifier: Apache-2.0
"""One file a format: model files to Relax with quantise and dequantise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.errors import ModelError


def whole_model(data: bytes, path: Path) -> bytes:
    """The bytes of a model file, with what it keeps in other files. Raises ``ModelError``."""
    # The word is in every ONNX file that keeps data elsewhere: others need not be looked at.
    if data[4:8] == b"TFL3" or b"location" not in data:
        return data
    from weft.importers.onnx_files import with_external_data

    return with_external_data(data, path)


def import_model(model: Any, name: str, params: Mapping[str, Any] | None) -> tuple[Any, list[str]]:
    """A ``tvm.IRModule`` from the bytes of a model file, a program of ``torch.export``, or one
    that is Relax already.

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

    if type(model).__name__ == "ExportedProgram":
        from weft.importers.torch import torch_to_relax

        model = torch_to_relax(model, name)
    return import_relax(model, name, params or {})

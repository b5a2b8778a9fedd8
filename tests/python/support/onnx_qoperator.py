"""Models of quantised operators, QLinearConv and so on, as ONNX Runtime's optimiser writes them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import onnxruntime


def as_quantised_operators(model: bytes) -> bytes:
    """The model after the optimisation that replaces quantise and dequantise, but no layouts."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        onnxruntime.InferenceSession(
            model,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["NhwcTransformer", "TransposeOptimizer"],
        )
        return (Path(folder) / "optimised.onnx").read_bytes()


def kinds(model: bytes) -> set[str]:
    """The operators of a model."""
    return {node.op_type for node in onnx.load_from_string(model).graph.node}

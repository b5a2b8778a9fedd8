# SPDX-License-Identifier: Apache-2.0
"""``weft bench native``: one frame on the engine ``native`` beside ONNX Runtime with one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from weft.compiler import compile_model
from weft.errors import EngineError

_MACHINE = "single-m4-1m"
# Both take turns, so that whatever else the machine does meets both; the best of each counts.
_ROUNDS, _FRAMES = 40, 5


def measure() -> dict[str, Any]:
    """Seconds a frame of every network, and their ratio.

    Raises ``EngineError`` without onnxruntime or if outputs differ, and what ``compile_model``
    does.
    """
    try:
        import onnxruntime

        from weft.bench.qdq_models import NETWORKS
    except ImportError as error:
        raise EngineError(
            f"weft bench native compares with ONNX Runtime ({error}): pip install weft[bench]"
        ) from None
    report = {name: _compare(name, onnxruntime) for name in NETWORKS}
    return {"models": report, "onnxruntime": onnxruntime.__version__}


def _compare(name: str, onnxruntime: Any) -> dict[str, Any]:
    from weft.bench.qdq_models import quantized_network

    model, shape = quantized_network(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.log_severity_level = 3
    peer = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    program = compile_model(model, _MACHINE)
    frame = np.random.default_rng(2).normal(0, 1, shape).astype(np.float32)
    with program.open(engine="native") as session:
        result = session.run(frame)
        assert isinstance(result, np.ndarray)
        (wanted,) = peer.run(None, {"x": frame})
        differing = int(np.count_nonzero(result != wanted))
        ours, theirs = _take_turns(lambda: session.run(frame), lambda: peer.run(None, {"x": frame}))
    macs = sum(t["macs"] for pe in program.manifest["pes"] for s in pe["shards"] for t in s)
    return {
        "macs": macs,
        "seconds": ours,
        "peer_seconds": theirs,
        "ratio": round(ours / theirs, 3),
        "gmacs_per_second": round(macs / ours / 1e9, 2),
        "outputs": int(wanted.size),
        "differing_outputs": differing,
    }


def _take_turns(*runs: Callable[[], Any]) -> list[float]:
    """The least seconds a run that each was seen to take."""
    best = [float("inf")] * len(runs)
    for _ in range(_ROUNDS):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            for _ in range(_FRAMES):
                run()
            best[i] = min(best[i], (time.perf_counter() - start) / _FRAMES)
    return best


def text(report: dict[str, Any]) -> str:
    """For people."""
    lines = [f"one frame, beside ONNX Runtime {report['onnxruntime']} with one thread"]
    for name, row in report["models"].items():
        lines.append(
            f"{name:10} {1e3 * row['seconds']:8.3f} ms, {1e3 * row['peer_seconds']:8.3f} ms: "
            f"{row['ratio']:.2f} x; {row['gmacs_per_second']} GMAC/s; "
            f"{row['differing_outputs']} of {row['outputs']} outputs differ"
        )
    return "\n".join(lines)

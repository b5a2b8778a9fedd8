# SPDX-License-Identifier: Apache-2.0
"""``weft demo``: handwritten digits on one PE, as a TFLite and as an ONNX model, checked against
TensorFlow Lite Micro and against what ONNX Runtime gave."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weft.compiler import compile_model
from weft.errors import InputError
from weft.paths import models_folder

MACHINE = "single-m4"
_NEEDED = {"matplotlib": "draws the picture", "tflite_micro": "gives the answers to compare with"}
_SHOWN = 24
_WHITE = np.float32(16)  # the network's real input is 0..1

Array = np.ndarray[Any, Any]


def _check_extra() -> None:
    for module, purpose in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise InputError(
                f"the demo needs the Python package {module}, which {purpose}: "
                "pip install 'weft[demo]'"
            )


def run_demo(picture: Path, quiet: bool) -> tuple[dict[str, Any], str]:
    """Compiles the bundled model, runs all held-out digits, writes ``picture``.

    Returns the report and the same as text. Progress goes to stderr.
    """
    from rich.console import Console
    from rich.progress import Progress

    _check_extra()
    if picture.suffix != ".png":
        raise InputError(f"{picture}: the picture's name ends in .png")
    start = time.perf_counter()
    console = Console(stderr=True, quiet=quiet)
    model = models_folder() / "digits_int8.tflite"
    held_out = np.load(models_folder() / "digits_test.npz")
    inputs, labels = held_out["input"], held_out["labels"]
    with console.status("compiling the model"):
        program = compile_model(model, MACHINE)
        session = program.open("native")
    reference = _Reference(model)
    results, agreed, seconds = [], 0, 0.0
    with session, Progress(console=console) as progress:
        for digit in progress.track(inputs, description="recognising digits"):
            frame = digit[None]
            before = time.perf_counter()
            result = session.run(frame)
            seconds += time.perf_counter() - before
            results.append(result[0])
            agreed += bool(np.array_equal(result, reference.run(frame)))
    from_onnx = _run_onnx(held_out, console)
    recognised = np.argmax(np.array(results), axis=1)
    correct = int(np.sum(recognised == labels))
    percent = 100 * correct / len(labels)
    _draw(picture, held_out["images"], labels, recognised)
    report = {
        "machine": MACHINE,
        "engine": "native",
        "pes_used": 1,
        "programs": 1,
        "stages": len(program.stages),
        "frames": len(labels),
        "correct": correct,
        "accuracy": round(correct / len(labels), 4),
        "agreed": agreed,
        "onnx_correct": from_onnx.correct,
        "onnx_agreed": from_onnx.agreed,
        "onnx_sram_peak_bytes": from_onnx.sram_bytes,
        "sram_peak_bytes": program.sram_bytes,
        "frame_s": round(seconds / len(labels), 6),
        "picture": str(picture),
        "wall_s": round(time.perf_counter() - start, 3),
    }
    text = "\n".join(
        [
            f"digits right          {correct} of {len(labels)} ({percent:.1f} %)",
            f"same bytes as TFLM    {agreed} of {len(labels)}",
            f"SRAM on the PE        {program.sram_bytes} of 131072 bytes",
            f"as an ONNX model      {from_onnx.correct} right, {from_onnx.agreed} with the bytes "
            f"of ONNX Runtime, {from_onnx.sram_bytes} bytes of SRAM",
            f"time a digit (host)   {1e6 * seconds / len(labels):.0f} us",
            f"time in all           {report['wall_s']:.1f} s",
            f"picture               {picture}",
        ]
    )
    return report, text


@dataclass(frozen=True)
class _OnnxResults:
    """Of the ONNX model; ``agreed`` counts results with the bytes that ONNX Runtime gave when the
    model was made."""

    correct: int
    agreed: int
    sram_bytes: int


def _run_onnx(held_out: Any, console: Any) -> _OnnxResults:
    with console.status("compiling the ONNX model"):
        program = compile_model(models_folder() / "digits_int8.onnx", MACHINE)
        session = program.open("native")
    frames = (held_out["images"].astype(np.float32) / _WHITE)[:, None, None]
    with session:
        results = np.concatenate(list(session.stream(frames)))
    expected = held_out["onnx_output"]
    return _OnnxResults(
        int(np.sum(np.argmax(results, axis=1) == held_out["labels"])),
        int(np.sum(np.all(results == expected, axis=1))),
        program.sram_bytes,
    )


class _Reference:
    """The model in the interpreter of the framework that it comes from."""

    def __init__(self, model: Path) -> None:
        from tflite_micro import runtime

        self.interpreter = runtime.Interpreter.from_file(str(model))

    def run(self, frame: Array) -> Array:
        self.interpreter.set_input(frame, 0)
        self.interpreter.invoke()
        result: Array = self.interpreter.get_output(0)
        return result


def _draw(path: Path, images: Array, labels: Array, recognised: Array) -> None:
    """Some digits with what was recognised: all mistakes first, then whatever comes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    wrong = np.flatnonzero(recognised != labels)
    right = np.flatnonzero(recognised == labels)
    chosen = np.concatenate([wrong, right])[:_SHOWN]
    figure, axes = pyplot.subplots(4, 6, figsize=(7.2, 5.6), layout="constrained")
    for axis, index in zip(axes.flat, chosen, strict=True):
        is_right = recognised[index] == labels[index]
        axis.imshow(images[index], cmap="gray_r", vmin=0, vmax=16)
        axis.set_title(
            f"{recognised[index]}" if is_right else f"{recognised[index]} (is {labels[index]})",
            color="black" if is_right else "tab:red",
        )
        axis.set_axis_off()
    figure.suptitle(f"{len(right)} of {len(labels)} held-out digits recognised on one PE")
    try:
        figure.savefig(path, dpi=100)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        pyplot.close(figure)

# SPDX-License-Identifier: Apache-2.0
"""``weft demo``: handwritten digits on one PE, checked against TensorFlow Lite Micro."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

import numpy as np

from weft.compiler import compile_model
from weft.errors import InputError
from weft.paths import models_folder

MACHINE = "single-m4"
_NEEDED = {"matplotlib": "draws the picture", "tflite_micro": "gives the answers to compare with"}
_SHOWN = 24

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
            f"time a digit (host)   {1e6 * seconds / len(labels):.0f} us",
            f"time in all           {report['wall_s']:.1f} s",
            f"picture               {picture}",
        ]
    )
    return report, text


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

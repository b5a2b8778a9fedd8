# SPDX-License-Identifier: Apache-2.0
"""Frames for the firmware, and what TensorFlow Lite Micro answers to them, as a C header."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tflite_micro import runtime


def rows(name: str, arrays: list[np.ndarray]) -> str:
    """A C array of one row of bytes for each array."""
    texts = [", ".join(str(byte) for byte in array.tobytes()) for array in arrays]
    listed = "".join(f"    {{{text}}},\n" for text in texts)
    return f"static const uint8_t {name}[{len(arrays)}][{arrays[0].nbytes}] = {{\n{listed}}};\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a TFLite file, int8, one input and one output")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    oracle = runtime.Interpreter.from_file(str(options.model))
    facts = oracle.get_input_details(0)
    random = np.random.default_rng(options.seed)
    inputs, outputs = [], []
    for _ in range(options.frames):
        # Dark and bright frames, so that results differ.
        low = int(random.integers(-128, 100))
        frame = random.integers(low, 128, tuple(facts["shape"]), dtype=facts["dtype"])
        oracle.set_input(frame, 0)
        oracle.invoke()
        inputs.append(frame)
        outputs.append(oracle.get_output(0).copy())
    options.output.write_text(
        "/* Written by expected.py. */\n#include <stdint.h>\n\n"
        f"enum {{ INPUT_BYTES = {inputs[0].nbytes}, OUTPUT_BYTES = {outputs[0].nbytes} }};\n"
        f"static const uint32_t frame_count = {len(inputs)};\n"
        + rows("inputs", inputs)
        + rows("outputs", outputs),
        encoding="ascii",
    )
    different = len({output.tobytes() for output in outputs})
    print(f"{options.output}: {len(inputs)} frames, {different} different results")


if __name__ == "__main__":
    main()

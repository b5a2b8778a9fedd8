# SPDX-License-Identifier: Apache-2.0
"""Measure the int8 digits model with the tflite-micro interpreter; fail if it is not good."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro import runtime

MODEL_NAME = "digits_int8.tflite"
ONNX_NAME = "digits_int8.onnx"
TEST_NAME = "digits_test.npz"
MODELS = Path(__file__).resolve().parents[2] / "python" / "weft" / "models"
REQUIRED = 0.95
PIXEL_MAX = 16.0


def quantise_input(model: bytes, images: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Turn raw 0..16 pixels (N, 8, 8) into the model's int8 input (N, 8, 8, 1)."""
    details = runtime.Interpreter.from_bytes(model).get_input_details(0)
    parameters = details["quantization_parameters"]
    scale, zero = parameters["scales"][0], parameters["zero_points"][0]
    levels = np.round(images / PIXEL_MAX / scale) + zero
    quantised: NDArray[np.int8] = np.clip(levels, -128, 127).astype(np.int8)
    return quantised[..., np.newaxis]


def run(model: bytes, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the int8 class scores (N, 10), computed image by image."""
    interpreter = runtime.Interpreter.from_bytes(model)
    scores = []
    for image in inputs:
        interpreter.set_input(image[np.newaxis], 0)
        interpreter.invoke()
        scores.append(np.array(interpreter.get_output(0))[0])
    return np.stack(scores)


def report(model_path: Path, test_path: Path) -> None:
    """Print accuracy, size and hash; raise SystemExit if the files are not as they should be."""
    model = model_path.read_bytes()
    with np.load(test_path) as test:
        images, labels, inputs = test["images"], test["labels"], test["input"]
    if not np.array_equal(inputs, quantise_input(model, images)):
        raise SystemExit("the stored input is not the quantised form of the stored images")
    right = int((run(model, inputs).argmax(axis=1) == labels).sum())
    accuracy = right / len(labels)
    print(f"int8 accuracy  {accuracy:.4f} ({right} right of {len(labels)})")
    for path in (model_path, test_path):
        data = path.read_bytes()
        print(f"{path.name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")
    if accuracy < REQUIRED:
        raise SystemExit(f"accuracy is below {REQUIRED}")


def report_onnx(model_path: Path, test_path: Path) -> None:
    """The same of the ONNX model, by the outputs of ONNX Runtime that are stored."""
    with np.load(test_path) as test:
        labels, outputs = test["labels"], test["onnx_output"]
    right = int((outputs.argmax(axis=1) == labels).sum())
    data = model_path.read_bytes()
    print(f"ONNX accuracy  {right / len(labels):.4f} ({right} right of {len(labels)})")
    print(f"{model_path.name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")
    if right / len(labels) < REQUIRED:
        raise SystemExit(f"accuracy is below {REQUIRED}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=MODELS, help="directory of the files")
    models: Path = parser.parse_args().models
    report(models / MODEL_NAME, models / TEST_NAME)
    report_onnx(models / ONNX_NAME, models / TEST_NAME)


if __name__ == "__main__":
    main()

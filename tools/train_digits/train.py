# SPDX-License-Identifier: Apache-2.0
"""Train the bundled digits network and write it as a full-int8 TFLite and a QDQ ONNX file.

Run it in an environment of its own (see README.md beside this file): TensorFlow is needed to
make the model, never to use it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

# These must be set before TensorFlow is loaded: the oneDNN kernels choose their order of
# summation by CPU model and thread count, which would make the weights depend on the machine.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import check
import to_onnx

SEED = 20240607
TEST_SHARE = 0.25
EPOCHS = 30
BATCH = 64
CALIBRATION_IMAGES = 300

Pixels = NDArray[np.uint8]
Labels = NDArray[np.uint8]
Floats = NDArray[np.float32]


# --- data -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """Raw 0..16 pixels (N, 8, 8) and their labels (N,)."""

    images: Pixels
    labels: Labels


def load_splits() -> tuple[Split, Split]:
    """Return the training and the held-out images; the split is stratified and fixed."""
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.images.astype(np.uint8),
        digits.target.astype(np.uint8),
        test_size=TEST_SHARE,
        stratify=digits.target,
        random_state=SEED,
    )
    return Split(train_x, train_y), Split(test_x, test_y)


def to_float(images: Pixels) -> Floats:
    """Scale pixels to 0..1 and add the channel axis: the network's real-valued input."""
    return (images.astype(np.float32) / check.PIXEL_MAX)[..., np.newaxis]


def with_shifts(split: Split) -> Split:
    """Add copies moved by one pixel up, down, left and right; the gap is background (0)."""
    padded = np.pad(split.images, ((0, 0), (1, 1), (1, 1)))
    offsets = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    images = [padded[:, row : row + 8, col : col + 8] for row, col in offsets]
    return Split(np.concatenate(images), np.tile(split.labels, len(offsets)))


# --- model ------------------------------------------------------------------------------------


def conv(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    """3x3 convolution, batch norm (folded away on conversion), ReLU."""
    x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def residual(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Depthwise 3x3 and pointwise 1x1 convolution, added to their own input."""
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_dw")(x)
    y = layers.BatchNormalization(name=f"{name}_dw_bn")(y)
    y = layers.ReLU(name=f"{name}_dw_relu")(y)
    y = layers.Conv2D(x.shape[-1], 1, use_bias=False, name=f"{name}_pw")(y)
    y = layers.BatchNormalization(name=f"{name}_pw_bn")(y)
    y = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(name=f"{name}_relu")(y)


def build_model() -> keras.Model:
    """Return the untrained float network: (8, 8, 1) in, ten class probabilities out."""
    image = keras.Input((8, 8, 1), name="image")
    x = conv(image, 16, 1, "conv1")
    x = residual(x, "block1")
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = conv(x, 32, 1, "conv2")
    x = residual(x, "block2")
    x = conv(x, 48, 2, "conv3")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(10, name="logits")(x)
    return keras.Model(image, layers.Softmax(name="softmax")(x), name="digits")


def train(train_set: Split) -> keras.Model:
    """Return a network trained on the given images for a fixed number of epochs."""
    augmented = with_shifts(train_set)
    steps = EPOCHS * -(-len(augmented.labels) // BATCH)
    model = build_model()
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    # Held-out images are not looked at here: nothing is chosen by their score.
    model.fit(
        to_float(augmented.images), augmented.labels, batch_size=BATCH, epochs=EPOCHS, verbose=2
    )
    return model


# --- quantisation -----------------------------------------------------------------------------


def calibration_images(train_set: Split) -> Floats:
    """Return the images by which the ranges of activations are measured."""
    return to_float(train_set.images[:CALIBRATION_IMAGES])


def to_tflite_int8(model: keras.Model, calibration: Floats) -> bytes:
    """Quantise to int8 throughout, input and output included, with per-channel weights."""
    # A fixed batch of one keeps dynamic shapes out of the file.
    spec = keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="image")
    with tempfile.TemporaryDirectory() as saved:
        model.export(saved, input_signature=[spec], verbose=False)
        # The converter reads the directory again as it converts, so all of this is inside.
        converter = tf.lite.TFLiteConverter.from_saved_model(saved)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        return bytes(converter.convert())


# --- command ----------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=check.MODELS, help="directory to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    train_set, test_set = load_splits()
    model = train(train_set)
    _, accuracy = model.evaluate(to_float(test_set.images), test_set.labels, verbose=0)

    model_path, test_path = out / check.MODEL_NAME, out / check.TEST_NAME
    model_path.write_bytes(to_tflite_int8(model, calibration_images(train_set)))
    onnx_path = out / check.ONNX_NAME
    onnx_path.write_bytes(to_onnx.to_onnx_int8(model, calibration_images(train_set)))
    np.savez_compressed(
        test_path,
        images=test_set.images,
        labels=test_set.labels,
        input=check.quantise_input(model_path.read_bytes(), test_set.images),
        onnx_output=to_onnx.outputs_of(onnx_path.read_bytes(), to_float(test_set.images)),
    )
    print(f"float accuracy {accuracy:.4f} ({round(accuracy * len(test_set.labels))} right)")
    check.report(model_path, test_path)
    check.report_onnx(onnx_path, test_path)


if __name__ == "__main__":
    main()

"""Quantised ONNX networks: random small ones of integer nodes, and two of well-known shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from support.onnx_builder import QdqNetwork, Style

_MOST_CHANNELS = 12


@dataclass(frozen=True)
class Made:
    """A model with inputs for it, and what it consists of."""

    model: bytes
    input_sets: list[list[np.ndarray]]
    label: str
    style: Style


def random_network(seed: int, dtype: str) -> Made:
    """4 to 10 layers with branches, on odd sizes, all computed by ONNX Runtime's integer nodes."""
    rng = np.random.default_rng([seed, dtype == "uint8"])
    style = Style(
        dtype,
        symmetric=bool(rng.random() < 0.4),
        per_channel=bool(rng.random() < 0.7),
        io="float" if rng.random() < 0.3 else "quantized",
        opset=int(rng.choice([13, 17, 21])),
        float_bias=bool(rng.random() < 0.2),
    )
    network = QdqNetwork(rng, style)
    size = rng.integers(7, 20, 2)
    x = network.input((1, int(rng.integers(1, 6)), int(size[0]), int(size[1])))
    # The first layer mixes the channels: what comes out takes many values.
    x = network.conv(x, int(rng.integers(3, _MOST_CHANNELS)), (3, 3), pads=[1, 1, 1, 1])
    layers = [f"seed {seed} {style}: conv"]
    for _ in range(int(rng.integers(2, 8))):
        step = _STEPS[rng.integers(len(_STEPS))]
        x = step(network, x)
        layers.append(step.__name__.strip("_"))
    x = network.conv(x, int(rng.integers(4, _MOST_CHANNELS)), (1, 1))
    outputs = [x]
    if rng.random() < 0.7:
        y = _END[rng.integers(len(_END))](network, x)
        outputs.append(network.gemm(y, int(rng.integers(2, 12))))
        layers.append("dense")
    return Made(network.build(*outputs), network.images(3), ", ".join(layers), style)


def _activation(n: QdqNetwork) -> str:
    """One that a quantise makes redundant: its zero point is the lowest value then."""
    if n.style.symmetric:
        return ""
    return str(n.rng.choice(["", "Relu"]))


def _window(n: QdqNetwork, x: str) -> tuple[list[int], dict[str, object]]:
    """A window that fits, with padding less than it; small images stay as they are."""
    height, width = n.shape(x)[2:]
    kernel = [int(n.rng.integers(1, min(4, extent) + 1)) for extent in (height, width)]
    is_small = min(height, width) < 9
    strides = [1, 1] if is_small else [int(s) for s in n.rng.integers(1, 3, 2)]
    attributes: dict[str, object] = {"strides": strides}
    if is_small or (all(k >= 2 for k in kernel) and n.rng.random() < 0.3):
        attributes["auto_pad"] = str(n.rng.choice(["SAME_UPPER", "SAME_LOWER"]))
    elif n.rng.random() < 0.1:
        attributes["auto_pad"] = "VALID"
    else:
        attributes["pads"] = [int(n.rng.integers(0, k)) for k in (*kernel, *kernel)]
    return kernel, attributes


def _conv(n: QdqNetwork, x: str) -> str:
    kernel, attributes = _window(n, x)
    if "pads" in attributes and n.rng.random() < 0.3:
        room = [e + attributes["pads"][i] for i, e in enumerate(n.shape(x)[2:])]
        attributes["dilations"] = [
            2 if 2 * (k - 1) < r else 1 for k, r in zip(kernel, room, strict=True)
        ]
    channels = int(n.rng.integers(1, _MOST_CHANNELS + 1))
    bias = bool(n.rng.random() < 0.8)
    return n.conv(x, channels, kernel, activation=_activation(n), bias=bias, **attributes)


def _grouped(n: QdqNetwork, x: str) -> str:
    channels = n.shape(x)[1]
    group = 2 if channels % 2 == 0 else 1
    return n.conv(x, 2 * group, (3, 3), group=group, pads=[1, 1, 1, 1])


def _depthwise(n: QdqNetwork, x: str) -> str:
    kernel, attributes = _window(n, x)
    channels = n.shape(x)[1]
    out = channels * int(n.rng.choice([1, 1, 2]))
    return n.conv(x, out, kernel, group=channels, activation=_activation(n), **attributes)


def _residual(n: QdqNetwork, x: str) -> str:
    y = n.conv(x, n.shape(x)[1], (3, 3), activation=_activation(n), pads=[1, 1, 1, 1])
    pair = (x, y) if n.rng.random() < 0.5 else (y, x)
    return n.op("Add", *pair)


def _gate(n: QdqNetwork, x: str) -> str:
    y = n.conv(x, n.shape(x)[1], (1, 1))
    return n.op("Mul", x, n.op("Sigmoid", y, scale=1 / 256))


def _branches(n: QdqNetwork, x: str) -> str:
    parts = [x, n.conv(x, int(n.rng.integers(1, 5)), (1, 1), activation=_activation(n))]
    if n.rng.random() < 0.5:
        parts.append(n.conv(x, 2, (3, 3), pads=[1, 1, 1, 1]))
    return n.op("Concat", *parts, attributes={"axis": int(n.rng.choice([1, -3]))})


def _max_pool(n: QdqNetwork, x: str) -> str:
    kernel, attributes = _window(n, x)
    return n.moved("MaxPool", x, kernel_shape=kernel, **attributes)


def _average_pool(n: QdqNetwork, x: str) -> str:
    kernel, attributes = _window(n, x)
    attributes |= {"kernel_shape": kernel, "count_include_pad": int(n.rng.integers(2))}
    return n.op("AveragePool", x, attributes=attributes)


def _leaky(n: QdqNetwork, x: str) -> str:
    return n.op("LeakyRelu", x, attributes={"alpha": float(n.rng.uniform(0.01, 0.5))})


def _upscaled(n: QdqNetwork, x: str) -> str:
    if max(n.shape(x)[2:]) > 12:
        return _max_pool(n, x)
    scales = np.array([1, 1, 2, 2], np.float32)
    empty = np.zeros(0, np.float32)
    modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return n.moved("Resize", x, empty, scales, mode="nearest", **modes)


def _flat(n: QdqNetwork, x: str) -> str:
    return n.moved("Flatten", x)


def _pooled(n: QdqNetwork, x: str) -> str:
    return _flat(n, n.op("GlobalAveragePool", x))


_STEPS: list[Callable[[QdqNetwork, str], str]] = [
    *(_conv, _conv, _grouped, _depthwise, _residual, _residual, _gate, _branches),
    *(_max_pool, _average_pool, _leaky, _upscaled),
]
_END = [_flat, _pooled]


# --- of well-known shapes ---


def mobilenet_v2(dtype: str, seed: int = 0, size: int = 32) -> Made:
    """Inverted residuals with linear bottlenecks and ReLU6, a quarter as wide."""
    n = QdqNetwork(np.random.default_rng(seed), Style(dtype))
    x = n.input((1, 3, size, size))
    x = n.conv(x, 8, (3, 3), activation="Relu6", strides=[2, 2], pads=[1, 1, 1, 1])
    blocks = [(1, 4, 1, 1), (6, 8, 2, 2), (6, 8, 3, 2), (6, 16, 4, 2)]
    blocks += [(6, 24, 3, 1), (6, 40, 3, 2), (6, 80, 1, 1)]
    for expansion, channels, repeats, stride in blocks:
        for repeat in range(repeats):
            x = _inverted_residual(n, x, expansion, channels, stride if repeat == 0 else 1)
    x = n.conv(x, 160, (1, 1), activation="Relu6")
    logits = n.gemm(_pooled(n, x), 10)
    return Made(n.build(logits), n.images(2), f"MobileNetV2-like {dtype}", n.style)


def _inverted_residual(n: QdqNetwork, x: str, expansion: int, channels: int, stride: int) -> str:
    wide = expansion * n.shape(x)[1]
    y = x if expansion == 1 else n.conv(x, wide, (1, 1), activation="Relu6")
    steps = {"strides": [stride, stride], "pads": [1, 1, 1, 1]}
    y = n.conv(y, wide, (3, 3), group=wide, activation="Relu6", **steps)
    y = n.conv(y, channels, (1, 1))
    return n.op("Add", x, y) if n.shape(x) == n.shape(y) else y


def resnet_18(dtype: str, seed: int = 0, size: int = 32, width: int = 8) -> Made:
    """Four stages of two basic blocks, an eighth as wide."""
    n = QdqNetwork(np.random.default_rng(seed), Style(dtype))
    x = n.input((1, 3, size, size))
    x = n.conv(x, width, (7, 7), activation="Relu", strides=[2, 2], pads=[3, 3, 3, 3])
    x = n.moved("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage in range(4):
        for block in range(2):
            x = _basic_block(n, x, width << stage, 2 if stage and not block else 1)
    logits = n.gemm(_pooled(n, x), 10)
    return Made(n.build(logits), n.images(2), f"ResNet-18-like {dtype}", n.style)


def _basic_block(n: QdqNetwork, x: str, channels: int, stride: int) -> str:
    pads = [1, 1, 1, 1]
    y = n.conv(x, channels, (3, 3), activation="Relu", strides=[stride, stride], pads=pads)
    y = n.conv(y, channels, (3, 3), pads=pads)
    if n.shape(x) != n.shape(y):
        x = n.conv(x, channels, (1, 1), strides=[stride, stride])
    added = n.op("Add", x, y, quantized=False)
    return n.op("Relu", added)

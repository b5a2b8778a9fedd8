"""What the engine takes of a network, and how that becomes jobs for it."""

import numpy as np

KINDS = ("conv2d", "dense")
CHANNELS = 8
PIXELS = 1
MOST_PRODUCTS = 32


def refuse(layer, options):
    if (layer.kernel_h, layer.kernel_w) != (1, 1):
        return f"takes windows of 1x1, not {layer.kernel_h}x{layer.kernel_w}"
    if layer.channels % 4 != 0:
        return f"takes multiples of 4 inputs, not {layer.channels}"
    return None


def pack(weights):
    outputs, _, _, inputs = weights.shape
    block = np.zeros((CHANNELS, inputs), np.int8)
    block[:outputs] = weights[:, 0, 0, :]
    return block.reshape(CHANNELS, inputs // 4, 4).transpose(1, 0, 2).tobytes()


def numbers(layer, part, options):
    return {
        "rows": part.out_h,
        "pixels": part.out_w,
        "outputs": part.out_channels,
        "inputs": part.channels,
        "x_down": layer.stride_h * part.x_row,
        "x_right": layer.stride_w * part.x_pixel,
    }


def cycles(numbers, timing, options):
    dots = numbers["rows"] * numbers["pixels"] * -(-numbers["outputs"] // CHANNELS)
    return timing["setup_cycles"] + dots * numbers["inputs"] // 4

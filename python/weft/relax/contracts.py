# SPDX-License-Identifier: Apache-2.0
"""Whose numbers a module follows: said by the attribute ``weft.contract`` of its ``main``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from weft.relax import onnx_contract, tflite_contract
from weft.relax.tflite_contract import Array, Scaled

#: The name of the attribute.
ATTRIBUTE = "weft.contract"


@dataclass(frozen=True)
class Contract:
    """What operators that both frameworks have in common ask for; ``rounding`` is how sums become
    int8 (``weft.kernels.rounding``), ``has_uint8`` whether activations may be uint8,
    ``has_float_bias`` whether a bias may be float32, which is quantised then."""

    name: str
    rounding: str
    has_uint8: bool
    has_float_bias: bool
    channel_multipliers: Callable[[np.float32, Array, np.float32], Array]
    mean_multiplier: Callable[[np.float32, np.float32, int], Scaled]
    quantized_bound: Callable[[float, np.float32, int], int]
    requantize_table: Callable[[np.float32, int, np.float32, int], Array]
    relu_table: Callable[[np.float32, int, np.float32, int, int, int], Array]

    @property
    def rounding_attribute(self) -> dict[str, str]:
        """For stages that round; the default is left out."""
        return {} if self.rounding == "twice" else {"rounding": self.rounding}


TFLITE = Contract(
    "tflite",
    "twice",
    False,
    False,
    tflite_contract.channel_multipliers,
    tflite_contract.mean_multiplier,
    tflite_contract.quantized_bound,
    tflite_contract.requantize_table,
    tflite_contract.relu_table,
)
ONNX_RUNTIME = Contract(
    "onnxruntime",
    "float",
    True,
    True,
    onnx_contract.channel_multipliers,
    onnx_contract.mean_multiplier,
    onnx_contract.quantized_bound,
    onnx_contract.requantize_table,
    onnx_contract.relu_table,
)

CONTRACTS = {contract.name: contract for contract in (TFLITE, ONNX_RUNTIME)}

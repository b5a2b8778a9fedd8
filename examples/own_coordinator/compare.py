# SPDX-License-Identifier: Apache-2.0
"""Compares the coordinator's results with what TensorFlow Lite Micro answers to the same frames."""

from __future__ import annotations

import sys

import numpy as np
from tflite_micro import runtime

oracle = runtime.Interpreter.from_file(sys.argv[1])
arrays = np.load(sys.argv[2])
same = 0
frames = sum(name.endswith("_0") and name.startswith("in") for name in arrays)
for frame in range(frames):
    oracle.set_input(arrays[f"in{frame}_0"], 0)
    oracle.invoke()
    same += oracle.get_output(0).tobytes() == arrays[f"out{frame}_0"].tobytes()
print(f"{same} of {frames} frames with the bytes of TensorFlow Lite Micro")
sys.exit(same != frames)

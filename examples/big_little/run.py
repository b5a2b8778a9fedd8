# SPDX-License-Identifier: Apache-2.0
"""The digits on three big PEs, one big PE and four little ones: same bytes as on a single one."""

from pathlib import Path

import numpy as np

import weft
from weft.paths import models_folder

model = models_folder() / "digits_int8.tflite"
held_out = np.load(models_folder() / "digits_test.npz")
images = [image[None] for image in held_out["input"]]

mapping = Path(__file__).with_name("mapping.json")
mesh = weft.compile(model, "biglittle-4x4", mapping=mapping)
alone = weft.compile(model, "single-m4")
with mesh.open() as session:
    results = list(session.stream(images))
with alone.open() as session:
    expected = [session.run(image) for image in images]

same = sum(a.tobytes() == b.tobytes() for a, b in zip(results, expected, strict=True))
right = sum(int(r.argmax()) == label for r, label in zip(results, held_out["labels"], strict=True))
for pe in mesh.pes:
    tasks = [t["name"] for shard in pe["shards"] for t in shard if t["stage"] != "border"]
    print(f"PE {pe['name']}, {pe['pe_class']}: {pe['sram_bytes']} bytes, {', '.join(tasks)}")
timing = mesh.manifest["timing"]
print(f"at most {timing['predicted_fps']:.0f} frames/s, limited by {timing['limited_by']}")
print(f"{right} of {len(images)} right, {same} with the bytes of one PE")

# SPDX-License-Identifier: Apache-2.0
"""What stages cost a PE whose devices compute them, as far as a rule needs to know before there are
jobs: a device computes while the core makes results of its sums, so the larger of both counts, and
jobs come on top."""

from __future__ import annotations

from dataclasses import replace

from weft.devices.accelerator import accelerators
from weft.machines.model import PeClass

# Of what a device could do at best: edges of boxes leave places in it empty.
_UTILISATION = 0.8
# Jobs of a box: fewer leave the device or the core idle at its ends.
_JOBS = 6
# A row of sums of one channel is about so long.
_ROW = 16


def planned(pe_class: PeClass) -> PeClass:
    """The same class, with costs as if the layers that its first device takes were on it.

    Raises ``DeviceError``.
    """
    data = pe_class.cost
    devices = accelerators([(d.name, d.kind, dict(d.options)) for d in pe_class.devices])
    device = next((d for d in devices if d.lowering is not None), None)
    if device is None or device.lowering is None:
        return pe_class
    clock = device.description.facts.clock_hz or pe_class.clock_hz
    products = device.channels * device.pixels * _UTILISATION * clock / pe_class.clock_hz
    kinds = device.lowering.kinds
    result = data.requantize + data.requantize_row / _ROW
    none = dict.fromkeys(kinds, 0.0)
    cost = replace(
        data,
        kinds={**data.kinds, **dict.fromkeys(kinds, 1 / products)},
        elements={**data.elements, **dict.fromkeys(kinds, result)},
        windows={**data.windows, **none},
        pixels={**data.pixels, **none},
        task=data.task + _JOBS * data.job,
    )
    return replace(pe_class, cost=cost)

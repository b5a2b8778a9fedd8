# SPDX-License-Identifier: Apache-2.0
"""Devices with one fault each, for the conformance suite to find."""

from __future__ import annotations

import re
from pathlib import Path

from weft.devices import Descriptor, DeviceDescription, Facts

SOURCE = Path(__file__).resolve().parents[2] / "runtime" / "device_cts" / "odd_device.c"

#: For each, a case that must find it.
FOUND_BY = {
    "LOSES_A_COMPLETION": "writes the right bytes and no others, in time",
    "REORDERS": "keeps jobs in order",
    "COMPLETES_TWICE": "writes the right bytes and no others, in time",
    "NEVER_COMPLETES": "writes the right bytes and no others, in time",
    "WRITES_PAST_THE_END": "writes the right bytes and no others, in time",
    "FORGETS_THE_ERROR": "reports a bad job, and that alone",
    "IGNORES_CANCEL": "stops a job that is under way",
    "IGNORES_RESET": "is still after a reset, and then fit for use",
    "COMPLETES_EARLY": "has a job's bytes there when its ticket is done",
    "WRITES_BAD_JOBS": "reports a bad job, and that alone",
    "HAS_GLOBAL_STATE": "two of them do not know each other",
    "KEEPS_STATE": "can be taken into use again and again",
    "SAYS_IT_BLOCKS": "blocks if the facts say so",
    "FAILS_THE_NEXT": "reports a bad job, and that alone",
    "WRITES_ITS_INPUTS_BACK": "writes the right bytes and no others, in time",
}


def listed() -> set[str]:
    """Those that the C file has, the sound one left out."""
    found = re.search(r"^enum \{\n    SOUND = 0,\n(.*?)\};", SOURCE.read_text("utf-8"), re.M | re.S)
    assert found is not None
    return set(re.findall(r"^    ([A-Z_]+)", found[1], re.M))


def odd_device() -> DeviceDescription:
    """Driver and adapter are one file; ``-DODD=...`` says which."""
    return DeviceDescription(
        name="odd",
        folder=SOURCE.parent,
        description="",
        header=SOURCE,
        sources=(),
        driver="odd_driver",
        descriptor=Descriptor("odd_job_t", ("in", "out"), ("out",), ("summand",)),
        facts=Facts(alignment=1, jobs_in_flight=2, spaces=("local",)),
        conformance=(SOURCE,),
    )

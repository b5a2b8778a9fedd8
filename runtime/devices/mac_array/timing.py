# SPDX-License-Identifier: Apache-2.0
"""How long the array takes for a job: docs/design/mac-array.md has the formula in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import Any

#: Output channels and pixels of a pass, and the header's flag: those of mac_array.h.
CHANNELS = 16
PIXELS = 4
DEPTHWISE = 1


def passes(job: Mapping[str, int]) -> int:
    """Passes of 16 channels of 4 pixels, which are neighbours in a row. Those at an edge count as
    any other."""
    per_row = -(-job["out_w"] // PIXELS)
    return -(-job["out_channels"] // CHANNELS) * job["out_h"] * per_row


def _fetches(job: Mapping[str, int], word: int) -> int:
    """Words of operands x of a pass: of every run of neighbouring bytes those that it touches. A
    run that need not begin with a word may touch one more: the worst that the distances between
    runs allow is taken, with ``x`` itself at the beginning of a word."""
    is_depthwise = bool(job["flags"] & DEPTHWISE)
    runs, run, aligned = 1, CHANNELS if is_depthwise else job["channels"], word
    for extent, distance in (job["kernel_w"], job["tap_right"]), (job["kernel_h"], job["tap_down"]):
        if extent == 1 or (distance == run and runs == 1 and not is_depthwise):
            run *= extent
        else:
            runs, aligned = runs * extent, gcd(aligned, distance)
    for extent, distance in (job["out_w"], job["x_right"]), (job["out_h"], job["x_down"]):
        if extent > 1:
            aligned = gcd(aligned, distance)
    return PIXELS * runs * -(-(word - aligned + run) // word)


def cycles(job: Mapping[str, int], timing: Mapping[str, int], options: Mapping[str, Any]) -> int:
    """Cycles from the start of ``job`` to its completion.

    ``job`` has the numbers of ``weft_mac_array_job_t`` by name, ``timing`` is that table of
    ``device.toml``. Options do not change how long a job takes.
    """
    word, banks = timing["word_bytes"], timing["banks"]
    taps = job["kernel_h"] * job["kernel_w"] * job["channels"]
    fetches = _fetches(job, word)
    stores = -(-CHANNELS * PIXELS * job["out_bits"] // (8 * word))
    # One word of weights comes each tap; what else moves beside it meets its bank now and then.
    stalls = -(-(min(fetches, taps) + stores) // banks)
    one_pass = max(max(taps, fetches) + stalls, stores)
    return timing["setup_cycles"] + passes(job) * one_pass + stores


def macs(job: Mapping[str, int]) -> int:
    """Products that ``job`` adds up: those of its results, not those of empty places in passes."""
    window = job["kernel_h"] * job["kernel_w"] * job["channels"]
    return job["out_h"] * job["out_w"] * job["out_channels"] * window


def utilisation(
    job: Mapping[str, int], timing: Mapping[str, int], options: Mapping[str, Any]
) -> float:
    """The share of 64 products a cycle that ``job`` makes use of."""
    return macs(job) / (CHANNELS * PIXELS * cycles(job, timing, options))

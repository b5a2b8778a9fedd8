"""Mappings of the network of test_mapping_files.py that are wrong, and what each must say."""

from __future__ import annotations

from typing import Any

# conv to softmax are stages of one chain, which add closes a skip over; grouped is beside it.
NAMES = ("conv", "depthwise", "pointwise", "add", "pool", "grouped", "flat", "dense", "softmax")
PE = [0, 0, 0]


def box(begin: list[int], shape: list[int], **more: Any) -> dict[str, Any]:
    return {"pe": PE, "begin": begin, "shape": shape, **more}


def of(**stages: Any) -> dict[str, Any]:
    return {"format": 1, "stages": stages}


def cut(name: str, axis: int, borders: list[int], shape: list[int]) -> dict[str, Any]:
    """A stage cut along an axis, at borders."""
    rows = []
    for first, last in zip([0, *borders], [*borders, shape[axis]], strict=True):
        begin, extents = [0] * len(shape), list(shape)
        begin[axis], extents[axis] = first, last - first
        rows.append(box(begin, extents))
    return of(**{name: rows})


CONV, WIDE, GROUPED = [1, 8, 8, 8], [1, 8, 8, 24], [1, 4, 4, 12]
GOOD = box([0, 0, 0, 0], CONV)

# What is given, and what the message must name.
MISTAKES: dict[str, tuple[Any, list[str]]] = {
    "a list": ([], ["the file: must be an object, not []"]),
    "no format": ({"stages": {}}, ["the file: 'format' is missing"]),
    "another format": ({"format": 2, "stages": {}}, ["format: is 2; this Weft reads format 1"]),
    "format as text": ({"format": "1", "stages": {}}, ['format: is "1"']),
    "format with a point": ({"format": 1.0, "stages": {}}, ["format: is 1.0"]),
    "format that is true": ({"format": True, "stages": {}}, ["format: is true"]),
    "no stages": ({"format": 1}, ["the file: 'stages' is missing"]),
    "stages as a list": ({"format": 1, "stages": []}, ["stages: must be an object, not []"]),
    "unknown key": (
        {**of(), "stage": {}},
        ["the file: unknown key 'stage'; known are format, stages, machine"],
    ),
    "unknown key of a shard": (of(conv=[{**GOOD, "size": 3}]), ["stages['conv'][0]", "'size'"]),
    "unknown key of a short form": (
        of(conv={"pes": [PE], "axes": 1}),
        ["stages['conv']: unknown key 'axes'; known are pes, axis, depth"],
    ),
    "another machine": (
        {**of(), "machine": "single-m4"},
        ['machine: is for "single-m4", not for grid-4x4'],
    ),
    "machine of another type": ({**of(), "machine": 3}, ["machine: is for 3"]),
    "model of another type": ({**of(), "model": 3}, ["model: must be a text, not 3"]),
    "less work than one PE": (
        {**of(), "most_work": 0.99},
        ["most_work: must be a number from 1 to 1e6, not 0.99"],
    ),
    "most_work as text": ({**of(), "most_work": "2"}, ["most_work: must be a number", '"2"']),
    "most_work that is true": ({**of(), "most_work": True}, ["most_work: must be a number"]),
    "endless work": ({**of(), "most_work": 10**400}, ["most_work: must be a number"]),
    "unknown stage": (
        of(convv=[GOOD]),
        ["stages['convv']: the model has no such stage; did you mean 'conv'?"],
    ),
    "unlike any stage": (
        of(xyz=[GOOD]),
        ["stages['xyz']: the model has no such stage; `weft graph` lists them"],
    ),
    "a stage of another type": (of(conv=3), ["stages['conv']: must be a list of shards", "not 3"]),
    "a stage without shards": (of(conv=[]), ["stages['conv']: must be a list of shards", "[]"]),
    "a shard of another type": (of(conv=[3]), ["stages['conv'][0]: must be an object, not 3"]),
    "no PE": (
        of(conv=[{"begin": [0] * 4, "shape": CONV}]),
        ["stages['conv'][0]: 'pe' is missing"],
    ),
    "no begin": (of(conv=[{"pe": PE, "shape": CONV}]), ["[0]: 'begin' is missing"]),
    "no shape": (of(conv=[{"pe": PE, "begin": [0] * 4}]), ["[0]: 'shape' is missing"]),
    "a PE that is not there": (
        of(conv=[{**GOOD, "pe": [4, 0, 0]}]),
        ["stages['conv'][0].pe: grid-4x4 has no PE (4,0).0"],
    ),
    "a PE as a number": (
        of(conv=[{**GOOD, "pe": 3}]),
        ["stages['conv'][0].pe: must be 3 integers of 0 or more, not 3"],
    ),
    "a PE of two numbers": (of(conv=[{**GOOD, "pe": [0, 0]}]), [".pe: must be 3", "[0, 0]"]),
    "a PE with a fraction": (of(conv=[{**GOOD, "pe": [0, 0, 0.5]}]), ["[0, 0, 0.5]"]),
    "a PE of truth values": (of(conv=[{**GOOD, "pe": [False, 0, 0]}]), ["[false, 0, 0]"]),
    "a negative PE": (of(conv=[{**GOOD, "pe": [0, -1, 0]}]), ["[0, -1, 0]"]),
    "a PE as it is printed": (of(conv=[{**GOOD, "pe": "(0,0).0"}]), ['not "(0,0).0"']),
    "begin as text": (of(conv=[box("0", CONV)]), ["stages['conv'][0].begin: must be 4 integers"]),
    "a negative begin": (of(conv=[box([0, -1, 0, 0], CONV)]), [".begin: must be 4 integers of 0"]),
    "a box of another rank": (
        of(conv=[box([0, 0], [8, 8])]),
        ["stages['conv'][0].begin: must be 4 integers of 0 or more, not [0, 0]"],
    ),
    "a shape of another rank": (
        of(conv=[box([0] * 4, [8, 8])]),
        ["stages['conv'][0].shape: must be 4 integers of 1 or more, not [8, 8]"],
    ),
    "an empty box": (of(conv=[box([0] * 4, [1, 0, 8, 8])]), [".shape: must be 4 integers of 1"]),
    "a box outside": (
        of(conv=[box([0, 4, 0, 0], CONV)]),
        ["stages['conv'][0]: ends at [1, 12, 8, 8], outside of the result of [1, 8, 8, 8]"],
    ),
    "a box far outside": (of(conv=[box([0, 10**30, 0, 0], CONV)]), ["outside of the result"]),
    "boxes that overlap": (
        of(conv=[box([0] * 4, [1, 5, 8, 8]), box([0, 4, 0, 0], [1, 4, 8, 8])]),
        ["stages['conv'][1]: overlaps shard 0"],
    ),
    "a box twice": (of(conv=[GOOD, GOOD]), ["stages['conv'][1]: overlaps shard 0"]),
    "a hole": (
        of(conv=[box([0] * 4, [1, 4, 8, 8]), box([0, 5, 0, 0], [1, 3, 8, 8])]),
        ["stages['conv']: no shard computes element [0, 4, 0, 0] of the result"],
    ),
    "a cut softmax": (
        cut("softmax", 1, [5], [1, 10]),
        ["stages['softmax'][0]: the stage (softmax) cannot compute this box alone: a softmax"],
    ),
    "a cut reshape": (cut("flat", 1, [64], [1, 128]), ["stages['flat'][0]", "(reshape)"]),
    "a cut through groups": (
        cut("grouped", 3, [4, 8], GROUPED),
        ["stages['grouped'][1]", "(conv2d)", "channels 4 to 8 cut a group of 6"],
    ),
    "a cut through a multiplier": (
        cut("depthwise", 3, [4], WIDE),
        ["stages['depthwise'][0]", "(depthwise)", "channels 0 to 4 cut the 3 results of one"],
    ),
    "a depth of 3": (
        of(conv=[{**GOOD, "depth": 3}]),
        ["stages['conv'][0].depth: must be a power of two up to 4096, not 3"],
    ),
    "a depth of 0": (of(conv=[{**GOOD, "depth": 0}]), ["depth: must be a power of two", "not 0"]),
    "a depth that is too deep": (of(conv=[{**GOOD, "depth": 8192}]), ["up to 4096, not 8192"]),
    "a depth with a point": (of(conv=[{**GOOD, "depth": 2.0}]), ["not 2.0"]),
    "a depth that is true": (of(conv=[{**GOOD, "depth": True}]), ["not true"]),
    "a depth of one operand": (
        of(add=[{**GOOD, "depth": [2, 3]}]),
        ["stages['add'][0].depth[1]: must be a power of two", "not 3"],
    ),
    "depths of too many operands": (
        of(add=[{**GOOD, "depth": [1, 2, 4]}]),
        ["stages['add'][0].depth: the stage reads 2 tensors, and 3 depths are given"],
    ),
    "depths of too few operands": (
        of(add=[{**GOOD, "depth": [4]}]),
        ["stages['add'][0].depth: the stage reads 2 tensors, and 1 depth is given"],
    ),
    "a general depth of 3": ({**of(), "depth": 3}, ["mapping: depth: must be a power of two"]),
    "a general depth as a list": ({**of(), "depth": [2]}, ["depth: must be a power", "[2]"]),
    "a source by another name": (
        {**of(), "source": "usb"},
        ["source: must be 'host', 'dram' or a PE, not \"usb\""],
    ),
    "DRAM where there is none": (
        {**of(), "source": "dram"},
        ["source: grid-4x4 has no DRAM: its file gives no links.dram"],
    ),
    "a source that is no PE": ({**of(), "source": [9, 9, 9]}, ["source: grid-4x4 has no PE"]),
    "a source of another type": ({**of(), "source": True}, ["source: must be", "not true"]),
    "no PEs": (of(conv={}), ["stages['conv']: 'pes' is missing"]),
    "an empty list of PEs": (of(conv={"pes": []}), ["['conv'].pes: must be a list of PEs, not []"]),
    "PEs as one PE": (of(conv={"pes": PE}), ["stages['conv'].pes[0]: must be 3 integers", "not 0"]),
    "a wrong PE of some": (of(conv={"pes": [PE, [0, 9, 0]]}), ["pes[1]: grid-4x4 has no PE"]),
    "an axis that is none": (
        of(conv={"pes": [PE], "axis": "depth"}),
        ["stages['conv'].axis: is none of batch, height, width, channels: \"depth\""],
    ),
    "an axis of another type": (of(conv={"pes": [PE], "axis": 1}), [".axis: is none of", ": 1"]),
    "an axis that a dense layer has not": (
        of(dense={"pes": [PE], "axis": "height"}),
        ["stages['dense'].axis: is none of batch, channels"],
    ),
    "an axis that is not cut": (
        of(softmax={"pes": [PE, PE], "axis": "channels"}),
        ["stages['softmax'].axis: the stage (softmax) cannot be cut along it"],
    ),
    "an axis that is too short": (
        of(conv={"pes": [PE] * 9, "axis": "height"}),
        ["stages['conv'].axis: the stage (conv2d): 8 cannot be cut into 9 pieces"],
    ),
    "an axis with a multiplier": (
        of(depthwise={"pes": [PE] * 9, "axis": "channels"}),
        ["stages['depthwise'].axis: the stage (depthwise): 24 cannot be cut into 9 pieces that it"],
    ),
    "PEs for what is not cut": (
        of(softmax={"pes": [PE, PE]}),
        ["stages['softmax'].pes: the stage (softmax) cannot be cut into 2 pieces"],
    ),
    "a wrong depth of a short form": (of(conv={"pes": [PE], "depth": 3}), ["['conv'].depth"]),
    "split_inputs as a list": ({**of(), "split_inputs": []}, ["split_inputs: must be an object"]),
    "one part": (
        {**of(), "split_inputs": {"pointwise": 1}},
        ["split_inputs['pointwise']: must be an integer of 2 or more, not 1"],
    ),
    "parts as text": ({**of(), "split_inputs": {"pointwise": "2"}}, ['not "2"']),
    "too many parts": (
        {**of(), "split_inputs": {"pointwise": 25}},
        ["['pointwise']: the stage (conv2d) has 24 input channels", "into 25 parts"],
    ),
    "parts of a stage that has none": (
        {**of(), "split_inputs": {"pool": 2}},
        ["split_inputs['pool']: the stage (pool) cannot be cut over its input channels"],
    ),
    "parts of groups": ({**of(), "split_inputs": {"grouped": 2}}, ["['grouped']", "cannot be cut"]),
    "parts of an unknown stage": (
        {**of(), "split_inputs": {"pointwize": 2}},
        ["split_inputs['pointwize']: the model has no such stage; did you mean 'pointwise'?"],
    ),
    "a part that is not there": (
        {**of(**{"pointwise/2": [GOOD]}), "split_inputs": {"pointwise": 2}},
        ["stages['pointwise/2']: the model has no such stage; did you mean 'pointwise/"],
    ),
}

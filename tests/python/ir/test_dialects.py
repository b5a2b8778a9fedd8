"""The ``stages``, ``pe`` and ``accel`` dialects as text: reading, printing, what verifiers say."""

from __future__ import annotations

from pathlib import Path

import pytest
from xdsl.utils.exceptions import ParseError, VerifyException

from ir.text import EXAMPLE_NAMES, FILES, broken, example, parse, printed
from weft.dialects.accel import ACCEL
from weft.dialects.fabric import FABRIC
from weft.dialects.pe import PE, BufferOp, ShardOp
from weft.dialects.stages import ALL, STAGES

EVERY_STAGE = example("stages")
SHARD = example("shard")
JOBS = example("jobs")


def _round_trip(text: str) -> None:
    first = parse(text)
    for generic in (False, True):
        once = printed(first, generic=generic)
        assert printed(parse(once), generic=generic) == once
        # The other form of what was read back is the other form of what was there.
        assert printed(parse(once), generic=not generic) == printed(first, generic=not generic)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_round_trip_of_files(path: Path) -> None:
    _round_trip(path.read_text(encoding="utf-8"))


def test_every_op_has_an_example() -> None:
    texts = "".join(printed(parse(example(name)), generic=True) for name in EXAMPLE_NAMES)
    for op in (*STAGES.operations, *PE.operations, *ACCEL.operations, *FABRIC.operations):
        assert f'"{op.name}"' in texts
    assert {op.name for op in ALL} < {op.name for op in STAGES.operations}


def test_offsets_and_lifetimes_can_be_read() -> None:
    (shard,) = parse(SHARD).ops
    assert isinstance(shard, ShardOp)
    t, _, y, later = shard.of_type(BufferOp)
    assert (t.offset, t.size, t.intervals) == (64, 16, [(0, 0), (2, 3)])
    assert (y.offset, y.intervals) == (0, [(1, 3)])
    assert shard.scratch_bytes == 88
    assert shard.kernel_names == ["copy_s8", "fill_s8"]
    with pytest.raises(VerifyException, match="no address"):
        _ = later.offset
    (unplanned,) = parse(SHARD.replace(" scratch 88", "")).ops
    assert isinstance(unplanned, ShardOp)
    with pytest.raises(VerifyException, match="no addresses"):
        _ = unplanned.scratch_bytes


STAGE_MISTAKES = [
    ('input_names = ["x", "f"]', 'input_names = ["x"]', "one name an input"),
    ('output_names = ["y", "z", "u"]', 'output_names = ["y"]', "one name a value"),
    (
        "  stages.output %15, %14, %18 : tensor<6xi8>, tensor<1x4xi8>, tensor<1x3x1x2xi8>\n",
        "",
        r"ends in stages\.output",
    ),
    ('"maximum"', '"median"', "no extremum median"),
    ("rows = array<i64: 0, 0, 1>", "rows = array<i64: 0, 0, 2>", "one index of x a row"),
    ("columns = array<i64: 1>", "columns = array<i64: 1, 1>", "one index of x a row and column"),
    (
        "%i, %s) <{strides = array<i64: 1, 1>",
        "%i, %s) <{strides = array<i64: 2, 1>",
        r"stages\.conv2d: axis 1 reads 7 of 4",
    ),
    (
        "padding = array<i64: 0, 1, 0, 1>",
        "padding = array<i64: 0, 0, -2, 0>",
        r"stages\.depthwise: axis 2 reads 3 of 2",
    ),
    ('operator = "add"', 'operator = "div"', "no binary operator div"),
    ('(%1) <{operator = "average"', '(%1) <{operator = "min"', "no pooling operator min"),
    ('(%6, %23) <{operator = "average"', '(%6, %23) <{operator = "max"', "no pooling operator max"),
    ('operator = "sub"', 'operator = "div"', "no binary operator div on floats"),
    ("axes = array<i64: 1, 2>", "axes = array<i64: 1, 3>", "neighbouring"),
    ("axes = array<i64: 1, 2>", "axes = array<i64: 0, 1, 2>", "neighbouring"),
    ("axes = array<i64: 1, 2>", "axes = array<i64>", "neighbouring"),
]


@pytest.mark.parametrize(("old", "new", "message"), STAGE_MISTAKES)
def test_stage_mistakes(old: str, new: str, message: str) -> None:
    with pytest.raises(VerifyException, match=message):
        parse(broken(EVERY_STAGE, old, new))


def test_reshape_keeps_the_count() -> None:
    text = """\
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<2x3xi8>):
  %y = "stages.reshape"(%x) <{label = "y"}> : (tensor<2x3xi8>) -> tensor<7xi8>
  stages.output %y : tensor<7xi8>
}) : () -> ()
"""
    with pytest.raises(VerifyException, match="keeps the number of elements"):
        parse(text)
    parse(text.replace("7xi8", "6xi8"))


def test_convolutions_work_on_images() -> None:
    text = """\
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<4x4x2xi8>):
  %w = stages.constant "w" : tensor<2x1x1x2xi8>
  %i = stages.constant "i" : tensor<2xi32>
  %s = stages.constant "s" : tensor<2xi8>
  %y = "stages.conv2d"(%x, %w, %i, %i, %s) <{strides = array<i64: 1, 1>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 0 : i64,
    zero_point = 0 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "y"}>
    : (tensor<4x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<4x4x2xi8>
  stages.output %y : tensor<4x4x2xi8>
}) : () -> ()
"""
    with pytest.raises(VerifyException, match="works on NHWC tensors"):
        parse(text)
    parse(text.replace("tensor<4x4x2xi8>", "tensor<1x4x4x2xi8>"))


def test_lookup_gives_what_its_table_holds() -> None:
    old = '"stages.lookup"(%9, %t) <{label = "10"}>\n    : (tensor<1x2xi8>, tensor<256xi8>)'
    new = '"stages.lookup"(%9, %e) <{label = "10"}>\n    : (tensor<1x2xi8>, tensor<256xi32>)'
    with pytest.raises(VerifyException, match="what its table holds"):
        parse(broken(EVERY_STAGE, old, new))


SHARD_MISTAKES = [
    # slots and results: where their tensors lie
    ("every [40, 14, 1, 1]", "every [40, 16, 1, 1]", "slot ends 44 bytes into memory of 40"),
    ("at 4 every", "at 5 every", "slot ends 41 bytes into memory of 40"),
    ("at 4 every", "at -1 every", "slot starts -1 bytes"),
    ("every [40, 14, 1, 1]", "every [40, -14, 1, 1]", "goes backwards"),
    ("every [40, 14, 1, 1]", "every [14, 1, 1]", "one stride an extent"),
    ("[1, 3, 8, 1] at", "[1, 0, 8, 1] at", "extents of at least 1"),
    ('pe.slot "int8"', 'pe.slot "int7"', "slot of int7"),
    ("[2] at 0 every", "[3] at 0 every", "result ends 12 bytes into memory of 8"),
    ("[2] at 0 every", "[2] at 1 every", "result ends 9 bytes into memory of 8"),
    ("[2] at 0 every", "[2] at -4 every", "result starts -4 bytes"),
    ('pe.result %3 "float32"', 'pe.result %3 "float99"', "result of float99"),
    # calls
    ("+ [39] with", "+ [40] with", "fill_s8: pointer 40 bytes into a buffer of 40"),
    ("+ [39] with", "+ [-1] with", "fill_s8: pointer -1 bytes into a buffer of 40"),
    ("+ [39] with", "+ [39, 0] with", "one byte offset a pointer"),
    ("-2147483648]", "-2147483649]", "fill_s8: a number does not fit"),
    ("[4294967295]", "[4294967296]", "copy_s8: a number does not fit"),
    # buffers
    ("live [1, 1] at 64", "live [1, 2] at 64", "buffers u and t overlap"),
    ("live [1, 1] at 64", "live [0, 1] at 63", "buffers u and t overlap"),
    ("live [1, 3] at 0", "live [1, 3] at 57", "buffers y and t overlap"),
    ("scratch 88", "scratch 87", "buffer u ends behind the scratch memory"),
    ("live [1, 1] at 64", "live [1, 1] at -8", "buffer u starts before the scratch memory"),
    ("live [1, 1] at 64", "live [1] at 64", "pairs of first and last task"),
    ("live [1, 1] at 64", "live [2, 1] at 64", "pairs of first and last task"),
]


@pytest.mark.parametrize(("old", "new", "message"), SHARD_MISTAKES)
def test_shard_mistakes(old: str, new: str, message: str) -> None:
    with pytest.raises(VerifyException, match=message):
        parse(broken(SHARD, old, new))


JOB_MISTAKES = [
    ("[8, 64, 32] with [1", "[8, 64] with [1", "one byte offset and one span a pointer"),
    ("+ [8, 0, 32]", "+ [8, 0]", "one byte offset and one span a pointer"),
    ("+ [8, 0, 32]", "+ [9, 0, 32]", "launch_b: 8 bytes from 9 of a buffer of 16"),
    ("+ [8, 0, 32]", "+ [8, -1, 32]", "launch_b: 64 bytes from -1 of a buffer of 64"),
    ("[8, 64, 32] with [1", "[8, 64, 0] with [1", "launch_a: 0 bytes from 0 of a buffer of 64"),
    ("[8, 64, 32] with [1", "[8, 65, 32] with [1", "launch_a: 65 bytes from 0 of a buffer of 64"),
    ("[4294967295]", "[4294967296]", "launch_b: a number does not fit in 32 bits"),
    ("    accel.await %5\n", "", "nobody awaits a job of task 0"),
    ("accel.await %5", "accel.await %4", "several await a job of task 0"),
    ("accel.yield %6, %7", "accel.yield %6, %6", "several await job 0:0"),
    ("accel.yield %6, %7", "accel.yield %6", "nobody awaits job 0:1"),
    ("  pe.task", "  %8 = pe.task", None),
    ('"0" macs 0 {', '"0" macs 0 -> !accel.token {', "task 0 gives 1 tokens"),
    ("    accel.yield %6, %7\n", "", "nobody awaits job 0:0"),
    ("%4, %5 = pe.task", "%4 = pe.task", None),
    ("over [64, 16]", "over [64]", "one span a pointer"),
    ("over [64, 16]", "over [64, 17]", "requantize: 17 bytes from 0 of a buffer of 16"),
    ("over [64, 16]", "over [64, -2]", "requantize: -2 bytes from 0 of a buffer of 16"),
]


@pytest.mark.parametrize(("old", "new", "message"), JOB_MISTAKES)
def test_job_mistakes(old: str, new: str, message: str | None) -> None:
    with pytest.raises(VerifyException if message else ParseError, match=message):
        parse(broken(JOBS, old, new))


def test_a_span_may_be_the_whole_memory() -> None:
    parse(broken(JOBS, "over [64, 16]", "over [-1, 16]"))
    with pytest.raises(VerifyException, match="launch_a: -1 bytes"):
        parse(broken(JOBS, "[8, 64, 32] with [1", "[-1, 64, 32] with [1"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("live [1, 1] at 64", "live [0, 0] at 40"),  # before its neighbour
        ("live [1, 3] at 0", "live [0, 3] at 56"),  # right before it
        ("live [1, 1] at 64", "live [0, 3]"),  # not placed yet
    ],
)
def test_buffers_that_are_apart(old: str, new: str) -> None:
    parse(broken(SHARD, old, new))


def test_programs_list_kernels_once() -> None:
    parse('pe.program @p ["a", "b"]')
    with pytest.raises(VerifyException, match="program p lists a kernel twice"):
        parse('pe.program @p ["a", "b", "a"]')


@pytest.mark.parametrize(
    "text",
    [
        'pe.buffer "x" live [0, 0] : memref<4xi8>',
        "pe.constant 0 : memref<4xi8>",
        'pe.slot "int8" [4] at 0 every [1] : memref<4xi8>',
        'pe.task "copy" "x" macs 0 {\n  %0 = arith.constant 0 : i32\n}',
    ],
)
def test_ops_belong_into_a_shard(text: str) -> None:
    with pytest.raises(VerifyException, match=r"pe\.shard"):
        parse(text)

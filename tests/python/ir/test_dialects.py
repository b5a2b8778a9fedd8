"""The ``stages`` and ``pe`` dialects as text: reading, printing, and what their verifiers say."""

from __future__ import annotations

import pytest
from xdsl.utils.exceptions import VerifyException

from ir.text import GOLDEN, GRAPHS, parse, printed
from weft.dialects.pe import PE, BufferOp, ProgramOp
from weft.dialects.stages import ALL, STAGES

# One op of every kind of stage, as compactly as they verify.
EVERY_STAGE = """\
"stages.graph"() <{input_names = ["x", "f"], output_names = ["y", "z", "u"]}> ({
^bb0(%x: tensor<1x4x4x2xi8>, %f: tensor<1x4xf32>):
  %w = stages.constant "w" : tensor<2x1x1x2xi8>
  %d = stages.constant "d" : tensor<1x1x2xi8>
  %v = stages.constant "v" : tensor<2x2xi8>
  %i = stages.constant "i" : tensor<2xi32>
  %s = stages.constant "s" : tensor<2xi8>
  %t = stages.constant "t" : tensor<256xi8>
  %e = stages.constant "e" : tensor<256xi32>
  %k = stages.constant "k" : tensor<1xf32>
  %1 = "stages.conv2d"(%x, %w, %i, %i, %s) <{strides = array<i64: 1, 1>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 0 : i64,
    zero_point = 0 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "1"}>
    : (tensor<1x4x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<1x4x4x2xi8>
  %2 = "stages.depthwise"(%1, %d, %i, %i, %s) <{strides = array<i64: 2, 2>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 1, 0, 1>, in_zero_point = 0 : i64,
    zero_point = 0 : i64, low = -128 : i64, high = 127 : i64, label = "2"}>
    : (tensor<1x4x4x2xi8>, tensor<1x1x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<1x2x2x2xi8>
  %3 = "stages.pool"(%1) <{operator = "average", window = array<i64: 2, 2>,
    strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, low = -128 : i64,
    high = 127 : i64, label = "3"}> : (tensor<1x4x4x2xi8>) -> tensor<1x2x2x2xi8>
  %4 = "stages.binary"(%2, %3) <{operator = "add", a_zero_point = 0 : i64, b_zero_point = 0 : i64,
    a_multiplier = 1 : i64, a_shift = 0 : i64, b_multiplier = 1 : i64, b_shift = 0 : i64,
    out_zero_point = 0 : i64, out_multiplier = 1 : i64, out_shift = 0 : i64, low = -128 : i64,
    high = 127 : i64, label = "4"}>
    : (tensor<1x2x2x2xi8>, tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  %5 = "stages.pad"(%4) <{before = array<i64: 0, 1, 0, 0>, value = 0 : i64, label = "5"}>
    : (tensor<1x2x2x2xi8>) -> tensor<1x3x2x2xi8>
  %6 = "stages.slice"(%5) <{begin = array<i64: 0, 1, 0, 0>, steps = array<i64: 1, 1, 1, 1>,
    label = "6"}> : (tensor<1x3x2x2xi8>) -> tensor<1x2x2x2xi8>
  %7 = "stages.mean"(%6) <{axes = array<i64: 1, 2>, offset = 0 : i64, multiplier = 1 : i64,
    shift = 0 : i64, zero_point = 0 : i64, label = "7"}> : (tensor<1x2x2x2xi8>) -> tensor<1x2xi8>
  %8 = "stages.dense"(%7, %v, %i, %i, %s) <{zero_point = 0 : i64, low = -128 : i64,
    high = 127 : i64, label = "8"}>
    : (tensor<1x2xi8>, tensor<2x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<1x2xi8>
  %9 = "stages.softmax"(%8, %e) <{label = "9"}>
    : (tensor<1x2xi8>, tensor<256xi32>) -> tensor<1x2xi8>
  %10 = "stages.lookup"(%9, %t) <{label = "10"}>
    : (tensor<1x2xi8>, tensor<256xi8>) -> tensor<1x2xi8>
  %11 = "stages.concat"(%9, %10) <{axis = 0 : i64, label = "11"}>
    : (tensor<1x2xi8>, tensor<1x2xi8>) -> tensor<2x2xi8>
  %12 = "stages.transpose"(%11) <{permutation = array<i64: 1, 0>, label = "12"}>
    : (tensor<2x2xi8>) -> tensor<2x2xi8>
  %13 = "stages.reshape"(%12) <{label = "13"}> : (tensor<2x2xi8>) -> tensor<4xi8>
  %17 = "stages.extremum"(%4, %2) <{operator = "maximum", label = "17"}>
    : (tensor<1x2x2x2xi8>, tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  %18 = "stages.resize"(%17) <{rows = array<i64: 0, 0, 1>, columns = array<i64: 1>, label = "18"}>
    : (tensor<1x2x2x2xi8>) -> tensor<1x3x1x2xi8>
  %14 = "stages.quantize"(%f, %k) <{zero_point = 0 : i64, label = "14"}>
    : (tensor<1x4xf32>, tensor<1xf32>) -> tensor<1x4xi8>
  %16 = "stages.reshape"(%10) <{label = "16"}> : (tensor<1x2xi8>) -> tensor<2xi8>
  %15 = "stages.assemble"(%13, %13, %16) <{begins = array<i64: 0, 6, 4>, label = "15"}>
    : (tensor<4xi8>, tensor<4xi8>, tensor<2xi8>) -> tensor<10xi8>
  stages.output %15, %14, %18 : tensor<10xi8>, tensor<1x4xi8>, tensor<1x3x1x2xi8>
}) : () -> ()
"""

PROGRAM = """\
pe.program @p kernels ["fill_s8", "copy_s8"] {
  %0 = pe.buffer "x" live [-1, 0] at 0 : memref<40xi8>
  %1 = pe.buffer "t" live [0, 0, 2, 3] at 64 : memref<16xi8>
  %2 = pe.buffer "u" live [1, 1] at 64 : memref<8xi8>
  %3 = pe.buffer "y" live [-1, -1, 1, 4] : memref<8xi8>
  %4 = pe.constant "k" at 4 : memref<12xi8>
  %5 = pe.constant "later" : memref<12xi8>
  pe.channel "in" "x" in %0 + 4 rows 3 of 8 every 14 as "int8" [1, 3, 8, 1] : memref<40xi8>
  pe.channel "out" "y" in %3 + 0 rows 1 of 8 every 8 as "float32" [2] : memref<8xi8>
  pe.task "border" "x" macs 0 {
    pe.call @fill_s8(%0) + [39] with [1, 1, 0, -2147483648] : memref<40xi8>
    pe.call @copy_s8(%4, %3) + [0, 7] with [4294967295] : memref<12xi8>, memref<8xi8>
  }
  pe.task "copy" "n" macs 12 {
    pe.call @copy_s8(%0, %1) + [0, 0] with [] : memref<40xi8>, memref<16xi8>
  }
}
"""


def _round_trip(text: str) -> None:
    first = parse(text)
    for generic in (False, True):
        once = printed(first, generic=generic)
        assert printed(parse(once), generic=generic) == once
        # The other form of what was read back is the other form of what was there.
        assert printed(parse(once), generic=not generic) == printed(first, generic=not generic)


@pytest.mark.parametrize("text", [EVERY_STAGE, PROGRAM], ids=["stages", "pe"])
def test_round_trip_of_every_op(text: str) -> None:
    _round_trip(text)


@pytest.mark.parametrize("path", sorted([*GRAPHS.glob("*.mlir"), *GOLDEN.glob("*.mlir")]), ids=str)
def test_round_trip_of_files(path) -> None:
    _round_trip(path.read_text(encoding="utf-8"))


def test_every_op_has_an_example() -> None:
    texts = printed(parse(EVERY_STAGE), generic=True) + printed(parse(PROGRAM), generic=True)
    for op in (*STAGES.operations, *PE.operations):
        assert f'"{op.name}"' in texts
    assert {op.name for op in ALL} < {op.name for op in STAGES.operations}


def test_offsets_and_lifetimes_can_be_read() -> None:
    (program,) = parse(PROGRAM).ops
    assert isinstance(program, ProgramOp)
    x, t, _, y = program.of_type(BufferOp)
    assert (x.offset, x.size, x.intervals) == (0, 40, [(-1, 0)])
    assert (t.offset, t.intervals) == (64, [(0, 0), (2, 3)])
    with pytest.raises(VerifyException, match="no address"):
        _ = y.offset


STAGE_MISTAKES = [
    ('input_names = ["x", "f"]', 'input_names = ["x"]', "one name an input"),
    ('output_names = ["y", "z", "u"]', 'output_names = ["y"]', "one name a value"),
    (
        "  stages.output %15, %14, %18 : tensor<10xi8>, tensor<1x4xi8>, tensor<1x3x1x2xi8>\n",
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
    ('operator = "average"', 'operator = "min"', "no pooling operator min"),
    ("axes = array<i64: 1, 2>", "axes = array<i64: 1, 3>", "neighbouring"),
    ("axes = array<i64: 1, 2>", "axes = array<i64: 0, 1, 2>", "neighbouring"),
    ("axes = array<i64: 1, 2>", "axes = array<i64>", "neighbouring"),
    ("begins = array<i64: 0, 6, 4>", "begins = array<i64: 0, 6>", "one place an operand"),
    ("begins = array<i64: 0, 6, 4>", "begins = array<i64: 0, 7, 4>", "do not fill its result"),
    ("begins = array<i64: 0, 6, 4>", "begins = array<i64: 0, 6, 5>", "overlap"),
    ("begins = array<i64: 0, 6, 4>", "begins = array<i64: -1, 6, 4>", "do not fill its result"),
]


def _broken(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)


@pytest.mark.parametrize(("old", "new", "message"), STAGE_MISTAKES)
def test_stage_mistakes(old: str, new: str, message: str) -> None:
    with pytest.raises(VerifyException, match=message):
        parse(_broken(EVERY_STAGE, old, new))


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
        parse(_broken(EVERY_STAGE, old, new))


PROGRAM_MISTAKES = [
    ('pe.channel "in"', 'pe.channel "up"', "a channel goes in or out, not up"),
    (
        "rows 3 of 8 every 14",
        "rows 3 of 9 every 14",
        "channel x begins 4 bytes into its buffer and ends 41",
    ),
    ("rows 3 of 8 every 14", "rows 0 of 8 every 14", "channel x"),
    ("in %0 + 4 rows", "in %0 + -1 rows", "channel x begins -1 bytes"),
    ("+ [39] with", "+ [40] with", "fill_s8: pointer 40 bytes into a buffer of 40"),
    ("+ [39] with", "+ [-1] with", "fill_s8: pointer -1 bytes into a buffer of 40"),
    ("+ [39] with", "+ [39, 0] with", "one byte offset a pointer"),
    ("-2147483648]", "-2147483649]", "fill_s8: a number does not fit"),
    ("[4294967295]", "[4294967296]", "copy_s8: a number does not fit"),
    ('["fill_s8", "copy_s8"]', '["fill_s8"]', "call of copy_s8, which is not listed"),
    ("live [1, 1] at 64", "live [1, 2] at 64", "buffers u and t overlap"),
    ("live [1, 1] at 64", "live [0, 1] at 79", "buffers u and t overlap"),
    ("live [1, 1] at 64", "live [-1, -1] at 32", "buffers u and x overlap"),
]


@pytest.mark.parametrize(("old", "new", "message"), PROGRAM_MISTAKES)
def test_program_mistakes(old: str, new: str, message: str) -> None:
    with pytest.raises(VerifyException, match=message):
        parse(_broken(PROGRAM, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("live [1, 1] at 64", "live [0, 0] at 80"),  # behind its neighbour
        ("live [1, 1] at 64", "live [0, 0] at 56"),  # before it
        ("live [1, 1] at 64", "live [0, 3]"),  # not placed yet
    ],
)
def test_buffers_that_are_apart(old: str, new: str) -> None:
    parse(_broken(PROGRAM, old, new))


@pytest.mark.parametrize(
    "text",
    [
        'pe.buffer "x" live [0, 0] : memref<4xi8>',
        'pe.constant "k" : memref<4xi8>',
        'pe.task "copy" "x" macs 0 {\n  %0 = arith.constant 0 : i32\n}',
    ],
)
def test_ops_belong_into_a_program(text: str) -> None:
    with pytest.raises(VerifyException, match=r"pe\.program"):
        parse(text)

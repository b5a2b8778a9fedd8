"""The ``stages`` and ``pe`` dialects as text: reading, printing, and what their verifiers say."""

from __future__ import annotations

import pytest
from xdsl.utils.exceptions import VerifyException

from ir.text import GOLDEN, GRAPHS, parse, printed
from weft.dialects.fabric import FABRIC, NO_PLACE, MeshOp, Port, Route
from weft.dialects.pe import PE, BufferOp, ShardOp
from weft.dialects.stages import ALL, STAGES
from weft.dialects.stages.box import Box

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
  %19 = "stages.partial_conv2d"(%1, %w) <{first_channel = 0 : i64, strides = array<i64: 1, 1>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 0 : i64,
    label = "19"}> : (tensor<1x4x4x2xi8>, tensor<2x1x1x2xi8>) -> tensor<1x4x4x2xi32>
  %20 = "stages.partial_dense"(%7, %v) <{first_channel = 0 : i64, label = "20"}>
    : (tensor<1x2xi8>, tensor<2x2xi8>) -> tensor<1x2xi32>
  %21 = "stages.add_partial"(%20, %20) <{label = "21"}>
    : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x2xi32>
  %22 = "stages.requantize"(%21, %i, %i, %s) <{zero_point = 0 : i64, low = -128 : i64,
    high = 127 : i64, label = "22"}>
    : (tensor<1x2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>) -> tensor<1x2xi8>
  stages.output %15, %14, %18 : tensor<10xi8>, tensor<1x4xi8>, tensor<1x3x1x2xi8>
}) : () -> ()
"""

# A shard with everything that a shard can have.
SHARD = """\
pe.shard @s scratch 88 {
  %0 = pe.slot "int8" [1, 3, 8, 1] at 4 every [40, 14, 1, 1] : memref<40xi8>
  %1 = pe.buffer "t" live [0, 0, 2, 3] at 64 : memref<16xi8>
  %2 = pe.buffer "u" live [1, 1] at 64 : memref<24xi8>
  %3 = pe.buffer "y" live [1, 3] at 0 : memref<8xi8>
  %4 = pe.buffer "later" live [0, 3] : memref<400xi8>
  %5 = pe.constant 0 : memref<12xi8>
  pe.result %3 "float32" [2] at 0 every [4] : memref<8xi8>
  pe.task "border" "in0" macs 0 {
    pe.call @fill_s8(%0) + [39] with [1, 1, 0, -2147483648] : memref<40xi8>
    pe.call @copy_s8(%5, %3) + [0, 7] with [4294967295] : memref<12xi8>, memref<8xi8>
  }
  pe.task "copy" "0" macs 12 {
    pe.call @copy_s8(%0, %1) + [0, 0] with [] : memref<40xi8>, memref<16xi8>
  }
}
"""

# Rows of an image on two PEs, one stage each, the sum of both on the second one, a host.
MESH = """\
fabric.mesh 3 host 1 {
  fabric.tensor "x" tensor<4x3xi8>
  fabric.tensor "x" tensor<4x3xi8>
  fabric.tensor "m" tensor<4x3xi8>
  fabric.tensor "y" tensor<4x3xi8>
  fabric.channel "in" "x" tensor 0 on 3 depth 2
  fabric.channel "out" "y" tensor 3 on 1 depth 4
  fabric.template @scatter {
    "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
    ^bb0(%0: tensor<4x3xi8>):
      stages.output %0 : tensor<4x3xi8>
    }) : () -> ()
  }
  fabric.template @half {
    "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
    ^bb0(%0: tensor<2x3xi8>):
      %1 = stages.constant "0" : tensor<256xi8>
      %2 = "stages.lookup"(%0, %1) <{label = "0"}> : (tensor<2x3xi8>, tensor<256xi8>) -> tensor<2x3xi8>
      stages.output %2 : tensor<2x3xi8>
    }) : () -> ()
  }
  fabric.template @whole {
    "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
    ^bb0(%0: tensor<4x3xi8>):
      %1 = stages.constant "0" : tensor<256xi8>
      %2 = "stages.lookup"(%0, %1) <{label = "0"}> : (tensor<4x3xi8>, tensor<256xi8>) -> tensor<4x3xi8>
      stages.output %2 : tensor<4x3xi8>
    }) : () -> ()
  }
  fabric.place @scatter on 3 [] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants []
  fabric.place @half on 0 ["m[0]"] reads [1] from [0, 0] depth [1] writes [2] from [0, 0] constants ["t"]
  fabric.place @half on 1 ["m[1]"] reads [1] from [2, 0] depth [8] writes [2] from [2, 0] constants ["t"]
  fabric.place @whole on 1 ["y"] reads [2] from [0, 0] depth [2] writes [3] from [0, 0] constants ["u"]
}
"""

# The same with addresses and routes.
PLANNED = """\
fabric.mesh 3 host 1 {
  pe.program @p0 ["lookup_s8_s8"]
  fabric.tensor "x" tensor<4x3xi8>
  fabric.tensor "x" tensor<4x3xi8>
  fabric.tensor "m" tensor<4x3xi8>
  fabric.tensor "y" tensor<4x3xi8>
  fabric.channel "in" "x" tensor 0 on 3 depth 2
  fabric.channel "out" "y" tensor 3 on 1 depth 4 at 176
  pe.shard @scatter scratch 0 {
    %0 = pe.slot "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
    pe.result %0 "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
  }
  pe.shard @half scratch 6 {
    %0 = pe.slot "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
    %1 = pe.buffer "0" live [0, 1] at 0 : memref<6xi8>
    %2 = pe.constant 0 : memref<256xi8>
    pe.result %1 "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
    pe.task "lookup" "0" macs 0 {
      pe.call @lookup_s8_s8(%0, %2, %1) + [0, 0, 0] with [1, 1, 1, 6, 0, 0, 0, 0, 0, 0] : memref<6xi8>, memref<256xi8>, memref<6xi8>
    }
  }
  pe.shard @whole scratch 12 {
    %0 = pe.slot "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
    %1 = pe.buffer "0" live [0, 1] at 0 : memref<12xi8>
    %2 = pe.constant 0 : memref<256xi8>
    pe.result %1 "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
    pe.task "lookup" "0" macs 0 {
      pe.call @lookup_s8_s8(%0, %2, %1) + [0, 0, 0] with [1, 1, 1, 12, 0, 0, 0, 0, 0, 0] : memref<12xi8>, memref<256xi8>, memref<12xi8>
    }
  }
  fabric.place @scatter on 3 [] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants [] slots_at [0] constants_at []
  fabric.place @half on 0 ["m[0]"] reads [1] from [0, 0] depth [1] writes [2] from [0, 0] constants ["t"] slots_at [16] constants_at [0]
  fabric.place @half on 1 ["m[1]"] reads [1] from [2, 0] depth [8] writes [2] from [2, 0] constants ["t"] slots_at [16] constants_at [0]
  fabric.place @whole on 1 ["y"] reads [2] from [0, 0] depth [2] writes [3] from [0, 0] constants ["u"] slots_at [144] constants_at [256]
  fabric.routes [0, 0, 1, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 6, 6, 0, 0, 0, 0, 0, 1, 0, 3, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 1, 6, 0, 0, 0, 6, 0, 0, 3, 0, -1, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0]
}
"""


def _round_trip(text: str) -> None:
    first = parse(text)
    for generic in (False, True):
        once = printed(first, generic=generic)
        assert printed(parse(once), generic=generic) == once
        # The other form of what was read back is the other form of what was there.
        assert printed(parse(once), generic=not generic) == printed(first, generic=not generic)


TEXTS = (EVERY_STAGE, SHARD, MESH, PLANNED)


@pytest.mark.parametrize("text", TEXTS, ids=["stages", "shard", "mesh", "planned"])
def test_round_trip_of_every_op(text: str) -> None:
    _round_trip(text)


@pytest.mark.parametrize("path", sorted([*GRAPHS.glob("*.mlir"), *GOLDEN.glob("*.mlir")]), ids=str)
def test_round_trip_of_files(path) -> None:
    _round_trip(path.read_text(encoding="utf-8"))


def test_every_op_has_an_example() -> None:
    texts = "".join(printed(parse(text), generic=True) for text in TEXTS)
    for op in (*STAGES.operations, *PE.operations, *FABRIC.operations):
        assert f'"{op.name}"' in texts
    assert {op.name for op in ALL} < {op.name for op in STAGES.operations}


def _mesh(text: str) -> MeshOp:
    (mesh,) = parse(text).ops
    assert isinstance(mesh, MeshOp)
    return mesh


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


def test_a_mesh_can_be_read() -> None:
    for text in (MESH, PLANNED):
        mesh = _mesh(text)
        assert (mesh.pe_count, mesh.host_index) == (4, 3)
        assert [(t.label.data, t.shape, t.dtype) for t in mesh.tensors][2] == ("m", (4, 3), "int8")
        place = mesh.places[2]
        reads, writes = mesh.ports(place, mesh.templates[place.template_name])
        assert reads == [Port(1, Box((2, 0), (2, 3)), 8)]
        assert writes == [Port(2, Box((2, 0), (2, 3)), 0)]
    assert _mesh(MESH).routes == []
    routes = _mesh(PLANNED).routes
    assert routes[1] == Route(0, 0, 2, 0, 1, 1, 6, 6, 0, 0, 0, 0, 0)
    assert routes[-1].consumer == NO_PLACE
    assert _mesh(MESH.replace("host 1", "host 0").replace(" on 3 ", " on 2 ")).host_index is None


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
        parse(_broken(SHARD, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("live [1, 1] at 64", "live [0, 0] at 40"),  # before its neighbour
        ("live [1, 3] at 0", "live [0, 3] at 56"),  # right before it
        ("live [1, 1] at 64", "live [0, 3]"),  # not placed yet
    ],
)
def test_buffers_that_are_apart(old: str, new: str) -> None:
    parse(_broken(SHARD, old, new))


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


@pytest.mark.parametrize(
    "text",
    [
        'fabric.tensor "x" tensor<4xi8>',
        'fabric.channel "in" "x" tensor 0 on 0 depth 1',
        "fabric.place @s on 0 [] reads [] from [] depth [] writes [] from [] constants []",
        "fabric.routes []",
    ],
)
def test_ops_belong_into_a_mesh(text: str) -> None:
    with pytest.raises(VerifyException, match=r"fabric\.mesh"):
        parse(text)


MESH_MISTAKES = [
    # who reads and writes what
    ("reads [1] from [2, 0]", "reads [1] from [3, 0]", "is not inside of tensor x"),
    ("reads [1] from [2, 0]", "reads [1] from [-1, 0]", "is not inside of tensor x"),
    ("writes [2] from [2, 0]", "writes [2] from [2, 1]", "is not inside of tensor m"),
    ("writes [2] from [2, 0]", "writes [2] from [0, 0]", "part of tensor m is not written"),
    ("writes [2] from [2, 0]", "writes [2] from [1, 0]", "part of tensor m is"),
    ("writes [2] from [0, 0]", "writes [0] from [0, 0]", "part of tensor x is written twice"),
    ("reads [1] from [2, 0]", "reads [4] from [2, 0]", "there is no tensor 4"),
    ("writes [2] from [2, 0]", "writes [-1] from [2, 0]", "there is no tensor -1"),
    ("reads [1] from [2, 0]", "reads [1] from [2]", "do not go with its template"),
    ("reads [1] from [2, 0] depth [8]", "reads [] from [] depth []", "do not go with its template"),
    ("writes [2] from [2, 0]", "writes [2, 2] from [2, 0]", "do not go with its template"),
    ("place @whole", "place @quarter", "there is no template quarter"),
    ("template @whole", "template @half", "two templates have one name"),
    ("place @half on 0", "place @half on 4", "there is no PE 4; there are 4"),
    ("place @half on 0", "place @half on -1", "there is no PE -1"),
    ("mesh 3 host 1", "mesh 3 host 2", "one host or none"),
    ('tensor "m" tensor<4x3xi8>', 'tensor "m" tensor<4x3xf32>', "tensor m is float32, not int8"),
    ('tensor "m" tensor<4x3xi8>', 'tensor "m" tensor<12xi8>', "is not inside of tensor m"),
    # depths
    ("depth [8]", "depth [3]", "a depth is a power of two, not 3"),
    ("depth [8]", "depth [0]", "a depth is a power of two, not 0"),
    ("depth [8]", "depth [-2]", "a depth is a power of two, not -2"),
    ("depth [8]", "depth [8, 8]", "one depth a box"),
    ("on 1 depth 4", "on 1 depth 6", "a depth is a power of two, not 6"),
    # ends for the outside
    ('channel "out"', 'channel "up"', "a channel goes in or out, not up"),
    ("tensor 3 on 1", "tensor 4 on 1", "there is no tensor 4"),
    ("tensor 3 on 1", "tensor 3 on 4", "there is no PE 4"),
    ("reads [1] from [0, 0]", "reads [0] from [0, 0]", "input x goes to one slot, not to 2"),
    ("tensor 0 on 3", "tensor 0 on 2", "input x is on PE 2, its slot on PE 3"),
    ('channel "out" "y"', 'channel "in" "y"', "input y goes to one slot, not to 0"),
]


@pytest.mark.parametrize(("old", "new", "message"), MESH_MISTAKES)
def test_mesh_mistakes(old: str, new: str, message: str) -> None:
    with pytest.raises(VerifyException, match=message):
        parse(_broken(MESH, old, new))


def test_an_input_goes_whole_into_its_slot() -> None:
    text = """\
fabric.mesh 1 host 0 {
  fabric.tensor "x" tensor<4xi8>
  fabric.tensor "y" tensor<3xi8>
  fabric.channel "in" "x" tensor 0 on 0 depth 1
  fabric.template @s {
    "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
    ^bb0(%0: tensor<3xi8>):
      stages.output %0 : tensor<3xi8>
    }) : () -> ()
  }
  fabric.place @s on 0 [] reads [0] from [0] depth [1] writes [1] from [0] constants []
}
"""
    with pytest.raises(VerifyException, match="input x goes whole"):
        parse(text)
    parse(text.replace("tensor<3xi8>", "tensor<4xi8>"))


def test_many_writers_of_one_element() -> None:
    """257 are no more allowed than two."""
    place = "fabric.place @s on 0 [] reads [] from [] depth [] writes [0] from [0] constants []"
    text = """\
fabric.mesh 1 host 0 {{
  fabric.tensor "x" tensor<1xi8>
  fabric.template @s {{
    "stages.graph"() <{{input_names = [], output_names = ["out0"]}}> ({{
      %0 = stages.constant "0" : tensor<1xi8>
      stages.output %0 : tensor<1xi8>
    }}) : () -> ()
  }}
  {places}
}}
"""
    parse(text.format(places=place))
    for count in (2, 257):
        with pytest.raises(VerifyException, match="written twice"):
            parse(text.format(places="\n  ".join([place] * count)))


PLANNED_MISTAKES = [
    # shards in their places
    ('[2, 0] constants ["t"]', "[2, 0] constants []", "half has constants that its place lacks"),
    ('on 1 ["y"]', "on 1 []", "whole has a stage 0 without a label"),
    ("place @half on 0", "place @half on 3", "the host only scatters and gathers"),
    ('program @p0 ["lookup_s8_s8"]', 'program @p0 ["copy_s8"]', "no program for PE 0, which calls"),
    (
        'pe.program @p0 ["lookup_s8_s8"]',
        'pe.program @p0 ["lookup_s8_s8"] pe.program @p0 []',
        "two programs have one name",
    ),
    # addresses
    ("slots_at [144]", "slots_at []", "one address a slot"),
    ("constants_at [256]", "constants_at []", "one address a constant"),
    ("slots_at [144]", "slots_at [128]", "slot 0 of half and slot 0 of whole overlap on PE 1"),
    ("slots_at [144]", "slots_at [0]", "overlap on PE 1"),
    ("slots_at [144]", "slots_at [-32]", "on PE 1"),
    ("depth 4 at 176", "depth 4 at 160", "slot 0 of whole and output y overlap on PE 1"),
    ("scratch 12 ", "scratch 20 ", "scratch memory and slot 0 of half overlap on PE 1"),
    ("constants_at [256]", "constants_at [255]", "constant t and constant u overlap on PE 1"),
    ('constants ["u"]', 'constants ["t"]', "constant t is at two places on PE 1"),
    # routes
    ("routes [0, ", "routes [", "a route has 13 numbers"),
    ("routes [0, 0, 1, 0, ", "routes [-1, 0, 1, 0, ", "no place -1"),
    ("routes [0, 0, 1, 0, ", "routes [4, 0, 1, 0, ", "no place 4"),
    (" 2, 0, 3, 0, 1, 1, 6,", " 0, 0, 3, 0, 1, 1, 6,", "not sorted"),
    ("routes [0, 0, 1, 0, ", "routes [0, 1, 1, 0, ", "starts at result 1 of 1"),
    ("routes [0, 0, 1, 0, ", "routes [0, 0, 4, 0, ", "ends at place 4, which is not there"),
    ("routes [0, 0, 1, 0, ", "routes [0, 0, -2, 0, ", "ends at place -2, which is not there"),
    ("routes [0, 0, 1, 0, ", "routes [0, 0, 1, 1, ", "ends at slot 1 of 1"),
    ("routes [0, 0, 1, 0, ", "routes [0, 0, 3, 0, ", "brings tensor 1 to one of tensor 2"),
    ("3, 0, -1, 0, 1, 1, 12", "3, 0, -1, 1, 1, 1, 12", "ends at output 1 of 1"),
    ("1, 1, 6, 6, 0, 0, 0", "1, 1, 6, 7, 0, 0, 0", "place 0 takes bytes up to 13 of 12"),
    ("1, 1, 6, 0, 0, 0, 6", "1, 1, 6, 0, 0, 0, 7", "place 2 writes bytes up to 13 of 12"),
    (
        "-1, 0, 1, 1, 12, 0, 0, 0, 0,",
        "-1, 0, 1, 1, 12, 0, 0, 0, 1,",
        "place 3 writes bytes up to 13 of 12",
    ),
    ("1, 1, 6, 6, 0, 0, 0", "2, 1, 3, 6, 4, 0, 0", "place 0 takes bytes up to 13 of 12"),
    ("1, 1, 6, 6, 0, 0, 0", "1, 0, 6, 6, 0, 0, 0", "goes backwards, or has no bytes"),
    ("1, 1, 6, 6, 0, 0, 0", "1, 1, 6, -6, 0, 0, 0", "goes backwards, or has no bytes"),
    ("1, 1, 6, 6, 0, 0, 0", "1, 2, 3, 6, 0, -3, 0", "goes backwards, or has no bytes"),
    ("1, 1, 6, 6, 0, 0, 0", "1, 1, 5, 6, 0, 0, 0", "place 2 gets 5 of 6 bytes of x"),
    (
        "-1, 0, 1, 1, 12, 0, 0, 0, 0,",
        "-1, 0, 1, 1, 11, 0, 0, 0, 0,",
        "output 0 gets 11 of 12 bytes of y",
    ),
    (
        "3, 0, -1, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0]\n",
        "3, 0, -1, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0]\n  fabric.routes []\n",
        "one table of routes",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), PLANNED_MISTAKES)
def test_planned_mistakes(old: str, new: str, message: str) -> None:
    with pytest.raises(VerifyException, match=message):
        parse(_broken(PLANNED, old, new))


def test_routes_that_are_all_missing() -> None:
    head, _, _ = PLANNED.partition("  fabric.routes")
    parse(head + "}\n")  # not there yet
    with pytest.raises(VerifyException, match="place 1 gets 0 of 6 bytes of x"):
        parse(head + "  fabric.routes []\n}\n")


def test_routes_do_not_lead_between_templates() -> None:
    with pytest.raises(VerifyException, match="templates left"):
        parse(MESH[:-2] + "  fabric.routes []\n}\n")

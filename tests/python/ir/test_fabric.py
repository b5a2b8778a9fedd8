"""The ``fabric`` dialect: what can be read off a mesh, and what its verifier says."""

from __future__ import annotations

import pytest
from xdsl.utils.exceptions import VerifyException

from ir.text import broken, example, parse
from weft.dialects.fabric import NO_PLACE, MeshOp, Port, Route
from weft.dialects.stages.box import Box

MESH = example("mesh")
PLANNED = example("planned")


def _mesh(text: str) -> MeshOp:
    (mesh,) = parse(text).ops
    assert isinstance(mesh, MeshOp)
    return mesh


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
        parse(broken(MESH, old, new))


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
        parse(broken(PLANNED, old, new))


def test_routes_that_are_all_missing() -> None:
    head, _, _ = PLANNED.partition("  fabric.routes")
    parse(head + "}\n")  # not there yet
    with pytest.raises(VerifyException, match="place 1 gets 0 of 6 bytes of x"):
        parse(head + "  fabric.routes []\n}\n")


def test_routes_do_not_lead_between_templates() -> None:
    with pytest.raises(VerifyException, match="templates left"):
        parse(MESH[:-2] + "  fabric.routes []\n}\n")

"""Which stages devices take, as golden text and case by case, and how passes go on from there."""

from __future__ import annotations

import pytest

from ir.device_graphs import MAC_ARRAY, NAMES, Use, mesh_of, on_mesh, stages, steps
from ir.text import DEVICE_GOLDEN, DEVICE_GRAPHS, check_golden, parse, printed
from weft.dialects.pe import ShardOp, TaskOp
from weft.dialects.stages.device import DeviceConv2dStage, DeviceDenseStage, DeviceStage
from weft.transforms.choose_devices import Decision, choose_devices
from weft.transforms.pipeline import PASSES

#: Those of which the text is kept.
IN_DETAIL = ("choose-devices", "shards-to-pe", "overlap")
NETWORK = (DEVICE_GRAPHS / "network.mlir").read_text(encoding="utf-8")
NULL: Use = ("idle", "null", {})


def _chosen(*uses: Use, text: str = NETWORK) -> tuple[list[DeviceStage], tuple[Decision, ...]]:
    after = choose_devices(on_mesh(stages(text), {0: uses}))
    found = [op for op in after.module.walk() if isinstance(op, DeviceStage)]
    return found, after.facts["decisions"]


# --- text ---


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_out(name: str) -> None:
    made = steps(name)
    for step in IN_DETAIL:
        check_golden(f"devices/{name}.{step}.mlir", printed(made[step].module))


def test_golden_files_are_all_used() -> None:
    wanted = {f"{name}.{step}.mlir" for name in NAMES for step in IN_DETAIL}
    assert {path.name for path in DEVICE_GOLDEN.glob("*.mlir")} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_every_pass_can_be_read_back_and_leaves_its_operand_alone(name: str) -> None:
    made = steps(name)["to-mesh"]
    for step, run in PASSES:
        before = printed(made.module)
        after = run(made)
        assert printed(made.module) == before, step
        for generic in (False, True):
            text = printed(after.module, generic=generic)
            assert printed(parse(text), generic=generic) == text, step
        assert printed(run(made).module) == printed(after.module), step
        made = after


# --- choices ---


def test_layers_with_weights_go_to_the_device_and_others_stay() -> None:
    found, decisions = _chosen(MAC_ARRAY)
    assert [type(op) for op in found] == [DeviceConv2dStage, DeviceConv2dStage, DeviceDenseStage]
    assert [op.kind for op in found] == ["conv2d", "depthwise", "dense"]
    told = {d.kind: (d.device, d.reason) for d in decisions}
    assert told == {
        "conv2d": ("mac_array", ""),
        "depthwise": ("mac_array", ""),
        "dense": ("mac_array", ""),
        "pool": (None, "no device takes a pool"),
        "reshape": (None, "no device takes a reshape"),
    }


def test_of_those_that_take_a_layer_the_one_with_least_to_do_has_it() -> None:
    second: Use = ("second", "mac_array", {})
    found, decisions = _chosen(NULL, MAC_ARRAY, second)
    # The convolution has most MACs: the other two layers go to the other array.
    assert [int(op.device.value.data) for op in found] == [1, 2, 2]
    assert {d.kind: d.device for d in decisions if d.device is not None} == {
        "conv2d": "mac_array",
        "depthwise": "second",
        "dense": "second",
    }


def test_a_device_without_lowering_gets_nothing_and_says_so() -> None:
    found, decisions = _chosen(NULL)
    assert found == []
    assert all(d.device is None for d in decisions)
    (conv,) = (d for d in decisions if d.kind == "conv2d")
    assert conv.reason == "idle gets nothing from the compiler: it has no lowering"


def test_without_devices_nothing_changes() -> None:
    made = on_mesh(stages(NETWORK), {})
    assert choose_devices(made) is made


def test_places_on_other_pes_have_templates_of_their_own() -> None:
    made = on_mesh(stages(NETWORK), {0: [MAC_ARRAY], 2: [NULL]}, pes=3)
    after = choose_devices(made)
    taken = {}
    mesh = mesh_of(after)
    for place in mesh.places:
        template = mesh.templates[place.template_name]
        on_device = [op for op in template.walk() if isinstance(op, DeviceStage)]
        taken.setdefault(place.pe_index, []).extend(on_device)
    assert taken[0] and not taken[1] and not taken[2]


CONV = """\
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<1x24x24x1xi8>):
  %w = stages.constant "large" : tensor<2x23x23x1xi8>
  %b = stages.constant "b" : tensor<2xi32>
  %m = stages.constant "c_multiplier" : tensor<2xi32>
  %s = stages.constant "c_shift" : tensor<2xi8>
  %y = "stages.conv2d"(%x, %w, %b, %m, %s) <{strides = array<i64: 1, 1>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 0 : i64,
    zero_point = 0 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "y"}>
    : (tensor<1x24x24x1xi8>, tensor<2x23x23x1xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<1x2x2x2xi8>
  stages.output %y : tensor<1x2x2x2xi8>
}) : () -> ()
"""


def test_sums_that_no_part_could_hold_stay_on_the_core() -> None:
    """529 taps of one input channel, 127 each: more than 24 bits, and a channel is not cut."""
    found, (decision,) = _chosen(MAC_ARRAY, text=CONV)
    assert found == []
    assert decision.reason == "mac_array: 24 bits are too few for its sums"
    wide: Use = ("wide", "mac_array", {"accumulator_bits": 29})
    found, (decision,) = _chosen(MAC_ARRAY, wide, text=CONV)
    assert decision.device == "wide" and len(found) == 1


DEPTHWISE = """\
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<1x4x4x2xi8>):
  %w = stages.constant "w" : tensor<1x1x4xi8>
  %b = stages.constant "b" : tensor<4xi32>
  %m = stages.constant "c_multiplier" : tensor<4xi32>
  %s = stages.constant "c_shift" : tensor<4xi8>
  %y = "stages.depthwise"(%x, %w, %b, %m, %s) <{strides = array<i64: 1, 1>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 0 : i64,
    zero_point = 0 : i64, low = -128 : i64, high = 127 : i64, label = "y"}>
    : (tensor<1x4x4x2xi8>, tensor<1x1x4xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>)
    -> tensor<1x4x4x4xi8>
  stages.output %y : tensor<1x4x4x4xi8>
}) : () -> ()
"""


def test_a_depthwise_layer_with_several_results_a_channel_stays() -> None:
    found, (decision,) = _chosen(MAC_ARRAY, text=DEPTHWISE)
    assert (found, decision.reason) == ([], "it has several results a channel")


def test_computed_weights_stay() -> None:
    text = """\
"stages.graph"() <{input_names = ["x", "w"], output_names = ["y"]}> ({
^bb0(%x: tensor<1x8xi8>, %w: tensor<2x8xi8>):
  %b = stages.constant "b" : tensor<2xi32>
  %m = stages.constant "c_multiplier" : tensor<2xi32>
  %s = stages.constant "c_shift" : tensor<2xi8>
  %y = "stages.dense"(%x, %w, %b, %m, %s) <{zero_point = 4 : i64, low = -128 : i64,
    high = 127 : i64, label = "y"}>
    : (tensor<1x8xi8>, tensor<2x8xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<1x2xi8>
  stages.output %y : tensor<1x2xi8>
}) : () -> ()
"""
    found, (decision,) = _chosen(MAC_ARRAY, text=text)
    assert (found, decision.reason) == ([], "its weights are computed")


# --- parts ---


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        # A step is 127 * 128 at most: 516 of them fit in 24 bits.
        ({}, [(0, 516), (516, 1032), (1032, 1200)]),
        ({"overflow": "saturate"}, [(0, 516), (516, 1032), (1032, 1200)]),
        ({"accumulator_bits": 29}, [(0, 1200)]),
        ({"accumulator_bits": 32, "subtracts_zero_points": True}, [(0, 1200)]),
    ],
)
def test_reductions_are_cut_where_accumulators_are_full(options: dict, parts: list) -> None:
    text = (DEVICE_GRAPHS / "wide.mlir").read_text(encoding="utf-8")
    (stage,), _ = _chosen(("mac_array", "mac_array", options), text=text)
    assert stage.part_pairs() == parts


def test_each_part_is_a_job() -> None:
    (shard,) = (op for op in steps("wide")["overlap"].module.walk() if isinstance(op, ShardOp))
    labels = [job.label.data for task in shard.of_type(TaskOp) for job in task.launches]
    assert labels[:3] == ["0:tile 0.0", "0:tile 0.1", "0:tile 0.2"]
    assert len(labels) % 3 == 0
    (stage,) = (
        op for op in steps("wide")["choose-devices"].module.walk() if isinstance(op, DeviceStage)
    )
    assert len(stage.part_pairs()) == 3

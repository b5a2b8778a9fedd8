"""Each operator alone, with wide random attributes, byte for byte against TFLM.

One example is a model with 6 to 10 instances of an operator, run on four sets of inputs. The
profile says how many examples; operators with the most arithmetic get twice as many.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from support import strategies as s
from support import strategies_elementwise as elementwise
from support import strategies_movement as movement
from support.oracle_count import check_against_oracle
from support.strategies import Case
from support.tflite_builder import ModelBuilder

# Operators that TFLM has and Weft has yet to import; each name goes when its importer comes.

more = settings(max_examples=2 * settings().max_examples)


def _check(case: Case) -> None:
    check_against_oracle(case.model, case.input_sets, case.labels)


@more
@given(s.cases(s.conv2d()))
def test_conv_2d(case: Case) -> None:
    _check(case)


@more
@given(s.cases(s.depthwise_conv2d()))
def test_depthwise_conv_2d(case: Case) -> None:
    _check(case)


@more
@given(s.cases(s.fully_connected()))
def test_fully_connected(case: Case) -> None:
    _check(case)


@more
@given(s.cases(elementwise.add()))
def test_add(case: Case) -> None:
    _check(case)


@more
@given(s.cases(elementwise.sub()))
def test_sub(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.mul()))
def test_mul(case: Case) -> None:
    _check(case)


@given(s.cases(s.average_pool2d()))
def test_average_pool_2d(case: Case) -> None:
    _check(case)


@given(s.cases(s.max_pool2d()))
def test_max_pool_2d(case: Case) -> None:
    _check(case)


@given(s.cases(s.mean()))
def test_mean(case: Case) -> None:
    _check(case)


def test_mean_over_axes_that_are_no_neighbours() -> None:
    rng = np.random.default_rng(0)
    builder = ModelBuilder()
    shapes = [(1, 2, 9, 4), (2, 3, 4, 5), (3, 2, 4)]
    for shape in shapes:
        x = builder.input(shape, 0.05, 3)
        axes = [0, len(shape) - 1]
        for keep_dims in (True, False):
            builder.output(builder.mean(x, axes, keep_dims, 0.04, -5))
    frames = [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    check_against_oracle(builder.build(), [frames], [f"mean {i}" for i in range(6)])


@given(s.cases(elementwise.relu()))
def test_relu(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.relu6()))
def test_relu6(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.softmax()))
def test_softmax(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.requantize()))
def test_quantize_from_int8(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.quantize()))
def test_quantize_from_float32(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.dequantize()))
def test_dequantize(case: Case) -> None:
    _check(case)


@given(s.cases(movement.concatenation()))
def test_concatenation(case: Case) -> None:
    _check(case)


@given(s.cases(movement.pad()))
def test_pad(case: Case) -> None:
    _check(case)


@given(s.cases(movement.padv2()))
def test_padv2(case: Case) -> None:
    _check(case)


@given(s.cases(movement.reshape()))
def test_reshape(case: Case) -> None:
    _check(case)


@given(s.cases(movement.transpose()))
def test_transpose(case: Case) -> None:
    _check(case)


@given(s.cases(movement.expand_dims()))
def test_expand_dims(case: Case) -> None:
    _check(case)


@given(s.cases(movement.squeeze()))
def test_squeeze(case: Case) -> None:
    _check(case)


@given(s.cases(movement.strided_slice()))
def test_strided_slice(case: Case) -> None:
    _check(case)


@given(s.cases(movement.split()))
def test_split(case: Case) -> None:
    _check(case)


@given(s.cases(movement.resize_nearest_neighbor()))
def test_resize_nearest_neighbor(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.logistic()))
def test_logistic(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.tanh()))
def test_tanh(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.hard_swish()))
def test_hard_swish(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.leaky_relu()))
def test_leaky_relu(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.maximum()))
def test_maximum(case: Case) -> None:
    _check(case)


@given(s.cases(elementwise.minimum()))
def test_minimum(case: Case) -> None:
    _check(case)

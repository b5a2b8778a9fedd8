"""Strided views: the same addresses as NumPy's, whatever is done to them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from weft.kernels.view import ITEM_BYTES, Pointer, View, contiguous_strides, loops_of, merge_axes

many = settings(max_examples=60 * settings().max_examples, phases=tuple(Phase))

# Element number ``i`` of this memory is ``i``, so that values are addresses.
MEMORY = np.arange(40_000, dtype=np.int64)
MIDDLE = 20_000


def _array(view: View) -> np.ndarray:
    """What the view sees, through NumPy's own strides."""
    bytes_of = tuple(s * MEMORY.itemsize for s in view.strides)
    return np.lib.stride_tricks.as_strided(MEMORY[view.offset :], view.shape, bytes_of)


def _view(shape: Sequence[int], strides: Sequence[int], offset: int = MIDDLE) -> View:
    return View("memory", offset, tuple(shape), tuple(strides), "int8")


shapes = st.lists(st.integers(1, 4), max_size=5).map(tuple)


@st.composite
def views(draw: st.DrawFn, shape: tuple[int, ...] | None = None) -> View:
    """Dense views, transposed ones, boxes of larger ones, with steps, broadcast ones."""
    shape = draw(shapes) if shape is None else shape
    outer = [extent + draw(st.integers(0, 2)) for extent in shape]
    order = draw(st.permutations(range(len(shape))))
    inner = contiguous_strides([outer[axis] for axis in order])
    strides = [0] * len(shape)
    for stride, axis in zip(inner, order, strict=True):
        strides[axis] = stride * draw(st.sampled_from([1, 1, 1, 2, -1, 0]))
    return _view(shape, strides, MIDDLE + draw(st.integers(-5, 5)))


@st.composite
def families(draw: st.DrawFn) -> list[View]:
    """One to three views of one shape."""
    shape = draw(shapes)
    return [draw(views(shape)) for _ in range(draw(st.integers(1, 3)))]


@given(shapes)
@many
def test_contiguous_strides(shape: tuple[int, ...]) -> None:
    strides = contiguous_strides(shape)
    wanted = np.zeros(shape, np.int8).strides
    assert all(e == 1 or a == b for e, a, b in zip(shape, strides, wanted, strict=True))
    assert _view(shape, strides).is_contiguous


@given(views())
@many
def test_is_contiguous_says_whether_addresses_are_neighbours(view: View) -> None:
    addresses = _array(view).ravel()
    dense = bool((addresses == view.offset + np.arange(addresses.size)).all())
    assert view.is_contiguous == dense


@given(views(), st.integers(-9, 9))
@many
def test_moved(view: View, distance: int) -> None:
    np.testing.assert_array_equal(_array(view.moved(distance)), _array(view) + distance)


@given(views(), st.data())
@many
def test_at(view: View, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(view.shape)))
    index = tuple(data.draw(st.integers(0, extent - 1)) for extent in view.shape[:count])
    np.testing.assert_array_equal(_array(view.at(*index)), _array(view)[index])


@given(views(), st.data())
@many
def test_box(view: View, data: st.DataObject) -> None:
    begin = [data.draw(st.integers(0, extent - 1)) for extent in view.shape]
    shape = [data.draw(st.integers(1, e - b)) for e, b in zip(view.shape, begin, strict=True)]
    where = tuple(slice(b, b + e) for b, e in zip(begin, shape, strict=True))
    np.testing.assert_array_equal(_array(view.box(begin, shape)), _array(view)[where])


@given(views(), st.randoms(use_true_random=False))
@many
def test_permuted(view: View, random) -> None:
    order = list(range(len(view.shape)))
    random.shuffle(order)
    np.testing.assert_array_equal(_array(view.permuted(order)), _array(view).transpose(order))


@given(views(), st.lists(st.integers(1, 3), max_size=2), st.data())
@many
def test_broadcast(view: View, extra: list[int], data: st.DataObject) -> None:
    inner = [data.draw(st.integers(1, 4)) if extent == 1 else extent for extent in view.shape]
    shape = (*extra, *inner)
    wanted = np.broadcast_to(_array(view), shape)
    np.testing.assert_array_equal(_array(view.broadcast(shape)), wanted)


@given(shapes, st.data())
@many
def test_reshaped(shape: tuple[int, ...], data: st.DataObject) -> None:
    view = _view(shape, contiguous_strides(shape))
    other, rest = [], prod(shape)
    while rest > 1 and len(other) < 4:
        factor = data.draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0]))
        other.append(factor)
        rest //= factor
    other.append(rest)
    np.testing.assert_array_equal(_array(view.reshaped(other)), _array(view).reshape(other))


@given(views(), shapes)
@many
def test_what_cannot_be_reshaped_is_refused(view: View, shape: tuple[int, ...]) -> None:
    assume(not view.is_contiguous or prod(shape) != prod(view.shape))
    with pytest.raises(AssertionError, match="cannot reshape"):
        view.reshaped(shape)


@given(families())
@many
def test_merged_axes_visit_the_same_addresses_in_the_same_order(family: list[View]) -> None:
    merged = merge_axes(family)
    assert len({v.shape for v in merged}) == 1
    for before, after in zip(family, merged, strict=True):
        np.testing.assert_array_equal(_array(after).ravel(), _array(before).ravel())
        assert (after.base, after.dtype) == (before.base, before.dtype)
    # No axis is left that could go: none of extent 1, none that continues the one inside of it.
    shape = merged[0].shape
    assert shape == (1,) or 1 not in shape
    for axis in range(len(shape) - 1):
        joins = [v.strides[axis] == v.strides[axis + 1] * shape[axis + 1] for v in merged]
        assert not all(joins)


@given(families(), st.integers(1, 5))
@many
def test_loops_visit_every_address_once_and_in_order(family: list[View], rank: int) -> None:
    visits = list(loops_of(family, rank))
    for number, view in enumerate(family):
        parts = [visit[number] for visit in visits]
        assert all(len(part.shape) == rank == len(part.strides) for part in parts)
        addresses = np.concatenate([_array(part).ravel() for part in parts])
        np.testing.assert_array_equal(addresses, _array(view).ravel())
    for visit in visits:
        assert len({part.shape for part in visit}) == 1


def test_one_loop_is_enough_for_what_is_dense() -> None:
    view = _view((2, 3, 4, 5, 2, 2), contiguous_strides((2, 3, 4, 5, 2, 2)))
    ((part,),) = loops_of([view], 4)
    assert (part.shape, part.strides) == ((1, 1, 1, 480), (0, 0, 0, 1))


@pytest.mark.parametrize(("dtype", "size"), [("int8", 1), ("int32", 4), ("float32", 4)])
def test_pointers_count_bytes(dtype: str, size: int) -> None:
    view = View("base", 7, (2, 3), (3, 1), dtype)
    assert (view.item_bytes, ITEM_BYTES[dtype]) == (size, size)
    assert view.pointer == Pointer("base", 7 * size)
    assert view.at(1).pointer == Pointer("base", 10 * size)


def test_views_are_aligned_if_all_their_runs_are() -> None:
    assert _view((2, 4, 8), (32, 8, 1), 16).is_aligned(8)
    assert not _view((2, 4, 8), (32, 8, 1), 12).is_aligned(8)
    assert not _view((2, 4, 8), (36, 8, 1), 16).is_aligned(8)
    assert _view((1, 4, 8), (36, 8, 1), 16).is_aligned(8)  # there is no second row
    assert _view((7,), (1,), 4).is_aligned(4)
    assert View("memory", 1, (3, 3), (2, 1), "int32").is_aligned(4)

"""Random convolutions for the array."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from devices.mac_array_reference import Array, Case


def values(
    rng: np.random.Generator, dtype: type, shape: tuple[int, ...], bias: float
) -> np.ndarray:
    """Bytes; ``bias`` of them, in the mean, are the most extreme of one sign."""
    limits = np.iinfo(dtype)
    uniform = rng.integers(limits.min, limits.max + 1, shape)
    extreme = rng.choice([limits.min, limits.max])
    return np.where(rng.random(shape) < bias, extreme, uniform).astype(dtype)


@st.composite
def cases(draw: st.DrawFn, array: Array) -> Case:
    dtypes = st.sampled_from([np.int8, np.uint8])
    x_dtype, weights_dtype = draw(dtypes), draw(dtypes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bias = draw(st.sampled_from([0.0, 0.5, 1.0]))
    depthwise = draw(st.booleans())
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    out = draw(st.tuples(st.integers(1, 3), st.integers(1, 9)))
    out_channels = draw(st.integers(1, 35))
    channels = 1 if depthwise else draw(st.sampled_from([1, 3, 16, 17, 100]))
    extents = [
        s * (o - 1) + d * (k - 1) + 1
        for s, o, d, k in zip(stride, out, dilation, kernel, strict=True)
    ]
    limits = np.iinfo(x_dtype)
    return Case(
        x=values(rng, x_dtype, (*extents, out_channels if depthwise else channels), bias),
        weights=values(rng, weights_dtype, (out_channels, *kernel, channels), bias),
        depthwise=depthwise,
        stride=stride,
        dilation=dilation,
        relu=draw(st.booleans()),
        zero_point=draw(st.integers(limits.min, limits.max)) if array.subtracts_zero_points else 0,
        shift=draw(st.integers(0, 31)),
        out_bits=draw(st.sampled_from([8, 16, 32])),
    )

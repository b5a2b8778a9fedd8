# SPDX-License-Identifier: Apache-2.0
"""The operations of weft/dsp.h as machine code: instructions and portable twins against what the
ARM manual says that they compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from emulation.functions import Array, FunctionCore, link_functions
from hypothesis import given, settings
from hypothesis import strategies as st

from native import reference_kernels as reference
from native.reference_kernels import Output, wrapped
from weft.codegen.toolchain import gcc_target_toolchain, zig_target_toolchain

CPU = "cortex-m4"
SOURCE = Path(__file__).parent / "emulation" / "dsp_operations.c"
COUNT = 400
EDGES = [0, 1, -1, 0x7F, 0x80, -0x80, -0x81, 0x7FFF, 0x8000, -0x8000, 0xFFFF, 0x10000]
EDGES += [0x7FFFFFFF, -0x80000000, -0x7FFFFFFF, 0x40000000, 0x80008000, 0x7FFF7FFF, 0x7FFF8000]

Words = np.ndarray
seeds = st.integers(0, 2**32 - 1)


def signed(x: Words, bits: int) -> Words:
    """The lowest bits, as a signed number."""
    return (x + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def joined(first: Words, second: Words) -> Words:
    return first % 2**16 + second % 2**16 * 2**16


def first(x: Words) -> Words:
    return signed(x, 16)


def second(x: Words) -> Words:
    return signed(x // 2**16, 16)


def high_product(a: Words, b: Words) -> Words:
    return (a * b + 2**31) // 2**32


def limited(word: Words, low: Words, high: Words) -> Words:
    total = np.zeros_like(word)
    for byte in range(4):
        value = signed(word // 256**byte, 8)
        value = np.minimum(np.maximum(value, signed(low, 8)), signed(high, 8))
        total += value % 256 * 256**byte
    return total


#: Each operation on int64 arrays that hold int32 values; results count modulo 2^32.
MEANINGS: dict[str, Callable[..., Words]] = {
    "halves": joined,
    "even_bytes": lambda a: joined(signed(a, 8), signed(a // 2**16, 8)),
    "odd_bytes": lambda a: joined(signed(a // 2**8, 8), signed(a // 2**24, 8)),
    "dot2": lambda a, b, c: a + first(b) * first(c) + second(b) * second(c),
    "dot_first": lambda a, b, c: a + first(b) * first(c),
    "dot_second": lambda a, b, c: a + second(b) * second(c),
    "high_product": high_product,
    "add_high_product": lambda a, b, c: a + high_product(b, c),
    "saturate8": lambda a: np.clip(a, -128, 127),
    "limited": limited,
}


@pytest.fixture(
    scope="module",
    params=[
        (toolchain, uses_instructions)
        for toolchain in ("zig", "arm-none-eabi-gcc")
        for uses_instructions in (True, False)
    ],
    ids=lambda param: f"{param[0]}-{'instructions' if param[1] else 'twins'}",
)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FunctionCore:
    name, uses_instructions = request.param
    found = zig_target_toolchain(CPU) if name == "zig" else gcc_target_toolchain(CPU)
    if found is None:
        pytest.skip(f"{name} is not installed")
    flags = [] if uses_instructions else ["-DWEFT_DSP=0"]
    folder = tmp_path_factory.mktemp("dsp") / "linked"
    made = FunctionCore(link_functions(found, folder, [SOURCE], "uses_instructions", *flags))
    assert made.call("uses_instructions") == int(uses_instructions)
    return made


def run(core: FunctionCore, name: str, operands: Words) -> Words:
    """``operands`` are ``[count, 4]``; the results, from 0 on."""
    given = Array((operands % 2**32).astype("<u4").tobytes())
    out = Array(bytes(4 * len(operands)), is_written=True)
    core.call(name, given, out, len(operands))
    return np.frombuffer(out.data, "<u4").astype(np.int64)


def random_operands(seed: int) -> Words:
    rng = np.random.default_rng(seed)
    operands = rng.integers(-(2**31), 2**31, (COUNT, 4))
    edges = wrapped(rng.choice(EDGES, (COUNT, 4)))
    return np.where(rng.random((COUNT, 4)) < 0.5, edges, operands)


@pytest.mark.parametrize("name", MEANINGS)
@settings(max_examples=settings().max_examples)
@given(seed=seeds)
def test_operations(core: FunctionCore, name: str, seed: int) -> None:
    operands = random_operands(seed)
    if name == "limited":  # the low limit is not above the high one
        ends = np.sort(signed(operands[:, 1:3], 8), axis=1)
        operands[:, 1:3] = ends
    meaning = MEANINGS[name]
    taken = operands[:, : meaning.__code__.co_argcount].T
    np.testing.assert_array_equal(run(core, name, operands), meaning(*taken) % 2**32)


@pytest.mark.parametrize("name", ["requantize_prepared", "requantize_doubled"])
@settings(max_examples=4 * settings().max_examples)
@given(seed=seeds)
def test_requantising(core: FunctionCore, name: str, seed: int) -> None:
    """As TensorFlow Lite Micro does it, over everything that packing lets through."""
    is_doubled = name == "requantize_doubled"
    limit = 2**30 if is_doubled else 2**31
    rng = np.random.default_rng(seed)
    shift = rng.integers(2, 32, COUNT)
    near = rng.integers(-300, 300, COUNT) * 2**shift // 2 * 2 + rng.integers(-2, 3, COUNT)
    sums = np.where(rng.random(COUNT) < 0.6, near, rng.integers(-limit, limit, COUNT))
    sums = np.clip(sums, 1 - limit if is_doubled else -limit, limit - 1)
    multiplier = rng.integers(2**30, 2**31, COUNT)
    edges = [2**30, 2**31 - 1, 0, 1] if is_doubled else [2**30, 2**31 - 1]  # one half: many ties
    multiplier = np.where(rng.random(COUNT) < 0.5, rng.choice(edges, COUNT), multiplier)
    zero = rng.integers(-128, 128, COUNT)
    expected = [
        reference.finished(s, m, -n, Output(int(z), -128, 127))
        for s, m, n, z in zip(sums, multiplier, shift, zero, strict=True)
    ]
    taken = (2 * sums, multiplier) if is_doubled else (sums, 2 * (multiplier - 2**31))
    operands = np.stack([*taken, 2 ** (32 - shift), zero], axis=1)
    np.testing.assert_array_equal(signed(run(core, name, operands), 32), np.array(expected))


def test_four_bytes_at_any_address(core: FunctionCore) -> None:
    count = 9
    rng = np.random.default_rng(3)
    data, before = rng.bytes(count + 3), rng.bytes(5 * count - 1)
    out = Array(before, is_written=True)
    core.call("copy4", Array(data), out, count, watched=True)
    expected = bytearray(before)
    for i in range(count):
        expected[5 * i : 5 * i + 4] = data[i : i + 4]
    assert out.data == bytes(expected)

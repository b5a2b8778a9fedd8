# SPDX-License-Identifier: Apache-2.0
"""ONNX models whose tensors lie in other files: brought into one, every size checked before it is
read."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from onnx import TensorProto

from weft.errors import ModelError
from weft.importers.onnx_reader import DTYPES, parse, shortened, text_of

#: No protobuf message can be larger.
MAX_BYTES = (1 << 31) - 1
_ITEM_BYTES = {
    **dict.fromkeys(("int8", "uint8", "bool"), 1),
    **dict.fromkeys(("int32", "float32"), 4),
    **dict.fromkeys(("int64", "float64"), 8),
}


def with_external_data(data: bytes, path: Path) -> bytes:
    """The model with all of its tensors inside. ``path`` is where it came from: other files lie in
    its folder or below. Raises ``ModelError``."""
    name = path.stem
    model = parse(data, name)
    tensors = list(_external(model))
    if not tensors:
        return data
    total = len(data)
    for tensor in tensors:
        file, offset, length = _place(tensor, path)
        total += length
        if total > MAX_BYTES:
            raise ModelError(f"{name}: more than {MAX_BYTES} bytes with its external data")
        with file.open("rb") as stream:
            stream.seek(offset)
            tensor.raw_data = stream.read(length)
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT
    return bytes(model.SerializeToString())


def _external(model: Any) -> Iterator[Any]:
    """The tensors that lie elsewhere."""
    attributes = (a for node in model.graph.node for a in node.attribute if a.HasField("t"))
    for tensor in (*model.graph.initializer, *(a.t for a in attributes)):
        if tensor.data_location == TensorProto.EXTERNAL:
            yield tensor


def _place(tensor: Any, path: Path) -> tuple[Path, int, int]:
    """File, first byte and number of bytes of one tensor."""
    where = f"{path.stem}: initialiser '{shortened(tensor.name)}'"
    entries = {text_of(e.key): text_of(e.value) for e in tensor.external_data}
    location = entries.get("location", "")
    shown = shortened(location)
    folder = path.resolve().parent
    try:
        file = (folder / location).resolve()
        is_inside = file.is_relative_to(folder) and file != folder
        is_there = is_inside and file.is_file()
    except (OSError, ValueError, RuntimeError):
        raise ModelError(f"{where} names no file: '{shown}'") from None
    if not is_inside:
        raise ModelError(f"{where} lies outside of the model's folder: '{shown}'")
    if not is_there:
        raise ModelError(f"{where} lies in '{shown}', which is not there: keep it with the model")
    dtype = DTYPES.get(tensor.data_type)
    if dtype is None:
        raise ModelError(f"{where} has the type {tensor.data_type}, of which no size is known")
    expected = prod(int(n) for n in tensor.dims) * _ITEM_BYTES[dtype]
    size = file.stat().st_size
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", expected))
    except ValueError:
        raise ModelError(f"{where} has an offset or length that is no number") from None
    if length != expected or expected < 0:
        raise ModelError(f"{where} has {length} bytes in '{shown}', not {expected}")
    if offset < 0 or offset + length > size:
        raise ModelError(f"{where} ends at byte {offset + length} of '{shown}', which has {size}")
    return file, offset, length

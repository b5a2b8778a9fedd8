# SPDX-License-Identifier: Apache-2.0
"""Weft as a backend of the ``onnx`` package: ``onnx.backend.base.Backend``.

>>> rep = weft.onnx_backend.prepare(onnx.load("model.onnx"))
>>> (y,) = rep.run([x])

Programs are for fixed shapes, and what gives sizes, axes or weights of quantised operators is part
of them. A model whose inputs have open shapes, or are such numbers, is therefore compiled when it
is run first, for what it is given then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.base import Backend, BackendRep, Device, DeviceType, namedtupledict
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

from weft.errors import DoesNotFitError, InputError, MappingError, ModelError, UnsupportedError

#: One PE with room for small models.
MACHINE = "single-m4-1m"
#: Errors that are about the model; others are of this machine, or defects.
_REFUSALS = (DoesNotFitError, InputError, MappingError, ModelError, UnsupportedError)
#: The types of tensors that PEs take in.
_COMPUTED = (TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8)
#: Operands that become part of a program, by operator.
_PARTS: dict[str, Sequence[int]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Clip": (1, 2),
    "DequantizeLinear": (1, 2),
    "Dropout": (1, 2),
    "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7, 8),
    "QLinearMatMul": (1, 2, 3, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}


def _parts(model: Any) -> set[str]:
    """The inputs of a model whose values its program needs."""
    names = {
        name
        for node in model.graph.node
        for index, name in enumerate(node.input)
        if index in _PARTS.get(node.op_type, ())
    }
    for given in model.graph.input:
        if given.type.tensor_type.elem_type not in _COMPUTED:
            names.add(given.name)
    return names & {given.name for given in model.graph.input}


def _given(model: Any) -> list[Any]:
    """What a model is to be given, in order."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [given for given in model.graph.input if given.name not in constants]


def _is_open(given: Any) -> bool:
    tensor = given.type.tensor_type
    dims = tensor.shape.dim if tensor.HasField("shape") else [None]
    return any(d is None or not d.HasField("dim_value") for d in dims)


class WeftRep(BackendRep):
    """A model that can be run."""

    def __init__(self, model: Any, machine: str, engine: str) -> None:
        self._model = model
        self._machine = machine
        self._engine = engine
        self._compiled: dict[str, _Compiled] = {}
        given = _given(model)
        if given and not _parts(model) and not any(map(_is_open, given)):
            self._program([None] * len(given))

    def run(self, inputs: Any, **_: Any) -> tuple[Any, ...]:
        """The outputs, NumPy arrays, for arrays in the order of the model's inputs.

        Raises ``InputError``; ``BackendIsNotSupposedToImplementIt`` for what is not supported.
        """
        given = _given(self._model)
        arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
        if len(arrays) != len(given):
            raise InputError(f"{len(arrays)} inputs, the model has {len(given)}")
        return self._program(arrays).run(arrays)

    def _program(self, arrays: Sequence[Any]) -> _Compiled:
        try:
            model, computed = _with_parts(self._model, arrays)
            data = model.SerializeToString()
            key = hashlib.sha256(data).hexdigest()
            if key not in self._compiled:
                self._compiled[key] = _Compiled(model, data, computed, self._machine, self._engine)
        except _REFUSALS as error:
            raise BackendIsNotSupposedToImplementIt(str(error)) from error
        return self._compiled[key]


def _with_parts(model: Any, arrays: Sequence[Any]) -> tuple[Any, list[int]]:
    """The model for these arrays, and which of them are computed on."""
    parts = _parts(model)
    closed = onnx.ModelProto()
    closed.CopyFrom(model)
    del closed.graph.input[:]
    computed = []
    for index, (given, array) in enumerate(zip(_given(model), arrays, strict=True)):
        if array is None:  # closed as it is
            closed.graph.input.append(given)
            computed.append(index)
            continue
        if not isinstance(array, np.ndarray | np.generic):
            raise InputError(f"input '{given.name}' is {type(array).__name__}, no tensor")
        if given.name in parts:
            closed.graph.initializer.append(numpy_helper.from_array(np.asarray(array), given.name))
            continue
        element = given.type.tensor_type.elem_type
        closed.graph.input.append(helper.make_tensor_value_info(given.name, element, array.shape))
        computed.append(index)
    return closed, computed


class _Compiled:
    """A model for certain shapes: what is known of its outputs, and a program for the rest."""

    def __init__(
        self, model: Any, data: bytes, computed: Sequence[int], machine: str, engine: str
    ) -> None:
        import weft
        from weft.importers.onnx import known_results

        self.names = [output.name for output in model.graph.output]
        self.computed = computed
        self.engine = engine
        self.known = known_results(data, "model")
        self.program = None
        if any(name not in self.known for name in self.names):
            if not model.graph.input:
                raise ModelError("none of its inputs is float32, int8 or uint8 to compute on")
            rest = [output for output in model.graph.output if output.name not in self.known]
            del model.graph.output[:]
            model.graph.output.extend(rest)
            self.program = weft.compile(model.SerializeToString(), machine)

    def run(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        results = dict(self.known)
        if self.program is not None:
            with self.program.open(self.engine) as session:
                found = session.run([np.asarray(arrays[i]) for i in self.computed])
            computed = found if isinstance(found, tuple | list) else [found]
            rest = [name for name in self.names if name not in self.known]
            results |= dict(zip(rest, computed, strict=True))
        values = [results[name] for name in self.names]
        return tuple(namedtupledict("Outputs", self.names)(*values))


class WeftBackend(Backend):
    """Compiles a model for ``machine`` and runs it on ``engine``, keyword arguments of all."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """PEs are the machine's; on the host they are a CPU's."""
        try:
            return bool(Device(device).type == DeviceType.CPU)
        except (AttributeError, ValueError):
            return False

    @classmethod
    def prepare(
        cls,
        model: Any,
        device: str = "CPU",
        machine: str = MACHINE,
        engine: str = "native",
        **_: Any,
    ) -> WeftRep:
        """Raises ``BackendIsNotSupposedToImplementIt`` for what is not supported."""
        if not cls.supports_device(device):
            raise BackendIsNotSupposedToImplementIt(f"there is no device {device}")
        return WeftRep(model, machine, engine)

    @classmethod
    def run_node(
        cls,
        node: Any,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Any = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """One operator, on arrays for its inputs in order; absent ones are left out."""
        version = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        names = list(dict.fromkeys(filter(None, node.input)))
        arrays = [np.asarray(a) for a in inputs]
        if len(arrays) != len(names):
            raise InputError(f"{len(arrays)} inputs, the node has {len(names)}")
        given = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(names, arrays, strict=True)
        ]
        results = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = helper.make_graph([node], "node", given, results)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(node.domain, version)])
        return cls.run_model(model, arrays, device, **kwargs)


prepare = WeftBackend.prepare
run_model = WeftBackend.run_model
run_node = WeftBackend.run_node
supports_device = WeftBackend.supports_device

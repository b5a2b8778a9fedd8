"""Programs of ``torch.export``: float models, and int8 models quantised by pt2e, beside torch."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import weft
from weft.errors import WeftError

MACHINE = "single-m4-1m"
_MISSING = [name for name in ("torch", "torchao") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.skipif(
        bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}; pip install 'weft[torch]'"
    ),
    # Of torch and its export, about themselves.
    pytest.mark.filterwarnings("ignore"),
]
FRAMES = 20


def _network() -> Any:
    import torch
    from torch import nn
    from torch.nn import functional

    class Network(nn.Module):
        """Convolutions of each kind, a branch, pools, a dense layer."""

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 8, 3, padding=1, stride=2)
            self.norm = nn.BatchNorm2d(8)
            self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.pointwise = nn.Conv2d(8, 16, 1)
            self.branch = nn.Conv2d(16, 16, 3, padding=1)
            self.dense = nn.Linear(16, 10)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.norm(self.first(x)))
            x = torch.relu(self.depthwise(x))
            x = functional.hardtanh(self.pointwise(x), 0, 6)
            x = x + torch.relu(self.branch(x))
            x = functional.adaptive_avg_pool2d(functional.max_pool2d(x, 2), 1).flatten(1)
            return self.dense(x)

    torch.manual_seed(0)
    return Network().eval()


def _frames(count: int) -> list[Any]:
    import torch

    torch.manual_seed(1)
    return [torch.randn(1, 3, 16, 16) for _ in range(count)]


def test_a_float_model() -> None:
    import torch

    network = _network()
    frames = _frames(FRAMES)
    exported = torch.export.export(network, (frames[0],))
    with weft.compile(exported, machine=MACHINE).open() as session:
        for frame in frames:
            expected = network(frame).detach().numpy()
            result = session.run(frame.numpy())
            assert np.abs(result - expected).max() <= 1e-5 * np.abs(expected).max()


def test_an_int8_model_of_pt2e(record_property: Any) -> None:
    """Torch computes on the floats between quantise and dequantise, Weft on the integers: a result
    in between may be off by one quantum, and what follows with it."""
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    quantizer = X86InductorQuantizer()
    quantizer.set_global(get_default_x86_inductor_quantization_config())
    frames = _frames(FRAMES)
    prepared = prepare_pt2e(torch.export.export(_network(), (frames[0],)).module(), quantizer)
    for frame in frames[:8]:
        prepared(frame)
    quantised = convert_pt2e(prepared)
    exported = torch.export.export(quantised, (frames[0],))
    program = weft.compile(exported, machine=MACHINE)
    kernels = (program.folder / "kernels.c").read_text(encoding="utf-8")
    assert "requantize" in kernels or "rescale" in kernels  # on integers, as far as they go
    same = near = total = best = 0
    with program.open() as session:
        for frame in frames:
            expected = quantised(frame).detach().numpy()
            result = session.run(frame.numpy())
            difference = np.abs(result - expected) / np.abs(expected).max()
            same += int(np.count_nonzero(difference <= 1e-5))
            near += int(np.count_nonzero(difference <= 5e-3))
            total += expected.size
            best += int(result.argmax() == expected.argmax())
    record_property("agreement", f"{same} of {total} to 1e-5, {near} to 5e-3")
    print(
        f"torch, int8: {same} of {total} results to 1e-5, {near} to 5e-3, {best} best of {FRAMES}"
    )
    assert near == total and best == FRAMES
    assert same >= total // 2


def test_what_cannot_be_imported_is_named() -> None:
    import torch

    class Strange(torch.nn.Module):
        """An operator that no PE has."""

        def forward(self, x: Any) -> Any:
            return torch.linalg.det(x)

    exported = torch.export.export(Strange(), (torch.randn(3, 3),))
    with pytest.raises(WeftError, match=r"^module: "):
        weft.compile(exported, machine=MACHINE)

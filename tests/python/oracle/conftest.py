# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from weft.engines import library


@pytest.fixture
def quickly_built() -> Iterator[None]:
    """In the quick profile, host code that is hardly optimised: a network is compiled for a few
    frames. Single operators, trained models and known shapes are built as users build them."""
    with pytest.MonkeyPatch.context() as patch:
        if settings().max_examples <= 3:
            patch.setattr(library, "OPTIMISE", ("-O1",))
        yield

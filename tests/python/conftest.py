"""What many tests share: Weft's cache, the bundled model compiled, the trained models."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from weft.program import Program

ROOT = Path(__file__).resolve().parents[2]
TRAINED = ROOT.parent / "shared" / "models"


@pytest.fixture(scope="session", autouse=True)
def weft_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Weft's cache for this run: the user's own stays as it is, unless the environment asks."""
    given = os.environ.get("WEFT_CACHE_DIR")
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # that of all processes of the run
    folder = Path(given) if given else base / "weft-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def digits_model() -> Path:
    """The bundled model."""
    from weft.paths import models_folder

    return models_folder() / "digits_int8.tflite"


@pytest.fixture(scope="session")
def digits(digits_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The bundled model compiled for one PE, in a folder that tests only read."""
    import weft

    folder = tmp_path_factory.mktemp("digits") / "program"
    return weft.compile(digits_model, machine="single-m4", output=folder)


@pytest.fixture(scope="session")
def trained_file() -> Callable[..., Path]:
    """Finds a file of the trained models, which are not part of the repository."""
    return _trained_file


def _trained_file(name: str, folder: Path = TRAINED) -> Path:
    """The file, its checksum verified. Absent, it fails the test in CI and skips it elsewhere."""
    path = folder / name
    if not path.is_file():
        where = "https://github.com/mlcommons/tiny"
        reason = f"{path} is not there: get it from {where}, SHA-256 {_CHECKSUMS[name]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    assert actual == _CHECKSUMS[name], f"{path} is another file: its SHA-256 is {actual}"
    return path


# What the folder's SHA256SUMS says, for where that is absent too.
_CHECKSUMS = {
    "ad_int8.tflite": "87cf24194ef93d1d9b11a591d805526b98008e351655d29883c825c9c106ba24",
    "ad_ref.npz": "917df2ca5341b2ab865a2ce249529048ac10dc6c1a72c7f19efb6805c3cc4331",
    "ic_int8.tflite": "3c002613d1b2475eb51dd78dfb85a546c8ae658dee71cf6ade43b022fe205415",
    "ic_ref.npz": "c57798820802769abead572673f27b7ffb91a586de817ce68df3f6846e4eaf4c",
    "kws_int8.tflite": "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae",
    "kws_ref.npz": "7d780916d254182c667bee0ad2dcfdedc8e6495a925962ec93deef1e9e45625a",
}

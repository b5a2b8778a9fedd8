"""What tests of devices share: the model of the array, compiled."""

from __future__ import annotations

import pytest

from devices.mac_array_library import MacArrayLibrary


@pytest.fixture(scope="session", params=["gcc", "clang"])
def mac_array(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    return MacArrayLibrary(tmp_path_factory.mktemp("mac_array"), request.param, "-O2")

"""A store of small images for every test of embedding."""

import pytest

from brainalign.testing.small_network import image_store


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "cache"))
    return image_store(tmp_path)

"""Heads on disk: what is no head of ours is refused, however it is made."""

import zipfile
from pathlib import Path

import pytest

from reelflow.errors import BundleError
from reelflow.nets import saved
from reelflow.nets.saved import load_head, save_head
from tests.bundles import random_head


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("head") / "model.keras"
    save_head(random_head("single_frame", frames=2, dim=3, classes=2), path)
    return path


def altered(whole: Path, target: Path, **changes: bytes) -> Path:
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as result:
        for name in source.namelist():
            result.writestr(name, changes.get(name.partition(".")[0], source.read(name)))
    return target


def test_a_head_comes_back(whole, tmp_path):
    assert load_head(altered(whole, tmp_path / "model.keras")).name == load_head(whole).name


@pytest.mark.parametrize("config", [b"{", b"[" * 200_000, b"null", b"[]"])
def test_a_config_of_other_things_is_refused(whole, tmp_path, config):
    with pytest.raises(BundleError, match="no Keras model that can be loaded safely"):
        load_head(altered(whole, tmp_path / "model.keras", config=config))


@pytest.mark.slow
def test_a_layer_larger_than_memory_is_refused(whole, tmp_path):
    with zipfile.ZipFile(whole) as file:
        config = file.read("config.json")
    larger = config.replace(b'"units": 8', b'"units": 4000000000000')
    assert larger != config
    with pytest.raises(BundleError, match="no Keras model that can be loaded safely"):
        load_head(altered(whole, tmp_path / "model.keras", config=larger))


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(saved, "MAX_UNPACKED_BYTES", 1_000_000)
    with pytest.raises(BundleError, match=r"unpacks to .* bytes, expected at most"):
        load_head(altered(whole, tmp_path / "model.keras", model=bytes(2_000_000)))

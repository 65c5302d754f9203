"""Links that DVC has put into a checkout lead into its cache; no other link may lead out of a bundle."""

import shutil
from pathlib import Path

import pytest

from reelflow.edge.bundle import open_bundle
from reelflow.errors import BundleError


def linked(bundle: Path, cache: Path) -> None:
    """Replace files by links into a folder, as DVC does."""
    for number, path in enumerate(sorted(path for path in bundle.rglob("*") if path.is_file())):
        kept = cache / "files" / "md5" / f"{number:02x}" / "content"
        kept.parent.mkdir(parents=True)
        path.replace(kept)
        path.symlink_to(kept)


@pytest.fixture
def checkout(small_bundle: Path, tmp_path: Path) -> Path:
    (tmp_path / "clone" / ".dvc").mkdir(parents=True)
    (tmp_path / "clone" / ".dvc" / "config").write_text("['remote \"s3\"']\n    url = s3://100%/x\n")
    shutil.copytree(small_bundle, tmp_path / "clone" / "artifacts" / "bundle")
    return tmp_path / "clone"


@pytest.mark.parametrize("config", ["", "config", "config.local"])
def test_links_into_the_cache_of_the_checkout_are_its_files(checkout, config):
    cache = checkout / ".dvc" / "cache"
    if config:
        cache = checkout.parent / "shared"
        with (checkout / ".dvc" / config).open("a") as file:
            file.write("[cache]\n    dir = ../../shared\n    type = symlink\n")
    linked(checkout / "artifacts" / "bundle", cache)
    assert open_bundle(checkout / "artifacts" / "bundle").is_sealed


@pytest.mark.parametrize("place", ["elsewhere", "clone/data", "clone/.dvc/tmp"])
def test_links_to_other_places_are_refused(checkout, place):
    linked(checkout / "artifacts" / "bundle", checkout.parent / place)
    with pytest.raises(BundleError, match="leads out of the bundle"):
        open_bundle(checkout / "artifacts" / "bundle")


def test_a_bundle_brings_no_cache_of_its_own(small_bundle, tmp_path):
    bundle = Path(shutil.copytree(small_bundle, tmp_path / "device" / "bundle"))
    linked(bundle, tmp_path / "cache")
    (bundle / ".dvc").mkdir()
    (bundle / ".dvc" / "config").write_text("[cache]\n    dir = ../../../cache\n")
    with pytest.raises(BundleError, match="leads out of the bundle"):
        open_bundle(bundle)

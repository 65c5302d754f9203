"""The manifests, built once."""

from pathlib import Path

import pytest

from tests.infra.kubernetes.manifests import OVERLAYS, Object, build, copy_manifests, with_component


@pytest.fixture(scope="session")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/kubernetes with made-up secrets."""
    return copy_manifests(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="session")
def overlays(copied: Path) -> dict[str, list[Object]]:
    """The objects of every overlay."""
    return {overlay: build(copied / "overlays" / overlay) for overlay in OVERLAYS}


@pytest.fixture(scope="session")
def monitored(copied: Path) -> dict[str, list[Object]]:
    """The objects of every overlay with the component for Prometheus."""
    return {overlay: with_component(copied / "overlays" / overlay, "monitoring") for overlay in OVERLAYS}

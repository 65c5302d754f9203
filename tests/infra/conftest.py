"""The images, built where they are absent; tests that ask for them bear the marker docker."""

import subprocess
import sys

import pytest

from components.images import image
from infra.images.build import NAMES, ON_REQUEST
from tests.workplace import ROOT


def docker(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a Docker command; its output is one text."""
    return subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def engine_answers() -> bool:
    try:
        return docker("info").returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """References in the engine by name. `make test-docker` has built them of this very checkout."""
    if not engine_answers():
        pytest.skip("no Docker engine answers (make test-docker starts one)")
    references = {name: image(name) for name in NAMES if name not in ON_REQUEST}
    missing = [
        name for name, reference in references.items() if docker("image", "inspect", reference).returncode
    ]
    if missing:
        subprocess.run([sys.executable, "-m", "infra.images.build", *missing], cwd=ROOT, check=True)
    return references

"""What the tests of a device share."""

from collections.abc import Iterator

import pytest

from tests.reelflow.edge.camera.http_camera import HttpCamera, http_camera, steady


@pytest.fixture(scope="module")
def camera() -> Iterator[HttpCamera]:
    with http_camera(steady()) as found:
        yield found

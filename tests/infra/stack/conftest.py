"""A stack of processes, in a folder that PostgreSQL's user may enter."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.stack.stack import Stack


@pytest.fixture
def folders() -> Iterator[Path]:
    """A place for stacks; those that still run at the end are stopped."""
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    place.chmod(0o755)
    yield place
    for settings in place.glob("*/stack.env"):
        Stack(settings.parent).run("down")
    shutil.rmtree(place)


@pytest.fixture
def stack(folders: Path) -> Stack:
    """A running stack."""
    made = Stack(folders / "team")
    made.up()
    return made

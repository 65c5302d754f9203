"""A disk that is full, in processes that cannot have more of it: told by path, and nothing half is left."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.errors import DISK_ADVICE
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore
from reelflow.objectstore.open import open_store
from reelflow.settings import Settings
from tests.s3_server import BUCKET, SERVERS

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

SIZE_BYTES = 400_000
FULL_BYTES = 100_000
STORE = """
import sys
from pathlib import Path
from reelflow.errors import StorageError
from reelflow.settings import Settings
from reelflow.objectstore.open import open_store

store, (work, name, path) = open_store(Settings()), sys.argv[1:]
try:
    done = getattr(store, work)(name, Path(path))
except StorageError as error:
    sys.exit(str(error))
sys.exit(0 if done is not False else "there is none")
"""
LIMITED = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({FULL_BYTES},) * 2)\n{STORE}"
MOUNTED = 'mount -t tmpfs -o size=100k tmpfs "$1" && shift && "$@"; code=$?; ls -A "$FULL"; exit $code'


def limited(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Call a store where no file may be large."""
    command = [sys.executable, "-c", LIMITED, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)


def on_full_disk(full: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Call a store where `full` is a disk of its own that is too small; prints what is left on it."""
    full.mkdir(exist_ok=True)
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", full], check=False).returncode:
        pytest.skip("this system lets nobody mount a disk in memory")
    command = ["unshare", "-rm", "sh", "-c", MOUNTED, "sh", full, sys.executable, "-c", STORE]
    environment = {**os.environ, "FULL": str(full)}
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture
def content(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(os.urandom(SIZE_BYTES))
    return path


@pytest.fixture
def s3_store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    s3_servers: Callable[[str], str],
    s3_credentials: None,
    monkeypatch: pytest.MonkeyPatch,
    content: Path,
) -> ObjectStore:
    """A store that holds the content as `a`; the environment names it."""
    monkeypatch.setenv("REELFLOW_S3_ENDPOINT", s3_servers(request.param))
    monkeypatch.setenv("REELFLOW_STORE", f"s3://{BUCKET}/{tmp_path.name}")
    store = open_store(Settings())
    store.put_new("a", content)
    return store


@pytest.mark.parametrize("s3_store", SERVERS, indirect=True)
def test_a_download_to_a_full_disk_is_told_and_leaves_nothing(s3_store, content, tmp_path):
    full = tmp_path / "full"
    told = on_full_disk(full, "get", "a", full / "back")
    assert told.stderr == f"cannot write {full / 'back'}: {DISK_ADVICE[errno.ENOSPC]}\n"
    assert told.stdout == ""
    assert s3_store.get("a", full / "back")
    assert (full / "back").read_bytes() == content.read_bytes()


@pytest.mark.parametrize("s3_store", SERVERS, indirect=True)
def test_a_download_larger_than_allowed_is_told_and_leaves_nothing(s3_store, content, tmp_path):
    told = limited("get", "a", tmp_path / "back" / "a")
    assert told.stderr == f"cannot write {tmp_path / 'back' / 'a'}: {DISK_ADVICE[errno.EFBIG]}\n"
    assert not list((tmp_path / "back").iterdir())


@pytest.mark.parametrize("work", ["get", "put_new"])
def test_a_directory_on_a_full_disk_is_told_and_keeps_nothing_half(content, tmp_path, monkeypatch, work):
    full, store = tmp_path / "full", tmp_path / "store" if work == "get" else tmp_path / "full"
    monkeypatch.setenv("REELFLOW_STORE", str(store))
    DirectoryStore(tmp_path / "store").put_new("a", content)
    told = on_full_disk(full, work, "a", full / "a" if work == "get" else content)
    assert told.stderr == f"cannot write {full / 'a'}: {DISK_ADVICE[errno.ENOSPC]}\n"
    assert told.stdout == ""
    DirectoryStore(full).put_new("a", content)
    assert (full / "a").read_bytes() == content.read_bytes()

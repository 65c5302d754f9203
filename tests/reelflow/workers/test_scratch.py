"""Files are fetched once while there is room; the least recently used go."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.errors import StorageError
from reelflow.workers.scratch import Scratch


class Place:
    """A scratch folder, and what was fetched into it."""

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.fetched = folder, []
        self._scratch = Scratch(folder, room)

    def load(self, name: str, size: int) -> bytes:
        def fetch(path: Path) -> None:
            self.fetched.append(name)
            path.write_bytes(name.encode() * size)

        return self._scratch.load(name, fetch, Path.read_bytes)

    def held(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


def test_without_a_limit_everything_stays(tmp_path):
    place = Place(tmp_path / "new", 0)
    for name in "abcabc":
        assert place.load(name, 1000) == name.encode() * 1000
    assert place.fetched == ["a", "b", "c"]


def test_the_least_recently_used_goes(tmp_path):
    place = Place(tmp_path, 10)
    for name in "aba":
        place.load(name, 4)
    place.load("c", 4)
    assert place.held() == {"a", "c"}
    place.load("b", 4)
    assert place.held() == {"b", "c"}
    assert place.fetched == ["a", "b", "c", "b"]


def test_what_is_open_can_be_read_after_it_has_gone(tmp_path):
    scratch = Scratch(tmp_path, 10)
    first = scratch.load("a", lambda path: path.write_bytes(b"a" * 8), lambda path: path.open("rb"))
    scratch.load("b", lambda path: path.write_bytes(b"b" * 8), Path.read_bytes)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    with first:
        assert first.read() == b"a" * 8


def test_a_file_without_room_says_what_to_do(tmp_path):
    with pytest.raises(StorageError, match=r"a has 11 bytes and there is room for 10 .* more scratch"):
        Place(tmp_path, 10).load("a", 11)


def test_a_failed_fetch_leaves_nothing_known(tmp_path):
    place = Place(tmp_path, 10)

    def fail(_: Path) -> None:
        raise StorageError("away")

    with pytest.raises(StorageError, match="away"):
        place._scratch.load("a", fail, Path.read_bytes)
    assert place.load("a", 2) == b"aa"


@given(names=st.lists(st.sampled_from("abcdef"), max_size=40), room=st.integers(5, 30))
def test_it_never_holds_more_than_its_room(tmp_path_factory, names, room):
    place = Place(tmp_path_factory.mktemp("scratch"), room)
    for name in names:
        size = 1 + "abcdef".index(name) % 5
        assert place.load(name, size) == name.encode() * size
        assert sum(path.stat().st_size for path in place.folder.iterdir()) <= room
        assert name in place.held()

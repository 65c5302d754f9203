"""The clips' cache: what is needed or was used of late stays, the rest goes, wherever a sweep is cut off."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.data.clips import ClipsPlan, plan_clips, sweep_clips
from pipelines.data.garbage import DAY_S
from pipelines.data.roots import Root
from reelflow.sources.cache import ClipCache, Entry, SourceNote

NOW = time.time()
OLD = NOW - 50 * DAY_S


class ClipSource:
    """Clips in memory; counts how often one is fetched."""

    revision, single = "", False

    def __init__(self, clips: Mapping[str, str]) -> None:
        self.clips = clips
        self.entries = {name: Entry(len(content), content) for name, content in clips.items()}
        self.fetched: list[str] = []

    def get(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.clips[name])
        self.fetched.append(name)


FIRST = ClipSource({"a/1.avi": "one", "a/2.avi": "both"})
SECOND = ClipSource({"b/1.avi": "both", "b/2.avi": "two"})


def note_on(name: str) -> SourceNote:
    return SourceNote(source=f"s3://bucket/{name}", revision="", version=name)


def fetch(cache: ClipCache, name: str, origin: ClipSource) -> Path:
    return cache.fetch(origin, note_on(name), origin.entries, whole=True)


def age(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (OLD, OLD))


@pytest.fixture
def cache(tmp_path: Path) -> ClipCache:
    """Two sources that share a clip; nobody has asked for them for long."""
    cache = ClipCache(tmp_path / "clips")
    fetch(cache, "first", FIRST)
    fetch(cache, "second", SECOND)
    age(tmp_path / "clips")
    return cache


def contents(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def plan(cache: ClipCache, *needed: str, days: float = 14) -> ClipsPlan:
    roots = [Root(f"model {name}", clips=frozenset([note_on(name).key])) for name in needed]
    return plan_clips(cache, roots, days, NOW)


def test_what_nobody_needs_goes_and_what_it_shares_with_another_source_stays(cache, tmp_path):
    found = plan(cache, "first")
    assert [reason for reason, _ in found.kept] == ["model first"]
    assert list(found.sizes.values()) == [len("two")]
    assert sweep_clips(cache, found) == 1
    assert contents(tmp_path / "clips" / "trees") == contents(tmp_path / "clips" / "files") == ["both", "one"]
    assert not plan(cache, "first").sizes


def test_what_was_asked_for_of_late_stays(cache):
    os.utime(cache.tree(note_on("second")), (NOW, NOW))
    assert [reason for reason, _ in plan(cache, "first").kept] == ["model first", "younger than 14 days"]
    assert len(plan(cache, days=51).kept) == 2
    assert len(plan(cache).trees) == 1


@pytest.mark.parametrize("how", ["fetch", "find"])
def test_a_run_that_asks_for_clips_marks_them_as_used(cache, how):
    before = plan(cache)
    if how == "fetch":
        fetch(cache, "first", FIRST)
    else:
        assert cache.find(note_on("first"), ["a/1.avi"])
    assert [tree.key for tree in plan(cache).trees] == [note_on("second").key]
    assert sweep_clips(cache, before) == 1  # it was planned before
    assert contents(cache.tree(note_on("first"))) == ["both", "one"]


def test_what_was_removed_half_is_fetched_anew(cache, monkeypatch):
    def killed(folder: Path) -> None:
        (folder / "a" / "1.avi").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep_clips(cache, plan(cache, "second"))
    assert contents(fetch(cache, "first", FIRST)) == ["both", "one"]


def test_clips_of_no_source_go_when_they_are_old(cache, tmp_path):
    for tree in (tmp_path / "clips" / "trees").glob("[!.]*"):
        shutil.rmtree(tree)
    assert len(plan(cache, days=51).files) == 0
    assert sweep_clips(cache, plan(cache)) == 3
    assert contents(tmp_path / "clips") == []


def test_a_clip_that_is_removed_while_it_is_linked_is_fetched(cache, tmp_path, monkeypatch):
    origin = ClipSource({"c/1.avi": "both"})
    is_file = Path.is_file

    def seen_for_the_last_time(path: Path) -> bool:
        seen = is_file(path)
        if "files" in path.parts:
            path.unlink(missing_ok=True)
        return seen

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", seen_for_the_last_time)
        tree = cache.fetch(origin, note_on("third"), origin.entries)
    assert (contents(tree), origin.fetched) == (["both"], ["c/1.avi"])


def test_an_empty_cache_holds_nothing(tmp_path):
    assert not plan(ClipCache(tmp_path / "none")).sizes

"""Facts of clips go from one run to the next by content."""

from pathlib import Path

import pytest

from components.dataset import probing
from components.dataset.facts import KIND, PACKS, hash_clips
from components.dataset.probing import Probed, probe_all, probe_clip
from reelflow.errors import ClipError
from reelflow.files import sha256_file
from reelflow.objectstore.open import open_store
from reelflow.objectstore.shards import SharedShards
from reelflow.settings import Settings
from reelflow.video.decode import VideoFacts, probe
from tests.videos import write_video


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of clips that are decoded, in this process."""
    names: list[str] = []

    def work(call, paths, *, timeout_s):
        for path in paths:
            names.append(path.name)
            try:
                yield call(path)
            except ClipError as error:
                yield error

    monkeypatch.setattr(probing, "in_processes", work)
    return names


def test_no_run_decodes_what_another_has_and_broken_clips_are_met_again(tmp_path: Path, decoded: list[str]):
    shared = SharedShards(open_store(Settings()), KIND)
    for number in range(4):
        write_video(tmp_path / "one" / f"{number}.mp4", 3, seed=number)
        write_video(tmp_path / "two" / f"renamed{number}.mp4", 3, seed=number)
    for folder in ("one", "two"):
        (tmp_path / folder / "broken.mp4").write_bytes(b"no clip")

    def probe(folder: str, notes: str) -> dict[str, Probed | ClipError]:
        names = sorted(path.name for path in (tmp_path / folder).iterdir())
        found = probe_all(tmp_path / folder, names, tmp_path / notes, 10, shared)
        return {name: found[name] for name in names}

    one = probe("one", "notes-1")
    assert sorted(decoded) == ["0.mp4", "1.mp4", "2.mp4", "3.mp4", "broken.mp4"]
    decoded.clear()
    two = probe("two", "notes-2")
    assert decoded == ["broken.mp4"]
    assert [one[f"{n}.mp4"] for n in range(4)] == [two[f"renamed{n}.mp4"] for n in range(4)]
    assert isinstance(two["broken.mp4"], ClipError)

    decoded.clear()
    more = write_video(tmp_path / "two" / "more.mp4", 3, seed=50)
    probe("two", "notes-3")
    pack = int(sha256_file(more)[:8], 16) % PACKS
    beside = [p.name for p in (tmp_path / "two").iterdir() if int(sha256_file(p)[:8], 16) % PACKS == pack]
    assert sorted(decoded) == sorted({*beside, "broken.mp4"})


def test_a_clip_that_cannot_be_read_to_its_end_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clip = write_video(tmp_path / "gone.mp4", 3)

    def probe_and_lose(path: Path) -> VideoFacts:
        facts = probe(path)
        path.unlink()
        return facts

    monkeypatch.setattr(probing, "probe", probe_and_lose)
    with pytest.raises(ClipError, match="cannot be read to its end: No such file"):
        probe_clip(clip)


def test_a_file_that_fails_while_it_is_hashed_has_no_hash(tmp_path: Path):
    clip = write_video(tmp_path / "a.mp4", 3)
    (tmp_path / "failing.mp4").symlink_to(
        "/proc/self/mem"
    )  # a regular file, whose first byte is an I/O error
    assert hash_clips(tmp_path, ["a.mp4", "failing.mp4"]) == {"a.mp4": sha256_file(clip)}

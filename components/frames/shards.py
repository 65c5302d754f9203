"""Assigns clips to shards, and finds finished ones: a shard is complete when its index exists."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.frames.look import looks_path
from components.frames.write import Finished
from reelflow.artifacts.frames import index_path
from reelflow.contracts import Clip, Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError, ParamsError
from reelflow.files import sha256_text
from reelflow.objectstore.shards import SharedShards
from reelflow.params import FramesParams
from reelflow.provenance.code import content_code

LIBRARIES = ("av", "numpy", "simplejpeg")
PART = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


def assign_shards(clips: Iterable[Clip], count: int) -> dict[str, list[Clip]]:
    """Assign the clips to shards by their ids, sorted; empty shards are left out.

    The shard of a clip depends only on its content and on `count`.
    """
    shards: dict[int, list[Clip]] = {}
    for clip in sorted(clips, key=lambda clip: clip.clip_id):
        shards.setdefault(int(clip.clip_id, 16) % count, []).append(clip)
    return {f"shard-{number:05d}-of-{count:05d}.tar": shards[number] for number in sorted(shards)}


def part_of(shards: dict[str, list[Clip]], part: str) -> dict[str, list[Clip]]:
    """The shards of one part: `2/8` is the second of eight; empty for all.

    The largest shard goes first, each to the part that has the fewest bytes of video so far.

    Raises:
        ParamsError: invalid part.
    """
    if not part:
        return shards
    found = PART.fullmatch(part)
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise ParamsError(f"part is {part!r}: expected one such as 2/8, from 1/8 to 8/8")
    sizes = {file: sum(clip.size_bytes for clip in clips) for file, clips in shards.items()}
    loads, mine = [0] * count, set()
    for file in sorted(sizes, key=lambda file: (-sizes[file], file)):
        place = loads.index(min(loads))
        loads[place] += sizes[file]
        if place == number - 1:
            mine.add(file)
    return {file: clips for file, clips in shards.items() if file in mine}


class FrameShardInputs(Document):
    """Everything that a shard of frames depends on."""

    file: str
    clips: tuple[tuple[str, str], ...]
    params: dict[str, Any]
    code: Sha256

    @property
    def key(self) -> Sha256:
        """Key in the shared store."""
        return sha256_text(self.to_json())


def inputs_of(file: str, clips: Sequence[Clip], params: FramesParams) -> FrameShardInputs:
    """The inputs of a shard."""
    return FrameShardInputs(
        file=file,
        clips=tuple((clip.clip_id, clip.path) for clip in clips),
        params=params.model_dump(mode="json", exclude={"shards"}),
        code=made_by(),
    )


def fetch_shard(
    tar: Path, clips: Sequence[Clip], origin: FrameShardInputs, shared: SharedShards
) -> Finished | None:
    """Fetch a shard that another run or machine has written, if there is one.

    Raises:
        StorageError: the store or the disk refuses, or the shard has been altered.
    """
    if shared.fetch(origin.key, tar.parent, _names(tar)):
        return whole_shard(tar, clips)
    return None


def share_shard(tar: Path, origin: FrameShardInputs, shared: SharedShards) -> None:
    """Publish a finished shard for other runs and machines.

    Raises:
        StorageError: the store refuses, is full or not reachable.
    """
    shared.publish(origin.key, tar.parent, _names(tar))


def stored_shard(
    tar: Path, clips: Sequence[Clip], origin: FrameShardInputs, shared: SharedShards
) -> Finished | None:
    """A shard that the store has; only its index and looks are fetched.

    Raises:
        StorageError: the store or the disk refuses.
    """
    small = (looks_path(tar), index_path(tar))
    files = shared.find(origin.key, _names(tar))
    if files is None or not all(shared.bring(path, files[path.name]) for path in small):
        return None
    finished = _of_clips(tar, clips)
    for path in small:
        path.unlink()
    return finished if finished and finished.shard.sha256 == files[tar.name] else None


def move_shard(tar: Path, finished: Finished, origin: FrameShardInputs, shared: SharedShards) -> None:
    """Move a finished shard to the store; one with quarantined clips is not for others.

    Raises:
        StorageError: the store refuses, is full or not reachable.
    """
    if finished.quarantined:
        for name in _names(tar):
            shared.put(tar.with_name(name))
    else:
        share_shard(tar, origin, shared)
    for name in _names(tar):
        tar.with_name(name).unlink()


def whole_shard(tar: Path, clips: Sequence[Clip]) -> Finished | None:
    """A shard that an earlier attempt finished, or None."""
    finished = _of_clips(tar, clips)
    with suppress(FileNotFoundError):
        return finished if finished and tar.stat().st_size == finished.shard.size_bytes else None
    return None


def _of_clips(tar: Path, clips: Sequence[Clip]) -> Finished | None:
    """The shard of the index beside a tar, if it is of these clips."""
    try:
        finished = Finished.of(tar)
    except (BundleError, FileNotFoundError):
        return None
    whole = len(finished.shard.clip_ids) + len(finished.quarantined) == len(clips)
    whole = whole and finished.looks.keys() == set(finished.shard.clip_ids)
    return finished if whole and set(finished.shard.clip_ids) <= {clip.clip_id for clip in clips} else None


def _names(tar: Path) -> tuple[str, str, str]:
    return tar.name, looks_path(tar).name, index_path(tar).name


def made_by() -> Sha256:
    """Hash of the code and the libraries that frames depend on."""
    return content_code("components.frames.write", libraries=LIBRARIES)

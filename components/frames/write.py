"""A tar shard of JPEG frames, one member per clip, and its index. The key covers what this file imports."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from components.frames.extract import Extracted
from components.frames.look import Looks, looks_path
from reelflow.artifacts.frames import BLOCK, TAR_END, ClipFrames, ShardIndex, index_path
from reelflow.contracts import Clip, FrameShard, Rejected
from reelflow.errors import ClipError
from reelflow.files import atomic, sha256_file, write_text


@dataclass(frozen=True)
class Finished:
    """A complete shard: its entry in `frames.json`, the quarantined clips, and what the others look like."""

    shard: FrameShard
    quarantined: tuple[Rejected, ...]
    looks: dict[str, str]

    @classmethod
    def of(cls, tar: Path) -> Self:
        """The shard of an index that has been written beside it."""
        path = index_path(tar)
        index, looks = ShardIndex.read(path), Looks.read(looks_path(tar))
        shard = FrameShard(
            file=tar.name,
            sha256=index.sha256,
            size_bytes=index.size_bytes,
            index_sha256=sha256_file(path),
            clip_ids=tuple(sorted(index.clips)),
        )
        return cls(shard, index.quarantined, looks.clips)


def write_shard(tar: Path, clips: Sequence[Clip], outcomes: Iterable[Extracted | ClipError]) -> Finished:
    """Write one shard, then what its clips look like, then its index.

    Raises:
        StorageError: the disk is full or read-only.
    """
    kept: dict[str, ClipFrames] = {}
    looks: dict[str, str] = {}
    quarantined: list[Rejected] = []
    with atomic(tar) as partial, partial.open("wb") as file:
        for clip, outcome in zip(clips, outcomes, strict=True):
            if isinstance(outcome, ClipError):
                quarantined.append(Rejected(path=clip.path, reason=str(outcome)))
                continue
            width, height = outcome.size
            kept[clip.clip_id] = ClipFrames(
                start=file.tell() + BLOCK,
                lengths=outcome.lengths,
                width=width,
                height=height,
                sha256=outcome.sha256,
            )
            looks[clip.clip_id] = outcome.look
            file.write(outcome.tar)
        file.write(TAR_END)
    write_text(looks_path(tar), Looks(clips=looks).to_json())
    index = ShardIndex(
        sha256=sha256_file(tar), size_bytes=tar.stat().st_size, clips=kept, quarantined=tuple(quarantined)
    )
    write_text(index_path(tar), index.to_json())
    return Finished.of(tar)

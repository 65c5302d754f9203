"""Folders as the frames step writes them, with noise for frames."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from reelflow.contracts import FrameShard, FramesReport
from reelflow.files import sha256_file, sha256_text, write_text
from reelflow.stores.frames import ShardIndex, index_path, member_name

DATA_HASH = "d" * 64


def clip_ids(count: int) -> list[str]:
    return [sha256_text(f"clip {number}")[:16] for number in range(count)]


def write_frames(
    folder: Path,
    clips: int,
    *,
    shards: int = 2,
    count: int = 3,
    size: tuple[int, int] = (40, 30),
    oversample: int = 1,
) -> FramesReport:
    """Deal `clips` clips of `count * oversample` noisy frames to shards; every second clip is wider."""
    folder.mkdir(parents=True)
    ids, kept = clip_ids(clips), count * oversample
    report = FramesReport(
        data_hash=DATA_HASH,
        count=count,
        oversample=oversample,
        jpeg_quality=95,
        shards=tuple(
            _write_shard(folder, f"shard-{number:05d}-of-{shards:05d}", ids[number::shards], kept, size)
            for number in range(shards)
        ),
        quarantined=(),
    )
    report.save(folder)
    return report


def _write_shard(folder: Path, name: str, ids: list[str], count: int, size: tuple[int, int]) -> FrameShard:
    """The reader goes by the index, so the JPEGs need no tar around them."""
    path = folder / f"{name}.tar"
    sizes, members, content = {}, {}, bytearray()
    for clip_id in ids:
        sizes[clip_id] = (size[0] + 8 * (int(clip_id, 16) % 2), size[1])
        for frame in range(count):
            jpeg = _jpeg(sizes[clip_id], int(clip_id, 16) % 2**32 + frame)
            members[member_name(clip_id, frame)] = (len(content), len(jpeg))
            content += jpeg
    path.write_bytes(content)
    shard = FrameShard(file=path.name, sha256=sha256_file(path), size_bytes=len(content), clip_ids=tuple(ids))
    index = ShardIndex(
        sha256=shard.sha256, size_bytes=len(content), sizes=sizes, members=members, quarantined=()
    )
    write_text(index_path(path), index.to_json())
    return shard


def _jpeg(size: tuple[int, int], seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()

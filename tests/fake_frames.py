"""Folders as the frames step writes them, with noise for frames."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from reelflow.artifacts.frames import BLOCK, ClipFrames, ShardIndex, index_path, pack
from reelflow.contracts import FrameShard, FramesReport
from reelflow.files import sha256_file, sha256_text, write_text

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
            write_shard(
                folder / f"shard-{number:05d}-of-{shards:05d}.tar",
                {clip_id: noise(clip_id, kept, size) for clip_id in ids[number::shards]},
            )
            for number in range(shards)
        ),
        quarantined=(),
    )
    report.save(folder)
    return report


def noise(clip_id: str, frames: int, size: tuple[int, int]) -> list[bytes]:
    """JPEGs of a clip; every second clip is wider."""
    number = int(clip_id, 16)
    return [_jpeg((size[0] + 8 * (number % 2), size[1]), number % 2**32 + frame) for frame in range(frames)]


def write_shard(tar: Path, clips: Mapping[str, Sequence[bytes]]) -> FrameShard:
    """A tar of JPEGs and its index."""
    kept, content = {}, bytearray()
    for clip_id, jpegs in clips.items():
        height, width, *_ = simplejpeg.decode_jpeg_header(jpegs[0])
        lengths = tuple(map(len, jpegs))
        kept[clip_id] = ClipFrames(
            start=len(content) + BLOCK,
            lengths=lengths,
            width=width,
            height=height,
            sha256=hashlib.sha256(b"".join(jpegs)).hexdigest(),
        )
        content += pack(clip_id, jpegs)
    tar.write_bytes(content)
    index = ShardIndex(sha256=sha256_file(tar), size_bytes=len(content), clips=kept, quarantined=())
    write_text(index_path(tar), index.to_json())
    return FrameShard(
        file=tar.name,
        sha256=index.sha256,
        size_bytes=len(content),
        index_sha256=sha256_file(index_path(tar)),
        clip_ids=tuple(clips),
    )


def _jpeg(size: tuple[int, int], seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()

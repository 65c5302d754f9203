"""Frames of clips: JPEG in tar shards; an index finds any frame with one read."""

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from reelflow.artifacts.shard_files import ShardAccess
from reelflow.contracts import FrameShard, FramesReport, Rejected, Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError
from reelflow.files import sha256_file
from reelflow.video.decode import MAX_PIXELS, stacked
from reelflow.video.sample import uniform_indices

MAX_JPEG_BYTES = 256 * 1024 * 1024
KIND = "frames"
REMEDY = "remove its folder and run the frames step again"
BLOCK = tarfile.BLOCKSIZE
TAR_END = bytes(2 * BLOCK)


class ClipFrames(Document):
    """A clip's frames in a tar: JPEG after JPEG, as one member."""

    start: int
    """Offset of the first frame, in bytes."""
    lengths: tuple[int, ...]
    """Bytes of each."""
    width: int
    height: int
    sha256: Sha256
    """Of the JPEGs, one after another."""

    def places(self) -> NDArray[np.int64]:
        """Offset and length of each JPEG in the tar, `(frames, 2)`."""
        lengths = np.array(self.lengths, np.int64)
        return np.stack([self.start + np.cumsum(lengths) - lengths, lengths], axis=1)


class ShardIndex(Document):
    """`<shard>.json`: the index of `<shard>.tar`, written after it."""

    sha256: Sha256
    size_bytes: int
    clips: dict[str, ClipFrames]
    quarantined: tuple[Rejected, ...]

    def to_json(self) -> str:
        """Stable JSON on one line: there may be thousands of clips."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True) + "\n"


def pack(clip_id: str, jpegs: Sequence[bytes]) -> bytes:
    """A clip's member of a tar: `<clip_id>.mjpeg`, without owner and time, after a header of one block."""
    content = b"".join(jpegs)
    member = tarfile.TarInfo(f"{clip_id}.mjpeg")
    member.size = len(content)
    return b"".join([member.tobuf(tarfile.GNU_FORMAT), content, bytes(-len(content) % BLOCK)])


def index_path(tar: Path) -> Path:
    """Path of the index of a shard."""
    return tar.with_suffix(".json")


class FrameStore:
    """Reads the folder that the frames step wrote. Several threads may read at once."""

    def __init__(self, folder: Path, access: ShardAccess | None = None) -> None:
        """Open the store. Shards beside the report are checked at once, those in a store when they are read.

        Args:
            folder: of the frames step.
            access: how shards in a store are reached.

        Raises:
            BundleError: a shard or its index is missing, altered or cut off.
            StorageError: the shards are in a store that is not named.
        """
        self.report = FramesReport.open(folder)
        self._folder, stored = folder, self.report.stored
        self._files = (access or ShardAccess()).files(folder, KIND, stored=stored)
        self._shards = {clip_id: shard for shard in self.shards for clip_id in shard.clip_ids}
        self._indexes: dict[str, dict[str, _Kept]] = {}
        self._lock = Lock()
        for shard in () if stored else self.shards:
            self._files.load(shard.file, shard.sha256, partial(_check_tar, shard))
            self._index(shard)

    @property
    def shards(self) -> tuple[FrameShard, ...]:
        """The shards, in order."""
        return self.report.shards

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Every clip, shard by shard."""
        return tuple(self._shards)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._shards

    def check(self, shard: FrameShard) -> None:
        """Check that a shard beside the report is unchanged; parts of others are checked as they are read.

        Raises:
            BundleError: it has been altered.
        """
        if self.report.stored:
            return
        path = self._folder / shard.file
        if sha256_file(path) != shard.sha256:
            raise BundleError(f"{path} has been altered since it was written: {REMEDY}")

    def _index(self, shard: FrameShard) -> "dict[str, _Kept]":
        """Where a shard's clips are in it; read once."""
        with self._lock:
            if shard.file not in self._indexes:
                name, read = index_path(Path(shard.file)).name, partial(_read_index, shard, self.report)
                self._indexes[shard.file] = self._files.load(name, shard.index_sha256, read)
            return self._indexes[shard.file]

    def read(self, clip_id: str, offset: int = 0, *, count: int | None = None) -> NDArray[np.uint8]:
        """Decode a clip's frames as `each` does, `(count, height, width, 3) uint8`."""
        return stacked(list(self.each(clip_id, offset, count=count)))

    def each(self, clip_id: str, offset: int = 0, *, count: int | None = None) -> Iterator[NDArray[np.uint8]]:
        """Decode a clip's frames, and no others, one at a time.

        Args:
            clip_id: the clip.
            offset: in time, among the `oversample` frames that were kept for each plain one: 0 gives
                the plain frames, 1 those kept next after them, -1 those next before.
            count: how many of them, spread evenly; all by default.

        Yields:
            `(height, width, 3) uint8`, RGB.

        Raises:
            BundleError: the clip or the offset is not here, or the frames are damaged.
        """
        if clip_id not in self._shards:
            raise BundleError(f"{self._folder} holds no frames of clip {clip_id}: run the frames step again")
        middle, kept = self.report.oversample // 2, self.report.count
        if abs(offset) > middle:
            raise BundleError(
                f"{self._folder} holds frames at offsets {-middle} to {middle}, asked for {offset}: "
                "run the frames step with a larger frames.oversample"
            )
        chosen = range(kept) if count is None else uniform_indices(kept, count)
        places = [place * self.report.oversample + middle + offset for place in chosen]
        shard = self._shards[clip_id]
        found = self._index(shard)[clip_id]
        span = (
            shard.file,
            shard.sha256,
            int(found.places[0, 0]),
            int(found.places[:, 1].sum()),
            found.sha256,
        )
        with self._files.span(*span) as read:
            for place in places:
                start, size_bytes = found.places[place]
                where = f"{shard.file}: frame {place} of clip {clip_id}"
                yield _decode(read(int(start), int(size_bytes)), found.size, where)


@dataclass(frozen=True)
class _Kept:
    """A clip's frames in a tar: width and height, places `(frames, 2)`, and the hash of all of them."""

    size: tuple[int, int]
    places: NDArray[np.int64]
    sha256: Sha256


def _check_tar(shard: FrameShard, tar: Path) -> None:
    if tar.stat().st_size != shard.size_bytes:
        raise BundleError(f"{tar} is not the shard that {FramesReport.file_name} names: {REMEDY}")


def _read_index(shard: FrameShard, report: FramesReport, path: Path) -> dict[str, _Kept]:
    """Read a shard's index and check it against the report."""
    index = ShardIndex.read(path)
    same = index.sha256 == shard.sha256 and index.size_bytes == shard.size_bytes
    same = same and index.clips.keys() == set(shard.clip_ids)
    frames = report.count * report.oversample
    if not same or any(len(clip.lengths) != frames for clip in index.clips.values()):
        raise BundleError(
            f"{path} is not the index of the shard that {FramesReport.file_name} names: {REMEDY}"
        )
    for clip_id, clip in index.clips.items():
        _check_clip(f"{shard.file}: {clip_id}", clip, index.size_bytes)
    return {
        clip_id: _Kept((clip.width, clip.height), clip.places(), clip.sha256)
        for clip_id, clip in index.clips.items()
    }


def _check_clip(where: str, clip: ClipFrames, size_bytes: int) -> None:
    """Check that every JPEG is inside the tar and that no frame exceeds the decoder's limit."""
    inside = 0 <= clip.start < size_bytes and all(0 < length <= MAX_JPEG_BYTES for length in clip.lengths)
    if not inside or clip.places()[-1].sum() > size_bytes:
        raise BundleError(f"{where} is outside of the file: {REMEDY}")
    if clip.width < 1 or clip.height < 1 or clip.width * clip.height > MAX_PIXELS:
        raise BundleError(f"{where}: frames cannot be {clip.width} x {clip.height}")


def _decode(jpeg: bytes, size: tuple[int, int], where: str) -> NDArray[np.uint8]:
    """One JPEG to `(height, width, 3) uint8`; its size is checked before anything is unpacked."""
    try:
        height, width, color, _ = simplejpeg.decode_jpeg_header(jpeg)
        if ((width, height), color) != (size, "YCbCr"):
            raise BundleError(f"{where} is {color} {(width, height)}, expected YCbCr {size}")
        image: NDArray[np.uint8] = simplejpeg.decode_jpeg(jpeg)
        return image  # noqa: TRY300
    except ValueError as error:
        raise BundleError(f"{where} is not a readable JPEG: {error}") from error

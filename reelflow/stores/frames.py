"""Frames of clips: JPEG in tar shards, each with an index that finds any frame by one read."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from reelflow.contracts import Document, FrameShard, FramesReport, Rejected, Sha256
from reelflow.errors import BundleError
from reelflow.files import sha256_file
from reelflow.video.decode import MAX_PIXELS, stacked
from reelflow.video.sample import uniform_indices

MAX_JPEG_BYTES = 256 * 1024 * 1024


class ShardIndex(Document):
    """`<shard>.json`: what lies where in `<shard>.tar`. It is written after the tar."""

    sha256: Sha256
    size_bytes: int
    sizes: dict[str, tuple[int, int]]
    """Width and height of each clip's frames."""
    members: dict[str, tuple[int, int]]
    """Offset and length of each JPEG in the tar."""
    quarantined: tuple[Rejected, ...]

    def to_json(self) -> str:
        """Stable JSON on one line: there may be a hundred thousand members."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True) + "\n"


def member_name(clip_id: str, frame: int) -> str:
    """Name of a frame's JPEG within its shard."""
    return f"{clip_id}/{frame:03d}.jpg"


def index_path(tar: Path) -> Path:
    """Where a shard's index lies."""
    return tar.with_suffix(".json")


class FrameStore:
    """Reads the folder that the frames step wrote. Several threads may read at once."""

    def __init__(self, folder: Path) -> None:
        """Open the store and check that every shard is whole.

        Raises:
            BundleError: a shard or its index is missing, altered or cut off.
        """
        self.report = FramesReport.open(folder)
        self._folder = folder
        self._indexes = {shard.file: _open_index(folder, shard, self.report) for shard in self.shards}
        self._shard_of = {clip_id: shard.file for shard in self.shards for clip_id in shard.clip_ids}

    @property
    def shards(self) -> tuple[FrameShard, ...]:
        """The shards, in order."""
        return self.report.shards

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Every clip, shard by shard."""
        return tuple(self._shard_of)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._shard_of

    def check(self, shard: FrameShard) -> None:
        """See that a shard holds what was written, byte by byte.

        Raises:
            BundleError: it does not.
        """
        path = self._folder / shard.file
        if sha256_file(path) != shard.sha256:
            raise BundleError(f"{path} has been altered since it was written: run the frames step again")

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
        if clip_id not in self._shard_of:
            raise BundleError(f"{self._folder} holds no frames of clip {clip_id}: run the frames step again")
        middle, kept = self.report.oversample // 2, self.report.count
        if abs(offset) > middle:
            raise BundleError(
                f"{self._folder} holds frames at offsets {-middle} to {middle}, asked for {offset}: "
                "run the frames step with a larger frames.oversample"
            )
        chosen = range(kept) if count is None else uniform_indices(kept, count)
        places = [place * self.report.oversample + middle + offset for place in chosen]
        shard = self._shard_of[clip_id]
        width, height = self._indexes[shard].sizes[clip_id]
        names = [member_name(clip_id, place) for place in places]
        for name, jpeg in zip(names, self._jpegs(shard, names), strict=True):
            yield _decode(jpeg, (width, height), f"{shard}: {name}")

    def _jpegs(self, shard: str, names: Iterable[str]) -> Iterator[bytes]:
        members = self._indexes[shard].members
        with (self._folder / shard).open("rb", buffering=0) as tar:
            for name in names:
                start, size_bytes = members[name]
                tar.seek(start)
                yield tar.read(size_bytes)


def _open_index(folder: Path, shard: FrameShard, report: FramesReport) -> ShardIndex:
    """Read a shard's index and check it against the report and the tar."""
    tar = folder / shard.file
    if tar.parent != folder or not tar.is_file():
        raise BundleError(f"{tar} is missing: run the frames step again")
    index = ShardIndex.read(index_path(tar))
    same = index.sha256 == shard.sha256 and index.size_bytes == shard.size_bytes == tar.stat().st_size
    places = range(report.count * report.oversample)
    expected = {member_name(clip_id, place) for clip_id in shard.clip_ids for place in places}
    same = same and index.sizes.keys() == set(shard.clip_ids) and index.members.keys() == expected
    if not same:
        raise BundleError(
            f"{tar} is not the shard that {FramesReport.file_name} names: run the frames step again"
        )
    _check_places(tar, index)
    return index


def _check_places(tar: Path, index: ShardIndex) -> None:
    """Every place lies within the tar, and no frame is larger than any that can be decoded."""
    for name, (offset, size_bytes) in index.members.items():
        if offset < 0 or not 0 < size_bytes <= MAX_JPEG_BYTES or offset + size_bytes > index.size_bytes:
            raise BundleError(f"{tar}: {name} lies outside of the file: run the frames step again")
    for clip_id, (width, height) in index.sizes.items():
        if width < 1 or height < 1 or width * height > MAX_PIXELS:
            raise BundleError(f"{tar}: frames of {clip_id} cannot be {width} x {height}")


def _decode(jpeg: bytes, size: tuple[int, int], where: str) -> NDArray[np.uint8]:
    """One JPEG to `(height, width, 3) uint8`; its size is checked before anything is unpacked."""
    try:
        height, width, color, _ = simplejpeg.decode_jpeg_header(jpeg)
        if ((width, height), color) != (size, "YCbCr"):
            raise BundleError(f"{where} is {color} {(width, height)}, expected YCbCr {size}")
        image: NDArray[np.uint8] = simplejpeg.decode_jpeg(jpeg)
        return image  # noqa: TRY300
    except ValueError as error:
        raise BundleError(f"{where} is no JPEG that can be read: {error}") from error

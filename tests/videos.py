"""Small real clips, and data sets of them, for tests."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from reelflow.artifacts.clips import CLIPS, write_clips
from reelflow.contracts import Clip, DatasetReport
from reelflow.files import sha256_file, sha256_text
from reelflow.video.decode import probe


def level(frame: int) -> int:
    """The grey level that frame number `frame` is filled with."""
    return 20 + 15 * frame % 220


def write_video(
    path: Path,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    codec: str = "mpeg4",
    seed: int | None = None,
    container_format: str | None = None,
) -> Path:
    """Frames of one grey level each, which tells their number; with a seed, noise instead."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=10, options={"qscale": "2"} if codec == "mpeg4" else {})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for frame in range(frames):
            image = np.full((size[1], size[0], 3), level(frame), np.uint8)
            if seed is not None:
                image = random.integers(0, 256, image.shape, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_dataset(folder: Path, paths: Sequence[Path], root: Path) -> list[Clip]:
    """A data set's folder as the dataset step writes it, of clips below `root`."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = [_clip(path, root) for path in paths]
    write_clips(clips, folder / CLIPS)
    DatasetReport(
        source=str(root),
        generated=False,
        labels=tuple(sorted({clip.label for clip in clips})),
        split_counts={"train": len(clips), "validation": 0, "test": 0},
        groups=len(clips),
        dropped_classes=(),
        quarantined=(),
        data_hash=sha256_text("".join(clip.sha256 for clip in clips)),
        clips_sha256=sha256_file(folder / CLIPS),
    ).save(folder)
    return clips


def _clip(path: Path, root: Path) -> Clip:
    return Clip(
        clip_id=sha256_file(path)[:16],
        path=path.relative_to(root).as_posix(),
        label=path.parent.name,
        group=path.stem,
        split="train",
        sha256=sha256_file(path),
        size_bytes=path.stat().st_size,
        **vars(probe(path)),
    )

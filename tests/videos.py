"""Small real clips, and data sets of them, for tests."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
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


def write_timed(
    path: Path,
    times: Sequence[int],
    codec: str = "mpeg4",
    *,
    per_s: int = 1000,
    b_frames: int = 0,
    keyframes: int | None = None,
    container_format: str | None = None,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Frames of one grey level each, shown from these times on, which count `per_s` units a second.

    One in `keyframes` is a keyframe, if that is given.
    """
    quality = {"mpeg4": {"qscale": "2"}, "libx264": {"crf": "10", "preset": "ultrafast"}}
    coding = quality.get(codec, {}) | {"bf": str(b_frames)}
    coding |= {"g": str(keyframes)} if keyframes else {}
    with av.open(str(path), "w", format=container_format, options=dict(options or {})) as container:
        stream = container.add_stream(codec, rate=25, options=coding)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, per_s)
        for number, time in enumerate(times):
            image = np.full((48, 64, 3), level(number), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, per_s)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_stamped(path: Path, stamps_ms: Sequence[tuple[int, int]], **options: str) -> Path:
    """Intra frames of one grey level each, stored with these presentation and decoding times."""
    steady = write_timed(path.with_suffix(".steady.mkv"), range(0, 40 * len(stamps_ms), 40), "mjpeg")
    with av.open(str(steady)) as source, av.open(str(path), "w", options=options) as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(source.streams.video[0]) if packet.size]
        for packet, (pts, dts) in zip(packets, stamps_ms, strict=True):
            packet.time_base, packet.pts, packet.dts, packet.stream = Fraction(1, 1000), pts, dts, stream
            container.mux_one(packet)
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

"""Of several video streams in a file, the one that a player shows."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from reelflow.video.decode import probe, sample_frames

MAIN = (96, 64)


def write_streams(path: Path, *streams: tuple[str, tuple[int, int], int, bool]) -> Path:
    """Streams one after the other: codec, width and height, frames, whether it is the default."""
    with av.open(str(path), "w") as container:
        added = []
        for codec, (width, height), _, is_default in streams:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height = width, height
            stream.pix_fmt = {"mjpeg": "yuvj420p"}.get(codec, "yuv420p")
            stream.disposition = Disposition.default if is_default else Disposition(0)
            added.append(stream)
        for stream, (_, (width, height), frames, _) in zip(added, streams, strict=True):
            for number in range(frames):
                image = np.full((height, width, 3), 20 * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    "other",
    [
        ("mjpeg", MAIN, 1, True),
        ("mjpeg", (192, 128), 1, True),
        ("mpeg4", (32, 32), 5, False),
        ("mpeg4", (192, 128), 10, False),
    ],
    ids=["thumbnail", "large thumbnail", "preview", "larger, not the default"],
)
@pytest.mark.parametrize("other_first", [True, False])
def test_the_main_stream_is_read(tmp_path, suffix, other, other_first):
    main = ("mpeg4", MAIN, 10, other[0] == "mpeg4")
    streams = [other, main] if other_first else [main, other]
    clip = write_streams(tmp_path / f"clip{suffix}", *streams)
    facts = probe(clip)
    assert (facts.frame_count, facts.width, facts.height, facts.codec) == (10, *MAIN, "mpeg4")
    assert sample_frames(clip, 3).shape == (3, MAIN[1], MAIN[0], 3)


def test_of_equal_streams_the_first_is_read(tmp_path):
    clip = write_streams(tmp_path / "cameras.mkv", ("mpeg4", MAIN, 10, True), ("mpeg4", MAIN, 7, True))
    assert probe(clip).frame_count == 10


def test_the_larger_of_streams_without_a_default_is_read(tmp_path):
    clip = write_streams(tmp_path / "a.mkv", ("mpeg4", (32, 32), 5, False), ("mpeg4", MAIN, 10, False))
    assert probe(clip).frame_count == 10


def test_a_thumbnail_alone_is_what_there_is(tmp_path):
    clip = write_streams(tmp_path / "a.mp4", ("mpeg4", MAIN, 1, True))
    assert probe(clip).frame_count == 1

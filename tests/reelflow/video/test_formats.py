"""Formats that people have can be read, whatever the file is called; pictures and playlists cannot."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.format import ContainerFormat
from PIL import Image

from reelflow.errors import ClipError
from reelflow.video import formats
from reelflow.video.decode import probe, sample_frames
from tests.reelflow.video.test_decode import levels
from tests.videos import level, write_timed

FRAMES = 12


def jpegs() -> list[bytes]:
    """One JPEG of each grey level."""
    files = []
    for number in range(FRAMES):
        file = io.BytesIO()
        Image.new("RGB", (64, 48), (level(number),) * 3).save(file, "JPEG")
        files.append(file.getvalue())
    return files


def raw_mjpeg(path: Path) -> None:
    path.write_bytes(b"".join(jpegs()))


def multipart(path: Path) -> None:
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    path.write_bytes(b"".join(head % len(jpeg) + jpeg + b"\r\n" for jpeg in jpegs()))


def dahua(path: Path) -> None:
    """As FFmpeg's dhav.c reads it: a header with date and milliseconds, a packet, and its length again."""
    source = write_timed(path.with_suffix(".h264"), range(FRAMES), "libx264", per_s=25)
    with av.open(str(source)) as container:
        packets = [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
    chunks = []
    for number, (content, is_key) in enumerate(packets):
        extension = bytes([0x81, 0, 0x02, 25, 0x80, 0, 64 // 8, 48 // 8])  # H.264, 25 fps; 64 x 48
        length = 24 + len(extension) + len(content) + 8
        date = 26 << 26 | 11 << 22 | 26 << 17 | 12 << 12
        head = struct.pack(
            "<4B3IHBB", 0xFD if is_key else 0xFC, 0, 0, 0, number, length, date, 40 * number, 8, 0
        )
        chunks += [b"DHAV", head, extension, content, b"dhav", struct.pack("<I", length)]
    path.write_bytes(b"".join(chunks))


@pytest.mark.parametrize("write", [raw_mjpeg, multipart, dahua])
@pytest.mark.parametrize("name", ["a.mjpeg", "a.mp4", "a.dav", "a"])
def test_streams_of_cameras_are_clips(tmp_path: Path, write: Callable[[Path], None], name: str):
    path = tmp_path / name
    write(path)
    facts = probe(path)
    assert (facts.frame_count, facts.width, facts.height) == (FRAMES, 64, 48)
    assert facts.duration_s == pytest.approx(FRAMES / 25, abs=0.01)
    found = levels(sample_frames(path, FRAMES))
    assert found == pytest.approx([level(number) for number in range(FRAMES)], abs=6)


def test_what_rpicam_writes_is_a_clip(shared_data: Path):
    facts = probe(shared_data / "reports" / "rpicam.mjpeg")
    assert (facts.frame_count, facts.codec, facts.duration_s) == (50, "mjpeg", 2.0)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM", "ICO"])
@pytest.mark.parametrize("name", ["photo.mp4", "photo"])
def test_a_picture_is_no_clip(tmp_path: Path, file_format: str, name: str):
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / name, file_format)
    with pytest.raises(ClipError, match="it is "):
        probe(tmp_path / name)


def test_ffmpeg_knows_every_format():
    for name, who in formats.FORMATS.items():
        assert ContainerFormat(name, "r").is_input
        assert who


def test_no_format_that_is_left_out_is_allowed():
    told = {word for word in formats.__doc__.replace("`", " ` ").split() if word in av.formats_available}
    assert {"concat", "hls", "image2", "sdp", "lavfi", "png_pipe", "rawvideo"} <= told
    assert told & formats.FORMATS.keys() <= {"jpeg_pipe"}

"""Addresses, and what of them may be shown."""

import pytest

from reelflow.edge.camera.address import parse_source
from reelflow.errors import ParamsError


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("rtsp://admin:s3cret@10.0.0.5/live", "rtsp", "rtsp://10.0.0.5/live"),
        ("rtsps://u:p%40ss@cam.example:8554/a/b?token=s3cret", "rtsp", "rtsps://cam.example:8554/a/b?..."),
        ("http://[fe80::1]:81/stream?user=a&pwd=s3cret#x", "http", "http://[fe80::1]:81/stream?..."),
        ("rtsp://10.0.0.5/a/user=u_password=s3cret_channel=1.sdp", "rtsp", "rtsp://10.0.0.5/a/..."),
        ("rtsp://10.0.0.5/user%3Du&password%3Ds3cret/1", "rtsp", "rtsp://10.0.0.5/.../1"),
        ("HTTPS://Cam/", "http", "https://cam/"),
        ("/dev/video0", "device", "/dev/video0"),
    ],
)
def test_a_source_is_known_and_shown_without_secrets(text, kind, shown):
    source = parse_source(text)
    assert (source.kind, source.shown, source.address) == (kind, shown, text)
    assert "s3cret" not in source.without_credentials(f"cannot open {text}: refused")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nothing.mp4", "is not a file"),
        ("/dev/null", "is not a file"),
        ("ftp://host/x", "ftp:// cannot be watched"),
        ("concat:a|b", "is not a file"),
        ("rtsp://", "names no host"),
        ("rtsp://u:s3cret@host:no/", "no valid port"),
        ("rtsp://u:12/s3cret@host/live", "an @ after its host"),
        ("http://u:12#s3cret@host/live", "an @ after its host"),
        ("file:///etc/passwd", "file:// cannot be watched"),
        ("admin:s3cret@10.0.0.5/live", "is not a file"),
        ("rtsp:/admin:s3cret@10.0.0.5/live", "is not a file"),
        ("10.0.0.5/live?password=s3cret", "is not a file"),
        ("10.0.0.5/user=u_password=s3cret.sdp", "is not a file"),
    ],
)
def test_what_cannot_be_watched_is_refused(text, told):
    with pytest.raises(ParamsError, match=told) as refused:
        parse_source(text)
    assert "s3cret" not in str(refused.value)

"""Addresses of sources: a file, a camera of this device, an address on the network."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from reelflow.commandline import printable
from reelflow.errors import ParamsError

Kind = Literal["file", "device", "rtsp", "http"]
SCHEMES: dict[str, Kind] = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}
DEVICE = re.compile(r"/dev/video[0-9]+")
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
HIDDEN = "..."
SECRET = re.compile("[@?=]")  # of an address whose scheme is missing or cut
ASSIGNED = re.compile(r"[^/]*(=|%3[Dd])[^/]*")
"""Some recorders take `/user=admin_password=SECRET_channel=1_stream=0.sdp` (ZoneMinder/zoneminder#3058)."""


@dataclass(frozen=True)
class CameraSource:
    """A source of frames.

    Attributes:
        address: as given; it may hold credentials.
        kind: how it is read.
        shown: what people and logs see: without user, password, query, fragment, and
            parts of the path with `=`.
    """

    address: str
    kind: Kind
    shown: str

    @property
    def is_live(self) -> bool:
        """Whether frames come by themselves: those that are not taken in time are lost."""
        return self.kind != "file"

    def without_credentials(self, text: str) -> str:
        """A text of a library, with the address as it may be shown."""
        return text.replace(self.address, self.shown)


def parse_source(text: str) -> CameraSource:
    """The source that a text of the command line means.

    Raises:
        ParamsError: it is no address that can be watched.
    """
    if DEVICE.fullmatch(text):
        return CameraSource(text, "device", text)
    found = SCHEME.match(text)
    if not found:
        if not Path(text).is_file():
            named = HIDDEN if SECRET.search(text) else printable(text)
            raise ParamsError(f"{named} is not a file: expected a file, /dev/videoN, rtsp:// or http://")
        return CameraSource(text, "file", printable(text))
    kind = SCHEMES.get(found[1].lower())
    if kind is None:
        raise ParamsError(f"{found[1]}:// cannot be watched: expected rtsp://, rtsps://, http:// or https://")
    return CameraSource(text, kind, _shown(text))


def _shown(text: str) -> str:
    """An address without parts that may be secret.

    Raises:
        ParamsError: it has no host, a port that is no number, or a password that seems to end too early.
    """
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise ParamsError("the address of the source has no valid port: expected HOST:PORT") from error
    if not parts.hostname:
        raise ParamsError("the address of the source names no host: expected SCHEME://HOST/PATH")
    if "@" not in parts.netloc and "@" in text:
        raise ParamsError(
            "the address of the source has an @ after its host: write /, ? and # of a user or password as "
            "%2F, %3F and %23, and an @ elsewhere as %40"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    query = f"?{HIDDEN}" if parts.query else ""
    path = ASSIGNED.sub(HIDDEN, parts.path)
    return printable(f"{parts.scheme}://{host}{port}{path}{query}")

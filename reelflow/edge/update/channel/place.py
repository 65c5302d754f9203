"""Where a channel is: a folder, file:// or http(s)://, as its base address for TUF."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from reelflow.commandline import printable
from reelflow.edge.sinks.address import parse_address, without_secrets
from reelflow.errors import ParamsError

METADATA, TARGETS = "metadata", "targets"


@dataclass(frozen=True)
class Place:
    """A channel's address in its parts.

    Attributes:
        base: without user and password, and without a slash at the end.
        user: for the web server, and its password; None without.
        shown: what people and logs see.
    """

    base: str
    user: tuple[str, str] | None
    shown: str

    @property
    def metadata(self) -> str:
        """The folder of the TUF metadata."""
        return f"{self.base}/{METADATA}/"

    @property
    def targets(self) -> str:
        """The folder of the TUF targets."""
        return f"{self.base}/{TARGETS}/"


def parse_place(address: str) -> Place:
    """The place that an address means.

    Args:
        address: a folder, `file:///FOLDER`, or `http(s)://[USER:PASSWORD@]HOST[:PORT]/PATH`.

    Raises:
        ParamsError: it means none.
    """
    if "://" not in address:
        return Place(Path(address).absolute().as_uri().rstrip("/"), None, printable(address))
    if address.startswith("file:///"):
        return Place(address.rstrip("/"), None, printable(address))
    if not address.startswith(("http://", "https://")):
        raise ParamsError(
            f"{without_secrets(address)} cannot be an update channel: expected a folder, file:///FOLDER, "
            "http://HOST/PATH or https://HOST/PATH"
        )
    parts = parse_address(address)
    if parts.query:
        raise ParamsError(
            f"the channel {parts.shown} has a query (?...): name the folder that holds {METADATA}/"
        )
    netloc = urlsplit(address).netloc.rpartition("@")[2]
    base = f"{parts.scheme}://{netloc}{parts.path}".rstrip("/")
    user = None if parts.user is None else (parts.user, parts.password or "")
    return Place(base, user, printable(base))


def local_path(url: str) -> Path:
    """The file that a file:// address means."""
    return Path(url2pathname(urlsplit(url).path))

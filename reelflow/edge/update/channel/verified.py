"""The Update Framework's client, as reelflow configures it: `reelflow[update]`.

python-tuf verifies. Ours are the transport and the time that expiry is judged by.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TypeVar

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from reelflow.durable.sync import sync_tree
from reelflow.edge.update.channel.answers import CHUNK_BYTES, AnsweredError, BrokenError, TooLongError
from reelflow.edge.update.channel.clock import EPOCH, ClockFloor
from reelflow.edge.update.channel.transport import Transport

SIGNED = "x-reelflow-signed"
"""Field of roots and timestamps: when they were signed."""
MAX_FETCHED_BYTES = 5_000_000
MAX_ROOTS = 4096  # since the pinned one: each is signed by the keys of the one before
Role = TypeVar("Role", Root, Timestamp)


class ChannelFetcher(FetcherInterface):
    """Gives python-tuf our transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """A temporary file with what an address holds."""
        with TemporaryFile() as file:
            with tuf_errors(url):
                self._transport.receive(url, file, max_length)
            file.seek(0)
            yield file

    def _fetch(self, url: str) -> Iterator[bytes]:
        """What `FetcherInterface` asks for; `download_file` does not use it."""
        with self.download_file(url, MAX_FETCHED_BYTES) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


@contextmanager
def tuf_errors(url: str) -> Iterator[None]:
    """Turn what a transport raises into what python-tuf expects of one."""
    name = url.rpartition("/")[2]
    try:
        yield
    except AnsweredError as error:
        raise DownloadHTTPError(f"{name}: {error}", error.status) from None
    except BrokenError as error:
        raise DownloadError(f"{name}: {error}") from None
    except TooLongError as error:
        raise DownloadLengthMismatchError(f"{name}: {error}") from None


class ExpiredError(Exception):
    """Metadata has expired.

    Attributes:
        time: by which it has.
    """

    def __init__(self, reason: str, time: datetime) -> None:
        super().__init__(reason)
        self.time = time


class TrustedMetadata:
    """The metadata that a device trusts, in a folder.

    Args:
        folder: of the metadata.
        pinned: the root that leads to all others.
        floor: the newest known time.
    """

    def __init__(self, folder: Path, pinned: bytes, floor: ClockFloor) -> None:
        self._folder, self._pinned, self._floor = folder, pinned, floor

    def refresh(self, metadata_url: str, targets_url: str, transport: Transport) -> Updater:
        """Fetch and verify the newest metadata.

        Args:
            metadata_url: of the channel.
            targets_url: of the channel.
            transport: that downloads.

        Returns:
            An updater that has refreshed.

        Raises:
            ExpiredError: the newest metadata has expired.
            RepositoryError: it is not trusted.
            DownloadError: it cannot be fetched.
            OSError: the disk refuses.
        """
        time = self.known_time()
        self._folder.mkdir(parents=True, exist_ok=True)
        updater = Updater(
            str(self._folder),
            metadata_url,
            target_base_url=targets_url,
            fetcher=ChannelFetcher(transport),
            config=UpdaterConfig(max_root_rotations=MAX_ROOTS),
            bootstrap=self._pinned,
        )
        updater._trusted_set.reference_time = time  # there is no public way; tests/channel/test_clock.py
        try:
            updater.refresh()
        except ExpiredMetadataError as error:
            if self.known_time() >= time:
                raise ExpiredError(str(error), time) from None
            return self.refresh(metadata_url, targets_url, transport)  # who vouched for the time was replaced
        finally:
            sync_tree(self._folder)
        timestamp = Metadata[Timestamp].from_bytes((self._folder / "timestamp.json").read_bytes()).signed
        self._floor.learn(max(time, _signed_at(timestamp)), self._root().roles[Timestamp.type].keyids)
        return updater

    def known_time(self) -> datetime:
        """What expiry is judged by: the clock, but never before what is known to have passed."""
        root = self._root()
        return max(self._floor.clock, self._floor.floor(root.roles[Timestamp.type].keyids, _signed_at(root)))

    def _root(self) -> Root:
        """The newest trusted root; the pinned one leads there again if a loss of power took it."""
        try:
            return Metadata[Root].from_bytes((self._folder / "root.json").read_bytes()).signed
        except (OSError, RepositoryError):
            return Metadata[Root].from_bytes(self._pinned).signed


def _signed_at(signed: Root | Timestamp) -> datetime:
    """When metadata was signed; the epoch if it does not say."""
    try:
        found = datetime.fromisoformat(str(signed.unrecognized_fields[SIGNED]))
    except (KeyError, ValueError):
        return EPOCH
    return found if found.tzinfo and found < signed.expires else EPOCH

"""A device's view of its channel: which bundle to run, and that bundle's files, all of it verified.

Needs `reelflow[update]`. What a device trusts first is `root.json` in its state, put there with the device.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar
from urllib.parse import quote

from reelflow.documents import Document
from reelflow.edge.update.channel.clock import ClockFloor, utc_now
from reelflow.edge.update.channel.contents import bring
from reelflow.edge.update.channel.documents import (
    ROLLOUT,
    BundleListing,
    ListedFile,
    Rollout,
    content_name,
    listing_name,
)
from reelflow.edge.update.channel.place import Place, parse_place
from reelflow.edge.update.channel.transport import Transport
from reelflow.errors import BundleError, ChannelError, ParamsError, disk_errors

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile
    from tuf.ngclient import Updater

    from reelflow.edge.update.channel.verified import ExpiredError

ROOT = "root.json"
MAX_DOCUMENT_BYTES = 1_000_000
MAY_PASS = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
GONE = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
)  # S3 says the first where it lists nothing
KEEPS = "this device keeps what it runs"
Known = TypeVar("Known", bound=Document)


class ChannelClient:
    """The channel of one device. One process at a time may use a state.

    Args:
        state: folder of this purpose, with the pinned `root.json` in it.
        address: of the channel: a folder, `file:///FOLDER`, or `http(s)://[USER:PASSWORD@]HOST/PATH`.
        transport: makes what downloads from a place.
        now: the device's clock.

    Raises:
        ParamsError: the address is none, or `reelflow[update]` is not installed.
        ChannelError: from every method. What the channel says is not trusted, or, with `may_pass`, it is not
            reachable now.
        StorageError: from every method. The disk is full or read-only.
    """

    def __init__(
        self,
        state: Path,
        address: str,
        transport: Callable[[Place], Transport] = Transport,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        _check_extra()
        self._state, self._place = state, parse_place(address)
        self._transport, self._floor = transport(self._place), ClockFloor(state, now)
        self._refreshed: Updater | None = None

    def refresh(self) -> Rollout:
        """Fetch and verify what the channel says now."""
        self._refreshed = None
        with self._errors():
            return self._document(ROLLOUT, Rollout)

    def listing(self, bundle_id: str) -> BundleListing:
        """The files of a bundle that the rollout names."""
        with self._errors():
            found = self._document(listing_name(bundle_id), BundleListing)
        if found.id != bundle_id:
            raise ChannelError(f"{self._place.shown} lists the bundle {found.id} as {bundle_id}: {KEEPS}")
        return found

    def download(self, listing: BundleListing, into: Path, have: Sequence[Path] = ()) -> None:
        """Make `into` hold the files of a bundle, verified, on the disk, and nothing else.

        Args:
            listing: of the bundle.
            into: a folder of this purpose. It may hold what an earlier attempt brought; that is continued.
            have: bundles on this device; files of equal content are copied from there.
        """
        with self._errors():
            bring(listing, into, have, self._fetch)

    @property
    def _updater(self) -> "Updater":
        """The updater of the last refresh; it refreshes once."""
        from reelflow.edge.update.channel.verified import TrustedMetadata

        if self._refreshed is None:
            trusted = TrustedMetadata(self._state / "metadata", self._pinned(), self._floor)
            self._refreshed = trusted.refresh(self._place.metadata, self._place.targets, self._transport)
        return self._refreshed

    def _pinned(self) -> bytes:
        path = self._state / ROOT
        try:
            return path.read_bytes()
        except OSError as error:
            raise ChannelError(
                f"{path} cannot be read ({error.strerror}): put the channel's first root there, "
                "metadata/1.root.json, from a source that you trust"
            ) from None

    def _document(self, name: str, kind: type[Known]) -> Known:
        """A target that is a document."""
        info = self._info(name)
        if info.length > MAX_DOCUMENT_BYTES:
            raise ChannelError(f"{name} of {self._place.shown} has {info.length} bytes, too many: {KEEPS}")
        path = self._state / "documents" / quote(name, "")
        if not self._updater.find_cached_target(info, str(path)):
            with self._not_removed(name):
                self._updater.download_target(info, str(path))
        try:
            return kind.read(path)
        except BundleError as error:
            raise ChannelError(
                f"{name} of {self._place.shown} is signed, but not understood; update reelflow on this "
                f"device, {KEEPS}: {error}"
            ) from None

    def _fetch(self, file: ListedFile, part: Path) -> None:
        """Complete a part and verify it; one that an earlier attempt left damaged is fetched anew."""
        info = self._info(content_name(file.sha256))
        if (info.length, info.hashes.get("sha256")) != (file.size_bytes, file.sha256):
            raise ChannelError(f"{self._place.shown} lists {file.path} with another size or hash: {KEEPS}")
        with self._not_removed(file.path), part.open("a+b") as opened:
            begun = opened.tell() > 0
            if not self._completed(opened, info) and not (begun and self._completed(opened, info)):
                raise ChannelError(
                    f"{self._place.shown} sends another {file.path} than it has signed: {KEEPS}"
                )

    def _completed(self, part: BinaryIO, info: "TargetFile") -> bool:
        """Fetch what a part lacks; it is empty afterwards if it is not what was signed."""
        from tuf.api.exceptions import LengthOrHashMismatchError

        from reelflow.edge.update.channel.verified import tuf_errors

        url = f"{self._place.targets}{content_name(info.hashes['sha256'])}.{info.hashes['sha256']}"
        try:
            if part.seek(0, 2) != info.length:
                with tuf_errors(url):
                    self._transport.receive(url, part, info.length, resume=True)
            part.seek(0)
            info.verify_length_and_hashes(part)
        except LengthOrHashMismatchError:
            part.truncate(0)
            return False
        return True

    @contextmanager
    def _not_removed(self, name: str) -> Iterator[None]:
        """Tell a file that is gone from a wrong address: the metadata that names it came from there."""
        from tuf.api.exceptions import DownloadHTTPError

        try:
            yield
        except DownloadHTTPError as error:
            if error.status_code not in GONE:
                raise
            gone = ChannelError(
                f"{self._place.shown} holds {name} no more ({error}): the channel has gone on since "
                f"this device asked it, or has lost the file; {KEEPS}, ask again later"
            )
            gone.may_pass = True
            raise gone from None

    def _info(self, name: str) -> "TargetFile":
        info = self._updater.get_targetinfo(name)
        if info is None:
            told = "nothing has been published yet" if name == ROLLOUT else "the rollout does not name it"
            raise ChannelError(f"{self._place.shown} holds no {name}: {told}; {KEEPS}")
        return info

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what python-tuf and the disk raise into errors for people."""
        from tuf.api.exceptions import (
            DownloadError,
            DownloadHTTPError,
            DownloadLengthMismatchError,
            RepositoryError,
        )

        from reelflow.edge.update.channel.verified import ExpiredError

        where = self._place.shown
        try:
            with disk_errors(self._state):
                yield
        except ExpiredError as error:
            raise ChannelError(f"{where}: {self._expired(error)}") from None
        except DownloadHTTPError as error:
            failed = ChannelError(
                f"{where} is not a channel that this device can use: {error}: check the address; {KEEPS}"
            )
            failed.may_pass = error.status_code in MAY_PASS
            raise failed from None
        except (DownloadLengthMismatchError, RepositoryError) as error:
            raise ChannelError(f"{where} is not trusted: {error or type(error).__name__}; {KEEPS}") from None
        except DownloadError as error:
            failed = ChannelError(f"{where} cannot be reached: {error}; {KEEPS}, ask again later")
            failed.may_pass = True
            raise failed from None

    def _expired(self, error: "ExpiredError") -> str:
        clock = self._floor.clock
        told = f"the clock says {clock:%Y-%m-%d %H:%M} UTC"
        if clock < error.time:
            told += f", and {error.time:%Y-%m-%d %H:%M} is known to have passed"
        return (
            f"{error}, {told}; if that is right, the publisher has not signed in time (channel refresh) or "
            f"somebody withholds the newest state; else set the clock; {KEEPS}"
        )


def _check_extra() -> None:
    try:
        import tuf.ngclient  # noqa: F401
    except ImportError as error:
        raise ParamsError(
            f"updates need the package {error.name}, which is not installed: pip install 'reelflow[update]'"
        ) from error

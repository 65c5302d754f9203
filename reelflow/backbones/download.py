"""Downloads weights once, into a cache: pinned by sha256, resumed after an interruption."""

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from reelflow.backbones.weight_file import WeightFile, check
from reelflow.errors import WeightsError, disk_errors
from reelflow.files import locked, sha256_file
from reelflow.progress import emit
from reelflow.settings import Settings

TIMEOUT_S = 30
CHUNK_BYTES = 1 << 20


def fetch(published: WeightFile, settings: Settings) -> Path:
    """The path of a published file in the cache; downloads it if it is missing.

    Args:
        published: the file.
        settings: with the cache, and a mirror.

    Raises:
        WeightsError: not reachable, or not what was published.
        StorageError: the cache cannot be written.
    """
    target = settings.weights_cache / published.name
    with locked(target.with_name(f".{published.name}.lock"), f"another download of {published.name}"):
        if not target.is_file() or sha256_file(target) != published.sha256:
            _download(published, _source(published.url, settings.weights_mirror), target)
    return target


def _source(url: str, mirror: str | None) -> str:
    if mirror is None:
        return url
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise WeightsError(f"the mirror of weights is {mirror!r}, expected an http or https URL")
    return mirror.rstrip("/") + urlsplit(url).path


def _download(published: WeightFile, url: str, target: Path) -> None:
    partial = target.with_name(f".{published.name}.partial")
    emit("notice", message=f"downloading {url} ({published.size_bytes / 1e6:.1f} MB) to {target}")
    try:
        with disk_errors(partial):
            _receive(url, partial, published.size_bytes)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(
            f"cannot download {url}: {reason or type(error).__name__}. With a network, run the same command "
            f"again; without one, put {published.name} at {target}, or name it in features.weights"
        ) from error
    if (have := partial.stat().st_size) < published.size_bytes:
        raise WeightsError(
            f"{url} broke off after {have} of {published.size_bytes} bytes: run the same command again "
            "to resume"
        )
    try:
        check(partial, published)
    except WeightsError as error:
        partial.unlink()
        raise WeightsError(f"{url} gave another file than was published: {error}") from error
    partial.replace(target)


def _receive(url: str, partial: Path, size_bytes: int) -> None:
    """Append the missing bytes to `partial`, at most one more than expected."""
    have = partial.stat().st_size if partial.exists() else 0
    if have >= size_bytes:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        with partial.open("ab" if resumed else "wb") as file:
            left = size_bytes + 1 - file.tell()
            while left > 0 and (chunk := answer.read(min(CHUNK_BYTES, left))):
                file.write(chunk)
                left -= len(chunk)

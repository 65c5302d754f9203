"""The documents of a channel: the files of a bundle, and the bundle of each device.

Both are targets of the channel's TUF repository, so that the targets role signs them.
"""

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from reelflow.contracts import BundleReport, Sha256
from reelflow.documents import Document
from reelflow.edge.bundle import MAX_BUNDLE_BYTES, MAX_FILES, MAX_MANIFEST_BYTES, SAFE_NAME
from reelflow.edge.seal import RECORDS, SUMS

ROLLOUT, LISTINGS, CONTENTS = "rollout.json", "bundles/", "files/"
MAX_LISTED = MAX_FILES + len((SUMS, BundleReport.file_name, *RECORDS))
MAX_LISTED_BYTES = MAX_BUNDLE_BYTES + 16 * MAX_MANIFEST_BYTES
MAX_NAME = 200
MAX_GROUPS = 100

RolloutState = Literal["running", "paused", "aborted", "done"]


class ListedFile(Document):
    """One file of a bundle; its content is the target `files/<sha256>`."""

    path: str = Field(max_length=MAX_NAME, description="in the bundle, with forward slashes")
    sha256: Sha256
    size_bytes: int = Field(ge=0, le=MAX_BUNDLE_BYTES)

    @field_validator("path")
    @classmethod
    def _is_plain(cls, path: str) -> str:
        if not SAFE_NAME.fullmatch(path):
            raise ValueError(f"{path!r} is not a plain name inside a bundle")
        return path


class BundleListing(Document):
    """The target `bundles/<id>.json`: every file of one sealed bundle.

    `SHA256SUMS` covers `bundle.json` and the records, and `bundle.json` covers all others: the sha256 of
    `SHA256SUMS` therefore names the whole content.
    """

    id: Sha256 = Field(description="sha256 of SHA256SUMS")
    model_name: str = Field(max_length=MAX_NAME)
    version: int = Field(ge=0, description="in the model registry; 0 for a bundle from a folder")
    files: tuple[ListedFile, ...] = Field(min_length=2, max_length=MAX_LISTED)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        sums = {file.path: file.sha256 for file in self.files}
        if len(sums) != len(self.files):
            raise ValueError("a path is listed twice")
        if nested := sorted(set(_parents(sums)) & sums.keys()):
            raise ValueError(f"{nested[0]} is listed as a file and as a folder")
        if BundleReport.file_name not in sums:
            raise ValueError(f"{BundleReport.file_name} is not listed")
        if sums.get(SUMS) != self.id:
            raise ValueError(f"the id is not the sha256 of {SUMS}")
        if self.size_bytes > MAX_LISTED_BYTES:
            raise ValueError(f"{self.size_bytes} bytes are listed; a bundle has at most {MAX_LISTED_BYTES}")
        return self


class Rollout(Document):
    """The target `rollout.json`: which bundle a device runs.

    Attributes:
        number: rises with each bundle that is published; it also decides who belongs to the share.
        bundle: id of the bundle that is rolled out.
        previous: id of the bundle of all other devices; None if there has been none.
        groups: every device of these groups gets the bundle.
        percent: share of all devices that get it.
        state: `running`; `paused`: no device changes; `aborted`: all get `previous`; `done`: all `bundle`.
        reason: why it is paused or aborted, for people.
    """

    number: int = Field(ge=1)
    bundle: Sha256
    previous: Sha256 | None = None
    groups: tuple[str, ...] = Field(default=(), max_length=MAX_GROUPS)
    percent: float = Field(default=100, ge=0, le=100)
    state: RolloutState = "running"
    reason: str = Field(default="", max_length=1000)

    @property
    def settled(self) -> str | None:
        """The bundle that every device may run: of a rollout that has not reached all, the one before."""
        reached_all = self.state == "done" or (self.state != "aborted" and self.percent == 100)
        return self.bundle if reached_all else self.previous


def wanted(rollout: Rollout, device_id: str, group: str) -> str | None:
    """The id of the bundle that a device runs; None: it keeps its present bundle.

    A device that belongs to a share also belongs to every larger share of the same rollout.

    Args:
        rollout: as the channel says.
        device_id: of the device; any text that no other device has.
        group: of the device, or an empty text.
    """
    if rollout.state == "paused":
        return None
    if rollout.state == "aborted":
        return rollout.previous
    everyone = rollout.state == "done"
    if everyone or group in rollout.groups or place_of(device_id, rollout.number) < rollout.percent:
        return rollout.bundle
    return rollout.previous


def place_of(device_id: str, number: int) -> float:
    """The place of a device among all devices in a rollout, from 0 to below 100, by a hash."""
    digest = hashlib.sha256(f"{device_id}\0{number}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6]) / 2**48 * 100


def listing_name(bundle_id: str) -> str:
    """The target of a bundle's listing."""
    return f"{LISTINGS}{bundle_id}.json"


def content_name(sha256: str) -> str:
    """The target of a file's content."""
    return f"{CONTENTS}{sha256}"


def _parents(paths: dict[str, str]) -> Iterator[str]:
    return (parent.as_posix() for path in paths for parent in PurePosixPath(path).parents)

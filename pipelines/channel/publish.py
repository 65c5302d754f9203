"""Publishes a bundle to a channel, and sets which devices run it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

import pydantic
from tuf.api.metadata import TargetFile, Targets

from pipelines.channel.keys import KeyRing
from pipelines.channel.metadata import PRUNING, ChannelState
from pipelines.channel.repository import ChannelRepository
from reelflow.contracts import BundleReport
from reelflow.documents import Document
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.seal import RECORDS, SUMS
from reelflow.edge.update.channel.documents import (
    ROLLOUT,
    BundleListing,
    ListedFile,
    Rollout,
    content_name,
    listing_name,
)
from reelflow.errors import BundleError, ChannelError, ParamsError, ReelflowError
from reelflow.files import content_file, sha256_file

TARGETS = "targets"
Verb = Literal["pause", "resume", "abort", "finish"]
Known = TypeVar("Known", bound=Document)


@dataclass(frozen=True)
class Audience:
    """Who gets a bundle: whole groups, and a share of all devices."""

    groups: tuple[str, ...] = ()
    percent: float = 100


@dataclass(frozen=True)
class PublishedBundle:
    """What a call has changed; `uploaded` of the bundle's files were not in the channel."""

    rollout: Rollout
    listing: BundleListing
    uploaded: int = 0
    changed: bool = True


def publish(
    repository: ChannelRepository,
    keys: KeyRing,
    bundle: Path,
    audience: Audience,
    *,
    model_name: str = "",
    version: int = 0,
) -> PublishedBundle:
    """Roll a bundle out. The one before stays in the channel for the devices that do not get it yet.

    Args:
        repository: of the channel.
        keys: of the roles targets, snapshot and timestamp.
        bundle: its folder.
        audience: who gets it first.
        model_name: of the registry; else the bundle's own name.
        version: of the registry; 0 for none.

    Raises:
        BundleError: the bundle is damaged, or not sealed, or its names are too long.
        ParamsError: the audience has too many groups.
        ChannelError: the channel is not as its root says, or keys are missing.
        StorageError: the store refuses.
    """
    with TemporaryDirectory() as folder:
        staged = _staged(bundle, Path(folder, "bundle"))
        listing = list_bundle(staged, model_name, version)
        state = repository.read()
        _check_not_pruned(state)
        before = read_rollout(repository, state)
        uploaded = _upload(repository, staged, listing)
    if before and before.bundle == listing.id and before.state != "aborted":
        return PublishedBundle(before, listing, uploaded, changed=False)
    with _fits(ParamsError, "the rollout"):
        rollout = Rollout(
            number=before.number + 1 if before else 1,
            bundle=listing.id,
            previous=_previous(before, listing.id),
            groups=audience.groups,
            percent=audience.percent,
        )
    _commit(repository, state, keys, rollout, listing)
    return PublishedBundle(rollout, listing, uploaded)


def change_rollout(
    repository: ChannelRepository,
    keys: KeyRing,
    verb: Verb | None,
    *,
    groups: tuple[str, ...] = (),
    percent: float | None = None,
    reason: str = "",
) -> Rollout:
    """Widen, pause, resume, abort or finish the rollout.

    Raises:
        ParamsError: nothing has been published, the rollout has ended, or a value is too long.
        ChannelError: the channel is not as its root says, or keys are missing.
        StorageError: the store refuses.
    """
    state = repository.read()
    before = read_rollout(repository, state)
    if before is None:
        raise ParamsError("nothing has been published to this channel yet: run channel publish")
    changed = changed_rollout(before, verb, groups=groups, percent=percent, reason=reason)
    if changed != before:
        _commit(repository, state, keys, changed, None)
    return changed


def changed_rollout(
    before: Rollout, verb: Verb | None, *, groups: tuple[str, ...], percent: float | None, reason: str
) -> Rollout:
    """The rollout after a command.

    Raises:
        ParamsError: it has ended; an abort has nothing to go back to; or a value is too long.
    """
    if before.state in ("aborted", "done") and (verb or groups or percent is not None):
        raise ParamsError(f"the rollout {before.number} is {before.state}: publish a bundle to begin another")
    if verb == "abort" and before.previous is None:
        raise ParamsError(
            "this is the first bundle of the channel, without an earlier one to go back to: pause it"
        )
    states = {"pause": "paused", "resume": "running", "abort": "aborted", "finish": "done"}
    changes = {
        "state": states[verb] if verb else before.state,
        "groups": tuple(dict.fromkeys((*before.groups, *groups))),
        "percent": before.percent if percent is None else percent,
        "reason": reason if verb else before.reason,
    }
    with _fits(ParamsError, "the rollout"):
        return Rollout.model_validate(before.model_dump() | changes)


def read_rollout(repository: ChannelRepository, state: ChannelState) -> Rollout | None:
    """The rollout of a state; None before the first publication."""
    return _read(repository, state.targets.signed, ROLLOUT, Rollout)


def read_listing(repository: ChannelRepository, state: ChannelState, bundle_id: str) -> BundleListing | None:
    """The files of a bundle that a state names."""
    return _read(repository, state.targets.signed, listing_name(bundle_id), BundleListing)


def list_bundle(bundle: Bundle, model_name: str = "", version: int = 0) -> BundleListing:
    """The listing of a sealed bundle.

    Raises:
        BundleError: a listing does not hold its names.
    """
    names = [SUMS, BundleReport.file_name, *RECORDS, *bundle.report.files]
    with _fits(BundleError, "the bundle"):
        files = tuple(
            ListedFile(path=name, sha256=sha256_file(path), size_bytes=path.stat().st_size)
            for name, path in ((name, bundle.path(name)) for name in names)
            if path.is_file()
        )
        return BundleListing(
            id=sha256_file(bundle.path(SUMS)),
            model_name=model_name or bundle.report.name,
            version=version,
            files=files,
        )


@contextmanager
def _fits(error: type[ReelflowError], what: str) -> Iterator[None]:
    """Say what a document for devices does not hold.

    Raises:
        ReelflowError: `error`.
    """
    try:
        yield
    except pydantic.ValidationError as refused:
        first = refused.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise error(
            f"{what} cannot be published to devices: {where}: {first['msg']}: shorten it"
        ) from refused


def _staged(source: Path, folder: Path) -> Bundle:
    """A verified copy of the bundle: what is signed is what was verified, whoever writes to the original.

    Raises:
        BundleError: it is damaged, or not sealed.
    """
    found = open_bundle(source)
    if not found.is_sealed:
        raise BundleError(
            f"{source} has no {SUMS}, so nothing protects its {BundleReport.file_name}: export it again"
        )
    for name in (SUMS, BundleReport.file_name, *RECORDS, *found.report.files):
        if found.path(name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.path(name), folder / name)
    return open_bundle(folder)


def _check_not_pruned(state: ChannelState) -> None:
    """Check that no file goes while a publication finds it there.

    Raises:
        ChannelError: files are being removed.
    """
    if since := state.timestamp.signed.unrecognized_fields.get(PRUNING):
        failed = ChannelError(
            f"files of this channel are being removed, since {since}: publish when channel prune has ended; "
            "if it was killed, run it again"
        )
        failed.may_pass = True
        raise failed


def _upload(repository: ChannelRepository, bundle: Bundle, listing: BundleListing) -> int:
    """Store the files that the channel lacks; gives their number."""
    contents = {file.sha256: file for file in listing.files}
    return sum(
        repository.put(stored_name(content_name(sha256), sha256), bundle.path(file.path), sha256)
        for sha256, file in contents.items()
    )


def _previous(before: Rollout | None, bundle_id: str) -> str | None:
    """The bundle of devices that do not get the new one: the last one that all devices may run."""
    if before is None or before.settled == bundle_id:
        return before.previous if before else None
    return before.settled


def _commit(
    repository: ChannelRepository,
    state: ChannelState,
    keys: KeyRing,
    rollout: Rollout,
    listing: BundleListing | None,
) -> None:
    """Store the documents, and sign the targets that the rollout needs."""
    documents: dict[str, Document] = {ROLLOUT: rollout}
    if listing:
        documents[listing_name(listing.id)] = listing
    kept = [rollout.bundle, *([rollout.previous] if rollout.previous else [])]
    listings = [
        listing if listing and bundle_id == listing.id else _required(repository, state, bundle_id)
        for bundle_id in dict.fromkeys(kept)
    ]
    targets = {
        name: info
        for name, info in state.targets.signed.targets.items()
        if name in {listing_name(one.id) for one in listings}
    }
    for one in listings:
        targets |= {content_name(file.sha256): _file_info(file) for file in one.files}
    targets |= {name: _put_document(repository, name, document) for name, document in documents.items()}
    repository.commit(state, keys, targets)


def _required(repository: ChannelRepository, state: ChannelState, bundle_id: str) -> BundleListing:
    found = read_listing(repository, state, bundle_id)
    if found is None:
        raise ChannelError(f"the channel does not list the bundle {bundle_id}, which its rollout names")
    return found


def _put_document(repository: ChannelRepository, name: str, document: Document) -> TargetFile:
    content = document.to_json().encode()
    info = TargetFile.from_data(name, content, ["sha256"])
    with content_file(content) as path:
        repository.put(stored_name(name, info.hashes["sha256"]), path, info.hashes["sha256"])
    return info


def _file_info(file: ListedFile) -> TargetFile:
    return TargetFile(file.size_bytes, {"sha256": file.sha256}, content_name(file.sha256))


def stored_name(name: str, sha256: str) -> str:
    """The object of a target: TUF's consistent snapshots put the hash in front of the last name."""
    folder, slash, last = name.rpartition("/")
    return f"{TARGETS}/{folder}{slash}{sha256}.{last}"


def _read(repository: ChannelRepository, targets: Targets, name: str, kind: type[Known]) -> Known | None:
    """A document that the targets name."""
    info = targets.targets.get(name)
    if info is None:
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder, "document")
        stored = stored_name(name, info.hashes["sha256"])
        if not repository.store.get(stored, path, sha256=info.hashes["sha256"]):
            raise ChannelError(f"{stored} is missing or damaged: restore it from a copy, or publish again")
        return kind.read(path)

"""A document for each run of which something is not in MLflow yet.

It names the folders of finished steps, which hold everything: recording one again changes nothing, so that
a document may be sent twice, and a process that is killed while it sends one does no harm.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from reelflow.documents import Document
from reelflow.errors import BundleError, ReelflowError, advising, disk_errors
from reelflow.files import locked, sha256_text, write_text
from reelflow.progress import emit
from reelflow.settings import Settings
from reelflow.sources.userinfo import without_credentials
from reelflow.tracking.facts.spans import Span

UNNAMED = "steps"
OWED, SET_ASIDE = ".owed.json", ".unreadable"
PLACE = "name another folder in REELFLOW_SPOOL"
SEEN = "seen.json"
Status = Literal["", "FINISHED", "FAILED"]


class OwedRelease(Document):
    """A bundle that is not registered.

    Attributes:
        out: folder of the run.
        params: of the release step.
        inputs: folders of dataset, frames and bundle, by the release step's names of them.
        evaluations: the folder of each candidate's.
    """

    out: Path
    params: dict[str, Any]
    inputs: dict[str, Path]
    evaluations: tuple[Path, ...]


class OwedSearch(Document):
    """A search that has ended, and that MLflow has not got whole.

    Attributes:
        out: its folder, which holds its trials and its result.
        params: of its run in MLflow.
        ended_ms: when it ended; milliseconds since 1970.
    """

    out: Path
    params: dict[str, str]
    ended_ms: int


class Owed(Document):
    """What MLflow has not got yet of a run.

    Attributes:
        run: its name; empty for steps that were run one by one.
        server: MLflow's address, without credentials.
        experiment: in MLflow.
        experiment_id: in MLflow, where the user named it so.
        since: when this began, in seconds since 1970.
        folders: of finished steps, in the order in which they finished.
        spans: when their work was done, by folder, where it was done in this run.
        curves: whether curves of trainings wait too.
        release: the bundle to register.
        search: trials, result and end of a search, if the run is one.
        failure: task and message of what ended the run.
        status: how the run has ended.
        ended_ms: when; milliseconds since 1970.
    """

    run: str
    server: str
    experiment: str
    experiment_id: str = ""
    since: float = Field(default_factory=time.time)
    folders: tuple[Path, ...] = ()
    spans: dict[str, Span] = Field(default_factory=dict)
    curves: bool = False
    release: OwedRelease | None = None
    search: OwedSearch | None = None
    failure: tuple[str, str] | None = None
    status: Status = ""
    ended_ms: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Nothing yet, of the run that these settings name."""
        server = without_credentials(settings.tracking_uri)
        place = {"experiment": settings.experiment, "experiment_id": settings.experiment_id}
        return cls(run=settings.run_name, server=server, **place)

    @property
    def place(self) -> dict[str, str]:
        """Where it goes: server and experiment."""
        names = ("server", "experiment", "experiment_id")
        return {name: getattr(self, name) for name in names}

    @property
    def is_empty(self) -> bool:
        """Whether MLflow has everything."""
        parts = (self.folders, self.curves, self.release, self.search, self.failure, self.status)
        return not any(parts)

    def but(self, **changes: object) -> Self:
        """The same with some values changed."""
        return self.model_copy(update=changes)

    def with_folder(self, folder: Path, span: Span | None = None) -> Self:
        """With a step that has finished after the others."""
        spans = self.spans | ({str(folder): span} if span else {})
        return self.but(folders=(*(one for one in self.folders if one != folder), folder), spans=spans)

    def settings(self, settings: Settings) -> Settings:
        """Settings of this run, with the credentials and the address of `settings`."""
        place = {"experiment": self.experiment, "experiment_id": self.experiment_id}
        return settings.model_copy(update={"run_name": self.run, **place})


class Seen(Document):
    """Addresses at which MLflow has answered, without credentials."""

    servers: tuple[str, ...] = ()


class TrackingSpool:
    """The folder of these documents."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> Iterator[Owed]:
        """What is owed, the oldest run first; without what cannot be read."""
        found = []
        for path in self._documents(OWED):
            with suppress(ReelflowError):  # `unreadable` tells it, or another process has sent it meanwhile
                found.append(Owed.read(path))
        yield from sorted(found, key=lambda owed: (owed.since, owed.run))

    def unreadable(self) -> list[str]:
        """Documents that are damaged, or of another version of reelflow: which, and why.

        Raises:
            StorageError: this user may not look.
        """
        why = []
        for path in self._documents(OWED, SET_ASIDE):
            try:
                Owed.read(path)
            except BundleError as error:
                if path.exists():
                    why.append(" ".join(str(error).split()))
        return why

    def of(self, settings: Settings) -> Owed:
        """What is owed of the run that the settings name, to their server.

        A document that cannot be read is set aside: it holds up no run.
        """
        new = Owed.of(settings)
        path = self.document_of(new)
        if not path.exists():
            return new
        try:
            found = Owed.read(path)
        except BundleError as error:
            aside = path.with_name(f"{path.name}{SET_ASIDE}")
            path.replace(aside)
            emit("notice", message=f"{' '.join(str(error).split())}; it is kept as {aside}")
            return new
        return found.but(**new.place) if found.run or found.place == new.place else new

    def keep(self, owed: Owed) -> Owed:
        """Write what is owed of a run, and return it; nothing is left of one that MLflow has got.

        Raises:
            StorageError: the disk is full or read-only.
        """
        path = self._path(owed)
        if not owed.curves:
            self.curves_of(owed.run).unlink(missing_ok=True)
        if owed.is_empty:
            path.unlink(missing_ok=True)
        elif not path.exists() or Owed.read(path) != owed:
            with advising(PLACE):
                write_text(path, owed.to_json())
        self._forget_earlier(owed, path)
        return owed

    def document_of(self, owed: Owed) -> Path:
        """The file that says what is owed of a run, while something is."""
        path = self._path(owed)
        return path if path.exists() else self._earlier_path(owed)

    def curves_of(self, run: str) -> Path:
        """The file of the events that hold the curves of a run's trainings."""
        return self.folder / f"{_file_name(run)}.curves.jsonl"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process replay at the same time."""
        with advising(PLACE), locked(self.folder / ".lock", "another replay of what MLflow has not got"):
            yield

    def knows(self, settings: Settings) -> bool:
        """Whether MLflow has answered at this address before."""
        return without_credentials(settings.tracking_uri) in self._seen().servers

    def remember(self, settings: Settings) -> None:
        """MLflow has answered at this address."""
        server, seen = without_credentials(settings.tracking_uri), self._seen()
        if server not in seen.servers:
            with advising(PLACE):
                write_text(self.folder / SEEN, Seen(servers=(*seen.servers, server)).to_json())

    def _seen(self) -> Seen:
        with suppress(ReelflowError):
            return Seen.read(self.folder / SEEN)
        return Seen()

    def _documents(self, *endings: str) -> list[Path]:
        """Files of the folder; `glob` finds none where this user may not look."""
        with advising(PLACE), disk_errors(self.folder):
            found = self.folder.iterdir() if self.folder.exists() else ()
            return sorted(path for path in found if path.name.endswith(endings))

    def _path(self, owed: Owed) -> Path:
        """A file for each run; steps that belong to none have one for each server and experiment."""
        where = sha256_text("\n".join(owed.place.values()))[:8]
        return self.folder / f"{_file_name(owed.run) or f'{UNNAMED}-{where}'}{OWED}"

    def _earlier_path(self, owed: Owed) -> Path:
        """Where versions before 2026-11-28 kept it: one file for the steps of all servers."""
        return self.folder / f"{_file_name(owed.run) or UNNAMED}{OWED}"

    def _forget_earlier(self, owed: Owed, path: Path) -> None:
        """Remove what an earlier version has kept of the same steps, now that it is in the new place."""
        earlier = self._earlier_path(owed)
        if earlier == path:
            return
        with suppress(BundleError):
            if Owed.read(earlier).place == owed.place:
                earlier.unlink(missing_ok=True)


def _file_name(run: str) -> str:
    """Of a run; drivers give runs names of letters, digits and dashes."""
    return re.sub(r"[^\w.-]", "_", run)

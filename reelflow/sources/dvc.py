"""Clips tracked by DVC, in this workspace or in another git repository.

This is the only module that uses DVC's API. A repository is opened in a temporary clone without a
workspace: tasks in pods need no checkout and no lock.
"""

import hashlib
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from reelflow.errors import DataError, ReelflowError, StorageError, causes
from reelflow.files import atomic, exists
from reelflow.progress import emit
from reelflow.settings import Settings
from reelflow.sources.address import GitPath
from reelflow.sources.cache import Entry
from reelflow.sources.userinfo import without_credentials

ATTEMPTS = 3
GIT_TIMEOUT_S = 30  # DVC tries some times more
NOWHERE = "dvc push where it was added, or correct the credentials (AWS_ variables) and the remote"
Info = dict[str, Any]


class DvcOrigin:
    """Files of a repository at a revision."""

    def __init__(self, fs: Any, path: str, revision: str) -> None:
        """List the files.

        Args:
            fs: of DVC, over the repository.
            path: in it.
            revision: the opened revision, or DVC's own hash.

        Raises:
            DataError: a file has no hash in DVC.
        """
        info: Info = fs.info(path)
        self.single = info["type"] == "file"
        found: dict[str, Info] = {path: info} if self.single else fs.find(path, detail=True)
        top = str(PurePosixPath(path).parent) if self.single else path
        self._fs = fs
        self._infos = {os.path.relpath(file, top): one for file, one in found.items()}
        self.revision = revision
        self.entries: Mapping[str, Entry] = {name: self._entry(name) for name in self._infos}

    def get(self, name: str, path: Path) -> None:
        """Fetch a file by its MD5 from DVC's cache or the remote.

        Raises:
            DataError: it is in neither.
            StorageError: the remote refuses, is not reachable, or gives other content.
        """
        info = self._infos[name]
        md5 = _md5(info)
        for _ in range(ATTEMPTS):
            with atomic(path) as partial:
                with _told(name, f"it is not in DVC's remote: {NOWHERE}"):
                    self._fs.get_file(info["name"], str(partial))
                if not md5 or _md5_of(partial) == md5:
                    return
        raise StorageError(f"{name} does not have the MD5 {md5} in DVC's remote: dvc push it again")

    def _entry(self, name: str) -> Entry:
        info = self._infos[name]
        if md5 := _md5(info):
            return Entry(info["size"], f"md5 {md5}")
        if info.get("dvc_info", info).get("isdvc"):  # DVC would read whatever path or URL it names
            raise DataError(
                f"{name} has no hash in DVC: it was imported and never downloaded; dvc update and dvc push it"
            )
        return Entry(info["size"], f"{self.revision} {name}")


@contextmanager
def open_git(source: str, address: GitPath, settings: Settings) -> Iterator[DvcOrigin]:
    """Open a path of a git repository at a revision.

    Raises:
        DataError: the revision or the path does not exist.
        StorageError: the repository or its remote refuses, or is not reachable.
    """
    from dvc.fs.dvc import DVCFileSystem
    from dvc.repo import Repo
    from dvc.repo.open_repo import clean_repos

    os.environ.setdefault("GIT_TERMINAL_PROMPT", "0")
    os.environ.setdefault("DVC_SITE_CACHE_DIR", str(settings.clips.absolute() / "dvc"))
    local = address.url.startswith("/")
    how = {"subrepos": True, "uninitialized": True}
    try:
        with ExitStack() as stack:
            missing = f"there is no {address.path} in the repository at this revision"
            with _told(source, missing), _socket_timeout(GIT_TIMEOUT_S):
                revision = address.revision or ("HEAD" if local else None)
                repo = stack.enter_context(Repo.open(address.url, rev=revision, **how))
                _set_endpoint(repo, settings)
                fs = DVCFileSystem(repo=repo, subrepos=True)
                origin = DvcOrigin(fs.fs, f"/{address.path}", repo.get_rev())
            yield origin
    finally:
        clean_repos()


@contextmanager
def _socket_timeout(timeout_s: float) -> Iterator[None]:
    """Set a default timeout for sockets: DVC's git has none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout_s)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def open_tracked(path: Path, settings: Settings) -> Iterator[tuple[DvcOrigin | None, bool]]:
    """Open what DVC tracks at a path; also returns whether the workspace has exactly that.

    The origin is None if DVC does not track the path.

    Raises:
        DataError: the path does not exist.
        StorageError: the remote refuses, or is not reachable.
    """
    from dvc.fs.data import DataFileSystem
    from dvc.repo import Repo

    with ExitStack() as stack:
        origin, here = None, False
        with _told(str(path), "it is not there, and DVC does not know it: name a folder of clips (--data)"):
            repo = stack.enter_context(Repo(str(_nearest(path))))
            _set_endpoint(repo, settings)
            outs = [out for out in repo.index.outs if path.absolute().is_relative_to(out.fs_path)]
            if outs or not path.exists():
                here = path.exists() and not any(out.changed_checksum() for out in outs)
                place = Path(os.path.relpath(path, repo.root_dir)).as_posix()
                fs = DataFileSystem(index=repo.index.data["repo"]).fs
                origin = DvcOrigin(fs, place, str(outs[0].hash_info.value) if outs else "")
        if origin and path.exists() and not here:
            emit("notice", message=f"{path} differs from what DVC tracks: the tracked version is used")
        yield origin, here


def may_be_tracked(path: Path) -> bool:
    """Whether DVC files at or above a path may track it; a quick check without DVC."""
    path = path.absolute()
    for place in (path, *path.parents):
        if exists(place.parent / f"{place.name}.dvc") or _is_locked(place):
            return True
        if exists(place / ".dvc"):
            return False
    return False


def _is_locked(place: Path) -> bool:
    """Whether a `dvc.lock` above it names this output."""
    locks = [folder / "dvc.lock" for folder in place.parents]
    return any(
        f"path: {place.relative_to(lock.parent).as_posix()}\n" in lock.read_text(encoding="utf-8")
        for lock in locks
        if lock.is_file()
    )


def _nearest(path: Path) -> Path:
    """The first folder above a path that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def _set_endpoint(repo: Any, settings: Settings) -> None:
    """Use the S3 server of the settings for a remote without one."""
    remote = repo.config["remote"].get(repo.config["core"].get("remote"), {})
    if settings.s3_endpoint and remote.get("url", "").startswith("s3://"):
        remote.setdefault("endpointurl", settings.s3_endpoint)


def _md5(info: Info) -> str:
    return str(info.get("md5") or info.get("dvc_info", {}).get("md5") or "")


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@contextmanager
def _told(what: str, missing: str) -> Iterator[None]:
    """Translate errors of DVC and its file systems.

    Args:
        what: what is fetched.
        missing: message if it does not exist.
    """
    from dvc.scm import RevError

    try:
        yield
    except ReelflowError:
        raise
    except FileNotFoundError:
        raise DataError(without_credentials(f"{what}: {missing}")) from None
    except RecursionError:
        raise DataError(
            without_credentials(f"{what}: DVC's list of it has names outside of the folder")
        ) from None
    except RevError as error:
        raise DataError(f"{without_credentials(what)}: {error}; name a branch, tag or commit") from None
    except Exception as error:  # file systems of DVC raise errors of their own libraries
        said = _said(error)
        if "is not a git repository" in said:
            raise DataError(
                f"{without_credentials(what)}: its DVC repository is not under git ({said}): run "
                "dvc config core.no_scm true in it, or git init"
            ) from None
        failed = StorageError(
            f"{without_credentials(what)} cannot be fetched by DVC: {said}; look at the address, the remote "
            "and the credentials of the environment, and run the same command again"
        )
        failed.may_pass = _is_away(error)
        raise failed from None


def _is_away(error: BaseException) -> bool:
    """Whether a server does not answer, as an error or one that it was raised for says."""
    return any(isinstance(one, ConnectionError | TimeoutError | socket.gaierror) for one in causes(error))


def _said(error: BaseException) -> str:
    """Message of an error, on one line; for git, of the root error."""
    from dvc.scm import SCMError

    if isinstance(error, SCMError):
        *_, error = causes(error)
    return " ".join(without_credentials(str(error)).split()) or type(error).__name__

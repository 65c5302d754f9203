"""Parses `dataset.source`: a path, a DVC path in a git repository, or a prefix in S3.

`git+https://HOST/TEAM/REPO.git@REVISION#PATH` is written as pip writes it; so are `git+ssh://` and
`git+file://`. An address with a password is refused: params, locks and records repeat it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reelflow.errors import ParamsError
from reelflow.sources.userinfo import without_credentials

KINDS = "a path, git+https://HOST/REPO.git@REVISION#PATH (or git+ssh://, git+file://), or s3://BUCKET/PREFIX"
BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
GIT = re.compile(r"git\+(https?|ssh|file)://")


@dataclass(frozen=True)
class LocalPath:
    """A folder or a recipe on this machine; DVC may track it."""

    path: Path


@dataclass(frozen=True)
class GitPath:
    """A folder or a recipe in a git repository, tracked by DVC or by git itself.

    Attributes:
        url: of the repository, or its folder.
        revision: branch, tag or commit; the default branch where it is empty.
        path: in the repository.
    """

    url: str
    revision: str
    path: str


@dataclass(frozen=True)
class S3Prefix:
    """Objects whose names begin with `prefix/`."""

    bucket: str
    prefix: str


Address = LocalPath | GitPath | S3Prefix


def parse_source(source: str) -> Address:
    """Parse a source.

    Raises:
        ParamsError: its kind is unknown, a part is missing, or it has a password.
    """
    if "://" not in source:
        return LocalPath(Path(source))
    _check_no_password(source)
    if source.startswith("s3://"):
        bucket, _, prefix = source.removeprefix("s3://").partition("/")
        if BUCKET.fullmatch(bucket):
            return S3Prefix(bucket, prefix.strip("/"))
    if GIT.match(source):
        return _parse_git(source)
    raise ParamsError(f"dataset.source is {without_credentials(source)!r}: expected {KINDS}")


def is_remote(source: str) -> bool:
    """Whether a source is an address rather than a path."""
    return "://" in source


def _parse_git(source: str) -> GitPath:
    try:
        parts = urlsplit(source.removeprefix("git+"))
    except ValueError as error:
        raise ParamsError(
            f"dataset.source is {without_credentials(source)!r}: {error}; expected {KINDS}"
        ) from None
    place, _, revision = parts.path.rpartition("@") if "@" in parts.path else (parts.path, "", "")
    path = parts.fragment.strip("/")
    if not place.strip("/") or not path or ".." in path.split("/"):
        raise ParamsError(
            f"dataset.source is {without_credentials(source)!r}: expected "
            "git+https://HOST/REPO.git@REVISION#PATH, with the path of the clips in the repository"
        )
    url = unquote(place) if parts.scheme == "file" else f"{parts.scheme}://{parts.netloc}{place}"
    return GitPath(url, revision, path)


def _check_no_password(source: str) -> None:
    scheme, _, rest = source.partition("://")
    user = rest.partition("/")[0].rpartition("@")[0]
    if ":" in user or (user and not scheme.endswith("ssh")):
        raise ParamsError(
            f"dataset.source is {without_credentials(source)!r}: an address must not have a password or "
            "token: params and records repeat it; use the environment (GIT_ASKPASS, an SSH key, AWS_ "
            "variables)"
        )

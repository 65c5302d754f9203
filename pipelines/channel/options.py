"""Options that commands of a channel share, and what they are turned into."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reelflow.errors import ParamsError

if TYPE_CHECKING:
    from pipelines.channel.repository import ChannelRepository
    from reelflow.settings import Settings

EXIT_CODES = (
    "Exit codes: 0 success; 2 a wrong command line; 5 the bundle is damaged or not sealed; 6 the store or "
    "the disk refuses; 7 the registry; 11 the channel is not signed as its root says, has expired (status), "
    "keys are missing, or another call was first."
)
Role = Literal["root", "targets", "snapshot", "timestamp"]
Verb = Literal["pause", "resume", "abort", "finish"]
Channel = Annotated[
    str, typer.Option("--channel", envvar="REELFLOW_CHANNEL", help="A folder, or s3://BUCKET/PREFIX.")
]
RootFile = Annotated[
    Path, typer.Option("--root", envvar="REELFLOW_CHANNEL_ROOT", help="The root that is trusted first.")
]
Keys = Annotated[
    list[str],
    typer.Option(
        "--key",
        envvar="REELFLOW_CHANNEL_KEYS",
        help="ROLE=URI of a private key: file:PATH, envvar:NAME, hsm:..., awskms:...#PUBLIC.pem; repeatable.",
    ),
]
Days = Annotated[
    list[str], typer.Option("--expire", help="ROLE=DAYS until metadata expires, as timestamp=7; repeatable.")
]
Groups = Annotated[list[str], typer.Option("--group", help="All devices of a group; repeatable.")]
ROOT_FILE = Path("channel-root.json")
NONE: list[str] = []


@contextmanager
def changing(channel: str, root: Path, settings: "Settings") -> "Iterator[ChannelRepository]":
    """The repository of a call that changes it."""
    from pipelines.channel.repository import alone, open_repository

    repository = open_repository(channel, root, settings)
    with alone(channel):
        yield repository


def days_of(texts: Sequence[str]) -> Mapping[str, int]:
    """`ROLE=DAYS` of a command line."""
    from pipelines.channel.metadata import LONGEST_DAYS

    return numbers_of(texts, "--expire", LONGEST_DAYS)


def numbers_of(texts: Sequence[str], option: str, most: int) -> Mapping[str, int]:
    """`ROLE=N` of a command line."""
    from pipelines.channel.keys import ROLES

    found = {}
    for text in texts:
        role, _, number = text.partition("=")
        if role not in ROLES or not number.isdecimal() or not 1 <= int(number) <= most:
            raise ParamsError(f"{option} {text}: expected ROLE=N with N from 1 to {most}, as timestamp=7")
        found[role] = int(number)
    return found

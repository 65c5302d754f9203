"""One entry of the journal of a model: who moved what, when, and by which figures."""

import getpass
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from pydantic import Field

from reelflow.contracts import Gate
from reelflow.documents import Document
from reelflow.files import sha256_text

Action = Literal["promote", "rollback", "hold", "release", "adopt", "restore"]
GateRow = tuple[str, float | None, float, bool]
"""A gate's name, figure (null: not measured), bound and verdict."""
MAX_REASON_CHARS = 1000
MAX_CHARS = 6000
"""MLflow keeps this much of a param, and cuts off the rest (mlflow.utils.validation.MAX_PARAM_VAL_LENGTH)."""


class JournalEntry(Document):
    """One entry, and what holds after it."""

    number: int = Field(ge=1)
    entry_id: str = Field(default_factory=lambda: uuid4().hex, description="two are never the same text")
    at: str = Field(description="UTC")
    who: str = Field(description="the user's name; empty if the system has none")
    by: str = Field(description="the command, or the run of the release step")
    action: Action
    champion_before: int | None = Field(description="version that the alias pointed to")
    champion: int | None = Field(description="version that it points to after this entry")
    previous: int | None = Field(description="the champion before, to which a rollback goes")
    held: bool = Field(default=False, description="no promotion until it is released")
    gates: tuple[GateRow, ...] = ()
    forced: bool = Field(default=False, description="gates were overruled")
    accepted: tuple[int, ...] = Field(
        default=(), description="entries at which the chain is known to be broken"
    )
    reason: str = Field(default="", max_length=MAX_REASON_CHARS)
    code: str = Field(default="", description="git commit that the champion was released from, if known")
    data: str = Field(default="", description="data hash of the champion")
    before: str = Field(description="sha256 of the entry before, as it is stored; empty for the first")

    @property
    def text(self) -> str:
        """What is stored: JSON on one line."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )

    @property
    def moves(self) -> bool:
        """Whether the champion is another one after this entry."""
        return self.champion != self.champion_before


def rows_of(gates: tuple[Gate, ...]) -> tuple[GateRow, ...]:
    """Gates as an entry lists them."""
    return tuple((gate.name, gate.found, gate.limit, gate.passed) for gate in gates)


def hash_of(text: str) -> str:
    """The hash of a stored entry, which the next one holds."""
    return sha256_text(text)


def now() -> str:
    """The time of an entry."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def user_name() -> str:
    """The name of the user; empty in a container whose user has none."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return ""

"""Reads the entries of a journal, and says in plain words where its chain is broken."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pydantic

from reelflow.tracking.journal.entry import JournalEntry, hash_of
from reelflow.tracking.journal.store import StoredJournal

ENTRY, DONE = "entry-", "done-"


@dataclass(frozen=True)
class Break:
    """A place where the chain is broken, and how."""

    number: int
    what: str


@dataclass(frozen=True)
class Journal:
    """The entries of a model, oldest first.

    Attributes:
        entries: all that can be read.
        breaks: of the chain, with those that somebody has accepted.
        newest: the highest number that was ever given; 0 for an empty journal.
        newest_hash: of the entry with the highest number that can be read.
        followed: numbers of the entries that the aliases have followed.
        trouble: as of `StoredJournal`.
    """

    entries: tuple[JournalEntry, ...]
    breaks: tuple[Break, ...]
    newest: int
    newest_hash: str
    followed: frozenset[int]
    trouble: str = ""

    @property
    def last(self) -> JournalEntry | None:
        """The newest entry that can be read."""
        return self.entries[-1] if self.entries else None

    @property
    def problems(self) -> tuple[Break, ...]:
        """Breaks that nobody has accepted since."""
        accepted = {number for entry in self.entries for number in entry.accepted}
        return tuple(found for found in self.breaks if found.number not in accepted)

    @property
    def hold(self) -> JournalEntry | None:
        """The entry that holds the model, if it is held."""
        if self.last is None or not self.last.held:
            return None
        return next((entry for entry in reversed(self.entries) if entry.action == "hold"), self.last)

    def rejected(self, version: int) -> JournalEntry | None:
        """The rollback that took the champion's place from a version, if that was its last move."""
        moves = [entry for entry in self.entries if entry.moves]
        found = [entry for entry in moves if version in (entry.champion, entry.champion_before)]
        return (
            found[-1] if found and found[-1].action == "rollback" and found[-1].champion != version else None
        )

    def before(self, version: int | None) -> int | None:
        """The previous champion at the time when a version became champion."""
        found = (entry for entry in reversed(self.entries) if entry.moves and entry.champion == version)
        return next((entry.previous for entry in found), None)


def key_of(kind: str, number: int) -> str:
    """The key of an entry or of its mark: `entry-000007`."""
    return f"{kind}{number:06}"


def read_chain(stored: StoredJournal) -> Journal:
    """Parse and check a stored journal."""
    texts, done = _numbered(stored, ENTRY), _numbered(stored, DONE)
    number, _, sha256 = stored.head.partition(" ")
    head = int(number) if number.isdigit() else 0
    entries = {place: found for place in sorted(texts) if (found := _parsed(texts[place]))}
    newest = max([*texts, *done, head], default=0)
    return Journal(
        entries=tuple(entries.values()),
        breaks=tuple(_breaks(texts, entries, newest, (head, sha256))),
        newest=newest,
        newest_hash=hash_of(texts[max(texts)]) if texts else "",
        followed=frozenset(done),
        trouble=stored.trouble,
    )


def _numbered(stored: StoredJournal, kind: str) -> dict[int, str]:
    keys = ((key, re.fullmatch(rf"{kind}(\d+)", key)) for key in stored.texts)
    return {int(found[1]): stored.texts[key] for key, found in keys if found}


def _parsed(text: str) -> JournalEntry | None:
    try:
        return JournalEntry.model_validate_json(text)
    except pydantic.ValidationError:
        return None


def _breaks(
    texts: Mapping[int, str], entries: Mapping[int, JournalEntry], newest: int, head: tuple[int, str]
) -> Iterator[Break]:
    """The places where an entry is missing, or is not what was written."""
    for number in range(1, newest + 1):
        if number not in texts:
            yield Break(number, f"entry {number} was removed")
            continue
        entry, sha256 = entries.get(number), hash_of(texts[number])
        following = entries.get(number + 1)
        if entry is None or entry.number != number:
            yield Break(number, f"entry {number} cannot be read as one: it was altered")
        elif (following and following.number == number + 1 and following.before != sha256) or (
            number == head[0] and sha256 != head[1]
        ):
            yield Break(number, f"entry {number} was altered after it was written")

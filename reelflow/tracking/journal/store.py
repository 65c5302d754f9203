"""What a registry offers to a journal: texts that are written once."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StoredJournal:
    """A journal as it is stored.

    Attributes:
        texts: of the entries, and marks of those that the aliases have followed, by key.
        head: number and hash of the newest entry, kept apart from it: `7 <sha256>`; empty if not known.
        trouble: why nothing can be added to it; empty if something can.
    """

    texts: Mapping[str, str]
    head: str = ""
    trouble: str = ""


class JournalStore(Protocol):
    """The journals of all models of a registry."""

    def read(self, model_name: str) -> StoredJournal:
        """Everything that is stored; empty for a model without a journal."""

    def add(self, model_name: str, key: str, text: str) -> bool:
        """Store a text under a key that is still free.

        Returns:
            Whether this text is stored there now; false if another process was faster.
        """

    def set_head(self, model_name: str, head: str) -> None:
        """Keep the number and hash of the newest entry apart from the entries."""

    def alone(self) -> AbstractContextManager[None]:
        """Hold other processes of this machine off, where there is no server; else does nothing."""

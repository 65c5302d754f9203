"""Moves the aliases `champion` and `previous`: the journal first, then the aliases, which follow it.

Each entry takes the next number of the journal, which only one process can take; a process that judged by
an older state gets `ChampionMovedError`. What a killed process left undone, the next call does: the aliases
follow the newest entry, and a mark says that they have. On a server the aliases of two processes that follow
two entries may cross: each reads the journal again afterwards, and follows what is newest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reelflow.contracts import Gate
from reelflow.errors import ChampionMovedError, PromotionError
from reelflow.progress import emit
from reelflow.tracking.journal.chain import DONE, ENTRY, Journal, key_of, read_chain
from reelflow.tracking.journal.entry import MAX_REASON_CHARS, JournalEntry, hash_of, now, rows_of, user_name
from reelflow.tracking.promotion.gates import CODE_TAG
from reelflow.tracking.registry import Registry

CHAMPION, PREVIOUS = "champion", "previous"
TRIES = 5
Aliases = Mapping[str, int | None]


@dataclass(frozen=True)
class Grounds:
    """Why a champion is moved.

    Attributes:
        gates: of the new champion.
        forced: whether some were overruled.
        reason: in the words of whoever moves it.
        accept: go on although the chain of the journal is broken.
    """

    gates: tuple[Gate, ...] = ()
    forced: bool = False
    reason: str = ""
    accept: bool = False


@dataclass(frozen=True)
class Promotions:
    """Moves the champion of a model.

    Attributes:
        registry: of the model.
        model_name: of the registry.
        by: the command, or the run of the release step.

    Raises:
        TrackingError: from every method, where MLflow refuses or is not reachable.
    """

    registry: Registry
    model_name: str
    by: str

    def read(self) -> Journal:
        """The journal, as it is."""
        return read_chain(self.registry.journals.read(self.model_name))

    def astray(self, journal: Journal) -> str:
        """How the aliases differ from the newest entry, in plain words; empty if they do not."""
        if journal.last is None:
            return ""
        found, wanted = self._found(), self._wanted(journal)
        if journal.last.number not in journal.followed:
            return f"the aliases do not follow entry {journal.last.number} yet: a command runs, or was killed"
        return "" if self._agree(found, wanted) else _astray(found, wanted)

    def settled(self) -> Journal:
        """The journal, after the aliases have followed it.

        An alias that was moved without an entry is set back, which is an entry too. A champion from before
        the journal is its first entry.

        Raises:
            PromotionError: other processes move the champion all the time.
        """
        with self.registry.journals.alone():
            return self._settled()

    def move(self, champion: int, action: str, grounds: Grounds, judged: Journal) -> Journal:
        """Make a version champion.

        Args:
            champion: the version.
            action: `promote` or `rollback`.
            grounds: why.
            judged: the journal by which that was decided.

        Raises:
            ChampionMovedError: there is a newer entry.
            PromotionError: the chain is broken, and nobody accepts that; or the version was deleted.
        """
        if not self.registry.has(self.model_name, champion):
            raise PromotionError(
                f"{self.model_name}/{champion} is no longer in the registry, and nothing is moved: promote "
                "another version"
            )
        before = self._champion(judged)
        previous = judged.before(champion) if action == "rollback" else before
        changes = {"champion": champion, "previous": previous}
        if judged.problems and not grounds.accept:
            raise PromotionError(
                f"the journal of {self.model_name} is broken: {judged.problems[0].what}; nothing is moved "
                "until somebody has looked at it (python -m pipelines history) and promotes with --force and "
                "a reason"
            )
        return self._write(judged, action, grounds, changes)

    def hold(self, reason: str, *, held: bool) -> Journal:
        """Let no promotion happen, or let them happen again.

        Raises:
            ChampionMovedError: another process was faster.
            PromotionError: it is so already, or no reason is given.
        """
        if not reason.strip():
            raise PromotionError("the journal keeps why a model is held or released: give --reason")
        journal = self.settled()
        if bool(journal.hold) is held:
            by = f", by {journal.hold.who}: {journal.hold.reason}" if journal.hold else ""
            raise PromotionError(f"{self.model_name} is {'held' if held else 'not held'} already{by}")
        action = "hold" if held else "release"
        return self._write(journal, action, Grounds(reason=reason), {"held": held})

    def _write(self, judged: Journal, action: str, grounds: Grounds, changes: Mapping[str, Any]) -> Journal:
        if len(grounds.reason) > MAX_REASON_CHARS:
            raise PromotionError(
                f"the reason has {len(grounds.reason)} characters, and the journal keeps {MAX_REASON_CHARS}"
            )
        with self.registry.journals.alone():
            accepted = tuple(found.number for found in judged.problems) if grounds.accept else ()
            told = {"reason": grounds.reason, "forced": grounds.forced, "accepted": accepted}
            self._append(judged, action, {**changes, **told, "gates": rows_of(grounds.gates)})
            return self._settled()

    def _settled(self) -> Journal:
        for _ in range(TRIES):
            journal = self.read()
            if journal.trouble:
                raise PromotionError(
                    f"the journal of {self.model_name} cannot be added to: {journal.trouble}"
                )
            found, wanted = self._found(), self._wanted(journal)
            if journal.last is None:
                if found[CHAMPION] is None:
                    return journal
                told = {"reason": "it was champion before this journal began", **found}
                self._try_append(journal, "adopt", told)
            elif self._agree(found, wanted) and journal.last.number in journal.followed:
                return journal
            elif journal.last.number in journal.followed:
                self._restore(journal, found, wanted)
            else:
                self._follow(journal, found, wanted)
        raise PromotionError(
            f"the champion of {self.model_name} is moved by other processes all the time: try again later"
        )

    def _found(self) -> dict[str, int | None]:
        return {alias: self.registry.alias(self.model_name, alias) for alias in (CHAMPION, PREVIOUS)}

    def _wanted(self, journal: Journal) -> dict[str, int | None]:
        last = journal.last
        return (
            {CHAMPION: last.champion, PREVIOUS: last.previous} if last else {CHAMPION: None, PREVIOUS: None}
        )

    def _agree(self, found: Aliases, wanted: Aliases) -> bool:
        """Whether the aliases are as the journal says; MLflow deletes those of a deleted version."""
        return all(
            found[alias] == version
            or (
                version is not None
                and found[alias] is None
                and not self.registry.has(self.model_name, version)
            )
            for alias, version in wanted.items()
        )

    def _restore(self, journal: Journal, found: Aliases, wanted: Aliases) -> None:
        """Write down that an alias was moved without an entry; that entry sets it back."""
        reason = _astray(found, wanted)
        emit("notice", message=f"{self.model_name}: {reason}; it is set back")
        self._try_append(journal, "restore", {"reason": reason, "champion_before": found[CHAMPION]})

    def _follow(self, journal: Journal, found: Aliases, wanted: Aliases) -> None:
        """Set the aliases; the mark is set only if nobody has written a newer entry meanwhile."""
        for alias in (PREVIOUS, CHAMPION):
            version = wanted[alias]
            if found[alias] != version:
                gone = version is None or not self.registry.has(self.model_name, version)
                self.registry.set_alias(self.model_name, alias, None if gone else version)
        if (last := journal.last) and self.read().newest == journal.newest:
            store = self.registry.journals
            store.set_head(self.model_name, f"{last.number} {journal.newest_hash}")
            store.add(self.model_name, key_of(DONE, last.number), self.by)

    def _champion(self, journal: Journal) -> int | None:
        return journal.last.champion if journal.last else None

    def _try_append(self, journal: Journal, action: str, told: Mapping[str, Any]) -> None:
        try:
            self._append(journal, action, told)
        except ChampionMovedError:
            return

    def _append(self, journal: Journal, action: str, told: Mapping[str, Any]) -> None:
        last = journal.last
        kept = {"champion": last.champion, "previous": last.previous, "held": last.held} if last else {}
        values = {
            "champion": None,
            "previous": None,
            "champion_before": self._champion(journal),
            **kept,
            **told,
        }
        entry = JournalEntry(
            number=journal.newest + 1,
            at=now(),
            who=user_name(),
            by=self.by,
            action=action,
            before=journal.newest_hash,
            **values,
            **self._origin(values["champion"]),
        )
        if not self.registry.journals.add(self.model_name, key_of(ENTRY, entry.number), entry.text):
            raise ChampionMovedError(
                f"another process has written entry {entry.number} of the journal of {self.model_name} "
                "meanwhile: look at python -m pipelines history, and run the same command again"
            )
        self.registry.journals.set_head(self.model_name, f"{entry.number} {hash_of(entry.text)}")

    def _origin(self, champion: int | None) -> dict[str, str]:
        """Code and data revision of a version."""
        if champion is None or not self.registry.has(self.model_name, champion):
            return {}
        tags = self.registry.tags(self.model_name, champion)
        return {"code": tags.get(CODE_TAG, ""), "data": tags.get("data_hash", "")}


def _astray(found: Aliases, wanted: Aliases) -> str:
    moved = [
        f"{alias} points to {f'version {found[alias]}' if found[alias] else 'nothing'}, the journal says "
        f"{f'version {wanted[alias]}' if wanted[alias] else 'nothing'}"
        for alias in wanted
        if found[alias] != wanted[alias]
    ]
    how = "moved without an entry, on MLflow's page or by a command that was killed"
    return f"{' and '.join(moved)}: {how}"

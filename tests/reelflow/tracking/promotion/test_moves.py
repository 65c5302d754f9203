"""The aliases follow the journal, whoever moves them and wherever a process dies."""

from pathlib import Path

import pytest

from reelflow.errors import ChampionMovedError, PromotionError
from reelflow.tracking.journal.chain import ENTRY, key_of
from reelflow.tracking.promotion.moves import Grounds, Promotions
from tests.fake_registry import MemoryRegistry, registered_versions

MODEL = "m"


@pytest.fixture
def registry(tmp_path: Path) -> MemoryRegistry:
    return registered_versions(tmp_path, MODEL, 4)


@pytest.fixture
def promotions(registry) -> Promotions:
    return Promotions(registry, MODEL, "test")


def aliases(registry: MemoryRegistry) -> tuple[int | None, int | None]:
    return registry.alias(MODEL, "champion"), registry.alias(MODEL, "previous")


def promote(promotions: Promotions, *versions: int, **grounds) -> None:
    for version in versions:
        promotions.move(version, "promote", Grounds(**grounds), promotions.settled())


def test_every_move_is_an_entry(promotions, registry):
    promote(promotions, 1, 3, reason="it is better")
    assert aliases(registry) == (3, 1)
    first, second = promotions.read().entries
    assert (first.champion_before, first.champion, first.before) == (None, 1, "")
    assert (second.champion_before, second.champion, second.previous) == (1, 3, 1)
    assert (second.reason, second.by, second.code, second.data) == (
        "it is better",
        "test",
        "commit 3",
        "data 3",
    )
    assert second.before == promotions.read().entries[1].before != ""


def test_a_rollback_goes_to_the_one_before_and_again_to_the_one_before_that(promotions, registry):
    promote(promotions, 1, 2, 3)
    for expected in ((2, 1), (1, None)):
        journal = promotions.settled()
        promotions.move(journal.last.previous, "rollback", Grounds(), journal)
        assert aliases(registry) == expected
    rejected = promotions.read().rejected(3)
    assert (rejected.champion_before, rejected.champion) == (3, 2)
    assert promotions.read().rejected(1) is None
    promote(promotions, 3)
    assert promotions.read().rejected(3) is None


def test_what_was_judged_by_an_older_state_does_not_move(promotions, registry):
    promote(promotions, 1)
    judged = promotions.settled()
    promote(promotions, 2)
    with pytest.raises(ChampionMovedError, match="has written entry 2 of the journal of m meanwhile"):
        promotions.move(3, "promote", Grounds(), judged)
    assert aliases(registry) == (2, 1)


def test_an_alias_that_was_moved_by_hand_is_set_back_and_that_is_an_entry(promotions, registry):
    promote(promotions, 1, 2)
    assert promotions.astray(promotions.read()) == ""
    registry.set_alias(MODEL, "champion", 4)
    assert promotions.astray(promotions.read()).startswith("champion points to version 4, the journal says")
    last = promotions.settled().last
    assert aliases(registry) == (2, 1)
    assert (last.action, last.champion_before, last.champion) == ("restore", 4, 2)
    assert last.reason.startswith("champion points to version 4, the journal says version 2: moved without")
    assert promotions.settled().newest == 3, "once"


def test_a_champion_from_before_the_journal_is_its_first_entry(promotions, registry):
    registry.set_alias(MODEL, "champion", 2)
    promote(promotions, 3)
    adopted, _ = promotions.read().entries
    assert (adopted.action, adopted.champion, adopted.data) == ("adopt", 2, "data 2")
    assert aliases(registry) == (3, 2)


def test_a_deleted_version_takes_its_aliases_along_and_nothing_stops(promotions, registry, monkeypatch):
    promote(promotions, 1, 2)
    monkeypatch.setattr(MemoryRegistry, "has", lambda self, model, version: version not in (1, 2))
    registry.set_alias(MODEL, "champion", None)
    registry.set_alias(MODEL, "previous", None)
    assert promotions.settled().newest == 2
    registry.set_alias(MODEL, "champion", 4)
    promotions.settled()
    assert aliases(registry) == (None, None)
    promote(promotions, 3)
    assert registry.alias(MODEL, "champion") == 3


def test_hold_and_release_are_entries_and_neither_is_done_twice(promotions):
    promote(promotions, 1)
    promotions.hold("the fair", held=True)
    promote(promotions, 2)  # whoever calls `move` has asked `hold` first
    assert promotions.read().hold.reason == "the fair"
    with pytest.raises(PromotionError, match=r"m is held already, by .*: the fair"):
        promotions.hold("again", held=True)
    assert promotions.hold("the fair is over", held=False).hold is None
    with pytest.raises(PromotionError, match="m is not held already"):
        promotions.hold("again", held=False)
    with pytest.raises(PromotionError, match="give --reason"):
        promotions.hold(" ", held=True)
    with pytest.raises(PromotionError, match="the reason has 1001 characters, and the journal keeps 1000"):
        promote(promotions, 3, reason="x" * 1001)


def test_a_broken_journal_moves_nothing_until_somebody_accepts_it(promotions, registry):
    promote(promotions, 1, 2, 3)
    del registry.journals.texts[MODEL][key_of(ENTRY, 2)]
    with pytest.raises(PromotionError, match="is broken: entry 2 was removed; nothing is moved until"):
        promote(promotions, 4)
    assert aliases(registry) == (3, 2)
    promote(promotions, 4, forced=True, accept=True, reason="a restored database")
    assert aliases(registry) == (4, 3)
    journal = promotions.read()
    assert (journal.problems, journal.last.accepted) == ((), (2,))
    assert [found.what for found in journal.breaks] == ["entry 2 was removed"]
    promote(promotions, 1)


def test_the_newest_entries_are_not_written_over_where_they_were_removed(promotions, registry):
    promote(promotions, 1, 2, 3)
    del registry.journals.texts[MODEL][key_of(ENTRY, 3)]
    promotions.settled()
    assert aliases(registry) == (2, 1), "as the journal says that is left"
    assert promotions.read().problems[0].what == "entry 3 was removed"
    assert promotions.read().last.number == 4

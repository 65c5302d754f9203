"""A champion is moved by hand where its gates allow it, and the journal says who overruled them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.__main__ import app
from pipelines.promotion.promote import promote, roll_back
from pipelines.promotion.view import entry_table, told_entry
from reelflow.contracts import Gate
from reelflow.errors import PromotionError
from reelflow.tracking.promotion.gates import GateRecord
from reelflow.tracking.promotion.moves import Promotions
from tests.fake_registry import MemoryRegistry, registered_versions

MODEL = "m"
GOOD = Gate(name="min_accuracy", found=0.9, limit=0.5, passed=True)
BAD = Gate(name="min_accuracy", found=0.4, limit=0.5, passed=False)


@pytest.fixture
def promotions(tmp_path: Path) -> Promotions:
    """Version 1 without kept gates, 2 compared with none, 3 with version 2, 4 worse than version 2."""
    registry = registered_versions(tmp_path, MODEL, 4)
    for version, against, gate in ((2, None, GOOD), (3, 2, GOOD), (4, 2, BAD)):
        registry.set_tags(MODEL, version, GateRecord(against=against, gates=(gate,)).tags())
    return Promotions(registry, MODEL, "test")


def test_a_better_version_is_promoted_and_rolled_back(promotions: Promotions) -> None:
    promote(promotions, 2, reason="", force=False)
    entry = promote(promotions, 3, reason="it is better", force=False)
    assert told_entry(entry) == "champion is version 3, before it version 2 (entry 2)"
    assert entry.gates == (("min_accuracy", 0.9, 0.5, True),)
    assert roll_back(promotions, reason="the canary fails").champion == 2
    assert promotions.registry.alias(MODEL, "champion") == 2
    with pytest.raises(PromotionError, match="has no champion before this one"):
        roll_back(promotions, reason="again")


def test_a_version_that_was_deleted_is_not_gone_back_to(
    promotions: Promotions, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(promotions, 2, reason="", force=False)
    promote(promotions, 3, reason="", force=False)
    promotions.registry.set_alias(MODEL, "previous", None)  # MLflow deletes the aliases of a version too
    monkeypatch.setattr(MemoryRegistry, "has", lambda _, model, version: (model, version) != (MODEL, 2))
    with pytest.raises(PromotionError, match="m/2 is no longer in the registry"):
        roll_back(promotions, reason="it fails")
    assert promotions.registry.alias(MODEL, "champion") == 3
    assert [entry.action for entry in promotions.read().entries] == ["promote", "promote"]


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (1, "has kept no gates of it: run the pipeline again"),
        (2, "is the champion already"),
        (4, r"does not pass its gates \(min_accuracy is 0.4, bound 0.5\)"),
    ],
)
def test_a_version_that_may_not_be_promoted_is_refused(
    promotions: Promotions, version: int, told: str
) -> None:
    promote(promotions, 2, reason="", force=False)
    with pytest.raises(PromotionError, match=told):
        promote(promotions, version, reason="", force=False)
    assert promotions.registry.alias(MODEL, "champion") == 2


def test_gates_that_were_judged_against_another_champion_count_no_more(promotions: Promotions) -> None:
    promote(promotions, 2, reason="", force=False)
    promote(promotions, 1, reason="a trial", force=True)
    with pytest.raises(PromotionError, match="compared with version 2, and version 1 is champion now"):
        promote(promotions, 3, reason="", force=False)


def test_who_overrules_gates_says_why_and_the_journal_keeps_it(promotions: Promotions) -> None:
    with pytest.raises(PromotionError, match="give --reason"):
        promote(promotions, 4, reason=" ", force=True)
    entry = promote(promotions, 4, reason="the others are away", force=True)
    assert (entry.forced, entry.reason) == (True, "the others are away")
    assert entry_table([entry]).row_count == 1


def test_a_held_model_is_not_moved_until_it_is_released(promotions: Promotions) -> None:
    promote(promotions, 2, reason="", force=False)
    promotions.hold("an audit", held=True)
    for move in (
        lambda: promote(promotions, 3, reason="", force=True),
        lambda: roll_back(promotions, reason=""),
    ):
        with pytest.raises(PromotionError, match=r"give --reason|is held by .*: an audit"):
            move()
    promotions.hold("it is over", held=False)
    assert promote(promotions, 3, reason="", force=False).champion == 3


def test_the_commands_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")
    for command in (["promote", "challenger"], ["rollback"], ["hold"], ["history"]):
        done = CliRunner().invoke(app, command)
        assert "there is no registry" in str(done.exception), command

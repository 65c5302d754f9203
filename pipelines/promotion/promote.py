"""Promotes and rolls back versions that the release step has judged."""

from reelflow.contracts import Gate
from reelflow.errors import PromotionError
from reelflow.tracking.journal.chain import Journal
from reelflow.tracking.journal.entry import JournalEntry
from reelflow.tracking.promotion.gates import GateRecord
from reelflow.tracking.promotion.moves import Grounds, Promotions


def promote(promotions: Promotions, version: int, *, reason: str, force: bool) -> JournalEntry:
    """Make a version champion.

    Args:
        promotions: of the model.
        version: of the model.
        reason: in the words of whoever promotes; a must with `force`.
        force: overrule gates, and go on although the journal's chain is broken.

    Raises:
        PromotionError: the model is held, the version is champion, its gates are not passed or were judged
            against another champion, or another process was faster.
        TrackingError: the registry refuses or is not reachable.
    """
    if force and not reason.strip():
        raise PromotionError("--force overrules gates, and the journal keeps why: give --reason")
    journal = promotions.settled()
    champion = journal.last.champion if journal.last else None
    name = f"{promotions.model_name}/{version}"
    _check_not_held(journal, promotions.model_name)
    if champion == version:
        raise PromotionError(f"{name} is the champion already")
    record = GateRecord.of_tags(promotions.registry.tags(promotions.model_name, version))
    problem = _problem(record, champion)
    if problem and not force:
        raise PromotionError(f"{name} is not promoted: {problem}, or overrule it by --force with a --reason")
    grounds = Grounds(record.gates if record else (), forced=bool(problem), reason=reason, accept=force)
    return _newest(promotions.move(version, "promote", grounds, journal))


def roll_back(promotions: Promotions, *, reason: str) -> JournalEntry:
    """Make the previous champion champion again.

    Raises:
        PromotionError: the model is held, there is no previous champion, or another process was faster.
        TrackingError: the registry refuses or is not reachable.
    """
    journal = promotions.settled()
    _check_not_held(journal, promotions.model_name)
    if journal.last is None or journal.last.previous is None:
        raise PromotionError(f"{promotions.model_name} has no champion before this one to go back to")
    grounds = Grounds(reason=reason)
    return _newest(promotions.move(journal.last.previous, "rollback", grounds, journal))


def _problem(record: GateRecord | None, champion: int | None) -> str:
    """What stands against a version, and what to do; empty for nothing."""
    if record is None:
        return "the release step has kept no gates of it: run the pipeline again"
    if record.failed:
        told = ", ".join(map(_told, record.failed))
        return f"it does not pass its gates ({told}): train a better one"
    if champion is not None and record.against != champion:
        judged = f"version {record.against}" if record.against else "no champion"
        return (
            f"it was compared with {judged}, and version {champion} is champion now: run the pipeline again"
        )
    return ""


def _told(gate: Gate) -> str:
    found = "not measured" if gate.found is None else f"{gate.found:g}"
    return f"{gate.name} is {found}, bound {gate.limit:g}"


def _check_not_held(journal: Journal, model: str) -> None:
    if hold := journal.hold:
        raise PromotionError(
            f"{model} is held by {hold.who or 'somebody'} since {hold.at}: {hold.reason or 'no reason'};"
            " release it by python -m pipelines hold --release"
        )


def _newest(journal: Journal) -> JournalEntry:
    assert journal.last is not None, "an entry was written"
    return journal.last

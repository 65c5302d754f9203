"""Decides whether a registered version becomes champion, and moves the alias if it does."""

from collections.abc import Callable
from dataclasses import dataclass

from components.release.champion import Incomparable
from components.release.gates.check import BETTER, CLASS_FALL
from components.release.gates.duel import duel_gates
from reelflow.contracts import Comparison, Gate
from reelflow.errors import ChampionMovedError, PromotionError
from reelflow.params import ReleaseParams
from reelflow.progress import emit
from reelflow.tracking.journal.chain import Journal
from reelflow.tracking.promotion.gates import GateRecord
from reelflow.tracking.promotion.moves import CHAMPION, Grounds, Promotions

ATTEMPTS = 3
Against = Comparison | Incomparable | None


@dataclass(frozen=True)
class Decision:
    """What became of a version.

    Attributes:
        gates: all of them, with those on the champion.
        against: the comparison with the last champion; None if there was no other.
        promoted: whether it passes all and is champion.
        refusal: why it is not although it may pass every gate; empty if nothing else stands against it.
    """

    gates: tuple[Gate, ...]
    against: Against
    promoted: bool
    refusal: str = ""


@dataclass(frozen=True)
class Case:
    """A version to decide on.

    Attributes:
        version: of the model.
        gates: on the version alone.
        compare: compares it with a champion of another version.
    """

    version: int
    gates: tuple[Gate, ...]
    compare: Callable[[int], Comparison | Incomparable]


def decide(promotions: Promotions, case: Case, params: ReleaseParams) -> Decision:
    """Judge a version, keep its gates with it, and make it champion if nothing stands against it.

    If the champion is moved by another process meanwhile, the version is judged again.

    Raises:
        BundleError: the challenger's scores or frames are damaged.
        TrackingError: the registry refuses or is not reachable.
    """
    for _ in range(ATTEMPTS):
        try:
            return _decided(promotions, case, params)
        except ChampionMovedError as error:
            emit("notice", message=f"{error}; comparing with the new champion")
    return Decision(
        case.gates, None, promoted=False, refusal="other processes move the champion all the time"
    )


def _decided(promotions: Promotions, case: Case, params: ReleaseParams) -> Decision:
    journal, refusal = _settled(promotions)
    champion = promotions.registry.alias(promotions.model_name, CHAMPION)
    is_champion = champion == case.version
    against = None if champion is None or is_champion else case.compare(champion)
    gates = (*case.gates, *duel_gates(params, against))
    _keep(promotions, case, gates, None if is_champion else champion)
    if refusal or journal is None or not all(gate.passed for gate in gates):
        return Decision(gates, against, promoted=False, refusal=refusal)
    if is_champion:
        return Decision(gates, against, promoted=True)
    if refusal := held_back(journal, case.version):
        return Decision(gates, against, promoted=False, refusal=refusal)
    try:
        promotions.move(case.version, "promote", Grounds(gates=gates), journal)
    except ChampionMovedError:
        raise
    except PromotionError as error:
        return Decision(gates, against, promoted=False, refusal=str(error))
    return Decision(gates, against, promoted=True)


def held_back(journal: Journal, version: int) -> str:
    """Why the release step may not promote a version that passes every gate; empty if it may."""
    if hold := journal.hold:
        return f"{hold.who or 'somebody'} holds the model since {hold.at}: {hold.reason}"
    if back := journal.rejected(version):
        return (
            f"{back.who or 'somebody'} rolled it back at {back.at} ({back.reason or 'no reason given'}); "
            "only python -m pipelines promote brings it back"
        )
    return ""


def _settled(promotions: Promotions) -> tuple[Journal | None, str]:
    try:
        return promotions.settled(), ""
    except PromotionError as error:
        return None, str(error)


def _keep(promotions: Promotions, case: Case, gates: tuple[Gate, ...], against: int | None) -> None:
    """Keep the gates as a tag; a champion that is released again keeps those on the one before it."""
    registry, name = promotions.registry, promotions.model_name
    earlier = GateRecord.of_tags(registry.tags(name, case.version)) if against is None else None
    if earlier:
        against = earlier.against
        gates = (*gates, *(gate for gate in earlier.gates if gate.name in (BETTER, CLASS_FALL)))
    registry.set_tags(name, case.version, GateRecord(against=against, gates=gates).tags())

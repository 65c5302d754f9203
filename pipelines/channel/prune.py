"""Removes the files of bundles that a channel names no more.

Devices ask for what the signed metadata names, and that is the rollout's bundle and the one before. A
publication, however, may find a file of an older bundle in the store and rely on it. So the timestamp says
first that files are being removed: who has read the channel before that cannot publish, since the version is
taken, and who reads it afterwards is refused. Then the files go, then the timestamp says so no longer. A call
that was killed leaves a whole channel that refuses publications until the next call has finished; rollouts
and refreshes go on meanwhile.

Metadata stays. Each `N.root.json` is needed: a client goes from the root that it trusts to the next one,
version by version (TUF specification, 5.3). The object `N.timestamp.json` is what keeps a slow publisher from
taking version N.
"""

import secrets
from copy import deepcopy
from dataclasses import dataclass

from tuf.api.metadata import Targets

from pipelines.channel.keys import KeyRing
from pipelines.channel.metadata import PRUNING, ChannelState, utc_seconds
from pipelines.channel.publish import TARGETS, stored_name
from pipelines.channel.repository import OTHER, ChannelRepository
from reelflow.edge.update.channel.documents import CONTENTS, LISTINGS
from reelflow.errors import ChannelError
from reelflow.objectstore.interface import Stored

REMOVABLE = (f"{TARGETS}/{CONTENTS}", f"{TARGETS}/{LISTINGS}")
ATTEMPTS = 5


@dataclass(frozen=True)
class PrunePlan:
    """What a call would remove.

    Attributes:
        state: of the channel that it was made from.
        kept: ids of the bundles that stay, those of the rollout first, then the newest first.
        removed: objects of all other bundles.
        pruning: since when an earlier call that was killed, or still runs, removes files; empty if none does.
    """

    state: ChannelState
    kept: tuple[str, ...]
    removed: tuple[Stored, ...]
    pruning: str

    @property
    def size_bytes(self) -> int:
        """Bytes of all that is removed."""
        return sum(one.size_bytes for one in self.removed)


def plan_prune(repository: ChannelRepository, keep: int) -> PrunePlan:
    """Find what no kept bundle needs.

    Args:
        repository: of the channel.
        keep: bundles that stay, the newest ones; those of the rollout stay in any case.

    Raises:
        ChannelError: the channel is not as its root says.
        StorageError: the store refuses.
    """
    state = repository.read(finish=False)
    kept, needed = _kept(repository, state.targets.signed, keep)
    found = (one for one in repository.store.list(f"{TARGETS}/") if one.name.startswith(REMOVABLE))
    removed = tuple(one for one in found if one.name not in needed)
    pruning = state.timestamp.signed.unrecognized_fields.get(PRUNING, "")
    return PrunePlan(state, tuple(kept), removed, str(pruning))


def prune(repository: ChannelRepository, keys: KeyRing, plan: PrunePlan) -> int:
    """Remove what a plan says; gives the number of objects.

    Args:
        repository: of the channel.
        keys: of the role timestamp.
        plan: of this channel.

    Raises:
        ChannelError: keys are missing; or, with `may_pass`, another call has changed the channel since.
        StorageError: the store refuses; the same call goes on.
    """
    if not plan.removed and not plan.pruning:
        return 0
    mark = f"{utc_seconds().isoformat()} {secrets.token_hex(4)}"
    repository.commit(_marked(plan.state, mark), keys)
    for one in plan.removed:
        _check_alone(repository, mark)
        repository.store.delete(one.name)
    _finish(repository, keys, mark)
    return len(plan.removed)


def _kept(repository: ChannelRepository, current: Targets, keep: int) -> tuple[dict[str, None], set[str]]:
    """Ids of the bundles that stay, and the objects that they need."""
    kept, needed = _bundles(current), _objects(current)
    for older in repository.targets_before(current.version):
        if len(kept | _bundles(older)) > keep:
            break
        kept |= _bundles(older)
        needed |= _objects(older)
    return kept, needed


def _bundles(targets: Targets) -> dict[str, None]:
    names = (name for name in targets.targets if name.startswith(LISTINGS))
    return {name.removeprefix(LISTINGS).removesuffix(".json"): None for name in names}


def _objects(targets: Targets) -> set[str]:
    return {stored_name(name, info.hashes.get("sha256", "")) for name, info in targets.targets.items()}


def _marked(state: ChannelState, mark: str) -> ChannelState:
    """With a timestamp that says since when files are removed; with an empty mark, without one."""
    made = deepcopy(state)
    made.timestamp.signed.unrecognized_fields.pop(PRUNING, None)
    if mark:
        made.timestamp.signed.unrecognized_fields[PRUNING] = mark
    return made


def _check_alone(repository: ChannelRepository, mark: str) -> None:
    """Check that no other call has taken over, after which a publication may have begun.

    Raises:
        ChannelError: one has.
    """
    if repository.newest_timestamp().signed.unrecognized_fields.get(PRUNING) != mark:
        failed = ChannelError(OTHER)
        failed.may_pass = True
        raise failed


def _finish(repository: ChannelRepository, keys: KeyRing, mark: str) -> None:
    """Take the mark away; a refresh or a rollout may have come between."""
    for attempt in range(1, ATTEMPTS + 1):
        _check_alone(repository, mark)
        try:
            repository.commit(_marked(repository.read(), ""), keys)
        except ChannelError as error:
            if not error.may_pass or attempt == ATTEMPTS:
                raise
        else:
            return

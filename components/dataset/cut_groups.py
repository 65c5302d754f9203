"""Notes on groups that a split cuts."""

from collections.abc import Mapping, Sequence

from reelflow.contracts import Split
from reelflow.splitting.splits import Member
from reelflow.splitting.straddling import Straddling, across_splits


def notes_on_cut_groups(
    members: Sequence[Member], splits: Mapping[str, Split], reasons: tuple[str, str]
) -> tuple[str, ...]:
    """A note for each cut that has clips of one group on both sides.

    Args:
        members: all clips; those without a split are left out.
        splits: of the clips, by path.
        reasons: what cuts groups, where test and where validation clips are held out.
    """
    kept = [member for member in members if member.path in splits]
    in_test, in_validation = across_splits(kept, splits)
    of_test, of_validation = reasons
    return (
        *((_note(in_test, "test", "train or validation", of_test),) if in_test else ()),
        *((_note(in_validation, "validation", "train", of_validation),) if in_validation else ()),
    )


def _note(cut: Straddling, here: str, there: str, reason: str) -> str:
    return (
        f"{cut.groups} group(s) have clips in {here} and in {there}, as {reason}: {cut.clips} of {cut.of} "
        f"{here} clips have others of their group there, such as {' and '.join(cut.example)}, and figures on "
        "them are too good"
    )

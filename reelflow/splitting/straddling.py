"""Groups with clips on both sides of a cut: near-identical clips make every figure too good there."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from reelflow.contracts import Clip, Predictions, Split


class Grouped(Protocol):
    """A clip, as far as its group is concerned."""

    @property
    def path(self) -> str:
        """Relative to the clips' root."""

    @property
    def group(self) -> str:
        """The recording that it was taken from."""


@dataclass(frozen=True)
class Straddling:
    """Groups with clips on both sides of a cut.

    Attributes:
        groups: their number.
        clips: clips of these groups that are held out.
        of: all clips that are held out.
        example: paths of two clips of one group: a held-out one, and one of the other side.
    """

    groups: int
    clips: int
    of: int
    example: tuple[str, str]


def across_test(clips: Iterable[Grouped], tested: Mapping[str, int]) -> Straddling | None:
    """Groups that are tested, and trained or validated on by the same model; None without any.

    Args:
        clips: all that a run uses.
        tested: the fold that tests a clip, by its path; clips that no fold tests are left out.
    """
    known = by_group(clips)
    cut = [group for group, paths in known.items() if len({tested.get(path) for path in paths}) > 1]
    held_out = [path for group in cut for path in known[group] if path in tested]
    if not cut:
        return None
    first = held_out[0]
    mates = next(known[group] for group in cut if first in known[group])
    other = next(path for path in mates if tested.get(path) != tested[first])
    return Straddling(len(cut), len(held_out), len(tested), (first, other))


def across_validation(
    clips: Iterable[Grouped], tested: Mapping[str, int], validated: Collection[tuple[str, int]]
) -> Straddling | None:
    """Groups that a fold validates on and trains on; None without any.

    Args:
        clips: all that a run uses.
        tested: the fold that tests a clip, by its path.
        validated: a clip's path and a fold that validates on it; one clip may validate several folds.
    """
    known = by_group(clips)
    group_of = {path: group for group, paths in known.items() for path in paths}
    held_out: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for path, fold in validated:
        if path in group_of:
            held_out[group_of[path], fold].add(path)
    in_test = Counter((group_of[path], fold) for path, fold in tested.items() if path in group_of)
    cut = [
        (group, fold)
        for (group, fold), paths in held_out.items()
        if len(paths) + in_test[group, fold] < len(known[group])
    ]
    if not cut:
        return None
    group, fold = min(cut)
    inside = held_out[group, fold]
    other = next(path for path in known[group] if path not in inside and tested.get(path) != fold)
    clips_cut = {path for key in cut for path in held_out[key]}
    of = {path for paths in held_out.values() for path in paths}
    return Straddling(len({name for name, _ in cut}), len(clips_cut), len(of), (min(inside), other))


def across_splits(
    clips: Sequence[Grouped], splits: Mapping[str, Split]
) -> tuple[Straddling | None, Straddling | None]:
    """What a hold-out cuts: test clips from all others, and validation from training clips.

    Args:
        clips: all that a run uses.
        splits: of each clip, by its path.
    """
    tested = {clip.path: 0 for clip in clips if splits[clip.path] == "test"}
    validated = [(clip.path, 0) for clip in clips if splits[clip.path] == "validation"]
    return across_test(clips, tested), across_validation(clips, tested, validated)


def across_folds(
    clips: Sequence[Clip], test: Predictions, validation: Predictions
) -> tuple[Straddling | None, Straddling | None]:
    """What the folds of a training cut, as its scores say.

    Args:
        clips: all that a run uses; others' scores are left out.
        test: scores of the tested clips.
        validation: scores of the clips that validate; a linear head has scored its training clips too,
            each by a model that had not seen its group.
    """
    paths = {clip.clip_id: clip.path for clip in clips}
    tested = {paths[one]: fold for one, fold in _known(test, paths)}
    validated = [(paths[one], fold) for one, fold in _known(validation, paths)]
    return across_test(clips, tested), across_validation(clips, tested, validated)


def by_group(clips: Iterable[Grouped]) -> dict[str, list[str]]:
    """Paths of the clips of each group; both sorted."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: (clip.group, clip.path)):
        groups[clip.group].append(clip.path)
    return dict(groups)


def _known(scored: Predictions, paths: Mapping[str, str]) -> list[tuple[str, int]]:
    pairs = zip(scored.clip_ids, scored.folds, strict=True)
    return [(clip_id, fold) for clip_id, fold in pairs if clip_id in paths]

"""The default params for the user's own clips. They depend on how many clips there are.

Few clips do not train a recurrent head, and a test set of a few dozen clips says little. So linear heads are
fitted, and every clip is tested once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from components.dataset.source.clips import RECIPES, FoundClips, Reading, clips_among, find_clips
from components.dataset.source.listing import GROUPS
from pipelines.local.checks import check_source
from reelflow.nets.heads import check_heads, is_linear
from reelflow.params import LabelFolder
from reelflow.settings import Settings
from reelflow.sources.fetch import SourceFiles, list_files
from reelflow.splitting.protocols import Protocol

GENERATED, FEW, MANY = Path("params.yaml"), Path("params.small.yaml"), Path("params.large.yaml")
MOST_FEW_CLIPS = 1000
MOST_GROUPS_LEFT_OUT = 20
FOLDS = 5
MIN_GROUPS = 3  # of a class: one each to train, validate and test
TESTED_ONCE = ", and each is tested once, by a model that has not seen its group"
READING = Reading()
WHY = {"leave_one_group_out": TESTED_ONCE, "group_kfold": TESTED_ONCE, "cross_set": "", "holdout": ""}


@dataclass(frozen=True)
class Counts:
    """What a source holds.

    Attributes:
        clips: of all classes.
        groups: of all classes.
        rarest: groups of the class that has the fewest.
        given: the folders give the split.
    """

    clips: int
    groups: int
    rarest: int
    given: bool = False

    def __str__(self) -> str:
        return f"{self.clips} clips in {self.groups} groups"


@dataclass(frozen=True)
class Default:
    """What is used where the user names nothing else.

    Attributes:
        params: the params file.
        protocol: empty: as the params file says.
        reason: a line for people.
    """

    params: Path = GENERATED
    protocol: str = ""
    reason: str = ""


def default_for(
    source: str,
    out: Path,
    settings: Settings,
    heads: Sequence[str] = (),
    protocol: str = "",
    *,
    drop_small_classes: bool = False,
    label_folder: LabelFolder = "only",
) -> Default:
    """What to use for a source; empty for that of the params file.

    Args:
        source: as in params.
        out: where results go.
        settings: cache of fetched clips, and credentials.
        heads: that the user names, if any.
        protocol: that the user names, if any.
        drop_small_classes: leave out classes that are too small to split.
        label_folder: which folder is the class, where there are several levels.

    Raises:
        ReelflowError: the clips are not there, cannot be reached or used, or a head is unknown.
    """
    check_heads(heads)
    if not source:
        return Default()
    check_source(source, out)
    counts = count_clips(
        source, settings, drop_small_classes=drop_small_classes, reading=Reading(label_folder)
    )
    return choose(counts, heads, protocol) if counts else Default()


def count_clips(
    source: str, settings: Settings, *, drop_small_classes: bool = False, reading: Reading = READING
) -> Counts | None:
    """Count clips and groups by their names and `groups.csv`; no clip is fetched or opened.

    Returns:
        None for a recipe of generated clips.

    Raises:
        ReelflowError: there are no such clips, they cannot be reached, or `groups.csv` is wrong.
    """
    found = _find(list_files(source, settings, GROUPS), reading)
    if found is None:
        return None
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for clip in found.clips:
        groups[clip.label].add(clip.group)
    kept = {label for label, names in groups.items() if len(names) >= MIN_GROUPS or not drop_small_classes}
    clips = [clip for clip in found.clips if clip.label in kept]
    rarest = min((len(groups[label]) for label in kept), default=0)
    return Counts(len(clips), len({clip.group for clip in clips}), rarest, bool(found.splits))


def _find(listing: SourceFiles, reading: Reading) -> FoundClips | None:
    """The clips; None for a recipe."""
    if listing.names is None:
        return find_clips(listing.folder, reading) if listing.folder.is_dir() else None
    recipe = len(listing.names) == 1 and PurePosixPath(listing.names[0]).suffix in RECIPES
    return None if recipe else clips_among(listing.names, listing.folder, reading)


def choose(counts: Counts, heads: Sequence[str] = (), protocol: str = "") -> Default:
    """The params file and the protocol for so many clips.

    Args:
        counts: of the clips.
        heads: that the user names, if any.
        protocol: that the user names, if any.
    """
    if trained := [head for head in heads if not is_linear(head)]:
        return Default(MANY, protocol, f"{counts}: {MANY}, because {', '.join(trained)} learns by epochs")
    if counts.clips > MOST_FEW_CLIPS:
        why = f"because there are more than {MOST_FEW_CLIPS} clips; PARAMS={FEW} fits a linear model"
        return Default(MANY, protocol, f"{counts}: {MANY}, {why}")
    chosen = protocol or fitting_protocol(counts)
    given = ", and folders give the split" if counts.given and chosen == "holdout" else ""
    why = f"because so few clips suit a linear model{given}{WHY[Protocol.parse(chosen).kind]}"
    other = f"PARAMS={MANY} trains the study's recurrent heads"
    return Default(FEW, chosen, f"{counts}: {FEW} (linear heads, {chosen}), {why}; {other}")


def fitting_protocol(counts: Counts) -> str:
    """How few clips are held out: as folders say, by every group, or by folds that each class fills."""
    if counts.given:
        return "holdout"
    if counts.groups <= MOST_GROUPS_LEFT_OUT:
        return "leave_one_group_out"
    return f"group_kfold({FOLDS})" if counts.rarest >= FOLDS else "holdout"

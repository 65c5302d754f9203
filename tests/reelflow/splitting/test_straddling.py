"""Groups with clips on both sides of a cut, by hold-out and by folds."""

from dataclasses import dataclass

from reelflow.splitting.protocols import Protocol, make_folds
from reelflow.splitting.straddling import Straddling, across_folds, across_splits
from tests.fake_features import make_clips
from tests.fake_reports import scored


@dataclass(frozen=True)
class Row:
    path: str
    group: str


def cut(**splits: str) -> tuple[Straddling | None, Straddling | None]:
    """Clips as `a1="train"`: the letter is the group."""
    return across_splits([Row(path, path[0]) for path in splits], splits)


def test_whole_groups_do_not_straddle():
    assert cut(a1="train", a2="train", b1="validation", b2="validation", c1="test") == (None, None)


def test_test_clips_of_groups_that_are_trained_or_validated_on_are_counted():
    in_test, in_validation = cut(a1="train", a2="test", a3="test", b1="validation", b2="test", c1="test")
    assert in_test == Straddling(groups=2, clips=3, of=4, example=("a2", "a1"))
    assert in_validation is None


def test_validation_clips_of_groups_that_are_trained_on_are_counted():
    in_test, in_validation = cut(a1="train", a2="validation", b1="validation", c1="test", d1="train")
    assert in_test is None
    assert in_validation == Straddling(groups=1, clips=1, of=2, example=("a2", "a1"))


def test_a_group_in_test_and_validation_alone_does_not_leak_into_validation():
    assert cut(a1="test", a2="validation", b1="train")[1] is None


def eight_groups_a_class():
    """24 training, 8 validation and 16 test clips a class, of which each group has some."""
    clips = make_clips(("grow", "shrink"), {"train": 24, "validation": 8, "test": 16})
    places = range(len(clips))
    groups = [f"{clip.label} {place % 8}" for clip, place in zip(clips, places, strict=True)]
    return [clip.model_copy(update={"group": group}) for clip, group in zip(clips, groups, strict=True)]


def folds_of(clips, protocol):
    """Scores as a training writes them: every fold's test and validation clips."""
    folds = make_folds(clips, Protocol.parse(protocol))
    pairs = {
        part: [(clip.clip_id, number) for number, fold in enumerate(folds) for clip in getattr(fold, part)]
        for part in ("test", "validation")
    }
    return (
        scored(part, len(found)).model_copy(
            update={"clip_ids": tuple(one for one, _ in found), "folds": tuple(fold for _, fold in found)}
        )
        for part, found in pairs.items()
    )


def test_folds_hold_out_whole_groups_however_the_clips_were_split():
    """A data set that was cut clip by clip is cut again by the folds."""
    clips = eight_groups_a_class()
    assert all(across_splits(clips, {clip.path: clip.split for clip in clips}))
    for protocol in ("group_kfold(4)", "leave_one_group_out"):
        assert across_folds(clips, *folds_of(clips, protocol)) == (None, None), protocol
    sets = [clip.model_copy(update={"group": f"set{int(clip.group[-1]) % 2} {clip.group}"}) for clip in clips]
    assert across_folds(sets, *folds_of(sets, "cross_set(set1)")) == (None, None)


def test_folds_that_tear_a_group_apart_are_found():
    clips = eight_groups_a_class()
    test, validation = folds_of(clips, "group_kfold(4)")
    moved = (test.folds[0] + 1) % 4
    torn = test.model_copy(update={"folds": (moved, *test.folds[1:])})
    found, _ = across_folds(clips, torn, validation)
    assert found is not None
    assert (found.groups, found.of) == (1, len(clips))
    assert len({clip.group for clip in clips if clip.path in found.example}) == 1


def test_a_linear_head_that_scores_its_training_clips_does_not_leak():
    """It scores train and validation clips by inner folds, and is trained on both."""
    clips = make_clips(("grow", "shrink"), {"train": 4, "validation": 4, "test": 2})
    clips = [clip.model_copy(update={"group": clip.label}) for clip in clips if clip.split != "test"]
    ids = tuple(clip.clip_id for clip in clips)
    everything = scored("validation", len(ids)).model_copy(update={"clip_ids": ids})
    half = everything.model_copy(update={"clip_ids": ids[:3], "folds": (0, 0, 0)})
    none = everything.model_copy(update={"clip_ids": (), "folds": (), "truth": ()})
    assert across_folds(clips, none, everything) == (None, None)
    assert across_folds(clips, none, half)[1] is not None

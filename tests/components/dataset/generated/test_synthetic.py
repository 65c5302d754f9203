"""Generated clips: the classes of a motion show the same poses in other orders, and nothing else differs."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from components.dataset.generated.recipe import Motion, Poses, read_recipe
from components.dataset.generated.synthetic import generate, possible_starts, spread_poses
from reelflow.backbones.thumbnail import SPEC
from reelflow.errors import ParamsError
from reelflow.params import load_params
from reelflow.video.decode import probe, sample_frames
from reelflow.video.preprocess import preprocess
from reelflow.video.sample import uniform_indices

EMBEDDED = Path("components/dataset/embedded.yaml")
RECIPE = read_recipe(EMBEDDED)
PARAMS = load_params(Path("params.yaml"))
SMALL = yaml.safe_load(EMBEDDED.read_text()) | {
    "groups": 3,
    "clips_per_group": 1,
    "width": 64,
    "height": 48,
}
COUNT = PARAMS.frames.count
motions = pytest.mark.parametrize("motion", RECIPE.motions, ids=lambda motion: motion.shape)
lengths = pytest.mark.parametrize("frames", range(RECIPE.frames[0], RECIPE.frames[1] + 1))


@pytest.fixture
def small_recipe(tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SMALL))
    return tmp_path / "small.yaml"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Thumbnails `(clips, frames, 12, 16)`, labels, groups and file facts of fifteen groups of the recipe."""
    root = tmp_path_factory.mktemp("embedded")
    recipe = root / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(yaml.safe_load(EMBEDDED.read_text()) | {"groups": 15}))
    found = generate(recipe, root)
    paths = [root / clip_file.path for clip_file in found]
    thumbnails = [preprocess(sample_frames(path, COUNT), SPEC.preprocessing)[..., 0] for path in paths]
    labels = np.array([clip_file.label for clip_file in found])
    groups = np.array([clip_file.group for clip_file in found])
    facts = np.array([(path.stat().st_size, probe(path).frame_count) for path in paths])
    return np.array(thumbnails) / 255, labels, groups, facts


def every_clip(motion: Motion, poses: Poses, frames: int) -> NDArray[np.float64]:
    """The poses of all clips of a class that are equally probable, `(clips, frames)`."""
    return np.array([spread_poses(frames, start, poses) for start in possible_starts(frames, motion)])


def seen(clips: NDArray[np.float64], places: tuple[int, ...]) -> Counter[Poses]:
    """How many clips show which poses in some of their frames."""
    return Counter(map(tuple, clips[:, places].tolist()))


def accuracy(classifier, features, labels, groups) -> float:
    """By cross-validation that keeps groups whole."""
    rows = features.reshape(len(features), -1)
    return float(cross_val_score(classifier, rows, labels, groups=groups, cv=GroupKFold(3)).mean())


def linear():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))


def forest():
    return RandomForestClassifier(60, random_state=1)


@motions
@lengths
def test_the_baseline_s_thumbnails_show_the_same_in_every_class(motion, frames):
    kept = uniform_indices(frames, COUNT)
    places = tuple(kept[i] for i in uniform_indices(COUNT, PARAMS.baselines.thumbnail_frames))
    first, *others = (every_clip(motion, poses, frames) for poses in motion.classes.values())
    assert any(any(poses) for poses in seen(first, places))  # not only rest
    assert all(seen(other, places) == seen(first, places) for other in others)


@motions
def test_no_three_frames_that_are_a_motion_apart_tell_classes_apart(motion):
    """All but those next to an end, which do not see every pose equally often."""
    frames, gap = RECIPE.frames[0], motion.frames
    first, *others = (every_clip(motion, poses, frames) for poses in motion.classes.values())
    places = range(gap - 1, frames - gap + 1)
    spread = [three for three in combinations(places, 3) if min(np.diff(three)) >= gap]
    assert uniform_indices(frames, 3) in spread
    for three in spread:
        assert all(seen(other, three) == seen(first, three) for other in others), three
    neighbours = tuple(range(gap, 2 * gap))
    assert all(seen(other, neighbours) != seen(first, neighbours) for other in others)


def test_the_clips_of_a_motion_are_equal_but_for_the_order_of_its_poses(small_recipe, tmp_path):
    assert len(generate(small_recipe, tmp_path / "clips")) == 18
    for motion in RECIPE.motions:
        for group in ("g00", "g01", "g02"):
            one, other = (tmp_path / "clips" / label / f"{group}_c00.mp4" for label in motion.classes)
            facts = probe(one)
            assert vars(facts) == vars(probe(other))
            assert one.stat().st_size == pytest.approx(other.stat().st_size, rel=0.01)
            first, second = (sample_frames(path, facts.frame_count).astype(int) for path in (one, other))
            differing = np.flatnonzero((first != second).any(axis=(1, 2, 3)))
            assert len(differing) == sum(a != b for a, b in zip(*motion.classes.values(), strict=True))
            assert differing[-1] - differing[0] < motion.frames


def test_clips_that_are_there_are_not_drawn_again(small_recipe, tmp_path):
    found = generate(small_recipe, tmp_path / "clips")
    paths = [tmp_path / "clips" / clip_file.path for clip_file in found]
    content = [path.read_bytes() for path in paths]
    assert len(set(content)) == 18
    paths[0].unlink()
    before = {path: path.stat().st_ino for path in paths[1:]}
    assert generate(small_recipe, tmp_path / "clips") == found
    assert {path: path.stat().st_ino for path in paths[1:]} == before
    assert [path.read_bytes() for path in paths] == content


def best_match(light: NDArray[np.float64], motion: Motion) -> str:
    """The class whose poses fit what changes in a clip, `(frames, 12, 16)`, best at any moment."""
    right, up = np.arange(16) - 7.5, 5.5 - np.arange(12)
    weights = {"side": np.tile(right, (12, 1)), "height": np.tile(up, (16, 1)).T, "size": np.ones((12, 16))}
    signal = np.tensordot(light, weights[motion.changes], 2)  # (frames,)
    return max(motion.classes, key=lambda label: np.correlate(signal, motion.classes[label]).max())


@pytest.mark.slow
def test_the_order_of_all_frames_tells_the_class(clips):
    thumbnails, labels, _, _ = clips
    light = thumbnails - np.median(thumbnails, axis=1, keepdims=True)
    motion_of = {label: motion for motion in RECIPE.motions for label in motion.classes}
    found = [best_match(clip, motion_of[label]) for clip, label in zip(light, labels, strict=True)]
    assert (labels == found).mean() > 0.95


def test_a_frame_three_frames_or_their_mean_tell_only_the_motion(clips):
    thumbnails, labels, groups, _ = clips
    spread = thumbnails[:, uniform_indices(COUNT, 3)]
    for features in (thumbnails[:, COUNT // 2], spread, thumbnails.mean(axis=1)):
        assert accuracy(linear(), features, labels, groups) < 0.56


def test_size_and_length_of_the_files_do_not_tell_the_order(clips):
    _, labels, groups, facts = clips
    for motion in RECIPE.motions:
        rows = np.isin(labels, tuple(motion.classes))
        assert accuracy(forest(), facts[rows], labels[rows], groups[rows]) < 0.6


def changed(**values: object) -> str:
    return yaml.safe_dump(SMALL | values)


def with_classes(**classes: list[float]) -> str:
    return changed(motions=[{"shape": "disc", "changes": "size", "classes": classes}])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\n", "groups"),
        (changed(fps=0), "fps"),
        (changed(fsp=15), "fsp"),
        (changed(frames=[14, 13]), "frames"),
        (changed(frames=[12, 13]), "take 13 or more"),
        (changed(noise=[9, 3]), "noise"),
        (changed(motions=SMALL["motions"] * 2), "different names"),
        (with_classes(up=[1, 0]), "at least 2 items"),
        (with_classes(up=[1, 0], down=[0.5, 0]), "down, up must have the same poses"),
        (with_classes(up=[1, 0], down=[1, 0]), "down, up must have the same poses"),
        (with_classes(up=[1, 0], down=[0, 2]), "less than or equal to 1"),
        (with_classes(**{"up": [1, 0], "../down": [0, 1]}), "pattern"),
        ("[", "no recipe"),
        ("", "no recipe"),
    ],
)
def test_a_wrong_recipe_is_an_error_that_names_the_value(tmp_path, text, said):
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(ParamsError, match=said):
        read_recipe(tmp_path / "wrong.yaml")


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"none\.yaml: No such file"):
        read_recipe(tmp_path / "none.yaml")

"""Generated clips: the same frames in opposite order, and nothing else that tells a pair apart."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from components.dataset.synthetic import PAIRS, generate, read_recipe
from reelflow.contracts import Preprocessing
from reelflow.errors import ParamsError
from reelflow.video.decode import probe, sample_frames
from reelflow.video.preprocess import preprocess

EMBEDDED = Path("components/dataset/embedded.yaml")
SMALL = (
    "seed: 3\ngroups: 3\nclips_per_group: 1\nwidth: 64\nheight: 48\nfps: 15\nframes: [9, 13]\nnoise: [1, 3]\n"
)
THUMBNAIL = Preprocessing(height=12, width=16, color="grey", resize="pil-bilinear", value_range=None)


@pytest.fixture
def small_recipe(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path / "small.yaml"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """Thumbnails (clips, frames, 192), labels, groups and file facts of the default clips."""
    root = tmp_path_factory.mktemp("embedded")
    found = generate(EMBEDDED, root)
    paths = [root / clip_file.path for clip_file in found]
    thumbnails = [preprocess(sample_frames(path, 25), THUMBNAIL).reshape(25, 192) for path in paths]
    labels = np.array([clip_file.label for clip_file in found])
    groups = np.array([clip_file.group for clip_file in found])
    facts = np.array([(path.stat().st_size, probe(path).frame_count) for path in paths])
    return np.array(thumbnails) / 255, labels, groups, facts


def accuracy(classifier, features, labels, groups):
    """By cross-validation that keeps groups whole."""
    return cross_val_score(classifier, features, labels, groups=groups, cv=GroupKFold(5)).mean()


def linear():
    return make_pipeline(StandardScaler(), RidgeClassifier(100.0))


def forest():
    return RandomForestClassifier(60, random_state=1)


def test_a_pair_shows_the_same_frames_in_opposite_order(small_recipe, tmp_path):
    found = generate(small_recipe, tmp_path / "clips")
    assert len(found) == 18
    for forwards, backwards in PAIRS:
        for group in ("g00", "g01", "g02"):
            one, other = (tmp_path / "clips" / label / f"{group}_c00.mp4" for label in (forwards, backwards))
            total = probe(one).frame_count
            assert total == probe(other).frame_count
            assert total % 2 == 1
            first, second = (sample_frames(path, total).astype(int) for path in (one, other))
            assert np.abs(first - second[::-1]).mean() < 6
            assert np.abs(first - second).mean() > np.abs(first - second[::-1]).mean() + 2


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


def test_the_frames_together_tell_the_classes_and_one_frame_does_not_tell_pairs(embedded):
    thumbnails, labels, groups, _ = embedded
    assert len(labels) == 120
    assert accuracy(linear(), thumbnails.reshape(120, -1), labels, groups) > 0.85
    assert accuracy(linear(), thumbnails[:, 12], labels, groups) < 0.56
    assert accuracy(linear(), thumbnails.mean(axis=1), labels, groups) < 0.56


def test_size_and_length_of_the_files_tell_next_to_nothing(embedded):
    _, labels, groups, facts = embedded
    assert accuracy(forest(), facts, labels, groups) < 0.33
    for forwards, backwards in PAIRS:
        pair = np.isin(labels, (forwards, backwards))
        found = accuracy(forest(), facts[pair], labels[pair], groups[pair])
        assert found < 0.67, (forwards, backwards)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\n", "groups"),
        (SMALL.replace("fps: 15", "fps: 0"), "fps"),
        (SMALL.replace("fps", "fsp"), "fsp"),
        (SMALL.replace("[9, 13]", "[13, 9]"), "frames"),
        (SMALL.replace("[9, 13]", "[10, 10]"), "frames"),
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

"""Parity is measured by the device's own classifier, clip by clip."""

import threading
from pathlib import Path

import numpy as np
import pytest

from components.conversion.parity import FEW_SEEN, compare, measure_parity
from components.conversion.reference import Reference
from reelflow.edge.bundle import open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.errors import BundleError
from reelflow.progress import watched_by
from reelflow.scoring import litert_scores
from tests.bundles import RandomFrames, write_small_bundle

CLIPS = tuple("abcdefg")
MANY = tuple(f"clip-{number:02}" for number in range(40))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("bundle")
    write_small_bundle(folder, head="single_frame")
    return open_bundle(folder)


def test_scores_are_in_the_order_of_the_clips_whatever_the_workers(bundle):
    classifier, frames = Classifier(bundle), RandomFrames()
    expected = np.stack([classifier.scores_from_frames(frames.read(clip)) for clip in CLIPS])
    assert len(np.unique(expected, axis=0)) == len(CLIPS)
    for workers in (1, 3):
        found = litert_scores(lambda: Classifier(bundle), CLIPS, frames, workers=workers)
        np.testing.assert_array_equal(found, expected)


def test_every_worker_has_its_own_classifier_and_progress_is_by_clips(bundle):
    loaded, events = [], []

    def load() -> Classifier:
        loaded.append(threading.get_ident())
        return Classifier(bundle)

    with watched_by(events.append):
        litert_scores(load, CLIPS, RandomFrames(), workers=2)
    assert len(loaded) == len(set(loaded)) <= 2
    assert [(e["done"], e["total"], e["unit"]) for e in events] == [(n, 7, "clips") for n in range(8)]


def test_the_first_error_ends_it(bundle):
    class Broken:
        def read(self, clip_id: str):
            raise BundleError(f"no frames of {clip_id}")

    with pytest.raises(BundleError, match="no frames of a"):
        litert_scores(lambda: Classifier(bundle), CLIPS, Broken(), workers=2)


def test_a_model_that_cannot_be_loaded_says_why():
    def load() -> Classifier:
        raise BundleError("LiteRT cannot load head.tflite")

    with pytest.raises(BundleError, match="cannot load head"):
        litert_scores(load, CLIPS, RandomFrames(), workers=2)


def test_compare():
    keras = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]], np.float32)
    litert = np.array([[0.8, 0.2], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], np.float32)
    parity = compare(Reference(tuple("abcd"), (0, 0, 1, 0), keras, seen=True), litert, videos=3)
    assert parity.seen
    assert (parity.clips, parity.videos, parity.agreement) == (4, 3, 0.75)
    assert (parity.keras_accuracy, parity.litert_accuracy) == (0.75, 0.5)
    assert parity.max_score_difference == pytest.approx(0.2, abs=1e-6)


def scores_of(places: list[int]) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[[place % 3 for place in places]]


@pytest.mark.parametrize(
    ("seen", "differing", "asked"),
    [
        (True, None, [FEW_SEEN]),
        (True, FEW_SEEN, [FEW_SEEN]),
        (True, FEW_SEEN - 1, [FEW_SEEN, len(MANY) - FEW_SEEN]),
        (False, None, [len(MANY)]),
        (False, 3, [len(MANY)]),
    ],
)
def test_seen_clips_that_all_agree_need_no_more(seen, differing, asked):
    truth = tuple(place % 3 for place in range(len(MANY)))
    reference = Reference(MANY, truth, scores_of(list(range(len(MANY)))), seen)
    found = []

    def score(clip_ids):
        found.append(len(clip_ids))
        places = [MANY.index(clip_id) for clip_id in clip_ids]
        return scores_of([place + (place == differing) for place in places])

    parity = measure_parity(reference, score, {*MANY[::2]})
    assert found == asked
    assert (parity.clips, parity.videos) == (sum(asked), -(-sum(asked) // 2))
    differs = differing is not None and differing < parity.clips
    assert parity.agreement == pytest.approx(1 - differs / parity.clips)
    assert (parity.max_score_difference, parity.keras_accuracy) == (float(differs), 1)
    assert parity.litert_accuracy == parity.agreement

"""Windows answer what `classify` says of the same frames, and never over a break in time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reelflow.contracts import Sampling
from reelflow.edge.bundle import open_bundle
from reelflow.edge.camera.wire import Header, Told
from reelflow.edge.classifier import Classifier
from reelflow.edge.watch.windows import Windows
from tests.bundles import FRAMES, write_small_bundle

INTERVAL_S = 0.1
IMAGES = np.random.default_rng(1).integers(0, 256, (40, 30, 40, 3), np.uint8)


@pytest.fixture(scope="module", params=[("plain",), ("plain", "crop")])
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder: Path = tmp_path_factory.mktemp("bundle")
    write_small_bundle(folder, sampling=Sampling(frames=FRAMES, views=request.param, clip_s=0.6))
    return Classifier(open_bundle(folder))


def picture(number: int, *, begins: bool = False, repeats: int = 1) -> Told:
    times_s = tuple((number + extra + 0.5) * INTERVAL_S for extra in range(repeats))
    return Told(
        Header(kind="frame", times_s=times_s, taken_s=float(number), begins=begins, shape=(30, 40, 3)),
        IMAGES[number],
    )


def expected(classifier: Classifier, places: list[int]) -> np.ndarray:
    return classifier.calibrated(classifier.scores_from_frames(IMAGES[places]))


def answers(windows: Windows, pictures: Iterator[Told] | list[Told]) -> list[tuple[int, np.ndarray]]:
    return [(int(found.taken_s), found.scores) for one in pictures for found in windows.add(one)]


def test_every_answer_is_that_of_classify_on_the_same_frames(classifier):
    found = answers(Windows(classifier, INTERVAL_S, hop_s=0.2), map(picture, range(20)))
    assert [newest for newest, _ in found] == list(range(FRAMES - 1, 20, 2))
    for newest, scores in found:
        places = list(range(newest - FRAMES + 1, newest + 1))
        np.testing.assert_array_equal(scores, expected(classifier, places))


def test_no_answer_over_a_break(classifier):
    pictures = [picture(number, begins=number == 8) for number in range(16)]
    found = answers(Windows(classifier, INTERVAL_S, hop_s=0.1), pictures)
    assert [newest for newest, _ in found] == [5, 6, 7, 13, 14, 15]
    np.testing.assert_array_equal(found[3][1], expected(classifier, list(range(8, 14))))


def test_a_picture_that_stays_counts_for_each_moment(classifier):
    pictures = [picture(0, repeats=3), picture(3), picture(4), picture(5)]
    ((_, scores),) = answers(Windows(classifier, INTERVAL_S, hop_s=1), pictures)
    np.testing.assert_array_equal(scores, expected(classifier, [0, 0, 0, 3, 4, 5]))


def test_few_dropped_frames_are_filled_and_many_begin_anew(classifier):
    windows = Windows(classifier, INTERVAL_S, hop_s=1)
    ((newest, scores),) = answers(windows, [picture(number) for number in (0, 1, 2, 5)])
    assert newest == 5
    np.testing.assert_array_equal(scores, expected(classifier, [0, 1, 2, 2, 2, 5]))
    windows.clear()
    assert answers(windows, [picture(number) for number in (0, 1, 6, 7, 8, 9, 10)]) == []


def test_memory_is_that_of_one_window(classifier):
    windows = Windows(classifier, INTERVAL_S, hop_s=0.1)
    for number in range(200):
        answers(windows, [picture(number % 40, begins=number % 40 == 0)])
    assert len(windows._codes) <= FRAMES

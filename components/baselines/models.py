"""Plain classifiers, and which of them a baseline takes: a baseline that is too weak flatters the rest."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.baselines.inputs import BaselineInputs
from reelflow.artifacts.predictions import Scores

Truth = NDArray[np.int64]

PENALTIES = (0.01, 1.0)  # inverse, of the logistic regressions
TREES = 100
INNER_FOLDS = 3
LEAST_SCORE = 0.01  # while choosing: a forest's 0 would outweigh all else


def score_held_out(
    inputs: BaselineInputs,
    truth: Truth,
    groups: Sequence[str],
    train: Truth,
    test: Truth,
    classes: int,
    seed: int,
) -> Scores:
    """Train the best classifier on some rows, and score others.

    Args:
        inputs: what it sees, `(clips, k)`.
        truth: class index a clip, `(clips,)`.
        groups: group a clip, of which none is cut apart while choosing.
        train: rows to learn from.
        test: rows to score.
        classes: their number.
        seed: of the trees and the inner folds.

    Returns:
        Probabilities `(len(test), classes) float32`.
    """
    names = np.array(groups)[train]
    model = _choose(inputs[train], truth[train], names, classes, seed)
    if not len(test):
        return np.zeros((0, classes), np.float32)
    return _score(_fit(model, inputs[train], truth[train]), inputs[test], classes)


def _candidates(seed: int) -> list[Any]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)) for c in PENALTIES]
    return [*linear, RandomForestClassifier(TREES, random_state=seed)]


def _choose(inputs: BaselineInputs, truth: Truth, groups: NDArray[np.str_], classes: int, seed: int) -> Any:
    """The candidate of the lowest log loss in an inner cross-validation by group; the first of equals.

    Not the one that is right most often: on a hundred clips that is chance more than merit.
    """
    candidates = _candidates(seed)
    losses = np.zeros(len(candidates))
    for train, test in _inner_folds(truth, groups, seed):
        for place, model in enumerate(candidates):
            scores = _score(_fit(model, inputs[train], truth[train]), inputs[test], classes)
            right = scores[np.arange(len(test)), truth[test]]
            losses[place] -= np.log(np.maximum(right, LEAST_SCORE)).sum()
    return candidates[int(np.argmin(losses))]


def _inner_folds(truth: Truth, groups: NDArray[np.str_], seed: int) -> Iterator[tuple[Truth, Truth]]:
    """Rows to learn from and to test on; none where the groups are too few."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(INNER_FOLDS, len(np.unique(groups)), np.unique_counts(truth).counts.min())
    if folds < 2:
        return
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for train, test in splitter.split(truth, truth, groups):
        if len(np.unique(truth[train])) > 1:
            yield train, test


def _fit(model: Any, inputs: BaselineInputs, truth: Truth) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="lbfgs failed to converge")  # near enough for a baseline
        return model.fit(inputs, truth)


def _score(model: Any, inputs: BaselineInputs, classes: int) -> Scores:
    """Probabilities `(n, classes) float32`; 0 for a class that the model has not learnt."""
    scores = np.zeros((len(inputs), classes), np.float32)
    scores[:, model.classes_] = model.predict_proba(inputs)
    return scores

"""The classifiers of a baseline, and the selection: a weak baseline would make models look better."""

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
LEAST_SCORE = 0.01  # lower bound of a score in the log loss: a forest may return 0


def score_held_out(
    inputs: BaselineInputs,
    truth: Truth,
    groups: Sequence[str],
    train: Truth,
    test: Truth,
    classes: int,
    seed: int,
) -> Scores:
    """Train the best classifier on some rows, and score others, with one thread.

    For matrices this small, threads of BLAS that wait for each other cost several times the work.

    Args:
        inputs: baseline inputs `(clips, k)`.
        truth: class index of each clip, `(clips,)`.
        groups: group of each clip; inner folds hold out whole groups.
        train: rows to train on.
        test: rows to score.
        classes: number of classes.
        seed: of the trees and the inner folds.

    Returns:
        Probabilities `(len(test), classes) float32`.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    names = np.array(groups)[train]
    with threadpool_limits(limits=1):
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
    """The classifier with the lowest log loss in an inner cross-validation by group; ties go to the first.

    Accuracy is not the criterion: on a hundred clips it is too noisy.
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
    """Train and test rows of the inner folds; empty if there are too few groups."""
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
        warnings.filterwarnings("ignore", message="lbfgs failed to converge")  # close enough for a baseline
        return model.fit(inputs, truth)


def _score(model: Any, inputs: BaselineInputs, classes: int) -> Scores:
    """Probabilities `(n, classes) float32`; 0 for a class without training clips."""
    scores = np.zeros((len(inputs), classes), np.float32)
    scores[:, model.classes_] = model.predict_proba(inputs)
    return scores

"""Uncertainty of the metrics: intervals, calibration, and comparison with the baselines."""

import numpy as np
from numpy.typing import NDArray

from components.evaluation import measures
from components.evaluation.inputs import Inputs
from components.evaluation.measures import Scores, Truth
from reelflow.contracts import BaselineComparison, Calibration, Interval
from reelflow.measures.calibration import (
    best_scores,
    choose_rejection,
    expected_error,
    fit_temperature,
    reliability_bins,
)
from reelflow.measures.comparison import compare
from reelflow.measures.intervals import f1_interval, group_interval
from reelflow.measures.scaling import scale_scores
from reelflow.params import EvaluationParams


def intervals(params: EvaluationParams, inputs: Inputs, top_k: int) -> dict[str, Interval]:
    """95 % intervals of the headline metrics, by name; top-k with k = classes is always 1."""
    scores, truth, groups = inputs.scores, inputs.truth, inputs.groups
    chance = {"resamples": params.resamples, "seed": params.seed}
    in_top_k = measures.is_in_top_k(scores, truth, top_k)
    certain = top_k == scores.shape[1]
    return {
        "accuracy": group_interval(_right(scores, truth), groups, **chance),
        "top5_accuracy": Interval(low=1, high=1) if certain else group_interval(in_top_k, groups, **chance),
        "macro_f1": f1_interval(scores.argmax(axis=1), truth, scores.shape[1], groups, **chance),
    }


def calibrate(params: EvaluationParams, inputs: Inputs) -> Calibration:
    """Fit temperature and threshold on the validation clips; measure them on the test clips.

    In cross-validation a clip may be in both, scored by the models of different folds.
    """
    truth = inputs.truth
    temperature = fit_temperature(inputs.validation, inputs.validation_truth)
    scaled = scale_scores(inputs.scores, temperature)
    validated = scale_scores(inputs.validation, temperature)
    reject_below, met = choose_rejection(validated, inputs.validation_truth, params.reject_target)
    accepted = best_scores(scaled) >= reject_below
    return Calibration(
        temperature=temperature,
        error_before=expected_error(inputs.scores, truth),
        error=expected_error(scaled, truth),
        bins=reliability_bins(scaled, truth),
        reject_below=reject_below,
        target=params.reject_target,
        target_met=met,
        accepted=float(accepted.mean()),
        accepted_accuracy=float(_right(scaled, truth)[accepted].mean()) if accepted.any() else 0.0,
    )


def compare_baselines(params: EvaluationParams, inputs: Inputs) -> tuple[BaselineComparison, ...]:
    """Compare the classifier with each baseline, clip by clip."""
    return tuple(_compare(params, inputs, name, scores) for name, scores in inputs.baselines.items())


def _compare(params: EvaluationParams, inputs: Inputs, name: str, scores: Scores) -> BaselineComparison:
    own, baseline = _right(inputs.scores, inputs.truth), _right(scores, inputs.truth)
    chance = {"resamples": params.resamples, "seed": params.seed}
    found = compare(own, baseline, inputs.groups, **chance)
    return BaselineComparison.model_validate(
        {
            "name": name,
            "accuracy": float(baseline.mean()),
            "interval": group_interval(baseline, inputs.groups, **chance),
            "difference": found.difference,
            "difference_interval": found.interval,
            "clearly_above": found.is_clearly_better,
        }
    )


def _right(scores: Scores, truth: Truth) -> NDArray[np.bool_]:
    """Whether the best class of each clip is the true one, `(clips,)`."""
    right: NDArray[np.bool_] = scores.argmax(axis=1) == truth
    return right

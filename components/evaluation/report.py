"""The report of an evaluation: every figure of one classifier."""

from components.evaluation import measures, uncertainty
from components.evaluation.inputs import Inputs
from reelflow.artifacts.evaluations import SELECTION
from reelflow.contracts import EvaluationReport
from reelflow.nets.candidates import name_of
from reelflow.params import EvaluationParams


def measure(params: EvaluationParams, inputs: Inputs, scores_sha256: str) -> EvaluationReport:
    """The content of `evaluation.json`."""
    training, scores, truth = inputs.training, inputs.scores, inputs.truth
    top_k = min(params.top_k, len(training.labels))
    report = EvaluationReport(
        name=name_of(training.backbone.name, training.head),
        data_hash=training.data_hash,
        training=training,
        labels=training.labels,
        top_k=top_k,
        clip_ids=training.test.clip_ids,
        truth=training.test.truth,
        groups=inputs.groups,
        intervals=uncertainty.intervals(params, inputs, top_k),
        calibration=uncertainty.calibrate(params, inputs),
        baselines=uncertainty.compare_baselines(params, inputs),
        confusion=tuple(tuple(row) for row in measures.confusion(scores, truth).tolist()),
        per_class=measures.per_class(scores, truth, training.labels),
        averages=measures.averages(scores, truth),
        scores_sha256=scores_sha256,
        model_sha256=training.model_sha256,
    )
    return report.model_copy(update={"metrics": _metrics(report, inputs)})


def _metrics(report: EvaluationReport, inputs: Inputs) -> dict[str, float]:
    kinds = ("precision", "recall", "f1")
    return {
        "accuracy": measures.top_k_accuracy(inputs.scores, inputs.truth, 1),
        "accuracy_low": report.intervals["accuracy"].low,
        "accuracy_high": report.intervals["accuracy"].high,
        "top5_accuracy": measures.top_k_accuracy(inputs.scores, inputs.truth, report.top_k),
        **{f"{row.label}_{kind}": getattr(row, kind) for row in report.averages for kind in kinds},
        **{name: value for name, value in report.training.metrics.items() if name in SELECTION},
        "calibration_error": report.calibration.error,
        "accepted": report.calibration.accepted,
        "accepted_accuracy": report.calibration.accepted_accuracy,
        **{f"baseline_{baseline.name}_accuracy": baseline.accuracy for baseline in report.baselines},
    }

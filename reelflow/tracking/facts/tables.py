"""Tables of an evaluation, in the format that MLflow's own `log_table` writes and `load_table` reads.

`log_table` itself needs pandas, which images of steps do not have, and appends to a table that is there
already (`MlflowClient.log_table` in mlflow.tracking.client): a step that is recorded again would double it.
"""

import json
from pathlib import Path
from typing import Any

from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import EvaluationReport

TABLES_TAG = "mlflow.loggedArtifacts"  # MLFLOW_LOGGED_ARTIFACTS of mlflow.utils.mlflow_tags
FOLDER = "tables"
PREDICTIONS = f"{FOLDER}/predictions.json"


def evaluation_tables(report: EvaluationReport, evaluation: Path) -> dict[str, str]:
    """Content by artifact: figures of each class, the confusion matrix, the prediction of each test clip.

    Raises:
        BundleError: the scores are damaged.
    """
    labels = report.labels
    classes = [[row.label, row.precision, row.recall, row.f1, row.support] for row in report.per_class]
    confusion = [[label, *row] for label, row in zip(labels, report.confusion, strict=True)]
    return {
        f"{FOLDER}/per_class.json": _table(["class", "precision", "recall", "f1", "clips"], classes),
        f"{FOLDER}/confusion.json": _table(["actual", *labels], confusion),
        PREDICTIONS: _table(
            ["clip_id", "group", "fold", "actual", "predicted", "score"], _predictions(report, evaluation)
        ),
    }


def tables_tag(names: list[str]) -> str:
    """The tag by which MLflow's page and `load_table` know which artifacts are tables."""
    return json.dumps([{"path": name, "type": "table"} for name in names])


def _predictions(report: EvaluationReport, evaluation: Path) -> list[list[Any]]:
    scores = Candidate(evaluation, report).scores()  # (test clips, classes)
    training, labels = report.training, report.labels
    best = scores.argmax(axis=1)
    folds = [training.folds[place].name for place in training.test.folds]
    return [
        [clip_id, group, fold, labels[actual], labels[found], round(float(score), 6)]
        for clip_id, group, fold, actual, found, score in zip(
            report.clip_ids, report.groups, folds, report.truth, best, scores.max(axis=1), strict=True
        )
    ]


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    """A pandas table as JSON of orient `split`."""
    return json.dumps({"columns": columns, "data": rows}, ensure_ascii=False)

"""Artifacts that show the results of a step in the KFP UI.

Arguments called `artifact` are KFP's: `dsl.Metrics`, `dsl.ClassificationMetrics`, `dsl.HTML`.
"""

import shutil
from pathlib import Path
from typing import Any

from reelflow.contracts import EvaluationReport
from reelflow.documents import Report


def show_metrics(artifact: Any, report: Report) -> None:
    """List a step's figures."""
    for name, value in report.metrics.items():
        artifact.log_metric(name, value)


def show_confusion(artifact: Any, report: EvaluationReport) -> None:
    """Draw the confusion matrix; rows are true classes."""
    artifact.log_confusion_matrix(list(report.labels), [list(row) for row in report.confusion])


def show_page(artifact: Any, page: Path) -> None:
    """Show a self-contained HTML page."""
    shutil.copyfile(page, artifact.path)

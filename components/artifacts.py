"""KFP's artifacts: those that show the results of a step in its UI, and those that come in any number.

Arguments called `artifact` are KFP's: `dsl.ClassificationMetrics`, `dsl.HTML`.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reelflow.contracts import EvaluationReport
from reelflow.documents import Report
from reelflow.files import link_file, write_text
from reelflow.settings import Settings
from reelflow.tracking.kfp_runs import launcher_logs_metrics


def gather_evaluations(artifacts: Sequence[Any], *, beside: Any) -> Path:
    """A folder `evaluations/` beside an output, with the files of every evaluation, by candidate.

    Args:
        artifacts: outputs of the evaluation step; absent ones are None.
        beside: an output of the running task.
    """
    target = Path(beside.path).parent / "evaluations"
    shutil.rmtree(target, ignore_errors=True)
    for source in (Path(artifact.path) for artifact in artifacts if artifact):
        own = target / EvaluationReport.open(source).name
        shutil.copytree(source, own, copy_function=lambda found, copy: link_file(Path(found), Path(copy)))
    return target


def show_figures(page: Any, metrics: Any, report: Report) -> None:
    """Show a step's figures as a table, and as metrics unless KFP copies these into our tree in MLflow.

    Args:
        page: `dsl.Markdown`.
        metrics: `dsl.Metrics`.
        report: of the step.
    """
    rows = (f"| {name} | {value:.6g} |" for name, value in report.metrics.items())
    write_text(Path(page.path), "\n".join(["| figure | value |", "|---|---:|", *rows, ""]))
    if launcher_logs_metrics(Settings()):
        return
    for name, value in report.metrics.items():
        metrics.log_metric(name, value)


def show_confusion(artifact: Any, report: EvaluationReport) -> None:
    """Draw the confusion matrix; rows are true classes."""
    artifact.log_confusion_matrix(list(report.labels), [list(row) for row in report.confusion])


def show_page(artifact: Any, page: Path) -> None:
    """Show a self-contained HTML page."""
    shutil.copyfile(page, artifact.path)

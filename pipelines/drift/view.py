"""Drift as a table."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from pipelines.drift.measure import DriftFinding
from reelflow.commandline import printable


def drift_table(findings: Iterable[DriftFinding]) -> Table:
    """One row a device, the fleet last."""
    table = Table("device", "answers", "labels", "scores", "mean score", "unsure", "verdict")
    for finding in findings:
        why = f": {'; '.join(finding.reasons)}" if finding.reasons else ""
        table.add_row(
            Text(printable(finding.whose)),
            f"{finding.answers}",
            f"{finding.label_index:.2f}",
            f"{finding.score_index:.2f}",
            f"{finding.score_shift:+.2f}",
            f"{finding.unsure_shift:+.2f}",
            finding.verdict + why,
        )
    return table

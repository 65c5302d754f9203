"""Descriptions in Markdown, of runs and versions: what came out, by which figures, and why."""

import re

from reelflow.contracts import Gate, ReleaseReport

SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")
MODEL_NOTE = (
    "Video classifiers made by reelflow. `champion` is what devices may run, `challenger` the newest, "
    "`previous` the champion before; `python -m pipelines history` shows who moved them, and why."
)


def escaped(text: str) -> str:
    """A text of users in Markdown, in one line: names of classes and clips may hold anything."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def release_note(report: ReleaseReport) -> str:
    """The outcome of a run."""
    metrics = report.metrics
    verdict = "promoted to **champion**" if report.promoted else "not promoted"
    lines = [
        f"**{escaped(report.name)}**, version {report.version} of {escaped(report.model_name)}: {verdict}.",
        "",
        escaped(report.explanation),
        "",
        *(f"> {escaped(warning)}\n" for warning in report.warnings),
        "| figure | |",
        "|---|---|",
        *(f"| {escaped(name)} | {value:.4g} |" for name, value in sorted(metrics.items())),
        "",
        "| gate | found | limit | passed |",
        "|---|---|---|---|",
        *(_row(gate) for gate in report.gates),
    ]
    if report.note:
        lines += ["", f"Note: {escaped(report.note)}"]
    lines += [
        "",
        "The report is the artifact `report/report.html`; `python -m pipelines lineage` names every clip.",
    ]
    return "\n".join(lines)


def _row(gate: Gate) -> str:
    found = escaped(gate.why) if gate.found is None else f"{gate.found:.4g}"
    return f"| {escaped(gate.name)} | {found} | {gate.limit:.4g} | {'yes' if gate.passed else '**no**'} |"

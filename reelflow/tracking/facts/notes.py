"""Descriptions in Markdown, of runs and versions: what came out, by which figures, and why."""

import re
from collections.abc import Iterable, Iterator, Mapping

from reelflow.contracts import Comparison, EvaluationReport, Gate, Interval, ReleaseReport, Summary
from reelflow.provenance.step import Provenance

SPECIAL = re.compile(r"([\\`*_{}\[\]()#!~])|^([-+]|\d+[.)])(?= )")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
"""Of HTML and tables: the Markdown of MLflow's page (showdown) knows no backslash before `<`."""
MODEL_NOTE = (
    "Video classifiers made by reelflow. `champion` is what devices may run, `challenger` the newest, "
    "`previous` the champion before; `python -m pipelines history` shows who moved them, and why."
)
REPORT, LINEAGE = "report/report.html", "bundle/lineage.json"
"""Artifacts: of the run, and of the chosen classifier's run."""
MOST = 5000
"""Characters: `description` of `SqlModelVersion` (mlflow.store.model_registry.dbmodels.models)."""
LOWEST = 5  # classes with the lowest F1 that a description names


def escaped(text: str) -> str:
    """A text of users in Markdown, in one line: names of classes and clips may hold anything."""
    marked = SPECIAL.sub(
        lambda found: f"\\{found[0]}" if found[1] else _unlisted(found[0]), " ".join(text.split())
    )
    return "".join(ENTITIES.get(character, character) for character in marked)


def _unlisted(start: str) -> str:
    """The start of a line that would be an item of a list."""
    return f"{start[:-1]}\\{start[-1]}"


def release_note(report: ReleaseReport, summary: Summary, links: Mapping[str, str]) -> str:
    """The outcome of a run.

    Args:
        report: of the release.
        summary: of the run.
        links: by text; below MLflow's page.
    """
    verdict = "promoted to **champion**" if report.promoted else "not promoted"
    where = f", version {report.version} of {escaped(report.model_name)}" if report.version else ""
    lines = [
        f"**{escaped(report.name)}**{where}: {verdict}.",
        "",
        escaped(report.explanation),
        "",
        *(f"> {escaped(warning)}\n" for warning in report.warnings),
        *_classifiers(summary),
        *_champion(report.comparison),
        *_gates(report.gates),
        *_table(("figure", ""), ((name, f"{value:.4g}") for name, value in sorted(report.metrics.items()))),
    ]
    if report.note:
        lines += [f"Note: {escaped(report.note)}", ""]
    lines += [" · ".join(f"[{text}]({link})" for text, link in links.items()), ""]
    return _within_limit([*lines, "`python -m pipelines lineage` names every clip of a version."])


def classifier_note(report: EvaluationReport, made: Provenance, machine: str) -> str:
    """What a classifier is worth, and what it was made with.

    Args:
        report: of its evaluation.
        made: the provenance of its training.
        machine: that it was trained on; empty if that is not known.
    """
    training, metrics = report.training, report.metrics
    accuracy = _with_interval(metrics["accuracy"], report.intervals["accuracy"])
    groups = len(set(report.groups))
    lines = [
        f"**{escaped(report.name)}**: accuracy **{accuracy}** on {len(report.truth)} test clips of {groups} "
        f"groups, protocol {escaped(training.protocol)}.",
        "",
    ]
    rows = [
        (
            one.name,
            _with_interval(one.accuracy, one.interval),
            _with_interval(one.difference, one.difference_interval, sign="+"),
            "yes" if one.clearly_above else "no",
        )
        for one in report.baselines
    ]
    lines += _table(("shortcut baseline", "accuracy", "above it by", "clearly"), rows)
    lowest = sorted(report.per_class, key=lambda row: row.f1)[:LOWEST]
    lines += _table(
        ("lowest classes", "F1", "clips"), ((row.label, f"{row.f1:.3f}", str(row.support)) for row in lowest)
    )
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(made.libraries.items()))
    trained = (
        f"{training.parameters} parameters, {training.epochs_run} epochs, the best {training.best_epoch}"
    )
    lines += [f"Trained: {trained}{f', on {escaped(machine)}' if machine else ''}.", ""]
    return _within_limit([*lines, f"Made with Python {escaped(made.python)}, {escaped(libraries)}."])


def _within_limit(lines: Iterable[str]) -> str:
    """The whole lines that MLflow has room for."""
    text = "\n".join(lines)
    if len(text) <= MOST:
        return text
    end = "\n\n… more in the report"
    return text[: MOST - len(end)].rpartition("\n")[0] + end


def _classifiers(summary: Summary) -> Iterator[str]:
    """The candidates and the baselines; [95 % interval]."""
    rows = [
        (
            f"{row.backbone}-{row.head}",
            _with_interval(row.accuracy, row.accuracy_interval),
            f"{row.macro_f1:.3f}",
        )
        for row in summary.rows
    ]
    rows += [(f"shortcut baseline {name}", f"{value:.3f}", "") for name, value in summary.baselines.items()]
    yield from _table((f"on the test clips, {summary.protocol}", "accuracy", "macro F1"), rows)


def _champion(found: Comparison | None) -> Iterator[str]:
    if found:
        yield (
            f"Against {escaped(found.champion)}, version {found.champion_version}, on the same {found.clips} "
            f"clips: {_with_interval(found.difference, found.difference_interval, sign='+')} accuracy, "
            f"McNemar p = {found.p_value:.3g}, {found.size_ratio:.2f} of its size: **{found.verdict}**."
        )
        yield ""


def _gates(gates: Iterable[Gate]) -> Iterator[str]:
    rows = [
        (
            gate.name,
            gate.why if gate.found is None else f"{gate.found:.4g}",
            f"{gate.limit:.4g}",
            "yes" if gate.passed else "no",
        )
        for gate in gates
    ]
    yield from _table(("gate", "found", "limit", "passed"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table with an empty line below; nothing if it has no rows."""
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    if not lines:
        return []
    return [f"| {' | '.join(map(escaped, head))} |", f"|{'---|' * len(head)}", *lines, ""]


def _with_interval(value: float, interval: Interval, sign: str = "") -> str:
    return f"{value:{sign}.3f} [{interval.low:{sign}.2f}, {interval.high:{sign}.2f}]"

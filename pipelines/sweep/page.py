"""Writes the results of a search: a Markdown page, a figure, and a params file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from pipelines.sweep.picture import draw
from pipelines.sweep.results import Study
from pipelines.trials.report import BEST, FILE, PAGE, PICTURE, StudyResult, SweepReport
from pipelines.trials.search import Attempt
from reelflow.charts.canvas import save
from reelflow.commandline import printable
from reelflow.files import write_text
from reelflow.params import Params


def write_results(report: SweepReport, studies: Sequence[Study], params: Params, out: Path) -> None:
    """Write the params to use, the picture, the page, and last the report.

    Raises:
        StorageError: the disk is full or read-only.
    """
    write_text(out / BEST, _best(report, params))
    save(draw(report, studies[-1]), out / PICTURE)
    write_text(out / PAGE, "\n".join(_page(report, studies[-1])) + "\n")
    write_text(out / FILE, report.to_json())


def in_words(report: SweepReport) -> tuple[str, str]:
    """A sentence each on the honest and the tuned accuracy."""
    low, high = report.interval.low, report.interval.high
    drawn = "clips of one group" if report.single_group else f"{report.groups} groups"
    return (
        f"honest accuracy {report.accuracy:.3f} [{low:.2f}, {high:.2f}]: {report.test_clips} clips of "
        f"{report.protocol}, each classified by a model that was selected and trained without its fold; "
        f"95 % interval over {drawn}",
        f"tuned accuracy {report.tuned_accuracy:.3f} ({report.optimism:+.3f}): on the very clips that chose "
        "the values; optimistic, not to be reported",
    )


def advice(report: SweepReport) -> str:
    """What a run of the chosen values measures."""
    if len(report.studies) == 1:
        return "best.yaml was chosen without the tested clips: a run of it measures an honest accuracy too."
    return (
        f"best.yaml was chosen on all clips: a run of it by {report.protocol} tests on clips that chose its "
        "values. Report the honest accuracy above instead."
    )


def _best(report: SweepReport, params: Params) -> str:
    chosen = report.chosen.within(params).model_dump(mode="json")
    words = "\n".join(f"# {line}" for line in (*in_words(report), advice(report)))
    header = f"# Chosen by `python -m pipelines sweep`.\n{words}\n\n"
    return header + yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True)


def _page(report: SweepReport, last: Study) -> Iterator[str]:
    honest, tuned = in_words(report)
    yield from ("# What the search found", "", f"- **{honest[0].upper()}{honest[1:]}.**")
    yield from (f"- {tuned[0].upper()}{tuned[1:]}.", f"- {advice(report)}")
    yield from ("", f"![trials and folds]({PICTURE})", "", "## Chosen", "")
    yield from (f"- {name}: {_cell(value)}" for name, value in report.chosen.values().items())
    yield from ("", "## Studies", "")
    yield (
        f"Each study chose on its own clips, by {report.inner}. Its choice was then trained on all of them "
        "and tested on the clips of its outer fold, which no trial of it has seen. "
        f"{report.agreement:.0%} of the outer folds chose the head and backbone of best.yaml."
    )
    yield ""
    header = ("study", "clips", "complete", "pruned", "failed", "chosen", "tuned (optimistic)", "held out")
    yield from _table([header, *map(_study_row, report.studies)])
    yield from ("", f"## Trials of {_cell(last.nest.name)}", "")
    yield from _table([("trial", "state", "accuracy", "log loss", "values"), *map(_trial_row, last.attempts)])


def _study_row(study: StudyResult) -> tuple[str, ...]:
    held_out = "-" if study.accuracy is None else f"{study.accuracy:.3f} on {study.test_clips}"
    counts = map(str, (study.clips, study.complete, study.pruned, study.failed))
    return (study.name, *counts, study.chosen.in_words(), f"{study.tuned_accuracy:.3f}", held_out)


def _trial_row(attempt: Attempt) -> tuple[str, ...]:
    figures = (f"{attempt.accuracy:.3f}", f"{attempt.log_loss:.3f}") if attempt.scores else ("-", "-")
    state = f"{attempt.state} after {len(attempt.scores)}" if attempt.state == "PRUNED" else attempt.state
    return (str(attempt.number), state, *figures, attempt.error or attempt.candidate.in_words())


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for place, row in enumerate(rows):
        yield f"| {' | '.join(map(_cell, row))} |"
        if not place:
            yield "|" + "---|" * len(row)


def _cell(text: str) -> str:
    return printable(" ".join(text.split())).replace("|", "\\|").replace("<", "&lt;")

"""`report.html`: one self-contained page for readers who do not know the run.

Labels and paths come from the user's folders, so the template escapes everything, and the content security
policy of the page forbids scripts and external resources.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.release.charts import draw_candidate
from components.release.gates.check import MEANINGS, amount, bound
from components.release.report_text import points, signed_span, span
from components.release.sections import uncertainty
from components.release.stills import strips
from components.release.warnings import straddling, tested_groups
from reelflow import __version__
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.evaluations import FEATURES, TRAINING, Candidate
from reelflow.artifacts.frames import FrameStore
from reelflow.charts.canvas import inline
from reelflow.charts.clips import draw_clips_per_class
from reelflow.contracts import (
    BundleReport,
    DatasetReport,
    FramesReport,
    Rejected,
    ReleaseReport,
)
from reelflow.errors import BundleError
from reelflow.files import write_text
from reelflow.params import ReleaseParams
from reelflow.provenance.step import PROVENANCE, Provenance

if TYPE_CHECKING:
    from jinja2 import Template

MOST_QUARANTINED = 200


@dataclass(frozen=True)
class RunFolders:
    """The inputs of a report: the folders of the steps, and their documents."""

    dataset: Path
    frames: Path
    store: FrameStore
    bundle: Path
    candidates: Sequence[Candidate]
    converted: BundleReport
    outcome: ReleaseReport
    params: ReleaseParams


def write_report(run: RunFolders, folder: Path) -> None:
    """Write `report.html` to `folder`.

    Raises:
        BundleError: a step's folder is damaged.
        StorageError: the disk is full or read-only.
    """
    write_text(folder / "report.html", _page().render(_contents(run)))


@cache
def _page() -> "Template":
    """The template of the page, which is compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}\u00a0%"
    environment.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
    environment.globals.update(meanings=MEANINGS, bound=bound, amount=amount)
    environment.globals.update(span=span, signed_span=signed_span, points=points)
    return environment.get_template("report.html.j2")


def _contents(run: RunFolders) -> dict[str, Any]:
    clips = {clip.clip_id: clip for clip in read_clips(run.dataset)}
    chosen = run.candidates[0]
    dataset = DatasetReport.open(run.dataset)
    return {
        **uncertainty(run.candidates, run.outcome),
        "run": run,
        "chosen": chosen.report,
        "right": sum(row[place] for place, row in enumerate(chosen.report.confusion)),
        "guess": max(sum(row) for row in chosen.report.confusion) / len(chosen.report.truth),
        "test_groups": tested_groups(clips.values(), chosen),
        "leaks": any(straddling(clips.values(), run.store.report, chosen)),
        "charts": [draw_candidate(candidate) for candidate in run.candidates],
        "strips": strips(chosen, clips, run.store),
        "dataset": dataset,
        "notes": dataset.notes,
        "table": _table(run.dataset / "table.csv"),
        "clips_per_class": inline(draw_clips_per_class([*clips.values()]), "Clips per class by duration"),
        "quarantined": _quarantined(run),
        "most_quarantined": MOST_QUARANTINED,
        "provenances": _provenances(run),
        "version": __version__,
    }


def _table(path: Path) -> list[list[str]]:
    """The rows of the dataset table; empty without a table."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def _quarantined(run: RunFolders) -> list[Rejected]:
    return [*DatasetReport.open(run.dataset).quarantined, *FramesReport.open(run.frames).quarantined]


def _provenances(run: RunFolders) -> list[Provenance]:
    """The provenance of each step that recorded it."""
    chosen = run.candidates[0].folder
    folders = [run.dataset, run.frames, chosen / FEATURES, chosen / TRAINING, chosen, run.bundle]
    found = []
    for folder in folders:
        try:
            found.append(Provenance.read(folder / PROVENANCE))
        except BundleError:
            continue
    return found
